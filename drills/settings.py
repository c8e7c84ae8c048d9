"""Settings without sense, each of which must end the start in one sentence that names it, and in status 2."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

from app.config import BadSettings, Settings, load_settings
from drills.report import Report, run
from tests.absurd_settings import absurd_values
from tests.process import ROOT

LONGEST_START = 5.0
_ALL_AT_ONCE = 2
_BY_PROCESS = (
    *("HOST", "PORT", "ROOT_PATH", "MODELS_DIR", "WORKERS", "BODY_MEMORY_MB", "QUEUE_SIZE", "REQUEST_TIMEOUT_SECONDS"),
    *("RATE_LIMIT", "RATE_LIMIT_STORAGE", "API_KEYS", "CORS_ORIGINS", "TRUSTED_PROXIES", "LOG_LEVEL"),
)
"""Settings of which one value is given to a real process."""


def drill(report: Report) -> None:
    names = [name.upper() for name in Settings.model_fields]
    with patch.dict(os.environ, _environment(), clear=True):
        values = [(name, value) for name in names for value in absurd_values(name)]
        wrong = [f"{name}={value[:40]!a}: {said}" for name, value in values if (said := _accepted(name, value))]
    report.figure("values that make no sense", len(values), at_least=400)
    report.figure("of them not refused in one sentence", len(wrong), at_most=0)
    for line in wrong:
        report.note(line)
    with ThreadPoolExecutor(_ALL_AT_ONCE) as pool, socket.create_server(("127.0.0.1", 0)) as taken:
        starts = list(pool.map(_start, _samples(taken.getsockname()[1], report.long)))
    for name, said, fine, _ in starts:
        report.check(f"{name}: status 2 and one sentence", fine, said)
    report.figure("the slowest of them", max(seconds for *_, seconds in starts), "s", at_most=LONGEST_START)


def _samples(taken: int, every: bool) -> Iterator[tuple[str, Mapping[str, str]]]:
    """What real processes are started with, and the setting that each must name."""
    for name in _BY_PROCESS:
        for value in absurd_values(name) if every else absurd_values(name)[-1:]:
            yield name, {name: value}
    yield "PORT", {"PORT": str(taken)}
    # An address of documentation, which no machine has.
    yield "HOST", {"HOST": "192.0.2.1"}
    yield "ROOT_PATH", {"ROOT_PATH": "/predict"}
    yield "WORKERS", {"WORKERS": "\udcff\udcfe"}
    yield "STRICT_PROVIDERS", {"EXECUTION_PROVIDERS": "tensorrt", "STRICT_PROVIDERS": "true", "LOG_LEVEL": "error"}


def _accepted(name: str, value: str) -> str:
    """What is wrong with how a value was taken; nothing where it was refused in one sentence."""
    with patch.dict(os.environ, {name: value}):
        try:
            load_settings()
        except BadSettings as error:
            return "" if _is_sentence(name, str(error)) else str(error)
        except Exception as error:
            return repr(error)
    return "accepted"


def _start(sample: tuple[str, Mapping[str, str]]) -> tuple[str, str, bool, float]:
    name, values = sample
    environment = {**_environment(), "HOST": "127.0.0.1", "PORT": "0", "WORKERS": "1", **values}
    command = [sys.executable, "-m", "app"]
    started = time.monotonic()
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    seconds = time.monotonic() - started
    *_, sentence = ended.stderr.splitlines() or [""]
    return name, ended.stderr or ended.stdout, ended.returncode == 2 and _is_sentence(name, sentence), seconds


def _is_sentence(name: str, text: str) -> bool:
    return text.startswith(f"{name}: ") and text.endswith(".") and text.isprintable() and len(text) < 400


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}


if __name__ == "__main__":
    run("settings", drill)
