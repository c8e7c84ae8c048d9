from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.unit.training.synthetic import write_data
from training import config, networks, prepare, step, teacher, train
from training.config import Network, Run
from training.data import NO_LABEL, Faces
from training.labels import FERPLUS

TINY = [
    "batch=16",
    "threads=1",
    "network.widths=[8, 8]",
    "network.depths=[0, 1]",
    "schedule.epochs=3",
    "schedule.decay_from=1",
    "schedule.sides=[[0, 24], [2, 48]]",
]


SGD, MUON = "muon_rate=0", "muon_rate=0.02"
# Takes a network apart as every compiler does, and needs none for C++.
COMPILED = "compiler=aot_eager"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    prepare.main(["--data", str(write_data(folder / "data")), "--to", str(folder / "prepared")])
    return folder / "prepared"


def tiny(*overrides: str) -> Run:
    return config.load(None, [*TINY, *overrides])


class Killed(Exception):
    pass


@pytest.mark.parametrize("how", [SGD, MUON, COMPILED])
def test_a_stopped_run_continues_and_gives_the_same_weights(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    whole = torch.load(train.train(tiny(how), prepared, tmp_path / "whole"), weights_only=True)

    begin = train.Trainer._begin_stage

    def die_in_the_third_epoch(self: train.Trainer, epoch: int) -> None:
        if epoch == 2:
            raise Killed
        begin(self, epoch)

    monkeypatch.setattr(train.Trainer, "_begin_stage", die_in_the_third_epoch)
    with pytest.raises(Killed):
        train.train(tiny(how), prepared, tmp_path / "parts")
    monkeypatch.setattr(train.Trainer, "_begin_stage", begin)
    torch.rand(7)  # whatever else drew random numbers in between
    parts = torch.load(train.train(tiny(how), prepared, tmp_path / "parts"), weights_only=True)

    assert whole.keys() == parts.keys()
    for name, value in whole.items():
        assert torch.equal(value, parts[name]), name


def test_weights_are_there_only_when_they_are_whole(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """make train takes a run with weights for finished."""
    save = torch.save

    def die_while_saving(state: dict[str, object], path: Path) -> None:
        save(state, path)
        if "optimizer" not in state:
            raise Killed

    monkeypatch.setattr(torch, "save", die_while_saving)
    with pytest.raises(Killed):
        train.train(tiny("schedule.epochs=1"), prepared, tmp_path)
    assert not (tmp_path / "default" / "weights.pt").exists()


def test_a_run_goes_on_with_its_own_settings_only(prepared: Path, tmp_path: Path) -> None:
    train.train(tiny("schedule.epochs=1"), prepared, tmp_path)
    with pytest.raises(SystemExit, match="began with other settings"):
        train.train(tiny("schedule.epochs=2"), prepared, tmp_path)
    assert config.read(tmp_path / "default" / "run.json").schedule.epochs == 1
    train.train(tiny("schedule.epochs=1", "threads=2"), prepared, tmp_path)

    checkpoint = tmp_path / "default" / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    with pytest.raises(SystemExit, match=r"checkpoint\.pt cannot be read"):
        train.train(tiny("schedule.epochs=1"), prepared, tmp_path)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("network.nme=3", "settings: no such setting: network.nme"),
        ("batch=5000", "batch is 5000, but an epoch has only"),
        pytest.param(
            "device=cuda",
            "device is cuda, but this machine",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA"),
        ),
    ],
)
def test_settings_that_cannot_be_are_said_in_one_sentence(
    prepared: Path, tmp_path: Path, override: str, said: str
) -> None:
    with pytest.raises(SystemExit, match=said):
        train.main(["--prepared", str(prepared), "--runs", str(tmp_path), override])


def test_a_lag_of_two_keeps_the_mean_of_all_steps() -> None:
    network = networks.build(Network(widths=(8, 8), depths=(0, 1)))
    followed = [network.ferplus.weight.detach().clone()]
    kept = step.Average(network, 0.9999, 2.0)
    for value in range(1, 6):
        network.ferplus.weight.data.fill_(value)
        followed.append(network.ferplus.weight.detach().clone())
        kept.advance()
        kept.follow()
    # What it begins with counts twice.
    mean = torch.stack([followed[0], *followed]).mean(0)
    assert torch.allclose(kept.network.ferplus.weight, mean, atol=1e-5)


def test_refreshed_batch_norms_have_the_statistics_of_unchanged_faces(prepared: Path, tmp_path: Path) -> None:
    run = tiny("schedule.epochs=1", "schedule.sides=[[0, 48]]", "norm_refresh=1")
    state = torch.load(train.train(run, prepared, tmp_path), weights_only=True)
    network = networks.build(run.network)
    network.load_state_dict(state)
    first = next(module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d))
    faces = torch.from_numpy(Faces.load(prepared / "train.npz").images)[:, None].float()
    with torch.inference_mode():
        maps = network.stem[0]((faces - 128) / 64)
    assert first.running_mean is not None
    # They are set as training computes, in 16-bit floats.
    assert torch.allclose(first.running_mean, maps.mean((0, 2, 3)), atol=0.02)


def test_another_seed_gives_another_network(prepared: Path, tmp_path: Path) -> None:
    first, second = (
        torch.load(train.train(tiny("schedule.epochs=1", f"seed={seed}"), prepared, tmp_path / str(seed)))
        for seed in (1, 2)
    )
    assert not torch.equal(first["stem.0.weight"], second["stem.0.weight"])


@pytest.mark.parametrize("optimizer", [SGD, MUON])
def test_learnable_labels_are_learned(prepared: Path, tmp_path: Path, optimizer: str) -> None:
    plain = [
        "schedule.epochs=12",
        "schedule.decay_from=8",
        "schedule.sides=[[0, 48]]",
        "average_decay=0.8",
        "rate=0.05",
        "augmentation.roll_degrees=0",
        "augmentation.scale=0",
        "augmentation.shift=0",
        "augmentation.erase_probability=0",
        "augmentation.mixup_probability=0",
    ]
    run = tiny(*plain, optimizer)
    train.train(run, prepared, tmp_path)
    last = (tmp_path / run.name / "curves.csv").read_text().splitlines()[-1].split(",")
    assert float(last[3]) > 0.35, "chance is one in eight"


def test_only_the_heads_are_trained_in_the_first_stage(prepared: Path, tmp_path: Path) -> None:
    run = tiny(
        "network.name=mobilenet_v3_large",
        f"network.weights={_weights(tmp_path)}",
        "schedule.epochs=1",
        "schedule.sides=[[0, 32]]",
        "finetuning.head_epochs=1",
        "finetuning.body_rate=0.1",
    )
    before = torch.load(run.network.weights, weights_only=True)
    after = torch.load(train.train(run, prepared, tmp_path), weights_only=True)
    for name, value in before.items():
        if not name.startswith(("ferplus", "fer2013")):
            assert torch.equal(value, after[name]), name
    assert not torch.equal(before["ferplus.weight"], after["ferplus.weight"])


def _weights(folder: Path) -> Path:
    path = folder / "weights.pth"
    torch.save(networks.build(Network(name="mobilenet_v3_large")).state_dict(), path)
    return path


def test_prepared_faces_have_targets(prepared: Path) -> None:
    faces = Faces.load(prepared / "train.npz")
    assert faces.votes.sum(axis=1) == pytest.approx(1)
    assert len(Faces.load(prepared / "photos.npz")) == 0


def test_a_teacher_has_its_share_of_the_targets(prepared: Path, tmp_path: Path) -> None:
    train.train(tiny("name=teacher"), prepared, tmp_path)
    material = train.TrainingData.load(prepared, tiny())
    folder = str(tmp_path / "teacher")

    def shown(*overrides: str) -> train.Samples:
        trainer = train.Trainer(tiny(*overrides), material, tmp_path)
        return trainer._samples(torch.Generator().manual_seed(5))

    own = shown()
    taught = shown(f"distillation.teachers=['{folder}']", "distillation.share=0.25")
    all_taught = shown(f"distillation.teachers=['{folder}']", "distillation.share=1")

    assert torch.equal(own.images, taught.images)
    for name in ("votes", "original"):
        plain, mixed, soft_labels = (getattr(epoch, name) for epoch in (own, taught, all_taught))
        known = plain.sum(1) > 0
        torch.testing.assert_close(mixed[known], 0.75 * plain[known] + 0.25 * soft_labels[known])
        assert not mixed[~known].any()


def test_several_teachers_are_averaged(prepared: Path, tmp_path: Path) -> None:
    faces = Faces.load(prepared / "train.npz")
    runs = []
    for seed in (1, 2):
        run = tiny(f"name=teacher{seed}", f"seed={seed}", "schedule.epochs=1")
        train.train(run, prepared, tmp_path)
        runs.append(tmp_path / run.name)

    both, first, second = (
        teacher.soft_labels(which, faces, torch.device("cpu")) for which in (runs, runs[:1], runs[1:])
    )

    assert not torch.equal(first.votes, second.votes)
    torch.testing.assert_close(both.votes, (first.votes + second.votes) / 2)
    torch.testing.assert_close(both.fer2013, (first.fer2013 + second.fer2013) / 2)


def test_rare_labels_are_shown_more_often(prepared: Path, tmp_path: Path) -> None:
    material = train.TrainingData.load(prepared, tiny())

    def counts(*overrides: str) -> torch.Tensor:
        trainer = train.Trainer(tiny("photos_share=0", *overrides), material, tmp_path)
        votes = trainer._samples(torch.Generator().manual_seed(5)).votes
        return torch.bincount(votes[votes.sum(1) > 0].argmax(1), minlength=8)

    plain, repeated = counts(), counts('repeats=[["happy", 2]]')
    happy = 1
    assert plain[happy] > 0
    assert repeated[happy] == 3 * plain[happy]
    plain[happy] = repeated[happy]
    assert torch.equal(plain, repeated)


def test_rare_labels_among_the_photos_are_shown_in_addition_to_their_share(prepared: Path, tmp_path: Path) -> None:
    faces = Faces.load(prepared / "train.npz")
    material = train.TrainingData(faces, faces, faces)
    happy = int((faces.votes.argmax(1) == FERPLUS.index("happy")).sum())

    def shown(*overrides: str) -> int:
        trainer = train.Trainer(tiny("photos_share=0", *overrides), material, tmp_path)
        return len(trainer._samples(torch.Generator().manual_seed(5)).images)

    assert happy > 0
    assert shown('photos_repeats=[["happy", 2]]') == shown() + 2 * happy


@pytest.fixture
def generated(prepared: Path, tmp_path: Path) -> Path:
    """Ten faces as ``synthesize`` writes them: without an original label, in no other split."""
    faces = Faces.load(prepared / "valid.npz").subset(np.arange(10))
    votes = np.eye(len(FERPLUS), dtype=np.float32)[[FERPLUS.index("fear")] * 10]
    path = tmp_path / "faces.npz"
    Faces(faces.images, votes, np.full(10, NO_LABEL), np.arange(10)).save(path)
    return path


def test_generated_faces_are_shown_once_with_their_weight(prepared: Path, tmp_path: Path, generated: Path) -> None:
    def shown(*overrides: str) -> train.Samples:
        run = tiny("photos_smoothing=0", *overrides)
        trainer = train.Trainer(run, train.TrainingData.load(prepared, run), tmp_path)
        return trainer._samples(torch.Generator().manual_seed(5))

    plain, more = shown(), shown(f"generated.faces='{generated}'", "generated.weight=0.25")

    added = torch.isclose(more.votes.sum(1), torch.tensor(0.25))
    assert added.sum() == 10
    assert not torch.isclose(plain.votes.sum(1), torch.tensor(0.25)).any()
    assert len(more.images) == len(plain.images) + 10
    assert (more.votes[added].argmax(1) == FERPLUS.index("fear")).all()
    assert not more.original[added].any()


def test_a_weight_counts_in_the_loss_as_that_many_faces() -> None:
    logits, targets = torch.randn(4, 8), torch.eye(8)[:4]
    losses = torch.stack([step.soft_cross_entropy(logits[row : row + 1], targets[row : row + 1]) for row in range(4)])
    weights = torch.tensor([1.0, 1.0, 1.0, 0.5])
    expected = (losses * weights).sum() / weights.sum()
    torch.testing.assert_close(step.soft_cross_entropy(logits, targets * weights[:, None]), expected)


def test_generated_faces_keep_their_labels_beside_teachers(prepared: Path, tmp_path: Path, generated: Path) -> None:
    real = Faces.concatenated([Faces.load(prepared / f"{name}.npz") for name in ("train", "photos")])
    uniform = torch.full((len(real), 8), 1 / 8), torch.full((len(real), 7), 1 / 7)
    teacher.SoftLabels(*uniform).save(tmp_path / "teacher", real)
    taught = [f"distillation.teachers=['{tmp_path / 'teacher'}']", "distillation.share=1", "photos_smoothing=0"]
    run = tiny(*taught, f"generated.faces='{generated}'", "generated.weight=1")
    trainer = train.Trainer(run, train.TrainingData.load(prepared, run), tmp_path)
    votes = trainer._samples(torch.Generator().manual_seed(5)).votes
    assert (votes.max(1).values == 1).sum() == 10


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["generated.faces='nowhere.npz'"], "nowhere.npz is missing: `python -m training synthesize` writes it."),
        (["generated.weight=0"], "generated.weight is 0, which is not above 0 and at most 1."),
        (["generated.weight=1.5"], "generated.weight is 1.5, which is not above 0 and at most 1."),
    ],
)
def test_bad_settings_of_generated_faces_are_named(
    prepared: Path, generated: Path, overrides: list[str], message: str
) -> None:
    run = tiny(f"generated.faces='{generated}'", *overrides)
    with pytest.raises(SystemExit, match=f"^{re.escape(message)}$"):
        train.TrainingData.load(prepared, run)
