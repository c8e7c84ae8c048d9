"""Modified model files: the service is not ready, gives the reason in one sentence, and does not crash."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import onnx

from drills.client import get, send, until, upload
from drills.report import Report, run
from tests.process import ROOT, ServerProcess


def _flipped_byte(model: Path) -> None:
    weights = _weights(model)
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)


def _truncated(model: Path) -> None:
    weights = _weights(model)
    weights.write_bytes(weights.read_bytes()[:-1000])


def _swapped(model: Path) -> None:
    _weights(model).write_bytes((ROOT / "models/face_detector/face_detection_short_range.tflite").read_bytes())


def _wrong_opset(model: Path) -> None:
    network = onnx.load(_weights(model))
    network.opset_import[0].version = 999
    onnx.save(network, _weights(model))
    _sign(model)


def _outside_path(model: Path) -> None:
    _edit(model, file="../default/" + _weights(model).name)


def _outside_tensor(model: Path) -> None:
    network = onnx.load(_weights(model))
    tensor = network.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    del tensor.external_data[:]
    tensor.external_data.add(key="location", value="../../../../etc/passwd")
    _weights(model).write_bytes(network.SerializeToString())
    _sign(model)


def _link_outside(model: Path) -> None:
    weights = _weights(model)
    weights.unlink()
    weights.symlink_to("/etc/passwd")


def _no_manifest(model: Path) -> None:
    (model / "manifest.json").unlink()


def _invalid_json(model: Path) -> None:
    (model / "manifest.json").write_text("{" * 10_000)


def _other_labels(model: Path) -> None:
    manifest = json.loads((model / "manifest.json").read_text())
    _edit(model, labels=manifest["labels"][:-1])


def _detector_flipped(model: Path) -> None:
    for weights in _detectors(model):
        data = bytearray(weights.read_bytes())
        data[len(data) // 2] ^= 1
        weights.write_bytes(data)


def _detector_missing(model: Path) -> None:
    for weights in _detectors(model):
        weights.unlink()


TAMPERING: tuple[Callable[[Path], None], ...] = (
    _flipped_byte,
    _truncated,
    _swapped,
    _wrong_opset,
    _outside_path,
    _outside_tensor,
    _link_outside,
    _no_manifest,
    _invalid_json,
    _other_labels,
    _detector_flipped,
    _detector_missing,
)


def drill(report: Report) -> None:
    for tamper in TAMPERING:
        with tempfile.TemporaryDirectory() as folder:
            models = Path(folder) / "models"
            shutil.copytree(ROOT / "models", models)
            tamper(models / "default")
            with ServerProcess({"MODELS_DIR": models, "LOG_LEVEL": "error", "WORKERS": 1}) as server:
                asyncio.run(_check(report, tamper.__name__[1:].replace("_", " "), server))


async def _check(report: Report, what: str, server: ServerProcess) -> None:
    health = get("/health")

    async def settled() -> bool:
        response = await send(server.port, health)
        return response.status != 0 and response.json["status"] != "starting"

    await until(settled)
    state = (await send(server.port, health)).json
    ready = await send(server.port, get("/health/ready"))
    alive = await send(server.port, get("/health/live"))
    prediction = await send(server.port, upload("/predict", b"\xff\xd8\xff"))
    reason = str(state["reason"])
    sentence = len(reason) > 20 and "\n" not in reason and ". " not in reason
    fine = (
        (state["status"], ready.status, alive.status, prediction.error) == ("unavailable", 503, 200, "not_ready")
        and sentence
        and "Traceback" not in server.log
        and "root:" not in reason
    )
    report.check(what, fine, f"{state} {ready.status} {alive.status} {prediction.error}")
    report.note(f"  {reason}")


def _weights(model: Path) -> Path:
    manifest: dict[str, str] = json.loads((model / "manifest.json").read_text())
    return model / manifest["file"]


def _detectors(model: Path) -> list[Path]:
    return list((model.parent / "face_detector").glob("face_detection_short_range.*"))


def _edit(model: Path, **changes: object) -> None:
    path = model / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _sign(model: Path) -> None:
    """Updates the hash in the manifest, as an attacker who can write both files would."""
    _edit(model, sha256=hashlib.sha256(_weights(model).read_bytes()).hexdigest())


if __name__ == "__main__":
    run("integrity", drill)
