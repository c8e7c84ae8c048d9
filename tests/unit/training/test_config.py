from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from training import config

CONFIGS = sorted((Path(config.__file__).parent / "configs").glob("*.toml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_has_the_name_of_its_file(path: Path) -> None:
    assert config.load(path).name == path.stem


def test_values_are_overridden_by_their_path() -> None:
    run = config.load(None, ["schedule.epochs=3", "network.widths=[8, 16]", "name=other", "augmentation.mixup_share=0"])
    assert (run.schedule.epochs, run.network.widths, run.name) == (3, (8, 16), "other")


@pytest.mark.parametrize("override", ["speed=3", "schedule.length=3", "epochs", "schedule.epochs=ten", "network=3"])
def test_settings_that_are_none_are_refused(override: str) -> None:
    with pytest.raises(ValueError, match=override.split("=", maxsplit=1)[0].rsplit(".", maxsplit=1)[-1]):
        config.load(None, [override])


def test_a_saved_run_is_read_back_unchanged(tmp_path: Path) -> None:
    run = config.load(None, ["schedule.sides=[[0, 32], [4, 48]]", "rate=0.2"])
    path = tmp_path / "run.json"
    path.write_text(json.dumps(dataclasses.asdict(run)))
    assert config.read(path) == run


def test_the_rate_rises_stays_and_falls() -> None:
    run = config.load(None, ["rate=1.0", "schedule.epochs=10", "schedule.warmup=2", "schedule.decay_from=5"])
    assert [run.rate_at(epoch) for epoch in (0, 1, 3, 5, 7.5, 10)] == [0, 0.5, 1, 1, 0.5, 0]


def test_stages_need_weights_to_start_from() -> None:
    assert config.load(None, ["finetuning.head_epochs=2"]).stages.head_epochs == 0
    assert config.load(None, ["finetuning.head_epochs=2", "network.weights=some.pth"]).stages.head_epochs == 2
