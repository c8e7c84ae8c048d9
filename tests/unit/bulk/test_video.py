"""Video in ``visage score``: frames, times, tracks, and files that are none."""

from __future__ import annotations

import shutil
from pathlib import Path

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


def test_frames_of_too_many_pixels_are_refused(tmp_path: Path) -> None:
    item = Item("a.mp4", str(make(tmp_path / "a.mp4", 2)))
    with pytest.raises(Unreadable, match="480x320 have more than 1000 pixels"):
        list(frames_of(item, None, 1000))
