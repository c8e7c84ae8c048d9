"""``visage audit`` from end to end, on the sample pictures."""

from __future__ import annotations

import base64
import csv
import errno
import io
import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from PIL import Image

from app.config import load_settings
from app.inference.classifier import load_classifier
from app.inference.session import SessionSpec
from bulk.__main__ import run
from bulk.audit import Labelled, Outcome, compared, figures, write_temperature
from bulk.report import page
from bulk.sources import Item
from bulk.statistics import wilson
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


def test_the_last_line_has_the_accuracy_and_names_the_report(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["audit", str(faces), "--out", str(out), "--workers", "1"]) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(f"Accuracy 80.0 % (37.6 to 96.4) on 5 faces. The report is {out / 'audit.html'}.")


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


def test_groups_of_a_table_with_types(faces: Path, tmp_path: Path) -> None:
    import pyarrow as arrow
    from pyarrow import parquet

    files = [f"Happiness/{number}.jpg" for number in (0, 1)] + [f"neutral/{number}.jpg" for number in (0, 1)]
    columns = {"file": files, "label": ["happy"] * 2 + ["neutral"] * 2, "glasses": [False, True, None, False]}
    parquet.write_table(arrow.table(columns), tmp_path / "labels.parquet")
    figures = audit(faces, "--labels", tmp_path / "labels.parquet", "--groups", "glasses", out=tmp_path / "out")
    counts = {name: group["accuracy"]["count"] for name, group in figures["groups"]["glasses"].items()}
    assert counts == {"False": 2, "True": 1, "": 1}


def test_labels_to_leave_out_may_have_any_of_their_names(faces: Path, tmp_path: Path) -> None:
    assert audit(faces, "--ignore-labels", "Happiness", out=tmp_path / "out")["pictures"] == 4


def test_a_probability_that_is_shown_as_none_is_small_for_the_log_loss(faces: Path, tmp_path: Path) -> None:
    (faces / "disgust").mkdir()
    shutil.copy(HAPPY, faces / "disgust" / "0.jpg")
    figures = audit(faces, "--ignore-labels", "happy,neutral", out=tmp_path / "out")
    with (tmp_path / "out" / "predictions.csv").open() as file:
        (written,) = csv.DictReader(file)
    assert written["p_disgust"] == "0.0"
    assert 10 < figures["log_loss"] < 20


def test_a_threshold_that_is_not_found_leaves_none_of_an_earlier_run(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    audit(faces, "--precision", 0.5, "--write-threshold", out=out)
    assert (out / "settings.env").exists()
    shutil.move(faces / "Happiness", faces / "sad")
    shutil.rmtree(faces / "neutral")
    assert run(["audit", str(faces), "--out", str(out), "--workers", "1", "--write-threshold"]) == 0
    assert not (out / "settings.env").exists()
    assert "No confidence reaches that precision" in capsys.readouterr().err


def test_group_names_of_another_encoding_are_written(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes("file,label,camera\nHappiness/0.jpg,happy,Büro\n".encode("latin-1"))
    figures = audit(faces, "--labels", tmp_path / "labels.csv", "--groups", "camera", out=tmp_path / "out")
    assert [*figures["groups"]["camera"]] == ["B\\xfcro"]


def test_a_table_may_be_the_source_and_name_its_column(faces: Path, tmp_path: Path) -> None:
    (faces / "own.csv").write_text("photo,label\nHappiness/0.jpg,happy\n")
    table = faces / "own.csv"
    assert audit(table, "--labels", table, "--column", "photo", out=tmp_path / "out")["faces"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--compare", "default"], "--compare takes two models"),
        (["--compare", "default,accurate", "--model", "default"], "no --model beside them"),
        (["--write-temperature", "{}/My model"], "is no name of a model"),
        (["--write-temperature", "{}/file/mine"], "cannot be written to"),
    ],
)
def test_what_could_not_be_done_is_refused_before_anything_is_read(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (tmp_path / "file").touch()
    arguments = [each.format(tmp_path) for each in arguments]
    assert said in refusal(capsys, faces, *arguments, out=tmp_path / "out")


def test_two_models(faces: Path, tmp_path: Path) -> None:
    comparison = audit(faces, "--compare", "default,accurate", out=tmp_path / "out")["comparison"]
    assert comparison["models"] == ["default", "accurate"]
    assert comparison["faces"] == 5
    assert comparison["p"] == 1.0


def test_what_was_found_can_be_used(faces: Path, tmp_path: Path) -> None:
    copy = tmp_path / "mine"
    audit(faces, "--precision", 0.5, "--write-threshold", out=tmp_path / "out")
    assert (tmp_path / "out" / "settings.env").read_text() == "CONFIDENCE_THRESHOLD=0.0\n"
    figures = audit(faces, "--write-temperature", copy, out=tmp_path / "out")
    before = json.loads((SAMPLES.parent / "models" / "default" / "manifest.json").read_text("utf-8"))
    after = json.loads((copy / "manifest.json").read_text("utf-8"))
    wanted = before["output"]["temperature"] * figures["temperature"]["value"]
    assert after["output"]["temperature"] == pytest.approx(wanted, abs=1e-4)
    assert after["name"] == "mine"
    assert after["metrics"] == {}, "they were measured at the other temperature"
    assert {path.name for path in copy.iterdir()} == {"manifest.json", "model.onnx"}


def test_a_threshold_beside_a_temperature_is_that_of_the_copy(tmp_path: Path) -> None:
    folder = tmp_path / "happy"
    folder.mkdir()
    for number, picture in enumerate([HAPPY, HAPPY, NEUTRAL]):
        shutil.copy(picture, folder / f"{number}.jpg")
    out, thresholds = tmp_path / "out", []
    for more in ([], ["--write-temperature", tmp_path / "mine"]):
        figures = audit(folder, "--precision", 0.99, "--write-threshold", *more, out=out)
        thresholds.append(float((out / "settings.env").read_text().removeprefix("CONFIDENCE_THRESHOLD=")))
    assert figures["temperature"]["value"] != 1
    assert thresholds[0] == figures["threshold"]["confidence"]
    assert thresholds[0] != thresholds[1]


def test_a_model_with_any_temperature_that_is_found_can_be_served(tmp_path: Path) -> None:
    write_temperature(tmp_path / "mine", load_settings(), "default", 5.0)

    assert load_classifier(tmp_path / "mine", SessionSpec(("cpu",))).manifest.name == "mine"


def test_groups_without_a_table_are_refused(faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--labels" in refusal(capsys, faces, "--groups", "age", out=tmp_path / "out")


def test_a_folder_for_the_temperature_that_is_there_is_refused_before_anything_is_read(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = refusal(capsys, faces, "--write-temperature", tmp_path, out=tmp_path / "out")

    assert "is there already" in refused
    assert not (tmp_path / "out").exists()


def test_models_without_the_face_detector_get_one_sentence(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(SAMPLES.parent / "models" / "default", tmp_path / "models" / "default")
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    said = refusal(capsys, faces, out=tmp_path / "out")
    assert said == "MODELS_DIR: the face detector's file face_detection_short_range.onnx cannot be read.\n"


@pytest.fixture
def outcome() -> Outcome:
    """A hundred happy faces: by day 60 of which 54 are right, by night 40 of which 28 are."""
    faces, rows = [], []
    for number in range(100):
        light, right = ("day", number < 54) if number < 60 else ("night", number < 88)
        groups = {"light": light, "camera": "old" if number < 29 else "new"}
        faces.append(Labelled(Item(f"{number}.jpg", f"{number}.jpg"), "happy", groups))
        happy = 0.5 + number / 250 if right else 0.3
        rows.append({"p_happy": happy, "p_sad": 1 - happy, "warnings": "" if right else "blurred"})
    return Outcome(("happy", "sad"), faces, rows, {"no_face_detected": 25})


def test_gaps_between_groups(outcome: Outcome) -> None:
    """Against values worked out by hand: 0.9 and 0.7, and z = 0.2 / sqrt(0.82 * 0.18 * (1/60 + 1/40)) = 2.550."""
    result = figures(outcome, 0.6, 0.9)
    day, night = result["groups"]["light"]["day"], result["groups"]["light"]["night"]
    assert (day["accuracy"]["value"], night["accuracy"]["value"]) == (0.9, 0.7)
    assert day["gap"]["value"] == pytest.approx(0.2) == -night["gap"]["value"]
    # 0.010763 for each of the two comparisons (a chi-square test says the same), corrected by Holm for both.
    assert day["gap"]["p"] == night["gap"]["p"] == pytest.approx(2 * 0.010763, abs=1e-5)
    # The intervals by Wilson are 0.7985 to 0.9534 and 0.5457 to 0.8193.
    low, high = 0.2 - math.hypot(0.9 - 0.7985, 0.8193 - 0.7), 0.2 + math.hypot(0.9534 - 0.9, 0.7 - 0.5457)
    assert day["gap"]["interval"] == pytest.approx((low, high), abs=1e-4)
    camera = result["groups"]["camera"]
    assert "gap" not in camera["old"], "29 faces are too few, in it or beside it."
    assert "gap" not in camera["new"]
    assert "too few to compare" in camera["old"]["note"]


def test_warnings_shares_and_the_surest_mistakes(outcome: Outcome) -> None:
    result = figures(outcome, 0.6, 0.9)
    assert result["without_face_share"]["value"] == 25 / 125
    assert result["warnings"]["blurred"] == {"value": 0.0, "interval": wilson(0, 18), "hits": 0, "count": 18}
    assert result["warnings"]["none"]["value"] == 1.0
    assert len(result["mistakes"]) == 18
    assert [m["confidence"] for m in result["mistakes"]] == sorted(m["confidence"] for m in result["mistakes"])[::-1]


def test_two_models_on_the_same_faces(outcome: Outcome) -> None:
    """The second is right on ten that the first misses and wrong on two that it has: 2 * (1 + 12 + 66) / 4096."""
    rows = list(outcome.rows)
    for number in (*range(54, 60), *range(88, 92)):
        rows[number] = {"p_happy": 0.8, "p_sad": 0.2, "warnings": ""}
    for number in (0, 1):
        rows[number] = {"p_happy": 0.2, "p_sad": 0.8, "warnings": ""}
    comparison = compared(outcome, replace(outcome, rows=rows), ("one", "other"))
    assert (comparison["only_first_right"], comparison["only_second_right"]) == (2, 10)
    assert comparison["p"] == pytest.approx(158 / 4096)
    assert [share["hits"] for share in comparison["accuracy"]] == [82, 90]


def test_the_page_rounds_no_figure_to_what_it_is_not(outcome: Outcome) -> None:
    wrong = [row | {"p_happy": 0.2, "p_sad": 0.8} for row in outcome.rows]
    result = figures(outcome, 0.6, 0.995) | {"model": {"name": "one", "version": "1"}}
    result["comparison"] = compared(outcome, replace(outcome, rows=wrong), ("one", "other"))
    shown = page(result, {})
    assert "99.5 % of predictions are right" in shown
    assert "p by McNemar's exact test: under 0.001." in shown


def test_the_temperature_is_fitted_on_one_half_and_tested_on_the_other(outcome: Outcome) -> None:
    found = figures(outcome, 0.6, 0.9)["temperature"]
    assert found["value"] != 1.0
    assert 0 <= found["calibration_error_after"] < found["calibration_error_before"]


def test_files_beside_the_report_that_cannot_be_written_get_one_sentence(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, full = tmp_path / "out", OSError(errno.ENOSPC, "No space left on device")
    (out / "settings.env").mkdir(parents=True)
    assert "cannot be written to: Is a directory." in refusal(capsys, faces, "--write-threshold", out=out)
    monkeypatch.setattr("bulk.audit.shutil.copyfile", Mock(side_effect=full))
    said = refusal(capsys, faces, "--write-temperature", tmp_path / "mine", out=out)
    assert "mine cannot be written to: No space left on device." in said


def test_pictures_of_mistakes_are_small(faces: Path, tmp_path: Path) -> None:
    audit(faces, "--pictures", out=tmp_path / "out")
    page = (tmp_path / "out" / "audit.html").read_text("utf-8")
    (shown,) = re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    with Image.open(io.BytesIO(base64.b64decode(shown))) as picture:
        assert max(picture.size) == 320
    audit(faces, out=tmp_path / "without")
    assert "data:image" not in (tmp_path / "without" / "audit.html").read_text("utf-8")


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
    table.write_text("")
    assert "labels.csv has no column path: it has none." in refusal(capsys, faces, "--labels", table, out=out)
    table.write_text("file,label\nHappiness/0.jpg\n")
    assert "Happiness/0.jpg has no label" in refusal(capsys, faces, "--labels", table, out=out)
    table.write_text("file,label\nHappiness/0.jpg,happy\n0.jpg,happy\n")
    assert "0.jpg of " in (said := refusal(capsys, faces, "--labels", table, out=out))
    assert "write more of its path" in said
    table.write_text("file,label\nHappiness/0.jpg,happy\n./Happiness/0.jpg,sad\n")
    assert "stands in " in (said := refusal(capsys, faces, "--labels", table, out=out))
    assert "twice" in said
    table.with_suffix(".parquet").write_bytes(b"no table")
    assert "labels.parquet cannot be read" in refusal(capsys, faces, "--labels", table.with_suffix(".parquet"), out=out)
    assert "nowhere.csv cannot be read" in refusal(capsys, faces, "--labels", tmp_path / "nowhere.csv", out=out)
    assert "takes two models" in refusal(capsys, faces, "--compare", "default,accurate,default", out=out)
    shutil.rmtree(faces / "bored")
    for label in ("Happiness", "neutral"):
        for picture in (faces / label).iterdir():
            shutil.copy(FACELESS, picture)
    assert "No face was found" in refusal(capsys, faces, out=out)
