"""What is checked of a model before it serves: its file, its graph, and one real inference."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.inference import onnx_file
from app.inference.manifest import ExplainSpec, Manifest, file_within
from app.inference.onnx_file import NotOnnx, OnnxFile
from app.inference.preprocess import Preprocessor
from app.inference.runner import Raw, Runner
from app.inference.session import first_line

OPSETS = range(7, 27)
"""The versions of ONNX's operators that ONNX Runtime 1.31 runs."""

_TYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}
_SCORE_TYPES = {"tensor(float)", "tensor(float16)", "tensor(double)"}


class Flaw(Exception):
    """What is wrong with a model, as the end of a sentence that names it."""


def read_file(folder: Path, manifest: Manifest) -> OnnxFile:
    """The file, if its hash is the manifest's. What is hashed is what is loaded: the file is read once."""
    try:
        data = file_within(folder, manifest.file)
    except FileNotFoundError:
        raise Flaw(f"there is no {manifest.file}") from None
    digest = hashlib.sha256(data).hexdigest()
    if digest != manifest.sha256:
        raise Flaw(f"{manifest.file} has SHA-256 {digest[:12]}…, not {manifest.sha256[:12]}… as its manifest says")
    try:
        file = onnx_file.read(data)
    except NotOnnx as error:
        raise Flaw(f"{manifest.file} is no ONNX file ({error})") from None
    if file.external:
        raise Flaw(f"{manifest.file} keeps weights in {file.external[0]!r}; save it as one file")
    if file.opset not in OPSETS:
        raise Flaw(f"{manifest.file} is of opset {file.opset}, but {OPSETS[0]} to {OPSETS[-1]} can be run")
    return file


def with_features(file: OnnxFile, explain: ExplainSpec | None) -> bytes:
    """The model, its last feature map among the outputs if the manifest names one."""
    if explain is None or explain.features in file.outputs:
        return file.data
    if explain.features not in file.tensors:
        raise Flaw(f"explain.features names {explain.features!r}, which the graph does not compute")
    return file.with_output(explain.features)


def class_weights(file: OnnxFile, explain: ExplainSpec, labels: int) -> NDArray[np.float32]:
    """The weights (labels, channels) of the layer behind the feature map."""
    try:
        weights = file.initializer(explain.weights)
    except NotOnnx as error:
        raise Flaw(f"explain.weights names {explain.weights!r}, but {error}") from None
    if weights is None:
        raise Flaw(f"explain.weights names {explain.weights!r}, which is no initializer of the graph")
    # A 1×1 convolution has two axes of length 1 at the end; a plain matrix product has its labels last.
    matrix = weights.reshape(weights.shape[:2]) if weights.shape[2:] in ((), (1, 1)) else weights
    if matrix.ndim == 2 and matrix.shape[0] != labels:
        matrix = matrix.T
    if matrix.ndim != 2 or matrix.shape[0] != labels:
        raise Flaw(f"explain.weights is of shape {weights.shape}, which does not fit {labels} labels")
    return np.ascontiguousarray(matrix)


def fixed_batch(session: Any, manifest: Manifest) -> int | None:
    """Checks names, types and shapes against the manifest; gives the batch if the graph fixes it."""
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise Flaw(f"the graph takes {len(inputs)} inputs, but one picture is all there is")
    spec = manifest.input
    if _TYPES.get(inputs[0].type) != spec.dtype:
        raise Flaw(f"input.dtype is {spec.dtype}, but the graph takes {inputs[0].type}")
    sides = (spec.height, spec.width)
    wanted = (spec.depth, *sides) if spec.layout == "NCHW" else (*sides, spec.depth)
    if not _fits(inputs[0].shape[1:], wanted):
        raise Flaw(f"the manifest's input is {spec.layout} {list(wanted)}, but the graph's is {inputs[0].shape[1:]}")
    batch = inputs[0].shape[0]
    if isinstance(batch, int) and batch != 1:
        raise Flaw(f"its batch is fixed to {batch}; export it with a batch of 1 or a dynamic one")
    outputs = {output.name: output for output in session.get_outputs()}
    if manifest.output.tensor not in outputs:
        known = ", ".join(outputs)
        raise Flaw(f"output.tensor names {manifest.output.tensor!r}, but the graph gives {known}")
    kind, shape = outputs[manifest.output.tensor].type, outputs[manifest.output.tensor].shape
    if kind not in _SCORE_TYPES:
        raise Flaw(f"output {manifest.output.tensor!r} is of type {kind}, not of floating-point numbers")
    if not _fits(shape[1:], (len(manifest.labels),)):
        raise Flaw(f"there are {len(manifest.labels)} labels, but the output is of shape {shape}")
    return 1 if batch == 1 else None


def _fits(shape: list[Any], wanted: tuple[int, ...]) -> bool:
    """Whether a graph's shape, in which a free dimension is no integer, allows the wanted one."""
    return len(shape) == len(wanted) and all(
        not isinstance(given, int) or given == size for given, size in zip(shape, wanted, strict=True)
    )


def try_out(runner: Runner, manifest: Manifest, weights: NDArray[np.float32] | None) -> None:
    """One real inference of two made-up pictures, which also warms the session up."""
    spec = manifest.input
    shade = np.linspace(0, 255, spec.height * spec.width * 3).reshape(spec.height, spec.width, 3).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, shade.shape, np.uint8)
    try:
        raw = runner.run(Preprocessor(spec)([shade, noise]), with_features=weights is not None)
    except Exception as error:
        raise Flaw(f"it fails on a picture ({first_line(error)})") from None
    if raw.scores.shape != (2, len(manifest.labels)):
        raise Flaw(f"for two pictures it answers with shape {raw.scores.shape}, not (2, {len(manifest.labels)})")
    if not np.isfinite(raw.scores).all():
        raise Flaw("it answers with numbers that are not finite")
    kind = "probabilities" if _are_probabilities(raw.scores) else "logits"
    if kind != manifest.output.kind:
        raise Flaw(f"output.kind is {manifest.output.kind}, but its answers are {kind}")
    if weights is not None:
        _check_features(raw, weights)


def _are_probabilities(scores: NDArray[Any]) -> bool:
    sums = scores.astype(np.float64).sum(axis=1)
    return bool((scores >= 0).all() and np.allclose(sums, 1, atol=1e-3))


def _check_features(raw: Raw, weights: NDArray[np.float32]) -> None:
    features, channels = raw.features, weights.shape[1]
    if features is None or features.ndim != 4 or features.shape[1] != channels:
        shape = None if features is None else features.shape
        raise Flaw(f"explain.features is of shape {shape}, which does not fit weights of {channels} channels")
