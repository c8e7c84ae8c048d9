"""A model that can answer: crops in, calibrated probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.inference import validation
from app.inference.batcher import LARGEST_BATCH, Batcher
from app.inference.calibration import calibrate
from app.inference.errors import BadModel
from app.inference.manifest import Manifest, load_manifest
from app.inference.preprocess import Preprocessor
from app.inference.runner import LARGEST_PASS, Runner, SessionRunner, Tensor
from app.inference.session import GPU_PROVIDERS, SessionSpec, open_session


@dataclass(frozen=True, slots=True)
class Scores:
    """Probabilities float32 (n, labels) and, if asked for, the last feature map float32 (n, channels, h, w)."""

    probabilities: NDArray[np.float32]
    features: NDArray[np.float32] | None = None

    def part(self, start: int, stop: int) -> Scores:
        return Scores(self.probabilities[start:stop], None if self.features is None else self.features[start:stop])


class Classifier:
    """One model, ready to answer from any thread.

    ``providers`` are those really in use, by short name. ``class_weights`` is float32 (labels, channels) of the
    layer behind the feature map, or none when the manifest names no such layer.
    """

    def __init__(self, manifest: Manifest, runner: Runner, class_weights: NDArray[np.float32] | None = None) -> None:
        self.manifest = manifest
        self.class_weights = class_weights
        self.runner = runner
        self._preprocess = Preprocessor(manifest.input)

    @property
    def providers(self) -> tuple[str, ...]:
        return self.runner.providers

    def prepare(self, crops: Sequence[NDArray[np.uint8]]) -> Tensor:
        """The input tensor of RGB crops (h, w, 3), each of the size that the manifest names."""
        return self._preprocess(crops)

    def infer(self, tensor: Tensor, *, with_features: bool = False) -> Scores:
        """The calibrated probabilities of all faces of a tensor."""
        raw = self.runner.run(tensor, with_features=with_features and self.class_weights is not None)
        return Scores(calibrate(raw.scores, self.manifest.output), raw.features)


def load_classifier(folder: Path, spec: SessionSpec) -> Classifier:
    """A model's folder, checked from its hash to a real inference, or :class:`BadModel` with one sentence."""
    manifest = load_manifest(folder)
    try:
        return _load(folder, manifest, spec)
    except validation.Flaw as flaw:
        raise BadModel(f"Model {manifest.name}: {flaw}.") from None


def _load(folder: Path, manifest: Manifest, spec: SessionSpec) -> Classifier:
    file = validation.read_file(folder, manifest)
    explain = manifest.explain
    session, providers = open_session(validation.with_features(file, explain), manifest.name, spec)
    on_gpu = providers[0] in GPU_PROVIDERS
    runner: Runner = SessionRunner(
        session,
        providers,
        scores=manifest.output.tensor,
        features=explain.features if explain else None,
        largest_pass=validation.fixed_batch(session, manifest) or (LARGEST_BATCH if on_gpu else LARGEST_PASS),
    )
    weights = validation.class_weights(file, explain, len(manifest.labels)) if explain else None
    validation.try_out(runner, manifest, weights)
    if on_gpu:
        runner = Batcher(runner)
    return Classifier(manifest, runner, weights)
