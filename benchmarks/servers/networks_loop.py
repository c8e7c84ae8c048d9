"""Milliseconds of networks for one face on one core, in turns. Arguments: ``name=path`` of ONNX files.

Prints ``{name: [milliseconds, …]}``, one number for each round.
"""

from __future__ import annotations

import json
import sys
import time
from statistics import median

import numpy as np
import onnxruntime as ort

_ROUNDS = 7
_SECONDS = 0.12


def main() -> None:
    sessions = dict(argument.split("=", 1) for argument in sys.argv[1:])
    opened = {name: _open(path) for name, path in sessions.items()}
    taken: dict[str, list[float]] = {name: [] for name in opened}
    for _ in range(_ROUNDS):
        for name, (session, tensor) in opened.items():
            taken[name].append(_milliseconds(session, tensor))
    print(json.dumps(taken))


def _open(path: str) -> tuple[ort.InferenceSession, dict[str, np.ndarray]]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    wanted = session.get_inputs()[0]
    shape = [size if isinstance(size, int) else 1 for size in wanted.shape]
    kind = np.uint8 if "uint8" in wanted.type else np.float32
    return session, {wanted.name: np.full(shape, 100, kind)}


def _milliseconds(session: ort.InferenceSession, tensor: dict[str, np.ndarray]) -> float:
    """The median of several runs, after two to warm up."""
    runs: list[float] = []
    for _ in range(2):
        session.run(None, tensor)
    until = time.perf_counter() + _SECONDS
    while not runs or time.perf_counter() < until:
        started = time.perf_counter()
        session.run(None, tensor)
        runs.append((time.perf_counter() - started) * 1000)
    return median(runs)


if __name__ == "__main__":
    main()
