"""Made-up sets of generated pictures, in which each gate has known hits and misses."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.inference.classifier import load_classifier
from app.inference.session import SessionSpec
from app.pipeline import DetectOptions, Pipeline
from tests.unit.training.synthetic import write_data
from training import duplicates, gates, photos, prepare, synthesize
from training.data import Faces
from training.dataset import Photo
from training.duplicates import KnownFaces
from training.gates import Decision, Gates, Judge, Limits
from training.labels import FERPLUS

SAMPLES = Path("sample_images")
DEFAULT = Limits()
NOTHING = np.empty((0, 48, 48), np.uint8)


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with photos.open_pipeline() as opened:
        yield opened


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(load_classifier(Path("models/default"), SessionSpec()))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, pipeline: Pipeline) -> Path:
    """Made-up faces, and Grace Hopper's among those for training."""
    folder = tmp_path_factory.mktemp("synthesize")
    prepare.main(["--data", str(write_data(folder / "data")), "--to", str(folder / "prepared")])
    path = folder / "prepared" / "train.npz"
    faces = Faces.load(path)
    faces.images[5] = face_of(pipeline, "neutral_sample")
    faces.save(path)
    return folder / "prepared"


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.jpg").read_bytes()


def face_of(pipeline: Pipeline, name: str) -> NDArray[np.uint8]:
    return photos.training_face(pipeline.detect(sample(name), DetectOptions(), photos.never_cancel))


def changed(name: str, change: Callable[[Image.Image], Image.Image]) -> bytes:
    buffer = io.BytesIO()
    change(Image.open(io.BytesIO(sample(name))).convert("RGB")).save(buffer, "PNG")
    return buffer.getvalue()


def decide(pipeline: Pipeline, judge: Judge, *pictures: tuple[bytes, str], limits: Limits = DEFAULT) -> list[Decision]:
    known = KnownFaces(judge.embed, [], NOTHING)
    named = [Photo(f"{place}.png", label, data) for place, (data, label) in enumerate(pictures)]
    return Gates(pipeline, judge, known, limits).decide(named)


@pytest.mark.parametrize(
    ("name", "label", "reason"),
    [
        ("happy_sample", "happy", None),
        ("rotated_exif", "happy", None),
        ("neutral_sample", "neutral", None),
        ("no_face", "happy", "no_face"),
        ("cat", "happy", "no_face"),
        ("multiple_faces", "happy", "several_faces"),
        ("several_faces", "happy", "several_faces"),
        ("blurred", "neutral", "blurred"),
        ("happy_sample", "fear", "other_label"),
        ("neutral_sample", "sad", "other_label"),
    ],
)
def test_each_gate_lets_in_and_refuses_what_it_should(
    pipeline: Pipeline, judge: Judge, name: str, label: str, reason: str | None
) -> None:
    (decision,) = decide(pipeline, judge, (sample(name), label))
    assert decision.reason == reason


@pytest.mark.parametrize("data", [b"", b"no picture", sample("happy_sample")[:4000]], ids=["empty", "text", "half"])
def test_files_that_are_no_pictures_are_refused(pipeline: Pipeline, judge: Judge, data: bytes) -> None:
    (decision,) = decide(pipeline, judge, (data, "happy"))
    assert decision.reason == "unreadable"


def test_a_small_face_beside_a_large_one_counts(pipeline: Pipeline, judge: Judge) -> None:
    def with_another(picture: Image.Image) -> Image.Image:
        wide = Image.new("RGB", (900, 600), "grey")
        wide.paste(picture, (0, 0))
        wide.paste(picture.resize((150, 176)), (650, 200))
        return wide

    (decision,) = decide(pipeline, judge, (changed("neutral_sample", with_another), "neutral"))
    assert decision.reason == "several_faces"


def test_the_floors_are_those_that_were_set(pipeline: Pipeline, judge: Judge) -> None:
    (plain,) = decide(pipeline, judge, (sample("happy_sample"), "happy"))
    assert plain.confidence is not None
    assert plain.sharpness is not None
    for limits, reason in [
        (Limits(confidence=plain.confidence + 0.0002), "unsure"),
        (Limits(confidence=plain.confidence - 0.0002), None),
        (Limits(sharpness=plain.sharpness + 0.0002), "blurred"),
        (Limits(sharpness=plain.sharpness - 0.0002), None),
    ]:
        (decision,) = decide(pipeline, judge, (sample("happy_sample"), "happy"), limits=limits)
        assert decision.reason == reason


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture,
        lambda picture: picture.resize((256, 300)),
        lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda picture: picture.rotate(3, fillcolor="grey"),
        lambda picture: picture.point([value * 3 // 4 + 20 for value in range(256)] * 3),
    ],
    ids=["same", "smaller", "mirrored", "turned", "relit"],
)
def test_a_near_duplicate_of_another_picture_is_refused(
    pipeline: Pipeline, judge: Judge, change: Callable[[Image.Image], Image.Image]
) -> None:
    pictures = [(data, "neutral") for data in (sample("neutral_sample"), changed("neutral_sample", change))]
    first, second = decide(pipeline, judge, *pictures)
    assert first.reason is None
    assert (second.reason, second.duplicate_of) == ("near_duplicate", "0.png")


def test_what_was_refused_makes_no_duplicates(pipeline: Pipeline, judge: Judge) -> None:
    first, second = decide(pipeline, judge, (sample("happy_sample"), "sad"), (sample("happy_sample"), "happy"))
    assert (first.reason, second.reason) == ("other_label", None)


def test_a_near_hash_alone_makes_no_duplicate() -> None:
    """Between the two limits of the hash, the embedding decides."""
    generator = np.random.default_rng(1)
    face = cv2.GaussianBlur(generator.integers(0, 256, (48, 48), np.uint8), (0, 0), 2)
    other = np.asarray(cv2.GaussianBlur(generator.integers(0, 256, (48, 48), np.uint8), (0, 0), 2))
    blends = [np.asarray(cv2.addWeighted(face, 1 - share, other, share, 0)) for share in np.linspace(0, 0.5, 101)]

    def found(blend: NDArray[np.uint8], similarity: float) -> str | None:
        pair = np.array([[1, 0], [similarity, (1 - similarity**2) ** 0.5]], np.float32)
        return KnownFaces(lambda _: pair, ["known"], face[None]).duplicate_of(blend)

    similar, different = duplicates.NEAR_EMBEDDING + 0.01, duplicates.NEAR_EMBEDDING - 0.01
    results = [(found(blend, similar), found(blend, different)) for blend in blends]
    # The same, then one that depends on the embedding, then another face.
    assert results[0] == ("known", "known")
    assert ("known", None) in results
    assert results[-1] == (None, None)


def test_a_label_gets_at_most_its_share() -> None:
    decisions = [Decision(str(place), "fear" if place < 30 else "sad") for place in range(40)]
    decisions[0].reason = "unsure"
    gates.limit_shares(decisions, {"fear": 30, "sad": 90}, 0.25, seed=1)
    let_in = [each for each in decisions if each.reason is None]
    assert sum(each.label == "fear" for each in let_in) == 10  # of 40 in all
    assert sum(each.label == "sad" for each in let_in) == 10
    assert decisions[0].reason == "unsure"
    assert sum(each.reason == "class_full" for each in decisions) == 19
    assert [each.file for each in let_in if each.label == "fear"] != [str(place) for place in range(1, 11)]


def run(prepared: Path, folder: Path, to: Path, *options: str) -> dict[str, Any]:
    synthesize.main([str(folder), "--to", str(to), "--prepared", str(prepared), *options])
    found: dict[str, Any] = json.loads((to / "status.json").read_text())
    return found


def fill(folder: Path, pictures: dict[str, bytes]) -> Path:
    for name, data in pictures.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def test_a_folder_becomes_a_split_with_reasons_and_a_sheet(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = {
        "happy/a.jpg": sample("happy_sample"),
        "happy/b.png": changed("happy_sample", lambda picture: picture.resize((300, 300))),
        "happy/c.jpg": sample("no_face"),
        "happy/notes.txt": b"no picture, and not listed as one",
        "neutral/a.jpg": sample("neutral_sample"),
        "sad/a.jpg": sample("neutral_sample"),
    }
    to = tmp_path / "out"
    found = run(prepared, fill(tmp_path / "in", pictures), to)

    assert capsys.readouterr().out == f"1 of 5 pictures were let in: {to / 'faces.npz'}\n"
    assert {each["file"]: each["reason"] for each in found["pictures"]} == {
        "happy/a.jpg": None,
        "happy/b.png": "near_duplicate",
        "happy/c.jpg": "no_face",
        "neutral/a.jpg": "near_duplicate",
        "sad/a.jpg": "other_label",
    }
    hopper = Faces.load(prepared / "train.npz").ids[5]
    assert [each["duplicate_of"] for each in found["pictures"] if "duplicate_of" in each] == [
        "happy/a.jpg",
        f"train {hopper}",
    ]
    assert found["let_in"] == {"happy": 1}
    assert found["refused"] == {"near_duplicate": 2, "no_face": 1, "other_label": 1}
    assert set(found["refused"]) <= set(found["reasons"])
    faces = Faces.load(to / "faces.npz")
    assert faces.images.shape == (1, 48, 48)
    assert faces.votes.argmax(1).tolist() == [FERPLUS.index("happy")]
    sheet = cv2.imread(str(to / "contact-sheet.png"), cv2.IMREAD_GRAYSCALE)
    # Three groups with a caption and a row each: happy, near_duplicate, other_label.
    assert sheet is not None
    assert sheet.shape == (3 * (18 + 50), 1000)
    assert np.array_equal(sheet[18:66, :48], faces.images[0])


def test_a_listing_gives_the_labels(prepared: Path, tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", {"a.jpg": sample("happy_sample"), "b/c.jpg": sample("happy_sample")})
    (folder / "labels.csv").write_text("file,label\na.jpg,happy\nb/c.jpg,angry\n")
    found = run(prepared, folder, tmp_path / "out")
    assert [(each["file"], each["reason"]) for each in found["pictures"]] == [
        ("a.jpg", None),
        ("b/c.jpg", "other_label"),
    ]


LISTED = {"a.jpg": sample("happy_sample")}
BAD: list[tuple[dict[str, bytes], list[str], str]] = [
    ({}, [], "has no pictures: it needs labels.csv (file,label) or a subfolder for each label."),
    (
        {"mad/a.jpg": b""},
        [],
        "'mad' of a.jpg is none of angry, disgust, fear, happy, sad, surprise, neutral.",
    ),
    ({"contempt/a.jpg": b""}, [], "The label 'contempt' of a.jpg is none of"),
    ({**LISTED, "labels.csv": b"name\na.jpg\n"}, [], "labels.csv needs the columns file and label."),
    ({**LISTED, "labels.csv": b"file,label\nb.jpg,happy\n"}, [], "labels.csv lists b.jpg, which is not there."),
    ({**LISTED, "labels.csv": b"file,label\na.jpg\n"}, [], "The label '' of a.jpg is none of"),
    ({"labels.csv": b"\xff\xfe\x00\x01"}, [], "labels.csv is not a CSV file in UTF-8."),
    ({"sad/a.jpg": sample("happy_sample")}, [], "None of the 1 pictures was let in;"),
    ({}, ["--generator", "magic"], "The generator 'magic' is neither morph nor diffusers:PATH."),
    ({}, ["--generator", "morph", "--labels", "fear,mad"], "The label 'mad' is none of"),
    ({}, ["--model", "nowhere"], "nowhere"),
    ({}, ["--prepared", "nowhere"], "nowhere/train.npz is missing: `python -m training prepare` writes it."),
]


@pytest.mark.parametrize(("files", "options", "message"), BAD, ids=range(len(BAD)))
def test_bad_input_gets_one_sentence(
    prepared: Path, tmp_path: Path, files: dict[str, bytes], options: list[str], message: str
) -> None:
    folder = fill(tmp_path / "in", files)
    folder.mkdir(exist_ok=True)
    with pytest.raises(SystemExit) as stopped:
        run(prepared, folder, tmp_path / "out", *options)
    text = str(stopped.value)
    assert message in text
    assert "\n" not in text
    assert text.endswith(".")


def test_a_missing_folder_is_named(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"nowhere is not a folder\.$"):
        run(prepared, tmp_path / "nowhere", tmp_path / "out")


@pytest.mark.parametrize("options", [["--share", "1"], ["--confidence", "-1"], ["--each", "0"], ["--share", "nan"], []])
def test_limits_out_of_range_are_refused(
    prepared: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        synthesize.main(["--prepared", str(prepared), *options])
    assert stopped.value.code == 2
    assert "error:" in capsys.readouterr().err
