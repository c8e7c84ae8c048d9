"""Frames of a video file, one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from app.vision.decode import Picture
from bulk.sources import Item, Unreadable, is_url, opened, reason_of

_HALF_A_FRAME: Final = 1e-3
_MISSING_SECONDS, _MISSING_SHARE = 2.0, 0.05
"""What may be missing at the end of a video before it counts as cut off. FFmpeg does not say so."""
_APPENDED: Final = 1.0
"""Seconds by which times fall where another recording was appended, which goes on from there."""
_BLOCK: Final = 1 << 22
"""Bytes that are asked of a store at once."""
_OPTIONS: Final = {"protocol_whitelist": "file", "format_whitelist": "mov,mp4,matroska,webm,gif"}
"""FFmpeg would also follow a playlist, under the name of a video, to other files and addresses."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: its number among all of the video, its time in seconds from the first, and its pixels."""

    number: int
    t: float
    picture: Picture


def frames_of(item: Item, fps: float | None, most_pixels: int) -> Iterator[Frame]:
    """The frames of a video, or about ``fps`` of them a second. Raises Unreadable, also after the frames before the
    damage of a file that is cut off."""
    import av  # noqa: PLC0415 - only runs with video need it

    # PyAV 18, the last for Python 3.11, refuses tags that are not UTF-8 unless it is told otherwise.
    lenient: dict[str, Any] = {"metadata_errors": "replace"} if av.__version__.startswith("18.") else {}
    try:
        with _source(item) as file, av.open(file, options=_OPTIONS, **lenient) as container:
            if not container.streams.video:
                raise Unreadable("The file has no video stream.")
            if container.streams.video[0].codec_context is None:
                raise Unreadable("The codec of the video is not known.")
            yield from _decoded(container, fps, most_pixels)
    except (av.error.FFmpegError, OSError) as error:
        raise Unreadable(f"The video cannot be read to its end: {reason_of(error)}.") from None


def _source(item: Item) -> AbstractContextManager[Any]:
    """What FFmpeg opens: a path, or a file in a store."""
    if is_url(item.location):
        file: AbstractContextManager[Any] = opened(item.location, block_size=_BLOCK)
        return file
    return nullcontext(item.location)


def _decoded(container: Any, fps: float | None, most_pixels: int) -> Iterator[Frame]:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    _check_size(stream.codec_context, most_pixels)
    rate = float(stream.average_rate or 25)
    first: float | None = None
    wanted = t = end = before = 0.0
    number = -1
    for number, frame in enumerate(container.decode(stream)):
        time = frame.time if frame.time is not None else number / rate
        if first is None:
            first = time
        elif time < before - _APPENDED:
            first = time - t
        before = time
        # Times in damaged files fall; those of a session do not.
        t = max(t, time - first)
        end = max(end, t + float((frame.duration or 0) * frame.time_base))
        if fps is not None and t + _HALF_A_FRAME < wanted:
            continue
        if fps is not None:
            wanted = (int((t + _HALF_A_FRAME) * fps) + 1) / fps
        _check_size(frame, most_pixels)
        yield Frame(number, t, _picture(frame))
    if number < 0:
        raise Unreadable("The video has no frame.")
    length = _length(container, stream)
    if length - end > max(_MISSING_SECONDS, _MISSING_SHARE * length):
        raise Unreadable(f"The video is cut off: its last frame ends at {end:.1f} s of {length:.1f} s.")


def _length(container: Any, stream: Any) -> float:
    """The seconds that a video has by its header, 0 where that says nothing."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    # Matroska's is a tag of the stream. That of the file is its longest stream's, which may be the sound. Both are the
    # time of the end, and the first frame need not be at 0.
    start = float((stream.start_time or 0) * stream.time_base)
    if tag := re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = map(float, tag.groups())
        return 3600 * hours + 60 * minutes + seconds - start
    return float(container.duration or 0) / 1e6 - start if len(container.streams) == 1 else 0.0


def _check_size(frame: Any, most_pixels: int) -> None:
    if frame.width * frame.height > most_pixels:
        raise Unreadable(f"Its frames of {frame.width}x{frame.height} have more than {most_pixels} pixels.")


def _picture(frame: Any) -> Picture:
    pixels = np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90)))
    height, width = pixels.shape[:2]
    return Picture(pixels, width, height)
