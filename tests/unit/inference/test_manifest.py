"""A manifest says all that the service must know, and is refused with one sentence when it does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.inference.manifest import BadModel, ByBox, ByEyes, load_manifest
from tests.models import BY_BOX, Contract, make_model, true_manifest


def test_a_manifest_is_read_as_it_is_written(tmp_path: Path) -> None:
    manifest = load_manifest(make_model(tmp_path / "mine"))

    assert manifest.name == "mine"
    assert manifest.labels == tuple(true_manifest("mine", Contract())["labels"])
    assert manifest.face == ByEyes(eye_distance=0.37, eye_center=(0.5, 0.395))
    assert manifest.metrics == {"accuracy": 0.14}


def test_a_face_can_be_framed_by_its_box(tmp_path: Path) -> None:
    manifest = load_manifest(make_model(tmp_path / "mine", face=BY_BOX))

    assert manifest.face == ByBox(side=1.16, offset_x=-0.08, offset_y=-0.165)


@pytest.mark.parametrize("number", [0.5, [0.5, 0.4, 0.3]])
def test_statistics_are_one_number_or_one_a_channel(tmp_path: Path, number: Any) -> None:
    folder = make_model(tmp_path / "mine", Contract(channels="rgb"), input__mean=number, input__std=number)

    assert load_manifest(folder).input.mean == (tuple(number) if isinstance(number, list) else number)


def test_what_can_be_left_out_is_neutral(tmp_path: Path) -> None:
    left_out = {"metrics": ..., "explain": ..., "output__temperature": ...}
    left_out |= {f"input__{name}": ... for name in ("layout", "dtype", "scale", "mean", "std")}

    manifest = load_manifest(make_model(tmp_path / "mine", **left_out))

    assert (manifest.input.scale, manifest.input.mean, manifest.input.std) == (1, 0, 1)
    assert (manifest.input.layout, manifest.input.dtype) == ("NCHW", "float32")
    assert (manifest.output.temperature, manifest.explain, manifest.metrics) == (1, None, {})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "other"}, "name in manifest.json is other, not the folder's name"),
        ({"name": "Über"}, "name in manifest.json: string should match pattern"),
        ({"colour": "red"}, "colour in manifest.json: extra inputs are not permitted"),
        ({"input__padding": 2}, "input.padding in manifest.json: extra inputs are not permitted"),
        ({"version": ...}, "version in manifest.json: field required"),
        ({"sha256": "abc"}, "sha256 in manifest.json: string should match pattern"),
        ({"labels": ["happy"]}, "labels in manifest.json: tuple should have at least 2 items"),
        ({"labels": ["happy", "happy"]}, "labels in manifest.json: names two labels alike"),
        ({"labels": ["happy", "=1+1"]}, "labels.1 in manifest.json: string should match pattern"),
        ({"input__width": 4}, "input.width in manifest.json: input should be greater than or equal to 8"),
        ({"input__width": "48"}, "input.width in manifest.json: input should be a valid integer"),
        ({"input__channels": "hsv"}, "input.channels in manifest.json: input should be 'gray', 'rgb' or 'bgr'"),
        ({"input__mean": [1, 2]}, "input in manifest.json: mean has 2 numbers for 1 channels (gray)"),
        ({"input__std": 0}, "input.std in manifest.json: must be greater than 0"),
        ({"input__scale": float("nan")}, "input.scale in manifest.json: input should be a finite number"),
        ({"input__dtype": "uint8", "input__scale": 0.5}, "dtype uint8 leaves no room for scale, mean or std"),
        ({"output__kind": "votes"}, "output.kind in manifest.json: input should be 'logits' or 'probabilities'"),
        ({"output__temperature": 0}, "output.temperature in manifest.json: input should be greater than"),
        ({"face": {"eye_distance": 0.4}}, "face.eye_center in manifest.json: field required"),
        ({"face": {"side": 1.0, "offset_x": 0.0}}, "face.offset_y in manifest.json: field required"),
        ({"face": {**BY_BOX, "eye_distance": 0.4}}, "face.eye_center in manifest.json: field required"),
        ({"explain": {"features": "x"}}, "explain.weights in manifest.json: field required"),
        ({"file": "../model.onnx"}, "file in manifest.json: must be the plain name of a file in the model's folder"),
        ({"file": "/etc/passwd"}, "file in manifest.json: must be the plain name of a file in the model's folder"),
        ({"file": ".."}, "file in manifest.json: must be the plain name of a file in the model's folder"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    folder = make_model(tmp_path / "mine", **changes)

    with pytest.raises(BadModel) as refusal:
        load_manifest(folder)

    message = str(refusal.value)
    assert message.startswith("Model mine: ")
    assert sentence in message
    assert message.endswith(".")
    assert "\n" not in message


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "{'name': 1}", "\x00"])
def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    folder = make_model(tmp_path / "mine")
    (folder / "manifest.json").write_text(text)

    with pytest.raises(BadModel, match=r"Model mine: .*manifest\.json"):
        load_manifest(folder)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "mine")
    (folder / "manifest.json").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(BadModel, match=r"manifest\.json is no JSON"):
        load_manifest(folder)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"Model mine: there is no manifest\.json\."):
        load_manifest(tmp_path / "mine")


def test_an_endless_manifest_is_not_read_to_its_end(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "mine")
    (folder / "manifest.json").write_text(json.dumps({"name": "x" * 2_000_000}))

    with pytest.raises(BadModel, match="has more than 1000000 bytes"):
        load_manifest(folder)


@pytest.mark.parametrize("written", [str(10**30), "[" * 400 + "]" * 400])
def test_metrics_that_no_response_can_hold_are_refused(tmp_path: Path, written: str) -> None:
    folder = make_model(tmp_path / "mine", metrics={"accuracy": "HERE"})
    path = folder / "manifest.json"
    path.write_text(path.read_text("utf-8").replace('"HERE"', written), "utf-8")

    with pytest.raises(BadModel, match=r"^Model mine: .*manifest\.json.*\.$"):
        load_manifest(folder)
