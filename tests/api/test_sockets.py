"""The whole service behind real sockets: clients that send everything before they look for a response."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.config import Settings
from app.main import create_app
from app.server.server import Server, config_of
from tests.api.fakes import FakeRegistry, Script, fake_factories
from tests.unit.server.test_protocol import Peer, connected, listening

SIZE = 5 * 1024 * 1024
PLACE = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n%b\r\n"
READY = b"GET /health/ready HTTP/1.1\r\nhost: x\r\n\r\n"


@asynccontextmanager
async def serving(script: Script, *, registry: FakeRegistry | None = None, **settings: Any) -> AsyncIterator[int]:
    """The port of a service that is ready, on a fake engine."""
    values = {"workers": 1, "rate_limit": "off", "drain_seconds": 0, "max_file_size_mb": 10, **settings}
    chosen = Settings(**values)
    app = create_app(chosen, fake_factories(script, registry))
    listener = socket.create_server(("127.0.0.1", 0))
    async with listening(Server(config_of(app, chosen), app, 0), listener) as port:
        while await _status(port, READY) != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        yield port


async def _status(port: int, request: bytes) -> int:
    async with connected(port) as peer:
        await peer.send(request)
        return (await peer.response())[0]


@asynccontextmanager
async def full(script: Script, port: int, path: bytes = b"/predict", headers: bytes = b"") -> AsyncIterator[None]:
    """Keeps the one worker busy."""
    script.gate = threading.Event()
    async with connected(port) as peer:
        form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\nx\r\n--b--\r\n'
        head = b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\n" % path
        await peer.send(head + headers + b"content-length: %d\r\n\r\n" % len(form) + form)
        await asyncio.to_thread(script.wait_until_entered)
        yield
        script.gate.set()
        assert (await peer.response())[0] == 200


async def refused(peer: Peer, size: int = SIZE, headers: bytes = b"") -> tuple[int, str]:
    """Sends a whole body and only then reads the response."""
    await peer.send(PLACE % (size, headers))
    for _ in range(size // 65536):
        await peer.send(b"x" * 65536)
    status, _, body = await peer.response()
    return status, json.loads(body)["error"]


@pytest.mark.parametrize("size", [16 * 65536, SIZE])
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"api_keys": ("alice:alice-key-0123456789",)}, (401, "unauthorized")),
        ({"max_file_size_mb": 0.1}, (413, "file_too_large")),
        ({"rate_limit": "1/hour"}, (429, "rate_limited")),
    ],
)
async def test_a_refusal_reaches_a_client_that_sends_all_first(
    script: Script, settings: dict[str, Any], expected: tuple[int, str], size: int
) -> None:
    async with serving(script, **settings) as port:
        if "rate_limit" in settings:
            assert await _status(port, b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n") == 415
        async with connected(port) as peer:
            assert await refused(peer, size) == expected


@pytest.mark.parametrize("headers", [b"", b"connection: close\r\n", b"expect: 100-continue\r\n"])
async def test_so_does_one_for_want_of_room(script: Script, headers: bytes) -> None:
    async with serving(script, queue_size=0) as port, full(script, port), connected(port) as peer:
        assert await refused(peer, headers=headers) == (503, "overloaded")


async def test_a_refused_client_can_use_its_connection_again(script: Script) -> None:
    async with serving(script, queue_size=0) as port, connected(port) as peer:
        async with full(script, port):
            for _ in range(3):
                assert await refused(peer, 5 * 65536) == (503, "overloaded")
        await peer.send(READY)
        assert (await peer.response())[0] == 200


async def test_a_body_that_still_arrives_when_the_service_ends_has_its_response(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with serving(script, request_timeout_seconds=1, queue_timeout_seconds=1, drain_seconds=1) as port:
            peer = await stack.enter_async_context(connected(port))
            await peer.send(PLACE % (SIZE, b"content-type: multipart/form-data; boundary=b\r\n") + b"--b\r\n")
            await asyncio.sleep(0.2)
        status, headers, body = await peer.response()
    assert (status, json.loads(body)["error"]) == (503, "timeout")
    assert headers["retry-after"] == "1"
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("prefix", ["/visage", "/predictions"])
async def test_paths_with_and_without_the_prefix_are_served_while_the_queue_is_full(
    script: Script, prefix: str
) -> None:
    async with serving(script, queue_size=0, root_path=prefix) as port:
        async with full(script, port, prefix.encode() + b"/predict"):
            for path in (prefix, f"{prefix}/predict", "/predict", f"{prefix}/predict/predict"):
                request = b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n" % path.encode()
                assert await _status(port, request) in {307, 404, 405, 503}
            assert await _status(port, READY.replace(b"/health", prefix.encode() + b"/health")) == 200
        assert await _status(port, READY) == 200


@pytest.mark.parametrize(("request_line", "status"), [(b"HEAD /health/live", 405), (b"GET /nothing", 404)])
async def test_a_client_that_closes_its_side_gets_its_response(
    script: Script, request_line: bytes, status: int
) -> None:
    async with serving(script) as port, connected(port) as peer:
        await peer.send(request_line + b" HTTP/1.1\r\nhost: x\r\n\r\n")
        peer.writer.write_eof()
        assert await peer.status() == status


async def test_the_id_of_a_request_that_is_none_is_in_the_log(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with serving(script) as port, connected(port) as peer:
        await peer.send(b"garbage\r\n\r\n")
        request_id = json.loads((await peer.response())[2])["request_id"]
    assert [record for record in caplog.records if request_id in record.getMessage()]


CHUNKED = b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-type: %b\r\ntransfer-encoding: chunked\r\n\r\n5\r\n--b\r\n\r\n"


@pytest.mark.parametrize("pause", [0, 0.05])
@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ([READY, b"\x16\x03 garbage\r\n\r\n"], 200),
        ([CHUNKED % (b"/predict", b"multipart/form-data; boundary=b"), b"zz\r\n"], 400),
        ([CHUNKED % (b"/predict/batch", b"multipart/form-data; boundary=b"), b"zz\r\n"], 400),
        ([CHUNKED % (b"/analyze/facial", b"application/json"), b"zz\r\n"], 400),
    ],
)
async def test_garbage_is_no_internal_error(
    script: Script, caplog: pytest.LogCaptureFixture, sent: list[bytes], expected: int, pause: float
) -> None:
    async with serving(script) as port:
        async with connected(port) as peer:
            for piece in sent:
                await peer.send(piece)
                await asyncio.sleep(pause)
            assert await peer.status() == expected
            await peer.rest()
        async with connected(port) as peer:
            await peer.send(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
            assert b"internal_error" not in (await peer.response())[2]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
