from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.unit.training.synthetic import write_data
from training import duplicates, photos, protocols
from training.data import NO_LABEL, is_face, majority, plurality, vote_targets
from training.dataset import ARRAYS, SPLITS, MissingData, build_arrays, data_folder, read_photos, read_split
from training.labels import FER2013, FERPLUS
from training.prepare import photo_faces

SAMPLES = Path(__file__).parents[3] / "sample_images"


def votes(*row: int) -> np.ndarray:
    return np.array([[*row, *[0] * (10 - len(row))]], dtype=np.uint8)


def test_single_votes_are_dropped_from_targets() -> None:
    assert vote_targets(votes(6, 3, 1))[0].tolist() == pytest.approx([2 / 3, 1 / 3, 0, 0, 0, 0, 0, 0])


def test_votes_for_no_emotion_are_not_targets() -> None:
    unknown = votes(0, 0, 0, 0, 0, 0, 0, 0, 8, 2)
    assert vote_targets(unknown).sum() == 0
    assert plurality(unknown)[0] == NO_LABEL
    assert majority(unknown)[0] == NO_LABEL


def test_a_majority_is_more_than_half_of_the_kept_votes() -> None:
    assert majority(votes(5, 4, 1))[0] == 0
    assert majority(votes(5, 5))[0] == NO_LABEL
    assert plurality(votes(4, 3, 3))[0] == 0
    assert majority(votes(4, 3, 3))[0] == NO_LABEL


def test_five_votes_for_not_a_face_exclude_a_picture() -> None:
    assert not is_face(votes(5, 0, 0, 0, 0, 0, 0, 0, 0, 5))[0]
    assert is_face(votes(6, 0, 0, 0, 0, 0, 0, 0, 0, 4))[0]


def test_seven_labels_leave_contempt_out(tmp_path: Path) -> None:
    split = read_split(write_data(tmp_path), "valid")
    eight, seven = protocols.ferplus8(split, "majority"), protocols.ferplus7(split, "majority")
    for before, after in zip(eight, seven, strict=True):
        assert after == NO_LABEL if FERPLUS[before] == "contempt" else FER2013[after] == FERPLUS[before]


@pytest.mark.data
@pytest.mark.skipif(
    not (data_folder() / ARRAYS).exists(), reason="the training data is not here: DATA names its folder"
)
def test_the_real_data_has_the_published_duplicates_and_protocols() -> None:
    train, valid, test = (read_split(data_folder(), name) for name in SPLITS)
    held = np.concatenate([valid.images, test.images])
    assert duplicates.exact(train.images, held).sum() == 692
    assert len(test) == 3574
    # The counts that papers give for the two protocols, to within a few faces.
    assert (protocols.ferplus8(test, "majority") != NO_LABEL).sum() == pytest.approx(3140, abs=30)
    assert (protocols.ferplus8(test, "plurality") != NO_LABEL).sum() == pytest.approx(3545, abs=10)


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=ARRAYS):
        read_split(tmp_path, "train")
    with pytest.raises(MissingData, match=r"fer2013\.csv"):
        build_arrays(tmp_path)


def test_the_published_files_become_the_arrays(tmp_path: Path) -> None:
    with (tmp_path / "fer2013.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["emotion", "pixels", "Usage"])
        for shade, usage in enumerate(("Training", "Training", "PublicTest", "PrivateTest")):
            writer.writerow([3, " ".join([str(shade)] * 48 * 48), usage])
    with (tmp_path / "fer2013new.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Usage", "Image name", *FERPLUS, "unknown", "NF"])
        for name, usage in (("a.png", "Training"), ("", "Training"), ("c.png", "PublicTest"), ("d.png", "PrivateTest")):
            writer.writerow([usage, name, 4, 6, 0, 0, 0, 0, 0, 0, 0, 0])
    build_arrays(tmp_path)
    train, test = read_split(tmp_path, "train"), read_split(tmp_path, "test")
    assert train.ids.tolist() == [0], "a picture without a name in FER+ shows no face"
    assert test.images.shape == (1, 48, 48)
    assert test.images[0, 0, 0] == 3
    assert test.votes[0, :2].tolist() == [4, 6]
    assert FER2013[test.fer2013[0]] == "happy"


def test_exact_and_near_duplicates_are_found() -> None:
    generator = np.random.default_rng(0)
    coarse = generator.integers(30, 200, (3, 12, 12), dtype=np.uint8)
    pictures = coarse.repeat(4, axis=1).repeat(4, axis=2)
    relit = (pictures[:1] * 0.8 + 20).astype(np.uint8)
    mirrored = np.ascontiguousarray(pictures[1:2, :, ::-1])
    others = np.concatenate([relit, mirrored])
    assert duplicates.exact(pictures, others).tolist() == [False, False, False]
    assert duplicates.exact(pictures, pictures[2:]).tolist() == [False, False, True]
    assert (duplicates.similarity(pictures, others) > duplicates.NEAR).tolist() == [True, True, False]
    assert duplicates.groups(np.concatenate([pictures, pictures[:1]])) == 1


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off"])
def test_damaged_arrays_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ARRAYS).write_bytes(content)
    with pytest.raises(MissingData, match=r"ferplus\.npz is damaged"):
        read_split(tmp_path, "train")


def test_published_files_of_different_lengths_are_named(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text("emotion,pixels,Usage\n")
    (tmp_path / "fer2013new.csv").write_text("Usage,Image name,neutral\nTraining,1.png,10\n")
    with pytest.raises(MissingData, match=r"fer2013\.csv or fer2013new\.csv is not as it was published"):
        build_arrays(tmp_path)
    assert not (tmp_path / ARRAYS).exists()


@pytest.fixture
def own_photos(tmp_path: Path) -> Path:
    """A data folder with two photos whose names have no number."""
    with zipfile.ZipFile(tmp_path / "wild-train.zip", "w") as archive:
        for name, file in (("anna.jpg", "happy_sample.jpg"), ("ben.jpg", "neutral_sample.jpg")):
            archive.write(SAMPLES / file, f"photos/{name}")
        archive.writestr("text.jpg", "no picture")
    (tmp_path / "wild-train.csv").write_text("file,label\nanna.jpg,happy\nben.jpg,neutral\n")
    return tmp_path


def test_photos_may_have_any_name(own_photos: Path) -> None:
    with photos.open_pipeline() as pipeline:
        faces = photo_faces(pipeline, read_photos(own_photos, "train"))
    assert faces.ids.tolist() == [0, 1]
    assert faces.votes.argmax(1).tolist() == [FERPLUS.index("happy"), FERPLUS.index("neutral")]


@pytest.mark.parametrize(
    ("listing", "said"),
    [
        ("photo,label\nanna.jpg,happy\n", "has not the columns file and label"),
        ("file,label\ncarl.jpg,happy\n", r"names carl\.jpg, which wild-train\.zip does not have"),
        ("file,label\nanna.jpg,joy\n", r"anna\.jpg has the label joy, which is none of neutral, happy"),
        ("file,label\ntext.jpg,happy\n", r"text\.jpg: "),
    ],
)
def test_photos_that_cannot_be_used_are_named(own_photos: Path, listing: str, said: str) -> None:
    (own_photos / "wild-train.csv").write_text(listing)
    with photos.open_pipeline() as pipeline, pytest.raises(MissingData, match=said):
        photo_faces(pipeline, read_photos(own_photos, "train"))
