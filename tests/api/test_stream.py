"""``WS /stream`` on a real server and a fake engine, with a client library."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.api import stream_messages, streaming
from app.api.identity import StreamTokens
from app.errors import CATALOGUE, VisageError
from app.memory_budget import process_memory
from app.server import websocket
from app.service import Phase
from tests.api.conftest import PICTURE, Start, service_of
from tests.api.fakes import FakeModel, FakeRegistry, Script, manifest
from tests.api.raw import RawRequest
from tests.api.streams import DOCUMENT, refusal, started, stream
from tests.api.test_sockets import serving
from tests.unit.server.test_protocol import connected

KEYS = {"api_keys": ("web:web-key-0123456789abcdef", "desk:desk-key-0123456789abcdef")}
KEY = {"X-API-Key": "web-key-0123456789abcdef"}


async def post(port: int, path: str, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(f"http://127.0.0.1:{port}{path}", **options)


async def get(port: int, path: str, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(f"http://127.0.0.1:{port}{path}", **options)


async def test_a_stream_from_its_start_to_its_summary(script: Script) -> None:
    async with serving(script) as port, stream(port) as client:
        start = await client.receive("started")
        first = await client.read(PICTURE)
        await client.send({"type": "time", "t": 0.9})
        second = await client.read(PICTURE)
        summary = await client.end()
    assert start["labels"] == [*manifest().labels]
    assert start["limits"]["frame_bytes"] == 10 * 1024 * 1024
    assert (first["frame"], second["frame"]) == (0, 1)
    assert second["t"] == 0.9
    assert [shown["track"] for shown in first["faces"] + second["faces"]] == [1, 1]
    assert second["faces"][0]["emotion"] == "happy"
    assert second["faces"][0]["smoothed"]["happy"] == pytest.approx(0.92)
    assert summary["frames"] == {"received": 2, "read": 2, "failed": 0, "skipped": {}, "without_face": 0}
    assert summary["reason"] == "end"
    assert summary["tracks"][0]["frames"] == 2


async def test_the_summary_is_that_of_the_same_predictions_when_they_are_posted(script: Script) -> None:
    frames = []
    async with serving(script) as port:
        async with stream(port) as client:
            await client.receive("started")
            for number in range(6):
                script.faces = 1 if number != 3 else 0
                await client.send({"type": "time", "t": number / 4})
                predicted = await client.read(PICTURE)
                faces = predicted["faces"]
                frames.append({"t": predicted["t"], "probabilities": faces[0]["probabilities"] if faces else None})
            summary = await client.end()
        posted = (await post(port, "/analyze/session", json={"frames": frames})).json()
    assert summary == posted


async def test_the_newest_frame_is_read_and_the_others_are_counted(script: Script) -> None:
    async with serving(script) as port, started(port) as client:
        script.gate = threading.Event()
        await client.send(b"\xff\xd8\xff first")
        await asyncio.to_thread(script.wait_until_entered)
        for number in range(5):
            await client.send(b"\xff\xd8\xff %d" % number)
        await _received(port, skipped=4)
        script.gate.set()
        first, last = await client.receive("prediction"), await client.receive("prediction")
        summary = await client.end()
    assert (first["frame"], first["skipped"]) == (0, 0)
    assert (last["frame"], last["skipped"]) == (5, 4)
    assert script.seen == [b"\xff\xd8\xff first", b"\xff\xd8\xff 4"]
    assert summary["frames"]["received"] == 6
    assert summary["frames"]["skipped"] == {"busy": 4}


async def test_frames_that_wait_are_read_before_the_summary(script: Script) -> None:
    async with serving(script) as port, started(port) as client:
        script.gate = threading.Event()
        await client.send(PICTURE)
        await asyncio.to_thread(script.wait_until_entered)
        await client.send(PICTURE)
        await client.send({"type": "end"})
        script.gate.set()
        messages, code = await client.rest()
    assert [message["type"] for message in messages] == ["prediction", "prediction", "summary"]
    assert code == 1000


async def test_frames_over_the_rate_are_skipped(script: Script) -> None:
    async with serving(script, stream_frames_per_second=1) as port, started(port) as client:
        await client.read(PICTURE)
        for _ in range(3):
            await client.send(PICTURE)
        summary = await client.end()
    assert summary["frames"]["skipped"] == {"rate": 3}
    assert summary["frames"]["received"] == 4


async def test_the_rate_of_frames_is_that_of_a_client_in_all_its_streams(script: Script) -> None:
    async with (
        serving(script, stream_frames_per_second=1, **KEYS) as port,
        started(port, headers=KEY) as one,
        started(port, headers=KEY) as other,
        started(port, headers={"X-API-Key": "desk-key-0123456789abcdef"}) as third,
    ):
        await one.read(PICTURE)
        await other.send(PICTURE)
        await third.read(PICTURE)
        assert (await other.end())["frames"]["skipped"] == {"rate": 1}


async def test_a_frame_without_a_face_is_read(script: Script) -> None:
    script.faces = 0
    async with serving(script) as port, started(port) as client:
        assert (await client.read(PICTURE))["faces"] == []
        summary = await client.end()
    assert summary["frames"]["without_face"] == 1


async def test_every_face_has_its_track(script: Script) -> None:
    script.faces = 2
    async with serving(script) as port, started(port, faces="all") as client:
        assert [shown["track"] for shown in (await client.read(PICTURE))["faces"]] == [1, 2]
        script.faces = 1
        assert [shown["track"] for shown in (await client.read(PICTURE))["faces"]] == [1]
    async with serving(script) as port, started(port) as client:
        assert len((await client.read(PICTURE))["faces"]) == 1


async def test_smoothing_can_be_turned_off(script: Script) -> None:
    async with serving(script) as port, started(port, smoothing=0) as client:
        assert (await client.read(PICTURE))["faces"][0]["smoothed"] is None


@pytest.mark.parametrize(
    "code", [error.code for error in CATALOGUE if error.code in {"invalid_image", "image_too_large", "empty_file"}]
)
async def test_a_bad_frame_does_not_end_a_stream(script: Script, code: str) -> None:
    async with serving(script) as port, started(port) as client:
        await client.send(b"error:" + code.encode())
        error = await client.receive("error")
        assert (error["error"], error["frame"], error["skipped"]) == (code, 0, 0)
        assert (await client.read(PICTURE))["frame"] == 1
        summary = await client.end()
    assert summary["frames"]["failed"] == 1


async def test_a_defect_of_the_service_is_an_internal_error_of_its_frame(script: Script) -> None:
    async with serving(script) as port, started(port) as client:
        script.fails = RuntimeError("a defect")
        await client.send(PICTURE)
        assert (await client.receive("error"))["error"] == "internal_error"
        await client.read(PICTURE)


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '"end"',
        "1",
        "null",
        "{}",
        '{"type": "stop"}',
        '{"type": ["end"]}',
        '{"type": "time"}',
        '{"type": "time", "t": "1"}',
        '{"type": "time", "t": true}',
        '{"type": "time", "t": NaN}',
        '{"type": "time", "t": 1e999}',
        '{"type": "time", "t": -1}',
        '{"type": "time", "t": ' + "1" * 900 + "}",
        '{"type": "end", "x": "' + "x" * 2000 + '"}',
        "[" * 1000,
    ],
)
async def test_a_message_that_makes_no_sense_is_an_invalid_request(script: Script, text: str) -> None:
    async with serving(script) as port, started(port) as client:
        await client.send(text)
        assert (await client.receive("error"))["error"] == "invalid_request"
        await client.read(PICTURE)


async def test_an_error_does_not_hold_the_message_that_caused_it(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten of them may wait for a client that does not read."""
    errors: list[VisageError] = []
    describe = streaming.stream_error
    monkeypatch.setattr(
        streaming, "stream_error", lambda error, *a, **b: errors.append(error) or describe(error, *a, **b)
    )
    async with serving(script) as port, started(port) as client:
        await client.send("x" * 100_000)
        await client.receive("error")
    assert [each.__traceback__ for each in errors] == [None]


async def test_the_time_of_frames_does_not_fall(script: Script) -> None:
    async with serving(script) as port, started(port) as client:
        await client.send({"type": "time", "t": 50})
        await client.read(PICTURE)
        await client.send({"type": "time", "t": 49})
        assert (await client.receive("error"))["error"] == "invalid_request"
        assert (await client.read(PICTURE))["t"] == 50


async def test_ten_bad_frames_in_a_row_end_a_stream(script: Script) -> None:
    async with serving(script) as port, started(port) as client:
        for _ in range(9):
            await client.send(b"error:invalid_image")
            await client.receive("error")
        await client.read(PICTURE)
        for _ in range(10):
            await client.send(b"error:invalid_image")
            await client.receive("error")
        (summary,), code = await client.rest()
    assert code == 1008
    assert summary["reason"] == "bad_messages"
    assert summary["frames"]["failed"] == 19


async def test_a_bad_message_is_told_of_before_the_end(script: Script) -> None:
    script.gate = threading.Event()
    async with serving(script) as port, started(port) as client:
        await client.send(PICTURE)
        await asyncio.to_thread(script.wait_until_entered)
        for message in ("nonsense", {"type": "end"}):
            await client.send(message)
        await asyncio.sleep(0.1)
        script.gate.set()
        messages, code = await client.rest()
    assert [message["type"] for message in messages] == ["prediction", "error", "summary"]
    assert code == 1000


async def test_ten_bad_messages_in_a_row_end_a_stream(script: Script) -> None:
    async with serving(script) as port, started(port) as client:
        for _ in range(50):
            await client.send("nonsense")
        messages, code = await client.rest()
    assert [message["type"] for message in messages] == ["error"] * 10 + ["summary"]
    assert code == 1008


async def test_a_frame_that_is_too_large_ends_a_stream(script: Script) -> None:
    async with serving(script, max_file_size_mb=1) as port, started(port) as client:
        await client.read(PICTURE)
        with contextlib.suppress(ConnectionClosed):
            await client.send(b"\xff\xd8\xff" + bytes(6_000_000))
        (error, summary), code = await client.rest()
        assert await _metric(port, "visage_stream_frames_failed_total") == 1
        assert await _metric(port, 'visage_errors_total{code="file_too_large"}') == 1
    assert error["error"] == "file_too_large"
    assert summary["frames"] == {"received": 2, "read": 1, "failed": 1, "skipped": {}, "without_face": 0}
    assert code == 1009


async def test_fragments_make_a_frame(script: Script) -> None:
    async with serving(script) as port, started(port) as client:
        await client.websocket.send([b"\xff\xd8", b"", b"\xff fragments", b""])
        await client.receive("prediction")
    assert script.seen == [b"\xff\xd8\xff fragments"]


async def test_text_that_is_no_text_ends_a_stream(script: Script) -> None:
    async with serving(script) as port, started(port) as client:
        await client.websocket.send(b"\xff\xfe", text=True)
        messages, code = await client.rest()
    assert [message["type"] for message in messages] == ["summary"]
    assert code == 1007


async def test_a_stream_without_messages_ends(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "IDLE_SECONDS", 0.1)
    async with serving(script) as port, started(port) as client:
        for _ in range(3):
            await client.websocket.ping()
        (summary,), code = await client.rest()
    assert (summary["reason"], code) == ("idle", 1001)


async def test_the_deadline_of_headers_ends_with_them(script: Script) -> None:
    async with serving(script, header_timeout_seconds=0.2) as port, started(port) as client:
        await asyncio.sleep(0.4)
        await client.read(PICTURE)


async def test_profiles_need_the_operator_and_the_purpose(script: Script) -> None:
    async with serving(script) as port:
        assert await refusal(port, profile="interview_practice", purpose="own_practice") == ("invalid_request", 1008)
    async with serving(script, session_profiles=("interview_practice",)) as port:
        assert await refusal(port, profile="interview_practice") == ("invalid_request", 1008)
        assert await refusal(port, profile="other", purpose="own_practice") == ("invalid_request", 1008)
        async with started(port, profile="interview_practice", purpose="own_practice") as client:
            prediction = await client.read(PICTURE)
            assert (await client.receive("event"))["event"] == "level_changed"
            summary = await client.end()
    assert summary["profile"]["name"] == "interview_practice"
    assert summary["profile"]["notice"]
    assert [prediction["practice"]] == summary["profile"]["frames"]


@pytest.mark.parametrize(
    "query",
    [
        {"faces": "three"},
        {"faces": "one"},
        {"smoothing": "-1"},
        {"smoothing": "nan"},
        {"smoothing": "1e9"},
        {"details": "aura"},
        {"model": "x" * 65},
    ],
)
async def test_unknown_values_in_the_query_are_refused(script: Script, query: dict[str, str]) -> None:
    async with serving(script) as port:
        assert await refusal(port, **query) == ("invalid_request", 1008)


async def test_an_unknown_model_is_refused(script: Script) -> None:
    async with serving(script) as port:
        assert await refusal(port, model="other") == ("model_not_found", 1008)


async def test_streams_over_the_limit_are_refused_and_a_place_is_free_again(script: Script) -> None:
    async with serving(script, max_streams=1) as port:
        async with started(port) as client:
            assert await refusal(port) == ("overloaded", 1013)
            await client.read(PICTURE)
        await _open(port, 0)
        async with started(port):
            pass


async def test_one_client_does_not_get_all_streams(script: Script) -> None:
    async with serving(script, max_streams=4, trusted_proxies=("127.0.0.1/32",)) as port, AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(started(port, headers={"X-Forwarded-For": "10.0.0.1"}))
        assert await refusal(port, headers={"X-Forwarded-For": "10.0.0.1"}) == ("overloaded", 1013)
        async with started(port, headers={"X-Forwarded-For": "10.0.0.2"}) as other:
            await other.read(PICTURE)
        await _open(port, 3)
        assert await refusal(port, headers={"X-Forwarded-For": "10.0.0.1"}) == ("overloaded", 1013)


async def test_the_addresses_of_one_network_do_not_get_all_streams_either(script: Script) -> None:
    async with serving(script, max_streams=4, trusted_proxies=("127.0.0.1/32",)) as port, AsyncExitStack() as stack:
        for number in range(3):
            await stack.enter_async_context(started(port, headers={"X-Forwarded-For": f"2001:db8:0:{number}::1"}))
        assert await refusal(port, headers={"X-Forwarded-For": "2001:db8:0:9::1"}) == ("overloaded", 1013)
        async with started(port, headers={"X-Forwarded-For": "2001:db8:1::1"}):
            pass


async def test_a_client_that_vanishes_leaves_its_place(script: Script) -> None:
    async with serving(script) as port, started(port) as client:
        script.gate = threading.Event()
        await client.send(PICTURE)
        await asyncio.to_thread(script.wait_until_entered)
        client.websocket.transport.abort()
        await _open(port, 0)
        script.gate.set()


def test_a_client_that_leaves_during_the_handshake_is_no_error(client: TestClient) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        assert message["type"] == "websocket.accept"
        raise ConnectionResetError

    async def leave() -> None:
        scope = {**RawRequest("/stream").scope(client), "type": "websocket", "scheme": "ws", "subprotocols": []}
        await client.app(scope, receive, send)  # type: ignore[arg-type]

    assert client.portal is not None
    client.portal.call(leave)
    metrics = client.get("/metrics").text
    assert 'visage_http_requests_total{method="GET",route="/stream",status="499"} 1.0' in metrics
    assert "internal_error" not in metrics
    assert 'status="101"' not in metrics
    assert "visage_stream_open 0.0" in metrics


async def test_opening_a_stream_counts_as_a_request(script: Script) -> None:
    async with serving(script, rate_limit="2/hour") as port:
        async with started(port), started(port):
            pass
        assert await refusal(port) == ("rate_limited", 1008)


async def test_a_stream_needs_a_key_where_there_are_keys(script: Script) -> None:
    async with serving(script, **KEYS) as port:
        assert await refusal(port) == ("unauthorized", 1008)
        assert await refusal(port, headers={"X-API-Key": "wrong"}) == ("unauthorized", 1008)
        async with started(port, headers=KEY) as client:
            await client.read(PICTURE)
        async with started(port, headers={"Authorization": f"Bearer {KEY['X-API-Key']}"}):
            pass


async def test_a_token_opens_a_stream(script: Script) -> None:
    async with serving(script, **KEYS) as port:
        assert (await post(port, "/stream/token")).status_code == 401
        result = (await post(port, "/stream/token", headers=KEY)).json()
        assert result["expires_in"] == 60
        offered = ["visage.v1", f"visage.key.{result['token']}"]
        async with started(port, subprotocols=offered) as client:
            assert client.websocket.subprotocol == "visage.v1"
            await client.read(PICTURE)


async def test_an_open_service_issues_tokens_too(script: Script) -> None:
    async with serving(script) as port:
        token = (await post(port, "/stream/token")).json()["token"]
        async with started(port, subprotocols=["visage.v1", f"visage.key.{token}"]):
            pass


async def test_a_token_that_is_wrong_or_expired_opens_none(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(script, **KEYS) as port:
        token = (await post(port, "/stream/token", headers=KEY)).json()["token"]
        for wrong in (token[:-2], token[:20] + "zzzz" + token[24:], "x", "", "é".encode().hex(), "a" * 2000):
            offered = ["visage.v1", f"visage.key.{wrong}"]
            assert await refusal(port, subprotocols=offered) == ("unauthorized", 1008)
        for name in ("", "nobody"):
            offered = ["visage.v1", f"visage.key.{StreamTokens('').issue(name)}"]
            assert await refusal(port, subprotocols=offered) == ("unauthorized", 1008)
        now = time.time()
        offered = ["visage.v1", f"visage.key.{token}"]
        for passed in (62, -3600):
            monkeypatch.setattr(time, "time", lambda passed=passed: now + passed)
            assert await refusal(port, subprotocols=offered) == ("unauthorized", 1008)


async def test_tokens_of_one_secret_are_valid_everywhere(script: Script) -> None:
    secret = "0123456789abcdef0123456789abcdef"
    async with serving(script, stream_secret=secret, **KEYS) as port:
        offered = ["visage.v1", f"visage.key.{StreamTokens(secret).issue('web')}"]
        async with started(port, subprotocols=offered):
            pass
        other = ["visage.v1", f"visage.key.{StreamTokens('x' * 32).issue('web')}"]
        assert await refusal(port, subprotocols=other) == ("unauthorized", 1008)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://page.example", True),
        ("https://other.example", False),
        ("null", False),
        ("http://127.0.0.1:{port}", True),
        ("http://127.0.0.1", False),
        ("http://[", False),
    ],
)
async def test_pages_need_an_origin_that_cors_allows(script: Script, origin: str, allowed: bool) -> None:
    async with serving(script, cors_origins=("https://page.example",)) as port:
        headers = {"Origin": origin.format(port=port)}
        if allowed:
            async with started(port, headers=headers):
                pass
        else:
            assert await refusal(port, headers=headers) == ("forbidden", 1008)


async def test_another_subprotocol_is_refused_in_the_handshake(script: Script) -> None:
    async with serving(script) as port:
        with pytest.raises(InvalidStatus) as refused:
            async with stream(port, subprotocols=["chat", "visage.v2"]):
                pass
    response = refused.value.response
    assert response.status_code == 422
    assert b"invalid_request" in response.body


async def test_an_upgrade_with_a_body_is_refused(script: Script) -> None:
    request = (
        b"GET /stream HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\ncontent-length: 4\r\n\r\nbody"
    )
    async with serving(script) as port, connected(port) as peer:
        await peer.send(request)
        status, _, body = await peer.response()
        assert (status, b"malformed_request" in body) == (400, True)


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (b"sec-websocket-protocol: " + b"a" * 9000, b"headers_too_large"),
        (b"\r\n".join(b"x-%d: y" % number for number in range(200)), b"headers_too_large"),
        (b"sec-websocket-version: 8", b"malformed_request"),
        (b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", b"malformed_request"),
    ],
    ids=["line", "lines", "version", "keys"],
)
async def test_a_handshake_that_the_parser_refuses_ends(script: Script, lines: bytes, code: bytes) -> None:
    request = (
        b"GET /stream HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n%b\r\n\r\n" % lines
    )
    async with serving(script) as port, connected(port) as peer:
        await peer.send(request)
        status, headers, body = await peer.response()
        assert (status, code in body) == (431 if code == b"headers_too_large" else 400, True)
        assert headers["content-type"] == "application/json"
        assert await peer.closed()


async def test_other_routes_are_no_websockets(script: Script) -> None:
    async with serving(script) as port:
        response = await get(port, "/stream")
        assert (response.status_code, response.json()["error"]) == (422, "invalid_request")


async def test_a_drain_ends_streams_with_their_summaries(script: Script) -> None:
    async with serving(script) as port, started(port) as client:
        await client.read(PICTURE)
    # Leaving the server's block ends it.
    async with serving(script) as port:
        client_block = started(port)
        client = await client_block.__aenter__()
        await client.read(PICTURE)
        task = asyncio.create_task(client.rest())
        await asyncio.sleep(0)
    (summary,), code = await task
    assert (summary["reason"], code) == ("draining", 1012)
    await client_block.__aexit__(None, None, None)


def test_a_stream_that_is_admitted_while_the_service_begins_to_stop_is_turned_away(start: Start) -> None:
    client = start(rate_limit="100/minute")
    service = service_of(client)
    charge = service.limiter.charge

    async def charge_slowly(*names: str, read: bool = False) -> Any:
        service.phase = Phase.DRAINING
        return await charge(*names, read=read)

    service.limiter.charge = charge_slowly  # type: ignore[method-assign]
    with client.websocket_connect("/stream") as opened:
        assert opened.receive_json()["error"] == "not_ready"


async def test_metrics_count_streams(script: Script) -> None:
    async with serving(script, stream_frames_per_second=2) as port:
        async with started(port) as client:
            assert (await _metric(port, "visage_stream_open")) == 1
            await client.read(PICTURE)
            await client.send(b"error:invalid_image")
            await client.receive("error")
            await client.send(PICTURE)
            await client.end()
        await refusal(port, faces="none")
        await _open(port, 0)
        assert await _metric(port, "visage_stream_frames_read_total") == 1
        assert await _metric(port, "visage_stream_frames_failed_total") == 1
        assert await _metric(port, 'visage_stream_frames_skipped_total{reason="rate"}') == 1
        assert await _metric(port, 'visage_stream_closes_total{code="1000"}') == 1
        assert await _metric(port, "visage_stream_seconds_count") == 1
        assert await _metric(port, 'visage_http_requests_total{method="GET",route="/stream",status="101"}') == 1
        assert await _metric(port, 'visage_http_requests_total{method="GET",route="/stream",status="422"}') == 1


async def test_a_model_that_is_gone_after_a_reload_fails_its_frames(script: Script) -> None:
    registry = FakeRegistry(FakeModel(), FakeModel(manifest("other")))
    async with serving(script, registry=registry) as port, started(port, model="other") as client:
        await client.read(PICTURE)
        del registry.models["other"]
        await client.send(PICTURE)
        assert (await client.receive("error"))["error"] == "model_not_found"
        registry.models["other"] = FakeModel(manifest("other", ("happy", "sad")), (0.5, 0.5))
        await client.send(PICTURE)
        assert (await client.receive("error"))["error"] == "model_not_found"


async def test_the_document_is_served_and_its_examples_fit(script: Script) -> None:
    async with serving(script, **KEYS) as port:
        assert (await get(port, "/asyncapi.json")).json() == DOCUMENT


def test_every_end_is_documented() -> None:
    described = DOCUMENT["channels"]["stream"]["description"]
    codes = {end.code for end in stream_messages.End} - {1006}
    codes |= {stream_messages.close_code(error()) for error in CATALOGUE}
    assert [code for code in codes if str(code) not in described] == []


async def _metric(port: int, series: str) -> float:
    lines = (await get(port, "/metrics")).text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == series), 0.0)


async def _open(port: int, count: int) -> None:
    async with asyncio.timeout(5):
        while await _metric(port, "visage_stream_open") != count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def _received(port: int, *, skipped: int) -> None:
    async with asyncio.timeout(5):
        while await _metric(port, 'visage_stream_frames_skipped_total{reason="busy"}') != skipped:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_details_are_those_that_are_asked_for(script: Script) -> None:
    async with serving(script) as port, stream(port, details="emotion_vector,description") as client:
        assert (await client.receive("started"))["details"] == ["emotion_vector", "description"]
        (shown,) = (await client.read(PICTURE))["faces"]
    assert shown["emotion_vector"]["happiness"] == 0.92
    assert "happy" in shown["description"]
    assert "mesh" not in shown


async def test_a_frame_without_memory_for_its_prediction_is_skipped(script: Script) -> None:
    async with serving(script, body_memory_mb=0.2) as port, started(port) as client:
        with process_memory().held() as others:
            others.take(139_000)
            await client.send(b"\xff\xd8\xff" + bytes(60_000))
            await _received(port, skipped=1)
        await client.read(PICTURE)
        summary = await client.end()
    assert summary["frames"] == {"received": 2, "read": 1, "failed": 0, "skipped": {"busy": 1}, "without_face": 0}


async def test_half_a_frame_for_which_there_is_no_memory_waits_for_it(script: Script) -> None:
    async with serving(script, body_memory_mb=0.2) as port, started(port) as client:
        with process_memory().held() as others:
            others.take(190_000)
            await client.send(b"\xff\xd8\xff" + bytes(60_000))
            await asyncio.sleep(0.2)
            assert script.started == 0
        await client.receive("prediction")


async def test_a_stream_without_memory_for_long_is_ended(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "_LONGEST_STARVED", 0.1)
    async with serving(script, body_memory_mb=0.1) as port, started(port) as client:
        with process_memory().held() as others:
            others.take(90_000)
            await client.send(b"\xff\xd8\xff" + bytes(60_000))
            (error, summary), code = await client.rest()
    assert (error["error"], summary["reason"], code) == ("overloaded", "no_room", 1013)
    assert process_memory().used == 0
