"""``visage audit`` from end to end, on the sample pictures."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from bulk.__main__ import run
from tests.unit.bulk.test_score import FACELESS, HAPPY, SAMPLES

pytest.importorskip("pyarrow", reason="The packages of visage[bulk] are not installed.")

NEUTRAL = SAMPLES / "neutral_sample.jpg"


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Five faces, one of them under a wrong label, and a picture without a face."""
    folder = tmp_path / "faces"
    for label, pictures in {"Happiness": [HAPPY, HAPPY], "neutral": [NEUTRAL, NEUTRAL, HAPPY, FACELESS]}.items():
        (folder / label).mkdir(parents=True)
        for number, picture in enumerate(pictures):
            shutil.copy(picture, folder / label / f"{number}.jpg")
    return folder


def audit(*arguments: object, out: Path) -> dict[str, Any]:
    assert run(["audit", *map(str, arguments), "--out", str(out), "--quiet", "--workers", "1"]) == 0
    figures: dict[str, Any] = json.loads((out / "audit.json").read_text("utf-8"))
    return figures


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object, out: Path) -> str:
    assert run(["audit", *map(str, arguments), "--out", str(out), "--quiet"]) == 2
    return capsys.readouterr().err


def test_folders_of_labels(faces: Path, tmp_path: Path) -> None:
    figures = audit(faces, "--pictures", out=tmp_path / "out")
    assert figures["accuracy"]["hits"] == 4
    assert figures["faces"] == 5
    assert figures["errors"] == {"no_face_detected": 1}
    assert figures["labels"]["neutral"]["recall"]["value"] == pytest.approx(2 / 3)
    assert figures["labels"]["happy"]["precision"]["value"] == pytest.approx(2 / 3)
    (mistake,) = figures["mistakes"]
    assert (mistake["label"], mistake["predicted"]) == ("neutral", "happy")
    page = (tmp_path / "out" / "audit.html").read_text("utf-8")
    assert page.count("<svg") == 2
    assert "data:image/jpeg;base64," in page
    assert not re.search(r"(src|href)=\"http|@import|<script", page), "The page needs nothing else."


def test_a_table_with_groups(faces: Path, tmp_path: Path) -> None:
    rows = [
        "file,label,light",
        "Happiness/0.jpg,happy,day",
        "Happiness/1.jpg,happy,night",
        "neutral/2.jpg,neutral,night",
    ]
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    figures = audit(faces, "--labels", tmp_path / "labels.csv", "--groups", "light", out=tmp_path / "out")
    light = figures["groups"]["light"]
    assert (light["day"]["accuracy"]["hits"], light["night"]["accuracy"]["hits"]) == (1, 1)
    assert "too few to compare" in light["night"]["note"]
    assert "gap" not in light["night"]


def test_two_models(faces: Path, tmp_path: Path) -> None:
    comparison = audit(faces, "--compare", "default,accurate", out=tmp_path / "out")["comparison"]
    assert comparison["models"] == ["default", "accurate"]
    assert comparison["faces"] == 5
    assert comparison["p"] == 1.0


def test_what_was_found_can_be_used(faces: Path, tmp_path: Path) -> None:
    copy = tmp_path / "mine"
    figures = audit(faces, "--precision", 0.5, "--write-threshold", "--write-temperature", copy, out=tmp_path / "out")
    assert (tmp_path / "out" / "settings.env").read_text() == "CONFIDENCE_THRESHOLD=0.0\n"
    before = json.loads((SAMPLES.parent / "models" / "default" / "manifest.json").read_text("utf-8"))
    after = json.loads((copy / "manifest.json").read_text("utf-8"))
    wanted = before["output"]["temperature"] * figures["temperature"]["value"]
    assert after["output"]["temperature"] == pytest.approx(wanted, abs=1e-4)
    assert after["name"] == "mine"
    assert (copy / "model.onnx").is_file()


def test_bad_input_gets_one_sentence(faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, table = tmp_path / "out", tmp_path / "labels.csv"
    (faces / "bored").mkdir()
    shutil.copy(HAPPY, faces / "bored" / "0.jpg")
    assert "knows no label bored" in refusal(capsys, faces, out=out)
    table.write_text("file,label\nHappiness/9.jpg,happy\n")
    assert "Happiness/9.jpg of" in refusal(capsys, faces, "--labels", table, out=out)
    table.write_text("file\nHappiness/0.jpg\n")
    assert "has no column label" in refusal(capsys, faces, "--labels", table, out=out)
    table.write_text("file,label\nHappiness/0.jpg,happy\n")
    assert "has no column light" in refusal(capsys, faces, "--labels", table, "--groups", "light", out=out)
    assert "takes two models" in refusal(capsys, faces, "--compare", "default,accurate,default", out=out)
    shutil.rmtree(faces / "bored")
    for label in ("Happiness", "neutral"):
        for picture in (faces / label).iterdir():
            shutil.copy(FACELESS, picture)
    assert "No face was found" in refusal(capsys, faces, out=out)
