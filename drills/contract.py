"""The service against its own OpenAPI document: no undeclared status, one form of errors, CORS on all of them, no 500.

Hypothesis generates requests from each operation's description, valid and invalid ones.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.api.middleware.admission import PREDICTION_PATHS
from drills.client import Response, get, post, send, upload
from drills.report import Report, run
from tests.hostile import hostile_files
from tests.pictures import faceless, portrait
from tests.process import ROOT, ServerProcess

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
ORIGIN = "https://page.example"
KEY = "drill-key-0123456789"
HEADERS = (f"Origin: {ORIGIN}", f"X-API-Key: {KEY}")
SETTINGS = {"CORS_ORIGINS": ORIGIN, "API_KEYS": f"drill:{KEY}:admin", "LOG_LEVEL": "warning"}
ERROR_KEYS = {"success", "error", "message", "request_id"}


@dataclass(frozen=True)
class Operation:
    """A method of a path, with its part of the document."""

    method: str
    path: str
    document: dict[str, Any]

    @property
    def declared(self) -> set[int]:
        return {int(status) for status in self.document["responses"]}

    @property
    def is_probe(self) -> bool:
        """Whether its errors have their own form."""
        return self.path.startswith("/health")

    @property
    def form_field(self) -> str | None:
        """The form field for files."""
        content = self.document.get("requestBody", {}).get("content", {})
        schema = content.get("multipart/form-data", {}).get("schema", {})
        return next(iter(schema.get("properties", {})), None)


@dataclass
class Tally:
    """Counts of responses, and of what was wrong with them."""

    responses: Counter[str] = field(default_factory=Counter)
    mistakes: Counter[str] = field(default_factory=Counter)

    def add(self, operation: Operation, response: Response) -> None:
        found = _mistakes(operation, response)
        self.mistakes.update(found)
        is_shaped = response.status >= 400 and not found and not operation.is_probe
        self.responses[f"{response.status} {response.error}" if is_shaped else str(response.status)] += 1


def drill(report: Report) -> None:
    examples = 500 if report.long else 25
    with ServerProcess({**SETTINGS, "RATE_LIMIT": "off"}) as server:
        server.wait_ready()
        operations = _operations(server.port)
        for operation in operations:
            # A reload has no parameters to vary.
            tally = _attempt_all(server.port, operation, examples if "reload" not in operation.path else 10)
            _report(report, f"{operation.method.upper()} {operation.path}", tally)
            if operation.method == "post":
                report.check(
                    "  at least a tenth was successful", tally.responses["200"] >= tally.responses.total() // 10
                )
        _not_found(report, server.port)
        _schemathesis(report, server.url, examples)
        report.check("no traceback in the log", "Traceback" not in server.log)
    with ServerProcess({**SETTINGS, "RATE_LIMIT": "1/hour"}) as server:
        server.wait_ready()
        _refused(report, server.port, operations)


def _operations(port: int) -> list[Operation]:
    document = json.loads(asyncio.run(send(port, get("/openapi.json"))).body)
    return [
        Operation(method, path, item) for path, methods in document["paths"].items() for method, item in methods.items()
    ]


def _report(report: Report, what: str, tally: Tally) -> None:
    worst = "; ".join(f"{mistake} ({count}x)" for mistake, count in tally.mistakes.most_common(3))
    report.check(what, not tally.mistakes, worst)
    report.note("  " + ", ".join(f"{response}: {count}" for response, count in sorted(tally.responses.items())))


def _refused(report: Report, port: int, operations: list[Operation]) -> None:
    """Refusals before an operation runs: without a key, or above the rate."""
    without_key, above_rate = Tally(), Tally()
    asyncio.run(send(port, upload("/predict", b"", headers=HEADERS)))
    for operation in operations:
        if 401 not in operation.declared:
            continue
        for tally, status, headers in ((without_key, 401, HEADERS[:1]), (above_rate, 429, HEADERS)):
            if status == 429 and operation.path not in PREDICTION_PATHS:
                continue
            line = f"{operation.method.upper()} {operation.path} HTTP/1.1"
            request = "\r\n".join([line, "Host: drill", "Content-Length: 0", *headers, "", ""]).encode()
            _expect(tally, operation, asyncio.run(send(port, request)), status)
    _report(report, "without a key", without_key)
    _report(report, "above the rate", above_rate)


def _not_found(report: Report, port: int) -> None:
    """Paths and methods that do not exist."""
    tally = Tally()
    for request, status in (
        (get("/nowhere", *HEADERS), 404),
        (get("/predict", *HEADERS), 405),
        (get("/" + "a" * 10_000, *HEADERS), 404),
        (post("/predict", b"", "text/plain", *HEADERS).replace(b"POST", b"DELETE", 1), 405),
    ):
        _expect(tally, Operation("", "", {"responses": {str(status): {}}}), asyncio.run(send(port, request)), status)
    _report(report, "no such path or method", tally)


def _expect(tally: Tally, operation: Operation, response: Response, status: int) -> None:
    tally.add(operation, response)
    if response.status != status:
        tally.mistakes[f"{response.status} instead of {status}"] += 1
    if status == 429 and b"retry-after: " not in response.headers.lower():
        tally.mistakes["no Retry-After"] += 1


def _schemathesis(report: Report, url: str, examples: int) -> None:
    """The same check by a tool that knows more of the OpenAPI format."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", f"--max-examples={examples}"]
    command += [f"--checks={','.join(CHECKS)}", f"--header={HEADERS[1]}", "--exclude-path-regex=reload", "--no-color"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "drills.schemathesis_hooks"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    report.check(f"schemathesis, {examples} examples an operation", done.returncode == 0, done.stdout[-3000:])


def _attempt_all(port: int, operation: Operation, examples: int) -> Tally:
    tally = Tally()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(_requests(operation))
    def attempt(request: bytes) -> None:
        response = asyncio.run(send(port, request))
        tally.add(operation, response)

    attempt()
    return tally


def _mistakes(operation: Operation, response: Response) -> list[str]:
    if response.status == 0:
        return ["no response"]
    found = []
    if response.status == 500:
        found.append("500")
    if response.status not in operation.declared:
        found.append(f"status {response.status} ({response.error}) is not declared")
    if f"access-control-allow-origin: {ORIGIN}".encode() not in response.headers.lower():
        found.append(f"no CORS header on {response.status}")
    if b"x-request-id: " not in response.headers.lower():
        found.append(f"no request id on {response.status}")
    if response.status >= 400 and not operation.is_probe:
        try:
            if response.json.keys() != ERROR_KEYS:
                found.append(f"the error has the keys {sorted(response.json)}")
        except ValueError:
            found.append("the error is not JSON")
    return found


def _requests(operation: Operation) -> st.SearchStrategy[bytes]:
    paths = st.builds(lambda query: operation.path + query, _queries(operation))
    if operation.method == "get":
        return paths.map(lambda path: get(path, *HEADERS))
    raw = st.binary(max_size=2000)
    types = st.sampled_from(
        ["application/json", "multipart/form-data", "multipart/form-data; boundary=x", "text/plain"]
    )
    anything = st.builds(lambda path, body, kind: post(path, body, kind, *HEADERS), paths, raw, types)
    if operation.path == "/analyze/session":
        made = _series(paths)
    else:
        made = _documents(paths) if operation.form_field is None else _forms(paths, operation.form_field, raw)
    return _weighted((9, made), (1, anything))


def _pictures() -> st.SearchStrategy[bytes]:
    valid = st.sampled_from([portrait(256), portrait(640), faceless(256)])
    return _weighted((1, valid), (1, st.sampled_from([file.data for file in hostile_files()])))


def _documents(paths: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    odd = st.one_of(st.text(max_size=50), st.none(), st.integers(), st.lists(st.none()))
    images = _weighted((8, _pictures().map(_data_url)), (1, odd))
    others = st.one_of(
        st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3), st.lists(st.integers(), max_size=3)
    )
    bodies = _weighted((8, images.map(lambda image: {"image": image})), (1, others))
    return st.builds(
        lambda path, body: post(path, json.dumps(body).encode(), "application/json", *HEADERS), paths, bodies
    )


def _series(paths: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    """Series of predictions, mostly valid."""
    share = _weighted((30, st.floats(0, 1)), (1, st.floats(-1, 2) | st.none() | st.text(max_size=5)))
    face = st.fixed_dictionaries({"happy": share, "neutral": share})
    frame = st.fixed_dictionaries(
        {"probabilities": _weighted((9, face), (1, st.none()))},
        optional={
            "face_detected": st.booleans(),
            "warnings": st.lists(st.sampled_from(["blurred", "ugly"]), max_size=1),
        },
    )
    bodies = st.lists(frame, max_size=20).map(
        lambda frames: {"frames": [{"t": number / 4, **each} for number, each in enumerate(frames)]}
    )
    return st.builds(
        lambda path, body: post(path, json.dumps(body).encode(), "application/json", *HEADERS), paths, bodies
    )


def _forms(paths: st.SearchStrategy[str], field_name: str, raw: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    picture = _weighted((8, _pictures()), (1, raw))
    return st.builds(
        lambda path, data, name, file: upload(path, *data, field=name, name=file, headers=HEADERS),
        paths,
        _weighted((5, st.tuples(picture)), (2, st.lists(picture, max_size=3))),
        _weighted((9, st.just(field_name)), (1, st.just("other"))),
        st.text(alphabet=st.characters(exclude_characters='"\r\n', exclude_categories=["Cs"]), max_size=30),
    )


def _weighted(*choices: tuple[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Chooses one strategy by weight. ``one_of`` ignores repetitions."""
    spread = [strategy for weight, strategy in choices for _ in range(weight)]
    return st.integers(0, len(spread) - 1).flatmap(lambda index: spread[index])


def _queries(operation: Operation) -> st.SearchStrategy[str]:
    """Valid values of each parameter, invalid ones, and none."""
    parameters = [p for p in operation.document.get("parameters", []) if p["in"] == "query"]
    if not parameters:
        return st.sampled_from(["", "", "?unknown=1"])
    choices = {}
    for parameter in parameters:
        declared = st.sampled_from(_values(parameter["schema"]))
        # Mostly none: after one invalid parameter the body is not checked.
        choices[parameter["name"]] = _weighted((16, st.none()), (6, declared), (1, st.text(max_size=20)))
    choices["unknown"] = _weighted((31, st.none()), (1, st.text(max_size=20)))
    return st.fixed_dictionaries(choices).map(_query)


def _values(schema: dict[str, Any]) -> list[str]:
    found = [str(value) for part in (schema, *schema.get("anyOf", ())) for value in part.get("enum", ())]
    return found or ["default", "happy", "x" * 100]


def _query(values: dict[str, str | None]) -> str:
    given_values = {name: value.encode("utf-8", "replace") for name, value in values.items() if value is not None}
    return f"?{urlencode(given_values, quote_via=quote)}" if given_values else ""


def _data_url(picture: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode()


if __name__ == "__main__":
    run("contract", drill)
