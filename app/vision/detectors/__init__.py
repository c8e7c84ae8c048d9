"""The networks that find faces, and the sessions that run them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import onnxruntime

from app.vision.detectors.blazeface import BlazeFace
from app.vision.detectors.yunet import YuNet
from app.vision.face_search import FaceDetector

_FOLDER: Final = "face_detector"
_SHA256: Final = {
    "face_detection_short_range.onnx": "d4258366fd8777ee96b762a5bdac465c40598fcd7be73936eb97b3590e147ee0",
    "yunet.onnx": "8ece5fcb32d83809f01f6438c97ca75e76ea0d4f09412ff2b4b2fcafdb3be879",
}


class BadDetector(Exception):
    """A file of the detector is missing or not the expected one. The message has no full stop."""


def make_detector(models_dir: Path, threshold: float) -> FaceDetector:
    """The detector of one worker. ``threshold`` is the least score of a face."""
    near, far = (_session(models_dir / _FOLDER / name, digest) for name, digest in _SHA256.items())
    return FaceDetector(BlazeFace(near), YuNet(far), threshold)


def _session(path: Path, digest: str) -> onnxruntime.InferenceSession:
    """A session on one thread. Raises :class:`BadDetector` when the file is missing or its hash is wrong."""
    try:
        data = path.read_bytes()
    except OSError:
        raise BadDetector(f"the face detector's file {path.name} cannot be read") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise BadDetector(f"the face detector's file {path.name} has the wrong SHA-256")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The arena keeps 20 MB after one large input. Without it, each large input would cost 3,000 page faults, and twice
    # the time.
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    # ONNX Runtime keeps the file's bytes for a fallback that is turned off here.
    session._model_bytes = None
    return session
