"""Video in ``visage score``: frames, times, tracks, and files that are none."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bulk.sources import Item, Unreadable
from bulk.video import frames_of
from tests.unit.bulk.test_score import FACELESS, HAPPY, rows, score

av = pytest.importorskip("av", reason="The packages of visage[bulk] are not installed.")

RATE = 10
MOST = 50_000_000


def make(path: Path, frames: int, *, step: int = 3) -> Path:
    """A video in which a face moves to the right."""
    face = Image.open(HAPPY).convert("RGB").resize((240, 240))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 480, 320, "yuv420p"
        for number in range(frames):
            picture = Image.new("RGB", (480, 320), (90, 90, 90))
            picture.paste(face, (20 + step * number, 40))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture), format="rgb24")))
        container.mux(stream.encode())
    return path


def times(path: Path, fps: float | None) -> list[tuple[int, float]]:
    return [(frame.number, round(frame.t, 3)) for frame in frames_of(Item(str(path), str(path)), fps, MOST)]


def test_all_frames_or_some_of_them(tmp_path: Path) -> None:
    video = make(tmp_path / "a.mp4", 30)
    assert times(video, None) == [(number, round(number / RATE, 3)) for number in range(30)]
    assert times(video, 5) == [(number, round(number / RATE, 3)) for number in range(0, 30, 2)]
    assert [number for number, _ in times(video, 0.5)] == [0, 20]
    assert len(times(video, 60)) == 30


def test_a_video_has_a_row_for_each_face_and_frame(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    make(folder / "b.mp4", 12)
    shutil.copy(FACELESS, folder / "a.jpg")
    score(folder, "--fps", "5", out=tmp_path / "out")
    found = rows(tmp_path / "out")
    assert [(row["index"], row["t"]) for row in found] == [(0, None), *((1, t) for t in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))]
    video = found[1:]
    assert {row["track"] for row in video} == {1}
    assert [row["x"] for row in video] == sorted(row["x"] for row in video)
    assert video[0]["smoothed_happy"] == video[0]["p_happy"]
    assert all(row["image_format"] is None for row in video)


def test_files_that_are_no_video_are_rows(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    whole = make(tmp_path / "whole.mkv", 40, step=1).read_bytes()
    (folder / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    (folder / "none.mp4").write_bytes(b"no video")
    with av.open(str(folder / "sound.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    assert score(folder, out=tmp_path / "out") == 1
    found = rows(tmp_path / "out")
    cut, none, sound = ([row for row in found if row["source"].endswith(name)] for name in ("cut.mkv", ".mp4", "d.mkv"))
    assert sum(row["success"] for row in cut) >= 3, "What comes before the damage is kept."
    assert [row["error"] for row in none] == ["unreadable"]
    assert sound[0]["message"] == "The file has no video stream."


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm", "a.gif"])
def test_every_kind_of_file(tmp_path: Path, name: str) -> None:
    codec = {".webm": "libvpx", ".gif": "gif"}.get(Path(name).suffix, "mpeg4")
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb8" if codec == "gif" else "yuv420p"
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 * number, np.uint8), format="rgb24")
            container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
        container.mux(stream.encode())
    assert times(tmp_path / name, None) == [(number, number / RATE) for number in range(5)]


@pytest.mark.parametrize(
    ("matrix", "corner"),
    [
        # Of the displayed frame, which corner is the red one, as (bottom, right), for each way to hold a phone.
        ((1, 0, 0, 1), (0, 0)),
        ((0, 1, -1, 0), (0, 1)),
        ((-1, 0, 0, -1), (1, 1)),
        ((0, -1, 1, 0), (1, 0)),
    ],
)
def test_frames_are_upright(tmp_path: Path, matrix: tuple[int, int, int, int], corner: tuple[int, int]) -> None:
    frame = np.full((48, 96, 3), 90, np.uint8)
    frame[:24, :48] = (255, 0, 0)
    video = encoded(tmp_path / "a.mp4", [frame] * 2, [0, 100])
    data = bytearray(video.read_bytes())
    # Where a file of this kind keeps how it is to be turned: a, b, u, c, d, v, x, y, w of ISO 14496-12, 8.3.2.
    start = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value * 65_536 for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    video.write_bytes(data)
    (first, _) = frames_of(Item("a.mp4", str(video)), None, MOST)
    turned = matrix[0] == 0
    assert (first.picture.width, first.picture.height) == ((48, 96) if turned else (96, 48))
    assert first.picture.pixels.shape == ((96, 48, 3) if turned else (48, 96, 3))
    height, width = first.picture.pixels.shape[:2]
    red = first.picture.pixels[height // 4 + corner[0] * height // 2, width // 4 + corner[1] * width // 2]
    assert red[0] > 200
    assert red[1] < 100


def encoded(path: Path, frames: list[Any], milliseconds: list[int], options: Mapping[str, str] | None = None) -> Path:
    """A video of frames that are shown from these times on."""
    with av.open(str(path), "w", options=dict(options or {})) as container:
        stream = container.add_stream("mpeg4", rate=1000)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for pixels, time in zip(frames, milliseconds, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_frames_at_irregular_times(tmp_path: Path) -> None:
    shown = [0, 40, 500, 510, 520, 1700, 1720, 2000]
    grey = np.full((48, 64, 3), 90, np.uint8)
    video = encoded(tmp_path / "a.mkv", [grey] * len(shown), shown)
    assert times(video, None) == [(number, time / 1000) for number, time in enumerate(shown)]
    # The first frame of each half second that has one.
    assert times(video, 2) == [(0, 0.0), (2, 0.5), (5, 1.7), (7, 2.0)]


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.mov"])
def test_a_file_that_is_cut_off_says_so_after_its_frames(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (8, 48, 64, 3), dtype=np.uint8)
    # With its index at the beginning, as for the web, a file is readable up to where it ends.
    options = {} if name == "a.mkv" else {"movflags": "faststart"}
    whole = encoded(tmp_path / name, list(noise), [1000 * number for number in range(8)], options).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    shutil.copy(HAPPY, folder / "b.jpg")
    assert score(folder, out=tmp_path / "out") == 1
    *frames, last, picture = rows(tmp_path / "out")
    assert [row["frame"] for row in frames] == list(range(len(frames)))
    assert 2 <= len(frames) <= 5
    assert last["error"] == "unreadable"
    assert last["message"].startswith("The video is cut off: its last frame ends at ")
    assert picture["success"], "What comes after it is read."
    assert times(tmp_path / name, None)[-1] == (7, 7.0), "The whole file is no such case."


def test_a_whole_file_may_end_with_a_frame_that_is_shown_for_long(tmp_path: Path) -> None:
    first, *others = (Image.new("RGB", (64, 48), (shade, 90, 90)) for shade in (0, 90, 180))
    first.save(tmp_path / "a.gif", save_all=True, append_images=others, duration=[100, 100, 5000])
    assert times(tmp_path / "a.gif", None) == [(0, 0.0), (1, 0.1), (2, 0.2)]


def test_a_face_in_few_frames_has_one_track_while_it_is_in_view(tmp_path: Path) -> None:
    there, gone = Image.open(HAPPY).convert("RGB").resize((240, 240)), Image.new("RGB", (240, 240), (90, 90, 90))
    pictures = [there, there, there, gone, gone, there]
    milliseconds = [1001 * number for number in range(len(pictures))]
    folder = tmp_path / "videos"
    folder.mkdir()
    encoded(folder / "a.mkv", [np.asarray(picture) for picture in pictures], milliseconds)
    score(folder, "--fps", "1", out=tmp_path / "out")
    assert [row["track"] for row in rows(tmp_path / "out")] == [1, 1, 1, None, None, 2]


@pytest.mark.parametrize("text", [b"00:00:00", b"ENCODER", b"Lavf"])
def test_tags_of_any_bytes_end_no_run(tmp_path: Path, text: bytes) -> None:
    whole = make(tmp_path / "a.mkv", 5).read_bytes()
    assert text in whole
    (tmp_path / "a.mkv").write_bytes(whole.replace(text, b"\xe4" * len(text)))
    assert len(times(tmp_path / "a.mkv", None)) == 5


def test_a_codec_that_is_not_known(tmp_path: Path) -> None:
    video = make(tmp_path / "a.mkv", 5)
    video.write_bytes(video.read_bytes().replace(b"V_MPEG4/ISO", b"V_OTHER/ISO"))
    with pytest.raises(Unreadable, match="codec"):
        times(video, None)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_times_begin_with_the_first_frame(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3, 48, 64, 3), dtype=np.uint8)
    video = encoded(tmp_path / name, list(noise), [1_000_000, 1_000_500, 1_001_000])
    assert times(video, None) == [(0, 0.0), (1, 0.5), (2, 1.0)]


def test_an_appended_recording_goes_on_where_the_first_ends(tmp_path: Path) -> None:
    grey = np.full((48, 64, 3), 90, np.uint8)
    one = encoded(tmp_path / "one.mkv", [grey] * 4, [0, 1000, 2000, 3000]).read_bytes()
    (tmp_path / "two.mkv").write_bytes(one + one)
    assert [t for _, t in times(tmp_path / "two.mkv", 1)] == [0, 1, 2, 3, 4, 5, 6]


def test_a_file_whose_index_is_cut_off(tmp_path: Path) -> None:
    whole = make(tmp_path / "whole.mp4", 20).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Unreadable, match="cannot be read to its end"):
        times(tmp_path / "cut.mp4", None)


def test_no_playlist_is_followed(tmp_path: Path) -> None:
    make(tmp_path / "secret.mp4", 3)
    for number, text in enumerate((PLAYLIST, "ffconcat version 1.0\nfile secret.mp4\n")):
        fake = tmp_path / f"{number}.mp4"
        fake.write_text(text)
        with pytest.raises(Unreadable, match="cannot be read"):
            list(frames_of(Item("fake.mp4", str(fake)), None, MOST))


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n"


def test_a_video_in_a_store(tmp_path: Path) -> None:
    video = make(tmp_path / "a.mp4", 5)
    item = Item("a.mp4", f"file://{video}")
    assert [frame.number for frame in frames_of(item, None, MOST)] == [0, 1, 2, 3, 4]


def test_frames_of_too_many_pixels_are_refused(tmp_path: Path) -> None:
    item = Item("a.mp4", str(make(tmp_path / "a.mp4", 2)))
    with pytest.raises(Unreadable, match="480x320 have more than 1000 pixels"):
        list(frames_of(item, None, 1000))
