"""ONNX Runtime sessions: providers, threads, and running tensors of faces through a network."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from app.inference.manifest import BadModel

logger = logging.getLogger("visage.models")

ORT_NAMES = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
"""ONNX Runtime's name of each provider that can be asked for."""

_SHORT_NAMES = {long: short for short, long in ORT_NAMES.items()}

# TensorRT takes minutes to build an engine, and every wheel for macOS contains CoreML, whether it helps or not.
# So these two are used only when asked for.
_AUTO = ("cuda", "directml", "openvino", "cpu")

_OPTIONS: dict[str, dict[str, str]] = {
    # The default searches all algorithms again for each number of faces that is new to it.
    "cuda": {"cudnn_conv_algo_search": "HEURISTIC"},
}

GPU_PROVIDERS = frozenset({"cuda", "tensorrt", "directml"})
"""Providers that run fastest when one thread gives them large batches."""

LARGEST_PASS = 32
"""Most faces in one pass on a CPU. More is hardly faster, and ONNX Runtime keeps the memory of its largest pass."""

Tensor = NDArray[np.float32] | NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class RawOutputs:
    """A network's outputs: scores (n, labels), if asked for its last feature map (n, channels, h, w), and the further
    outputs of its manifest, each (n, names)."""

    scores: NDArray[Any]
    features: NDArray[np.float32] | None = None
    further: tuple[NDArray[Any], ...] = ()

    def part(self, start: int, stop: int, *, with_features: bool) -> RawOutputs:
        features = self.features[start:stop] if with_features and self.features is not None else None
        return RawOutputs(self.scores[start:stop], features, tuple(values[start:stop] for values in self.further))


class Runner(Protocol):
    """Runs tensors of n faces through a network, from any thread."""

    @property
    def providers(self) -> tuple[str, ...]: ...

    def run(self, tensor: Tensor, *, with_features: bool = False) -> RawOutputs: ...

    def close(self) -> None: ...


class SessionRunner:
    """A :class:`Runner` of an ONNX Runtime session. ``largest_pass`` is 1 for a network with a fixed batch of one."""

    def __init__(
        self,
        session: Any,
        providers: tuple[str, ...],
        *,
        scores: str,
        features: str | None,
        further: tuple[str, ...] = (),
        largest_pass: int = LARGEST_PASS,
    ) -> None:
        self.providers = providers
        self._session = session
        self._input = session.get_inputs()[0].name
        self._scores = scores
        self._features = features
        self._further = further
        self._largest_pass = largest_pass

    def run(self, tensor: Tensor, *, with_features: bool = False) -> RawOutputs:
        names = [self._scores, *self._further]
        if with_features and self._features is not None:
            names.append(self._features)
        passes = [
            self._session.run(names, {self._input: tensor[start : start + self._largest_pass]})
            for start in range(0, len(tensor), self._largest_pass)
        ]
        outputs = passes[0] if len(passes) == 1 else [np.concatenate(parts) for parts in zip(*passes, strict=True)]
        scores, *rest = outputs
        count = len(self._further)
        return RawOutputs(scores, rest[count] if len(rest) > count else None, tuple(rest[:count]))

    def close(self) -> None:
        """Does nothing: Python frees the session with its last reference."""


class ProviderUnavailable(Exception):
    """The first provider asked for is not in use, and a fallback is forbidden. The message is one sentence."""


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """How to open sessions. ``providers`` are short names in order of preference, or ``("auto",)``."""

    providers: tuple[str, ...] = ("auto",)
    strict: bool = False


def resolve(providers: tuple[str, ...], available: frozenset[str]) -> tuple[str, ...]:
    """The providers to request, in order, the CPU last. ``auto`` becomes the best of those that are available."""
    if providers == ("auto",):
        return tuple(name for name in _AUTO if name in available or name == "cpu")
    return tuple(dict.fromkeys((*providers, "cpu")))


def available_providers() -> frozenset[str]:
    """Short names of the providers that this build of ONNX Runtime has."""
    return frozenset(_SHORT_NAMES.get(name, name) for name in ort.get_available_providers())


def open_session(model: bytes, name: str, spec: SessionSpec) -> tuple[ort.InferenceSession, tuple[str, ...]]:
    """A session from a model's bytes, and the short names of the providers that run a part of its graph.

    A provider that does not start is skipped with one line in the log. When it is the first one and ``spec.strict``
    is set, raises :class:`ProviderUnavailable`. Raises :class:`BadModel` when not even the CPU can run the graph.
    """
    # ONNX Runtime also prints what it raises here.
    ort.set_default_logger_severity(4)
    available = available_providers()
    asked = resolve(spec.providers, available)
    wanted = [provider for provider in asked if provider in available]
    missing = dict.fromkeys(set(asked) - available, "this build of ONNX Runtime has no such provider")
    while True:
        try:
            session = _open(model, wanted)
            break
        except Exception as error:
            if wanted in ([], ["cpu"]):
                raise BadModel(f"Model {name}: ONNX Runtime does not open it ({short_reason(error)}).") from None
            missing[wanted.pop(0)] = short_reason(error)
    used = _in_use(session)
    registered = {_SHORT_NAMES.get(provider, provider) for provider in session.get_providers()}
    for provider in wanted:
        if provider not in registered:
            missing[provider] = "it did not start"
        elif provider not in used:
            missing[provider] = "it takes no part of this graph"
    if asked[0] != used[0]:
        reason = missing[asked[0]]
        if spec.strict:
            raise ProviderUnavailable(
                f"STRICT_PROVIDERS: {asked[0]} was asked for, but model {name} would run on {used[0]}: {reason}."
            )
        logger.warning("Model %s runs on %s, not on %s: %s.", name, used[0], asked[0], reason)
    return session, used


def _open(model: bytes, providers: list[str]) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 4
    options.enable_mem_pattern = "directml" not in providers  # DirectML has none
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    # A model is one file: only that file's hash was checked. No file lies below this path.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    names: list[Any] = [(ORT_NAMES[provider], _OPTIONS.get(provider, {})) for provider in providers]
    session = ort.InferenceSession(model, options, providers=names, enable_fallback=0)
    # ONNX Runtime keeps the file's bytes for a fallback that is turned off here.
    session._model_bytes = None
    return session


def _in_use(session: ort.InferenceSession) -> tuple[str, ...]:
    """Providers that run a node of the graph, in the session's order of preference."""
    holding = {part.ep_name for part in session.get_provider_graph_assignment_info()}
    registered = session.get_providers()
    return tuple(_SHORT_NAMES.get(name, name) for name in registered if name in holding) or ("cpu",)


def short_reason(error: Exception) -> str:
    """What ONNX Runtime says, in one sentence, without its error code and the position in its source."""
    text = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    if text.startswith("/"):
        text = text.partition(") ")[2] or text
    if text.startswith("External data"):
        return "it keeps weights in another file; save it as one file"
    if opset := re.search(r"Opset (\d+) is under development", text):
        return f"this version of ONNX Runtime does not support opset {opset[1]}"
    return text.partition(". ")[0].rstrip(" .,")[:300]
