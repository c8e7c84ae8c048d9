"""A model that is ready to use: crops in, calibrated probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.inference import validation
from app.inference.batcher import LARGEST_BATCH, Batcher
from app.inference.calibration import calibrate
from app.inference.further import FurtherValue, further_values
from app.inference.manifest import BadModel, InputSpec, Manifest, load_manifest
from app.inference.session import GPU_PROVIDERS, LARGEST_PASS, Runner, SessionRunner, SessionSpec, Tensor

_PASS_PIXELS: Final = LARGEST_PASS * 112 * 112
"""Most pixels of crops in one pass on a CPU."""


@dataclass(frozen=True, slots=True)
class ClassifierOutputs:
    """Probabilities float32 (n, labels), if asked for the last feature map float32 (n, channels, h, w), and the further
    values of each face, where the manifest names any."""

    probabilities: NDArray[np.float32]
    features: NDArray[np.float32] | None = None
    further: Sequence[tuple[FurtherValue, ...]] = ()

    def part(self, start: int, stop: int) -> ClassifierOutputs:
        features = None if self.features is None else self.features[start:stop]
        return ClassifierOutputs(self.probabilities[start:stop], features, self.further[start:stop])


class Preprocessor:
    """Turns RGB crops into an input tensor.

    A pixel has only 256 values, so each channel is looked up in a table that is computed in double precision and
    rounded once. That is exact, and faster than the arithmetic.
    """

    def __init__(self, spec: InputSpec) -> None:
        self._spec = spec
        depth = spec.depth
        mean = np.broadcast_to(np.asarray(spec.mean, np.float64), (depth,))
        std = np.broadcast_to(np.asarray(spec.std, np.float64), (depth,))
        values = np.arange(256, dtype=np.float64)
        tables = ((values * spec.scale)[None] - mean[:, None]) / std[:, None]
        self._tables = tables.astype(spec.dtype)

    def __call__(self, crops: Sequence[NDArray[np.uint8]]) -> Tensor:
        """A tensor (n, c, h, w) or (n, h, w, c) from crops (h, w, 3) of the size in the manifest."""
        spec = self._spec
        planes = np.empty((len(crops), spec.depth, spec.height, spec.width), spec.dtype)
        for crop, target in zip(crops, planes, strict=True):
            if crop.shape != (spec.height, spec.width, 3):
                raise ValueError(f"a crop of shape {crop.shape} for an input of {spec.height} by {spec.width}")
            for channel, table in enumerate(self._tables):
                cv2.LUT(self._plane(crop, channel), table, dst=target[channel])
        if spec.layout == "NHWC":
            return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
        return planes

    def _plane(self, crop: NDArray[np.uint8], channel: int) -> NDArray[np.uint8]:
        if self._spec.channels == "gray":
            return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)
        index = 2 - channel if self._spec.channels == "bgr" else channel
        return np.asarray(cv2.extractChannel(crop, index), np.uint8)


class Classifier:
    """One model, for use from any thread.

    ``providers`` are the short names of those in use. ``class_weights`` is float32 (labels, channels) of the layer
    after the feature map, or None when the manifest names no such layer. ``seconds_a_pass`` is what a pass of an
    occlusion map has taken here at least; 0 before the first.
    """

    def __init__(self, manifest: Manifest, runner: Runner, class_weights: NDArray[np.float32] | None = None) -> None:
        self.manifest = manifest
        self.class_weights = class_weights
        self.runner = runner
        self.prepare = Preprocessor(manifest.input)
        self.seconds_a_pass = 0.0

    @property
    def providers(self) -> tuple[str, ...]:
        return self.runner.providers

    def infer(self, tensor: Tensor, *, with_features: bool = False) -> ClassifierOutputs:
        """The calibrated probabilities of all faces in a tensor."""
        raw = self.runner.run(tensor, with_features=with_features and self.class_weights is not None)
        further = further_values(raw.further, self.manifest.outputs) if raw.further else ()
        return ClassifierOutputs(calibrate(raw.scores, self.manifest.output), raw.features, further)


def load_classifier(folder: Path, spec: SessionSpec) -> Classifier:
    """The model of a folder, after all checks from its hash to a real inference; raises :class:`BadModel`."""
    manifest = load_manifest(folder)
    try:
        return _load(folder, manifest, spec)
    except validation.Defect as defect:
        raise BadModel(f"Model {manifest.name}: {defect}.") from None


def _load(folder: Path, manifest: Manifest, spec: SessionSpec) -> Classifier:
    model = validation.read_file(folder, manifest)
    session, providers = validation.open_explainable(model, manifest, spec)
    on_gpu = providers[0] in GPU_PROVIDERS
    runner = SessionRunner(
        session,
        providers,
        scores=manifest.output.tensor,
        features=manifest.explain.features if manifest.explain else None,
        further=tuple(output.tensor for output in manifest.outputs),
        largest_pass=validation.check_graph(session, manifest) or _largest_pass(manifest.input, on_gpu=on_gpu),
    )
    prepare = Preprocessor(manifest.input)
    blank = np.zeros((manifest.input.height, manifest.input.width, 3), np.uint8)
    weights = validation.class_weights(session, manifest, prepare([blank]))
    validation.check_inference(runner, manifest, prepare, weights)
    validation.check_golden(folder, runner, manifest, prepare)
    return Classifier(manifest, Batcher(runner) if on_gpu else runner, weights)


def _largest_pass(spec: InputSpec, *, on_gpu: bool) -> int:
    """Most faces in one pass: fewer of large crops, because ONNX Runtime keeps the memory of its largest pass."""
    if on_gpu:
        return LARGEST_BATCH
    return max(min(LARGEST_PASS, _PASS_PIXELS // (spec.width * spec.height)), 1)
