"""The networks that find faces, and the sessions that run them."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime

from app.vision.detectors.blazeface import BlazeFace
from app.vision.detectors.yunet import YuNet
from app.vision.face_search import LARGE_COPY, SMALL_COPY, FaceDetector

_FOLDER: Final = "face_detector"
_SHA256: Final = {
    "face_detection_short_range.onnx": "d4258366fd8777ee96b762a5bdac465c40598fcd7be73936eb97b3590e147ee0",
    "yunet.onnx": "6edc39225b19f6b4fdcfca71bfbdee02abdf87f0b3ffbf94addebcdacd74768b",
}


class BadDetector(Exception):
    """A file of the detector is missing or not the expected one. The message has no full stop."""


PASS_BYTES: Final = 21_000_000
"""Bytes that a search of the largest copy holds, for each thread that runs one at the same time."""

_lock = threading.Lock()
_loaded: dict[Path, tuple[BlazeFace, YuNet]] = {}


def make_detector(models_dir: Path, threshold: float) -> FaceDetector:
    """A detector. ``threshold`` is the least score of a face. All detectors of a process share their networks, which
    run on any thread, several at the same time too."""
    with _lock:
        if models_dir not in _loaded:
            _loaded[models_dir] = _load(models_dir)
        near, far = _loaded[models_dir]
    return FaceDetector(near, far, threshold)


def free_memory() -> None:
    """Gives back the memory that the networks keep for their next large picture."""
    for _, far in tuple(_loaded.values()):
        far.free_memory()


def _load(models_dir: Path) -> tuple[BlazeFace, YuNet]:
    """The networks, after one run on each size of a usual picture, so that no client pays for what this sets up."""
    # The far network's arena keeps 20 MB after one large input, until ``free_memory``. Without an arena, each of them
    # would cost 3,000 page faults, and twice the time.
    near, far = (open_network(_read(models_dir / _FOLDER / name, digest)) for name, digest in _SHA256.items())
    networks = BlazeFace(near), YuNet(far)
    for side in (SMALL_COPY, LARGE_COPY):
        for network in networks:
            network.detect(np.zeros((side * 3 // 4, side, 3), np.uint8), 0.5)
    networks[1].free_memory()
    return networks


def _read(path: Path, digest: str) -> bytes:
    """The bytes of a file. Raises :class:`BadDetector` when it is missing or its hash is wrong."""
    try:
        data = path.read_bytes()
    except OSError:
        raise BadDetector(f"the face detector's file {path.name} cannot be read") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise BadDetector(f"the face detector's file {path.name} has the wrong SHA-256")
    return data


def open_network(model: bytes, *, arena: bool = True) -> onnxruntime.InferenceSession:
    """A session on the calling thread. An arena keeps the most memory that a run has needed, on each thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = arena
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    # ONNX Runtime keeps the file's bytes for a fallback that is turned off here.
    session._model_bytes = None
    return session
