"""Hostile bytes for the decoder and the parsers of bodies: declared errors only, no crash, no hang.

First the hostile files, then mutations of them by Hypothesis, then by atheris if it is installed. An input that breaks
a bound is written to ``tests/crashers/``, which a unit test replays.
"""

from __future__ import annotations

import asyncio
import base64
import faulthandler
import hashlib
import importlib.util
import logging
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from app.api.base64_image import JsonPicture
from app.api.uploads import files
from app.config import Settings
from app.errors import VisageError
from app.vision.decode import ImageLimits, decode
from drills.client import upload
from drills.report import Report, run
from tests.hostile import REFUSALS, HostileFile, hostile_files
from tests.process import ROOT

CRASHERS = ROOT / "tests" / "crashers"
SLOWEST_SECONDS = 2.0
DOUBTFUL_SECONDS = 0.2
HUNG_SECONDS = 120.0
"""A call that takes longer has hung, even on a busy machine, and the drill ends."""

BOUNDARY = b"multipart/form-data; boundary=drill"
FORM_ERRORS = frozenset({"invalid_request", "unsupported_media_type", "file_too_large", "too_many_files"})
JSON_ERRORS = frozenset({"invalid_request", "unsupported_media_type", "file_too_large", "empty_file"})
LARGEST = 1_000_000

Target = Callable[[bytes], None]


def decode_picture(data: bytes) -> None:
    """As a worker does, at reduced and at full size."""
    limits = ImageLimits(max_pixels=Settings.model_fields["max_image_pixels"].default)
    # The pixels of the first are free before the second.
    scale = decode(data, limits).scale
    if scale > 1:
        decode(data, limits, at_most=1.0)


def parse_form(body: bytes) -> None:
    """As the batch route does, in pieces of an unusual size."""
    asyncio.run(_parse(body, BOUNDARY))


def parse_header(content_type: bytes) -> None:
    """As the batch route does, with any Content-Type."""
    asyncio.run(_parse(b"--drill\r\n\r\n--drill--\r\n", content_type))


def parse_json(body: bytes) -> None:
    """As the route does that takes a picture in JSON, in pieces of an unusual size."""
    picture = JsonPicture(LARGEST)
    for start in range(0, len(body), 997):
        picture.feed(body[start : start + 997])
    picture.finish()


async def _parse(body: bytes, content_type: bytes) -> None:
    pieces = [body[start : start + 997] for start in range(0, len(body), 997)] or [b""]

    async def receive() -> Message:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    headers = [(b"content-type", content_type)]
    request = Request({"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}, receive)
    async for _ in files(request, "files", max_files=5, max_bytes=LARGEST):
        pass


TARGETS: dict[str, tuple[Target, frozenset[str]]] = {
    "decode": (decode_picture, REFUSALS),
    "form": (parse_form, FORM_ERRORS),
    "header": (parse_header, FORM_ERRORS),
    "json": (parse_json, JSON_ERRORS),
}
"""The functions to test, and the errors that each may raise."""

SECONDS = {"decode": 300, "form": 180, "header": 60, "json": 60}
"""How long atheris tests each of them in the long form."""


@dataclass
class Findings:
    """Results of one target, and the failures found."""

    name: str
    target: Target
    allowed: frozenset[str]
    tried: int = 0
    slowest: float = 0.0
    codes: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)

    def attempt(self, data: bytes) -> str:
        """Tries one input. Returns the error code, or ``accepted``."""
        outcome, took = self._timed(data)
        if took > DOUBTFUL_SECONDS:
            # It may have been the garbage collector. An input that is really slow is slow again.
            took = min(took, self._timed(data)[1])
        self.tried += 1
        self.slowest = max(self.slowest, took)
        self.codes[outcome] += 1
        if took > SLOWEST_SECONDS:
            self._keep(f"{took:.1f} s", data)
        return outcome

    def _timed(self, data: bytes) -> tuple[str, float]:
        """The outcome, and the CPU seconds of this thread, which do not depend on other processes."""
        faulthandler.dump_traceback_later(HUNG_SECONDS, exit=True)
        started = time.thread_time()
        outcome = self._outcome(data)
        took = time.thread_time() - started
        faulthandler.cancel_dump_traceback_later()
        return outcome, took

    def _outcome(self, data: bytes) -> str:
        try:
            self.target(data)
        except VisageError as error:
            if error.code not in self.allowed:
                self._keep(error.code, data)
            return error.code
        except Exception as error:
            self._keep(type(error).__name__, data)
            return type(error).__name__
        return "accepted"

    def _keep(self, what: str, data: bytes) -> None:
        self.found[what] += 1
        CRASHERS.mkdir(exist_ok=True)
        (CRASHERS / f"{self.name}-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)


def drill(report: Report) -> None:
    # The form parser logs what it cannot parse.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    examples = 20_000 if report.long else 300
    decoding = Findings("decode", *TARGETS["decode"])
    for file in hostile_files():
        _check_file(report, decoding, file)
    for name, seeds in _seeds().items():
        findings = decoding if name == "decode" else Findings(name, *TARGETS[name])
        _mutate(findings, seeds, examples)
        report.figure(f"{name}: inputs tried", findings.tried)
        report.figure(f"{name}: slowest", findings.slowest, "s", at_most=SLOWEST_SECONDS)
        report.note(f"{name}: {dict(findings.codes.most_common())}")
        report.check(f"{name}: declared errors only", not findings.found, str(dict(findings.found)))
        _atheris(report, name, seeds, SECONDS[name] if report.long else 10)


def _seeds() -> dict[str, list[bytes]]:
    """The inputs that are mutated, for each target."""
    small = [file.data for file in hostile_files() if len(file.data) < 20_000]
    forms = [
        upload("/", *small[start : start + 3], field="files").partition(b"\r\n\r\n")[2] for start in range(0, 60, 3)
    ]
    odd = [BOUNDARY, b"multipart/form-data", b'multipart/form-data; boundary="a\\"b"; boundary=c', b"text/plain"]
    odd += [b"multipart/form-data; boundary*=utf-8''%64rill", b"multipart/mixed; boundary=" + b"a" * 100, b";=;=;="]
    texts = [base64.b64encode(data) for data in small[:40]]
    bodies = [b'{"image": "' + text + b'"}' for text in texts]
    bodies += [b'{"image": "data:image/png;charset=x;base64,' + text + b'"}' for text in texts]
    bodies += [b"{}", b"[]", b'{"image": null}', b'{"image": ' * 2000, b'{"image": "\\ud800"}']
    return {"decode": small, "form": forms, "header": odd, "json": bodies}


def _check_file(report: Report, decoding: Findings, file: HostileFile) -> None:
    outcome = decoding.attempt(file.data)
    if outcome == "accepted" and not file.readable:
        report.check(f"{file.name} is refused", False, outcome)


def _mutate(findings: Findings, seeds: list[bytes], examples: int) -> None:
    """Flips bits of the seeds, truncates, splices and repeats them."""

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.sampled_from(seeds),
        st.sampled_from(seeds),
        st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=8),
        st.floats(0, 1),
        st.sampled_from(["flip", "cut", "splice", "repeat"]),
    )
    def attempt(seed: bytes, other: bytes, flips: list[tuple[float, int]], place: float, kind: str) -> None:
        data = bytearray(seed)
        for where, mask in flips:
            if data:
                data[int(where * len(data))] ^= mask
        at = int(place * len(data))
        cut = {"flip": data, "cut": data[:at], "splice": data[:at] + other[at:], "repeat": data[:at] * 2 + data[at:]}
        findings.attempt(bytes(cut[kind]))

    attempt()


def _atheris(report: Report, name: str, seeds: list[bytes], seconds: int) -> None:
    if importlib.util.find_spec("atheris") is None:
        report.note(f"{name}: atheris is not installed (requirements/fuzz.txt), so this part is skipped")
        return
    CRASHERS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds):
            (Path(corpus) / str(number)).write_bytes(seed)
        command = [sys.executable, "-m", "drills.fuzz_atheris", name, corpus, f"-max_total_time={seconds}"]
        command += ["-timeout=60", "-rss_limit_mb=2048", f"-artifact_prefix={CRASHERS}/{name}-"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    last = (done.stderr.strip() or "no output").splitlines()[-1]
    report.check(f"{name}: atheris found nothing in {seconds} s", done.returncode == 0, last)


if __name__ == "__main__":
    run("fuzz", drill)
