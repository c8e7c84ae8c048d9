"""Runs the shipped ONNX file of a model, with all of its heads."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from app.inference.manifest import BadModel, InputSpec, Manifest, load_manifest
from training.labels import FER2013

FERPLUS_OUTPUT: Final = "ferplus"
FER2013_OUTPUT: Final = "fer2013"
_BATCH: Final = 16


@dataclass(frozen=True, slots=True)
class Outputs:
    """The logits of a model for n faces.

    ``served`` (n, labels) in the order of the manifest; ``ferplus`` (n, 8) and ``fer2013`` (n, 7) are the training
    heads, None if the file does not have them.
    """

    served: NDArray[np.float32]
    ferplus: NDArray[np.float32] | None
    fer2013: NDArray[np.float32] | None

    def head(self, limit: int) -> Outputs:
        """Only the first faces."""
        return Outputs(
            self.served[:limit],
            None if self.ferplus is None else self.ferplus[:limit],
            None if self.fer2013 is None else self.fer2013[:limit],
        )


class Shipped:
    """Runs the model of a folder on cropped faces."""

    def __init__(self, folder: Path) -> None:
        self.manifest = load_manifest(folder)
        self._session = session(folder / self.manifest.file, 1)
        self._input = self._session.get_inputs()[0].name
        self._outputs = {output.name for output in self._session.get_outputs()}

    def infer(self, faces: NDArray[np.uint8]) -> Outputs:
        """Logits for grey faces (n, h, w)."""
        wanted = [name for name in (FERPLUS_OUTPUT, FER2013_OUTPUT) if name in self._outputs]
        names = [self.manifest.output.tensor, *wanted]

        def logits(start: int) -> list[NDArray[np.float32]]:
            batch = tensor(faces[start : start + _BATCH], self.manifest.input)
            found: list[NDArray[np.float32]] = self._session.run(names, {self._input: batch})
            return found

        # A small batch for each core is faster than one large batch whose layers are split among the cores.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            parts = list(pool.map(logits, range(0, len(faces), _BATCH)))
        values = {name: np.concatenate(rows) for name, rows in zip(names, zip(*parts, strict=True), strict=True)}
        served = values[self.manifest.output.tensor]
        if self.manifest.output.kind == "probabilities":
            served = np.log(np.maximum(served, 1e-9))
        return Outputs(served, values.get(FERPLUS_OUTPUT), values.get(FER2013_OUTPUT))


def check_labels(manifest: Manifest) -> None:
    """Raises :class:`BadModel` for a model whose outputs are not the labels of the data, in their order."""
    if manifest.labels != FER2013:
        order = ", ".join(FER2013)
        raise BadModel(f"Model {manifest.name}: its labels are not {order}, in this order. visage audit takes any.")


def session(model: Path | bytes, threads: int = 1) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(model) if isinstance(model, Path) else model, options, ["CPUExecutionProvider"])


def tensor(faces: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32] | NDArray[np.uint8]:
    """Grey faces (n, h, w) in the input format of a manifest."""
    if faces.shape[1:] != (spec.height, spec.width):
        faces = np.stack([cv2.resize(face, (spec.width, spec.height)) for face in faces])
    planes = np.repeat(faces[:, None], spec.depth, axis=1)
    if spec.dtype == "float32":
        mean, std = (np.asarray(value, dtype=np.float32).reshape(1, -1, 1, 1) for value in (spec.mean, spec.std))
        scaled = ((planes.astype(np.float32) * spec.scale - mean) / std).astype(np.float32)
        return scaled if spec.layout == "NCHW" else scaled.transpose(0, 2, 3, 1)
    return planes if spec.layout == "NCHW" else planes.transpose(0, 2, 3, 1)


def one_core_ms(models: list[bytes], spec: InputSpec, rounds: int = 60) -> list[float]:
    """Median time of one face on one thread. The models take turns, so that load on the machine affects all alike."""
    face = tensor(np.full((1, spec.height, spec.width), 128, dtype=np.uint8), spec)
    runners = [session(model, 1) for model in models]
    times: list[list[float]] = [[] for _ in models]
    for _ in range(rounds):
        for runner, taken in zip(runners, times, strict=True):
            started = time.perf_counter()
            runner.run([runner.get_outputs()[0].name], {runner.get_inputs()[0].name: face})
            taken.append((time.perf_counter() - started) * 1000)
    return [float(np.median(taken)) for taken in times]
