"""Modified model files: the service is not ready, gives the reason in one sentence, and does not crash.

A bad model beside the default harms only itself, and reloads keep nothing of what they replace.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import onnx

from drills.client import get, post, send, until, upload
from drills.process_stats import process_stats, reset_peak
from drills.report import Report, run
from tests.process import ROOT, ServerProcess


def _flip_byte(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def _flipped_byte(model: Path) -> None:
    _flip_byte(_weights(model))


def _truncated(model: Path) -> None:
    weights = _weights(model)
    weights.write_bytes(weights.read_bytes()[:-1000])


def _swapped(model: Path) -> None:
    _weights(model).write_bytes((ROOT / "models/face_detector/yunet.onnx").read_bytes())


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
    _flip_byte(_detector(model))


def _detector_missing(model: Path) -> None:
    _detector(model).unlink()


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


def _replaced(name: str, by: Callable[[Path], None]) -> Callable[[Path], None]:
    """Puts something else in the place of a file."""

    def replace(model: Path) -> None:
        path = model / name
        path.unlink()
        by(path)

    return replace


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def _two_gigabytes(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2 * 2**30)


BAD_EXTRAS: dict[str, Callable[[Path], None]] = {
    f"{name} is {what}": _replaced(name, by)
    for name in ("model.onnx", "manifest.json")
    for what, by in (
        ("a link to itself", _link_to_itself),
        ("a folder", Path.mkdir),
        ("a pipe", os.mkfifo),
        ("2 GB of zeros", _two_gigabytes),
    )
}
BAD_CARDS: dict[str, Callable[[Path], None]] = {
    "CARD.md is a link to itself": _replaced("CARD.md", _link_to_itself),
    "CARD.md is a folder": _replaced("CARD.md", Path.mkdir),
    "CARD.md is a pipe": _replaced("CARD.md", os.mkfifo),
}
RELOADS, AT_ONCE = 30, 200
SETTLED = 3
"""Reloads after which resident memory must not grow."""

KEY = "integrity-key-0123456789"
RELOAD = post("/models/reload", b"", "application/json", f"X-API-Key: {KEY}")
MODELS = get("/models", f"X-API-Key: {KEY}")


def drill(report: Report) -> None:
    for tamper in TAMPERING:
        with tempfile.TemporaryDirectory() as folder:
            models = Path(folder) / "models"
            shutil.copytree(ROOT / "models", models)
            tamper(models / "default")
            with ServerProcess({"MODELS_DIR": models, "LOG_LEVEL": "error", "WORKERS": 1}) as server:
                asyncio.run(_check(report, tamper.__name__[1:].replace("_", " "), server))
    _extra_models(report)
    with ServerProcess({"API_KEYS": f"drill:{KEY}:admin", "LOG_LEVEL": "error"}) as server:
        server.wait_ready()
        asyncio.run(_reloads(report, server))


def _extra_models(report: Report) -> None:
    """Starts one server with all bad models beside a good default."""
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        shutil.copytree(ROOT / "models", models)
        for number, spoil in enumerate([*BAD_EXTRAS.values(), *BAD_CARDS.values()]):
            extra = models / f"extra{number}"
            shutil.copytree(models / "default", extra)
            _edit(extra, name=extra.name)
            spoil(extra)
        with ServerProcess({"MODELS_DIR": models, "LOG_LEVEL": "error", "WORKERS": 1}) as server:
            server.wait_ready()
            response = asyncio.run(send(server.port, get("/models")))
            log = server.log
    report.check("bad models beside the default: /models responds", response.status == 200, str(response.status))
    failures = response.json["failures"]
    for number, what in enumerate(BAD_EXTRAS):
        reason = str(failures.get(f"extra{number}"))
        report.check(f"extra model: {what}", reason.startswith(f"Model extra{number}: ") and ". " not in reason, reason)
        report.note(f"  {reason}")
    cards = {model["name"]: model["card"] for model in response.json["models"]}
    for number, what in enumerate(BAD_CARDS, start=len(BAD_EXTRAS)):
        report.check(f"served without a card: {what}", cards.get(f"extra{number}", "") is None)
    report.check("no traceback", "Traceback" not in log)


async def _reloads(report: Report, server: ServerProcess) -> None:
    settled = 0.0
    for number in range(1, RELOADS + 1):
        status = (await send(server.port, RELOAD)).status
        if status != 200:
            report.check(f"reload {number}", False, str(status))
        if number == SETTLED:
            settled = process_stats(server.pid).resident
    gained = process_stats(server.pid).resident - settled
    report.figure(f"memory gained by reloads {SETTLED} to {RELOADS}", gained, "MB", at_most=20)
    reset_peak(server.pid)
    reloads = [asyncio.create_task(send(server.port, RELOAD)) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    listed = await send(server.port, MODELS)
    statuses = Counter(response.status for response in await asyncio.gather(*reloads))
    report.check(f"{AT_ONCE} reloads at once: one at a time", set(statuses) <= {200, 503}, str(statuses))
    report.figure("  served", statuses[200], at_least=1, at_most=5)
    report.figure("  peak of resident memory", process_stats(server.pid).peak, "MB", at_most=450)
    report.check("  /models responds", listed.status == 200, str(listed.status))
    report.figure("  /models takes", listed.seconds, "s", at_most=2)


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


def _detector(model: Path) -> Path:
    return model.parent / "face_detector/yunet.onnx"


def _edit(model: Path, **changes: object) -> None:
    path = model / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _sign(model: Path) -> None:
    """Updates the hash in the manifest, as an attacker who can write both files would."""
    _edit(model, sha256=hashlib.sha256(_weights(model).read_bytes()).hexdigest())


if __name__ == "__main__":
    run("integrity", drill)
