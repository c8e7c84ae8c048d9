"""ONNX Runtime sessions: on which provider, with how many threads, and what is really in use."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any

import onnxruntime as ort

from app.inference.errors import BadModel

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

# TensorRT builds an engine for minutes, and CoreML comes with every wheel for macOS whether it helps or not:
# those two are for somebody who asks for them.
_AUTO = ("cuda", "directml", "openvino", "cpu")

_OPTIONS: dict[str, dict[str, str]] = {
    # The default searches every algorithm again for each number of faces that it has not met.
    "cuda": {"cudnn_conv_algo_search": "HEURISTIC"},
}

GPU_PROVIDERS = frozenset({"cuda", "tensorrt", "directml"})
"""Providers that are fed best with batches, by one thread."""


class ProviderUnavailable(Exception):
    """The first provider asked for is not the one in use, and a fallback was forbidden; one sentence."""


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """How sessions are opened. ``providers`` are short names in order of preference, or ``("auto",)``."""

    providers: tuple[str, ...] = ("auto",)
    strict: bool = False
    threads: int = 1


def resolve(providers: tuple[str, ...], available: frozenset[str]) -> tuple[str, ...]:
    """What to ask for, in order and with the CPU last: ``auto`` becomes the best of what is available."""
    if providers == ("auto",):
        return tuple(name for name in _AUTO if name in available or name == "cpu")
    return tuple(dict.fromkeys((*providers, "cpu")))


def available_providers() -> frozenset[str]:
    """Short names of the providers that this build of ONNX Runtime has."""
    return frozenset(_SHORT_NAMES.get(name, name) for name in ort.get_available_providers())


def open_session(model: bytes, name: str, spec: SessionSpec) -> tuple[ort.InferenceSession, tuple[str, ...]]:
    """A session from a model's bytes, and the short names of the providers that took a part of its graph.

    A provider that does not start is left out with one line in the log; ``spec.strict`` makes that a
    :class:`ProviderUnavailable` when it is the first. A graph that even the CPU cannot run is a :class:`BadModel`.
    """
    # What ONNX Runtime prints about a missing provider comes back here as an exception or as its absence.
    ort.set_default_logger_severity(4)
    available = available_providers()
    asked = resolve(spec.providers, available)
    wanted = [provider for provider in asked if provider in available]
    missing = dict.fromkeys(set(asked) - available, "this build of ONNX Runtime has no such provider")
    while True:
        try:
            session = _open(model, wanted, spec.threads)
            break
        except Exception as error:
            if wanted in ([], ["cpu"]):
                raise BadModel(f"Model {name}: ONNX Runtime does not open it ({first_line(error)}).") from None
            missing[wanted.pop(0)] = first_line(error)
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


def _open(model: bytes, providers: list[str], threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 4
    options.enable_mem_pattern = "directml" not in providers  # DirectML has none
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    names: list[Any] = [(ORT_NAMES[provider], _OPTIONS.get(provider, {})) for provider in providers]
    session = ort.InferenceSession(model, options, providers=names, enable_fallback=0)
    # ONNX Runtime keeps the file's bytes for a fallback that is off.
    session._model_bytes = None
    return session


def _in_use(session: ort.InferenceSession) -> tuple[str, ...]:
    """Providers that hold a node of the graph, in the session's order of preference."""
    holding = {part.ep_name for part in session.get_provider_graph_assignment_info()}
    registered = session.get_providers()
    return tuple(_SHORT_NAMES.get(name, name) for name in registered if name in holding) or ("cpu",)


def first_line(error: Exception) -> str:
    """What ONNX Runtime says, without its error code and the place in its source."""
    text = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    if text.startswith("/"):
        text = text.partition(") ")[2] or text
    return text.rstrip(" .,")[:300]
