"""Who is turned away before the layers is told what the layers would have told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.turnstile import TURNSTILE, Turnstile
from app.service import Phase
from app.telemetry.logs import write_logs
from tests.api.conftest import Start, service_of, upload
from tests.api.fakes import Script
from tests.api.raw import FORM, RawAnswer, RawRequest, ask, form

KEY = "alice-key-0123456789"
ORIGIN = "https://page.example"
CHANGING = {"x-ratelimit-remaining", "x-ratelimit-reset"}


@pytest.fixture
def full(start: Start, script: Script) -> Iterator[Any]:
    """Starts a service that has no room."""
    script.gate = threading.Event()
    waiting: list[Any] = []
    with ThreadPoolExecutor(1) as pool:

        def begin(headers: dict[str, str] | None = None, **settings: Any) -> TestClient:
            client = start(queue_size=0, **settings)
            waiting.append(pool.submit(client.post, "/predict", headers=headers, **upload()))
            script.wait_until_entered()
            return client

        yield begin
        script.gate.set()
        assert [future.result().status_code for future in waiting] == [200]


def turned_away(client: TestClient, request: RawRequest) -> RawAnswer | None:
    turnstile = client.app_state[TURNSTILE]
    assert isinstance(turnstile, Turnstile)
    assert client.portal is not None
    sent = b"".join(b"%b: %b\r\n" % header for header in request.scope(client)["headers"])
    head = b"%b %b HTTP/1.1\r\n%b\r\n" % (request.method.encode(), request.path.encode(), sent)
    scope = client.portal.call(turnstile.scope_of, head, ("testclient", 50000))
    if scope is None or turnstile.room:
        return None
    first, *lines = client.portal.call(turnstile.refusal, scope, [(b"date", b"today")]).split(b"\r\n")
    body = lines.pop()
    headers = [line.decode().partition(": ")[::2] for line in lines if line]
    assert len({name for name, _ in headers}) == len(headers)
    assert headers.pop(0) == ("date", "today")
    return RawAnswer(int(first.split()[1]), dict(headers), body)


def picture(path: str = "/predict", **headers: str) -> RawRequest:
    sent = {**FORM, "Content-Length": "1000", "X-Request-ID": "the-same-for-both", **headers}
    return RawRequest(path, headers=sent, pieces=[form(b"x")])


@pytest.mark.parametrize(
    ("settings", "headers", "error"),
    [
        ({}, {}, "overloaded"),
        ({"rate_limit": "100/minute"}, {}, "overloaded"),
        ({"rate_limit": "1/minute"}, {}, "rate_limited"),
        ({"api_keys": (f"alice:{KEY}",)}, {}, "unauthorized"),
        ({"api_keys": (f"alice:{KEY}",)}, {"X-API-Key": KEY}, "overloaded"),
        ({"cors_origins": (ORIGIN,)}, {"Origin": ORIGIN}, "overloaded"),
        ({"cors_origins": (ORIGIN,)}, {"Origin": "https://evil.example"}, "overloaded"),
        ({"cors_origins": ("*",)}, {}, "overloaded"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "/visage"])
def test_both_say_the_same(
    full: Any, settings: dict[str, Any], headers: dict[str, str], error: str, prefix: str
) -> None:
    keyed = {"X-API-Key": KEY} if "api_keys" in settings else None
    client = full(keyed, root_path=prefix, **settings)
    if error == "rate_limited":
        ask(client, picture(**headers))
    early, late = turned_away(client, picture(prefix + "/predict", **headers)), ask(client, picture(**headers))
    assert early is not None
    assert early.error == late.error == error
    assert (early.status, early.body) == (late.status, late.body)
    assert early.headers.keys() == late.headers.keys()
    assert {name: early.headers[name] for name in early.headers.keys() - CHANGING} == {
        name: late.headers[name] for name in late.headers.keys() - CHANGING
    }


def test_who_comes_during_the_drain_is_turned_away_too(start: Start) -> None:
    client = start()
    assert turned_away(client, picture()) is None
    service_of(client).phase = Phase.DRAINING
    early, late = turned_away(client, picture()), ask(client, picture())
    assert early is not None
    assert (early.headers, early.body) == (late.headers, late.body)
    assert early.error == "not_ready"


def test_probes_pages_and_facts_pass(full: Any) -> None:
    client = full()
    for path in ("/health/live", "/metrics", "/info", "/", "/nowhere", "/predict/"):
        assert turned_away(client, picture(path)) is None
    assert turned_away(client, RawRequest("/predict", "OPTIONS")) is None


def test_a_rate_that_is_counted_in_redis_is_left_to_the_layers(full: Any) -> None:
    client = full()
    service_of(client).limiter = type("Elsewhere", (), {"backend": "redis", "close": _close})()  # type: ignore[assignment]
    assert turned_away(client, picture()) is None


async def _close(self: object) -> None:
    """Nothing is open."""


def test_it_is_counted_and_logged_like_any_request(full: Any, capsys: pytest.CaptureFixture[str]) -> None:
    client = full()
    with write_logs("info", "json"):
        turned_away(client, picture("/predict?model=secret"))
    assert '"status":503' in (line := capsys.readouterr().out)
    assert '"error":"overloaded"' in line
    assert "secret" not in line
    metrics = client.get("/metrics").text
    assert 'visage_requests_shed_total{reason="queue_full"} 1.0' in metrics
    assert 'visage_errors_total{code="overloaded"} 1.0' in metrics
    assert 'method="POST",route="unmatched",status="503"} 1.0' in metrics
