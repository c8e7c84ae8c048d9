"""Providers: what is asked for, what is in use, and what is said when these differ."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.inference import session
from app.inference.classifier import load_classifier
from app.inference.manifest import BadModel
from app.inference.session import ORT_NAMES, ProviderUnavailable, SessionSpec, open_session, resolve
from tests.models import Contract, make_model, network

MODEL = network(Contract()).SerializeToString()


class _Part:
    def __init__(self, provider: str) -> None:
        self.ep_name = ORT_NAMES[provider]


class _FakeSession:
    """A session that registered some providers, of which some took a part of the graph."""

    def __init__(self, registered: list[str], holding: list[str]) -> None:
        self._registered = [ORT_NAMES[provider] for provider in registered]
        self._parts = [_Part(provider) for provider in holding]

    def get_providers(self) -> list[str]:
        return self._registered

    def get_provider_graph_assignment_info(self) -> list[_Part]:
        return self._parts


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stands in for a build of ONNX Runtime: which providers it has, which start, which take part of a graph."""

    def pretend(available: set[str], *, broken: str = "", silent: str = "", idle: str = "") -> None:
        def opened(_model: bytes, providers: list[str]) -> _FakeSession:
            if broken in providers:
                raise RuntimeError(f"[ONNXRuntimeError] : 1 : FAIL : {broken} has no device\nand more")
            registered = [provider for provider in providers if provider != silent]
            holding = [provider for provider in registered if provider not in (idle, "cpu")][:1] or ["cpu"]
            return _FakeSession(registered, holding)

        monkeypatch.setattr(session, "available_providers", lambda: frozenset(available))
        monkeypatch.setattr(session, "_open", opened)

    return pretend


@pytest.mark.parametrize(
    ("asked", "available", "order"),
    [
        (("auto",), {"cpu"}, ("cpu",)),
        (("auto",), {"cpu", "cuda", "tensorrt"}, ("cuda", "cpu")),
        (("auto",), {"cpu", "coreml"}, ("cpu",)),
        (("auto",), {"cpu", "openvino"}, ("openvino", "cpu")),
        (("cpu",), {"cpu", "cuda"}, ("cpu",)),
        (("cuda",), {"cpu", "cuda"}, ("cuda", "cpu")),
        (("tensorrt", "cuda", "cpu"), {"cpu"}, ("tensorrt", "cuda", "cpu")),
        (("cuda", "cuda"), {"cpu"}, ("cuda", "cpu")),
    ],
)
def test_what_is_asked_for_in_which_order(asked: tuple[str, ...], available: set[str], order: tuple[str, ...]) -> None:
    assert resolve(asked, frozenset(available)) == order


@pytest.mark.parametrize("strict", [False, True])
def test_the_cpu_is_used_when_it_is_asked_for(strict: bool) -> None:
    _, used = open_session(MODEL, "mine", SessionSpec(("cpu",), strict))

    assert used == ("cpu",)


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ({"available": {"cpu"}}, "this build of ONNX Runtime has no such provider"),
        ({"available": {"cpu", "cuda"}, "broken": "cuda"}, "cuda has no device"),
        ({"available": {"cpu", "cuda"}, "silent": "cuda"}, "it did not start"),
        ({"available": {"cpu", "cuda"}, "idle": "cuda"}, "it takes no part of this graph"),
    ],
)
class TestFallback:
    def test_is_said_in_one_line(
        self, build: Any, caplog: pytest.LogCaptureFixture, trouble: dict[str, Any], reason: str
    ) -> None:
        build(**trouble)

        with caplog.at_level(logging.WARNING):
            _, used = open_session(MODEL, "mine", SessionSpec(("cuda", "cpu")))

        assert used[0] == "cpu"
        assert caplog.messages == [f"Model mine runs on cpu, not on cuda: {reason}."]

    def test_is_refused_when_it_is_forbidden(self, build: Any, trouble: dict[str, Any], reason: str) -> None:
        build(**trouble)

        with pytest.raises(ProviderUnavailable, match=f"STRICT_PROVIDERS: cuda was asked for.* on cpu: {reason}"):
            open_session(MODEL, "mine", SessionSpec(("cuda", "cpu"), strict=True))


def test_the_next_best_is_used_when_the_best_does_not_start(build: Any) -> None:
    build({"cpu", "cuda", "tensorrt"}, broken="tensorrt")

    _, used = open_session(MODEL, "mine", SessionSpec(("tensorrt", "cuda", "cpu")))

    assert used == ("cuda",)


def test_what_is_in_use_is_read_back(build: Any) -> None:
    build({"cpu", "cuda"})

    _, used = open_session(MODEL, "mine", SessionSpec())

    assert used == ("cuda",)


def test_a_model_that_no_provider_opens_is_a_bad_model(build: Any) -> None:
    build({"cpu"}, broken="cpu")

    with pytest.raises(BadModel, match=r"Model mine: ONNX Runtime does not open it \(cpu has no device\)\."):
        open_session(MODEL, "mine", SessionSpec())


def test_nothing_is_printed_about_a_missing_provider(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_classifier(make_model(tmp_path / "mine"), SessionSpec(("cuda", "tensorrt", "cpu")))

    printed = capfd.readouterr()
    assert printed.out == ""
    assert "onnxruntime" not in printed.err


def test_telemetry_is_off_before_onnx_runtime_is_imported() -> None:
    code = "import os, app.inference.session; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    environment = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}

    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "1"
