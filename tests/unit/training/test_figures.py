"""The shipped files give the committed figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.inference.manifest import load_manifest
from training.dataset import ARRAYS, data_folder
from training.evaluate import FILE, SAMPLE, evaluate, headline

ROOT = Path(__file__).parents[3]
FIGURES = sorted((ROOT / "docs" / "training" / "figures").glob("*.test.json"))
DATA = data_folder()


@pytest.mark.data
@pytest.mark.skipif(not (DATA / ARRAYS).exists(), reason="the training data is not here: DATA names its folder")
@pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.name)
def test_a_short_evaluation_gives_the_committed_figures(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    kept = FILE.validate_json(path.read_bytes())
    found = evaluate(Path("models") / kept.model, DATA, kept.split, SAMPLE)
    assert found.sha256 == kept.sha256
    for name, value in kept.sample.items():
        # Integers are rounded differently on other processors: one face may change sides.
        assert found.sample[name] == pytest.approx(value, abs=1.5 / SAMPLE), name


@pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.name)
def test_the_manifest_has_the_committed_figures(path: Path) -> None:
    kept = FILE.validate_json(path.read_bytes())
    manifest = load_manifest(ROOT / "models" / kept.model)
    assert manifest.sha256 == kept.sha256
    assert manifest.version == kept.version
    assert manifest.metrics == headline(kept)


@pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.name)
def test_the_readme_has_the_committed_figures(path: Path) -> None:
    kept = FILE.validate_json(path.read_bytes())
    (row,) = [line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if f"| [`{kept.model}`]" in line]
    plurality = kept.ferplus7_plurality
    assert row.endswith(f"| {100 * plurality.accuracy.value:.1f} % | {100 * plurality.macro_recall.value:.1f} % |")
