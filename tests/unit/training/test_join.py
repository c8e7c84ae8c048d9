from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.unit.training.synthetic import write_data
from training import folds, join, prepare
from training.data import Faces
from training.heads import Logits
from training.teacher import SOFT_LABELS, SoftLabels, of_teacher


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("joined")
    prepare.main(["--data", str(write_data(folder / "data")), "--to", str(folder / "prepared")])
    return folder / "prepared"


def _labels(faces: Faces, strength: float, seed: int) -> SoftLabels:
    """Labels that know the votes as well as ``strength`` says."""
    chance = torch.Generator().manual_seed(seed)
    votes = torch.from_numpy(faces.votes) * strength + torch.rand(len(faces), 8, generator=chance)
    return SoftLabels(votes.softmax(1), torch.rand(len(faces), 7, generator=chance).softmax(1))


def test_saved_labels_come_back_in_the_order_that_is_asked_for(prepared: Path, tmp_path: Path) -> None:
    train, photos = (Faces.load(prepared / f"{name}.npz") for name in ("train", "photos"))
    both = Faces.concatenated([train, photos])
    saved = _labels(both, 1.0, 1)
    saved.save(tmp_path, both)
    order = np.random.default_rng(0).permutation(len(both))
    found = of_teacher(tmp_path, both.subset(order), torch.device("cpu"))
    torch.testing.assert_close(found.votes, saved.votes[order], atol=1e-3, rtol=0)
    torch.testing.assert_close(found.fer2013, saved.fer2013[order], atol=1e-3, rtol=0)


def test_faces_without_saved_labels_are_refused(prepared: Path, tmp_path: Path) -> None:
    train, valid = (Faces.load(prepared / f"{name}.npz") for name in ("train", "valid"))
    _labels(train, 1.0, 1).save(tmp_path, train)
    with pytest.raises(ValueError, match="no labels for some"):
        SoftLabels.load(tmp_path, valid)


def test_the_better_teacher_gets_the_larger_weight_and_both_are_joined(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = Faces.concatenated([Faces.load(prepared / f"{name}.npz") for name in ("valid", "train", "photos")])
    for name, strength, seed in (("good", 4.0, 1), ("poor", 0.0, 2)):
        _labels(faces, strength, seed).save(tmp_path / name, faces)
    teachers = [str(tmp_path / name) for name in ("good", "poor")]
    join.main([*teachers, "--prepared", str(prepared), "--to", str(tmp_path / "joined")])
    printed = capsys.readouterr().out
    weights = ast.literal_eval(printed.split("weights ")[1])
    assert weights["good"] > 5 * weights["poor"]
    assert "| joined |" in printed
    joined, good = (SoftLabels.load(tmp_path / name, faces).votes for name in ("joined", "good"))
    assert (joined.argmax(1) == good.argmax(1)).float().mean() > 0.9
    assert (tmp_path / "joined" / SOFT_LABELS).exists()


def test_folds_hold_every_face_out_once_and_keep_identical_pictures_together(prepared: Path) -> None:
    faces = Faces.load(prepared / "train.npz")
    faces = Faces.concatenated([faces, faces])
    held = [folds.split(faces, fold) for fold in range(folds.FOLDS)]
    assert sum(len(part) for _, part in held) == len(faces)
    for rest, part in held:
        assert len(rest) + len(part) == len(faces)
        assert not set(rest.ids) & set(part.ids)


def test_runs_are_compared_on_the_faces_that_they_did_not_see(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = Faces.load(prepared / "train.npz")
    for fold in range(folds.FOLDS):
        _, held = folds.split(faces, fold)
        right = torch.from_numpy(held.votes)
        for name, logits in (("right", right), ("wrong", -right)):
            folder = tmp_path / f"{name}-{fold}"
            folder.mkdir()
            folds.save(folder, held, Logits(logits, torch.zeros(len(held), 7)))
    folds.main(["right", "wrong", "--runs", str(tmp_path)])
    right_row, wrong_row = capsys.readouterr().out.strip().splitlines()[2:]
    assert right_row.startswith("| right | 100.00 %")
    assert "| -100.00 %" in wrong_row
