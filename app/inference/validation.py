"""Checks of a model before it serves: its file, its graph, and one real inference."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.inference import golden
from app.inference.manifest import BadModel, FurtherOutput, Manifest, MultilabelSpec, open_within
from app.inference.session import RawOutputs, Runner, SessionSpec, Tensor, open_session, short_reason
from app.memory_budget import process_memory

_TYPES = {"tensor(float)": "float32", "tensor(uint8)": "uint8"}
_SCORE_TYPES = {"tensor(float)", "tensor(float16)", "tensor(double)"}
_GRAPH, _OUTPUT, _NAME = 7, 12, 1
"""Numbers of fields in an ONNX file: a model's graph, the graph's outputs, and an output's name."""

_LARGEST_MODEL, _MODEL_SHARE = 2**30, 1 / 6
"""Bytes of the largest file that is read, and its share of the process's memory. Loading takes four times the file."""


class Defect(Exception):
    """What is wrong with a model, as the end of a sentence that names it."""


def largest_model() -> int:
    """Bytes of the largest file of a model that is read."""
    return min(_LARGEST_MODEL, int(process_memory().limit * _MODEL_SHARE))


def read_file(folder: Path, manifest: Manifest) -> bytes:
    """The model's file, if it has the hash in the manifest. The bytes that were checked are those that are loaded."""
    most = largest_model()
    try:
        with open_within(folder, manifest.file, at_most=most) as file:
            # A file that is not this model is never held in memory.
            _check_digest(hashlib.file_digest(file, "sha256").hexdigest(), manifest)
            file.seek(0)
            data = file.read(most)
    except FileNotFoundError:
        raise Defect(f"there is no {manifest.file}") from None
    _check_digest(hashlib.sha256(data).hexdigest(), manifest)
    return data


def _check_digest(digest: str, manifest: Manifest) -> None:
    if digest != manifest.sha256:
        raise Defect(f"{manifest.file} has SHA-256 {digest[:12]}…, not {manifest.sha256[:12]}… as its manifest says")


def open_explainable(model: bytes, manifest: Manifest, spec: SessionSpec) -> tuple[Any, tuple[str, ...]]:
    """A session whose outputs include what the manifest's explanations need; and the providers in use."""
    explain = manifest.explain
    if explain is None:
        return open_session(model, manifest.name, spec)
    try:
        return open_session(with_outputs(model, explain.features, explain.weights), manifest.name, spec)
    except BadModel:
        # A graph that does not open, or does not fit its manifest, is blamed first.
        session, _ = open_session(model, manifest.name, spec)
        check_graph(session, manifest)
    try:
        open_session(with_outputs(model, explain.features), manifest.name, spec)
    except BadModel:
        raise Defect(f"explain.features names {explain.features!r}, which the graph does not compute") from None
    raise Defect(f"explain.weights names {explain.weights!r}, which is no initializer of the graph")


def with_outputs(model: bytes, *names: str) -> bytes:
    """The model with more of its tensors among its outputs.

    Protobuf merges repeated messages, so appending a second graph with these outputs does it.
    """
    outputs = (_message(_OUTPUT, _message(_NAME, name.encode())) for name in names)
    return model + _message(_GRAPH, b"".join(outputs))


def _message(field: int, content: bytes) -> bytes:
    """A field of Protobuf that holds bytes."""
    size, length = len(content), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([field << 3 | 2, *length, size]) + content


def class_weights(session: Any, manifest: Manifest, picture: Tensor) -> NDArray[np.float32] | None:
    """The weights (labels, channels) of the layer after the feature map, if the manifest names them.

    A graph may compute them from constants, so it is run with a picture, which does not matter.
    """
    if manifest.explain is None:
        return None
    labels = len(manifest.labels)
    try:
        weights = session.run([manifest.explain.weights], {session.get_inputs()[0].name: picture})[0]
    except Exception as error:
        raise Defect(f"it fails on a picture ({short_reason(error)})") from None
    if weights.dtype.kind != "f":
        raise Defect(f"explain.weights names {manifest.explain.weights!r}, but its values are not of type float")
    # A 1×1 convolution has two axes of length 1 at the end; a plain matrix product has its labels last.
    matrix = weights.reshape(weights.shape[:2]) if weights.shape[2:] in ((), (1, 1)) else weights
    if matrix.ndim == 2 and matrix.shape[0] != labels:
        matrix = matrix.T
    if matrix.ndim != 2 or matrix.shape[0] != labels:
        raise Defect(f"explain.weights is of shape {weights.shape}, which does not fit {labels} labels")
    return np.ascontiguousarray(matrix, np.float32)


def check_graph(session: Any, manifest: Manifest) -> int | None:
    """Checks names, types and shapes against the manifest. Returns the batch size if the graph fixes it."""
    inputs = session.get_inputs()
    if len(inputs) != 1:
        raise Defect(f"the graph takes {len(inputs)} inputs, but the service has only the picture")
    spec = manifest.input
    if _TYPES.get(inputs[0].type) != spec.dtype:
        raise Defect(f"input.dtype is {spec.dtype}, but the graph takes {inputs[0].type}")
    sides = (spec.height, spec.width)
    expected = (spec.depth, *sides) if spec.layout == "NCHW" else (*sides, spec.depth)
    if not _fits(inputs[0].shape[1:], expected):
        raise Defect(
            f"the manifest's input is {spec.layout} {list(expected)}, but the graph's is {inputs[0].shape[1:]}"
        )
    batch = inputs[0].shape[0]
    if isinstance(batch, int) and batch != 1:
        raise Defect(f"its batch is fixed to {batch}; export it with a batch of 1 or a dynamic one")
    outputs = {output.name: output for output in session.get_outputs()}
    if manifest.output.tensor not in outputs:
        # The session also gives the tensors that explain names, which the file does not.
        added = (manifest.explain.features, manifest.explain.weights) if manifest.explain else ()
        known = ", ".join(name for name in outputs if name not in added)
        raise Defect(f"output.tensor names {manifest.output.tensor!r}, but the graph gives {known}")
    kind, shape = outputs[manifest.output.tensor].type, outputs[manifest.output.tensor].shape
    if kind not in _SCORE_TYPES:
        raise Defect(f"output {manifest.output.tensor!r} is of type {kind}, not of floating-point numbers")
    if not _fits(shape[1:], (len(manifest.labels),)):
        raise Defect(f"there are {len(manifest.labels)} labels, but the output is of shape {shape}")
    for further in manifest.outputs:
        _check_further(further, outputs)
    return 1 if batch == 1 else None


def _check_further(further: FurtherOutput, outputs: dict[str, Any]) -> None:
    """Checks that the graph gives a further output with one number for each name."""
    if further.tensor not in outputs:
        raise Defect(f"outputs names {further.tensor!r}, but the graph gives {', '.join(outputs)}")
    kind, shape = outputs[further.tensor].type, outputs[further.tensor].shape
    if kind not in _SCORE_TYPES:
        raise Defect(f"output {further.tensor!r} is of type {kind}, not of floating-point numbers")
    if not _fits(shape[1:], (len(further.names),)):
        raise Defect(f"outputs gives {further.tensor!r} {len(further.names)} names, but it is of shape {shape}")


def _fits(shape: list[Any], expected: tuple[int, ...]) -> bool:
    """Whether a graph's shape allows the expected one. A free dimension of the graph is no integer."""
    return len(shape) == len(expected) and all(
        not isinstance(size, int) or size == wanted for size, wanted in zip(shape, expected, strict=True)
    )


def check_inference(
    runner: Runner,
    manifest: Manifest,
    prepare: Callable[[Sequence[NDArray[np.uint8]]], Tensor],
    weights: NDArray[np.float32] | None,
) -> None:
    """Runs one real inference on two artificial pictures, which also warms the session up."""
    spec = manifest.input
    shade = np.linspace(0, 255, spec.height * spec.width * 3).reshape(spec.height, spec.width, 3).astype(np.uint8)
    # NumPy's generators would be imported for this alone, which takes 3 MB.
    noise = np.frombuffer(hashlib.shake_256().digest(shade.size), np.uint8).reshape(shade.shape)
    try:
        raw = runner.run(prepare([shade, noise]), with_features=weights is not None)
    except Exception as error:
        raise Defect(f"it fails on a picture ({short_reason(error)})") from None
    if raw.scores.shape != (2, len(manifest.labels)):
        raise Defect(f"for two pictures its output has shape {raw.scores.shape}, not (2, {len(manifest.labels)})")
    if not np.isfinite(raw.scores).all():
        raise Defect("its outputs include numbers that are not finite")
    if _are_probabilities(raw.scores) != (manifest.output.kind == "probabilities"):
        # Those of a sigmoid are no logits either.
        found = "probabilities" if manifest.output.kind == "logits" else "not at least 0 with a sum of 1"
        raise Defect(f"output.kind is {manifest.output.kind}, but its outputs are {found}")
    for further, values in zip(manifest.outputs, raw.further, strict=True):
        _check_values(further, values)
    if weights is not None:
        _check_features(raw, weights)


def check_golden(
    folder: Path,
    runner: Runner,
    manifest: Manifest,
    prepare: Callable[[Sequence[NDArray[np.uint8]]], Tensor],
) -> None:
    """Compares the outputs for the first golden vector, if the model has any."""
    spec = manifest.input
    try:
        vectors = golden.read(folder, manifest)
        crops = [vector.crop(spec.height, spec.width) for vector in vectors[:1]]
        for vector, crop in zip(vectors, crops, strict=False):
            if (off := golden.deviation(vector, manifest, runner, prepare([crop]))) > golden.TOLERANCE:
                raise Defect(f"for {vector.name!r} of {golden.FILE} a probability is off by {off:.2f}")
    except (TypeError, ValueError) as error:
        raise Defect(f"its golden vectors cannot be used: {short_reason(error)}") from None


def _check_values(further: FurtherOutput, values: NDArray[Any]) -> None:
    """Checks the numbers that a further output has for two pictures."""
    if values.shape != (2, len(further.names)):
        raise Defect(f"for two pictures {further.tensor!r} has shape {values.shape}, not (2, {len(further.names)})")
    if not np.isfinite(values).all():
        raise Defect(f"output {further.tensor!r} has numbers that are not finite")
    probabilities = isinstance(further, MultilabelSpec) and further.values == "probabilities"
    if probabilities and not ((values >= 0) & (values <= 1)).all():
        raise Defect(f"output {further.tensor!r} has numbers that are no probabilities")


def _are_probabilities(scores: NDArray[Any]) -> bool:
    sums = scores.astype(np.float64).sum(axis=1)
    return bool((scores >= 0).all() and np.allclose(sums, 1, atol=1e-3))


def _check_features(raw: RawOutputs, weights: NDArray[np.float32]) -> None:
    features, channels = raw.features, weights.shape[1]
    if features is None or features.ndim != 4 or features.shape[1] != channels:
        shape = None if features is None else features.shape
        raise Defect(f"explain.features is of shape {shape}, which does not fit weights of {channels} channels")
