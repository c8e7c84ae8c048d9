"""The configuration of nginx: what it repeats, what it passes on, and its own errors. Needs nginx."""

from __future__ import annotations

import json
import select
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPMessage
from typing import NamedTuple

import pytest
from websockets.asyncio.client import connect

from tests.backends import nginx
from tests.pictures import portrait
from tests.process import ServerProcess, free_port

NGINX = shutil.which("nginx")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: nginx-light)")

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FULL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nRetry-After: 7\r\n\r\nfull"
NOTHING = b""
MB = 1024 * 1024


class Reply(NamedTuple):
    status: int
    headers: HTTPMessage
    body: bytes


class Replica:
    """A server that sends the same bytes for every request, or closes the connection if there are none."""

    def __init__(self, response: bytes) -> None:
        self.response = response
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                received = b""
                while b"\r\n\r\n" not in received and (piece := connection.recv(65536)):
                    received += piece
                if received:
                    self.requests.append(received)
                    connection.sendall(self.response.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@contextmanager
def proxied(*responses: bytes | None) -> Iterator[tuple[int, list[Replica]]]:
    """The port of an nginx, and the replicas behind it; None is a replica that has died."""
    with ExitStack() as stack:
        replicas = [stack.enter_context(closing(Replica(each))) for each in responses if each is not None]
        dead = [free_port() for each in responses if each is None]
        ports = [*dead, *(replica.port for replica in replicas)]
        yield stack.enter_context(nginx(str(NGINX), *ports)).port, replicas


def send(port: int, method: str = "POST", path: str = "/predict", body: bytes | None = b"x", **headers: str) -> Reply:
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())


@contextmanager
def announced(port: int, path: str, size: int) -> Iterator[socket.socket]:
    """A connection on which a client has announced a body, and has not sent it."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
        yield client


def count(replicas: list[Replica]) -> int:
    return sum(len(replica.requests) for replica in replicas)


def received_headers(request: bytes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]:
        name, _, value = line.partition(": ")
        found.setdefault(name.lower(), []).append(value)
    return found


class TestRepeats:
    def test_what_a_dead_replica_did_not_get_goes_to_another(self) -> None:
        with proxied(None, OK) as (port, _):
            assert [send(port).status for _ in range(20)] == [200] * 20

    def test_a_post_that_was_sent_is_not_sent_again(self) -> None:
        with proxied(NOTHING, NOTHING) as (port, replicas):
            assert send(port).status == 503
            assert count(replicas) == 1

    def test_a_get_that_was_lost_is_sent_again(self) -> None:
        with proxied(NOTHING, NOTHING) as (port, replicas):
            assert send(port, "GET", "/models", None).status == 503
            assert count(replicas) == 2

    def test_a_busy_replica_s_refusal_arrives_and_is_not_repeated(self) -> None:
        with proxied(FULL, FULL) as (port, replicas):
            for sent in range(1, 11):
                reply = send(port)
                assert (reply.status, reply.headers["Retry-After"], reply.body) == (503, "7", b"full")
                assert count(replicas) == sent

    def test_busy_replicas_do_not_count_as_dead(self) -> None:
        with proxied(FULL, FULL) as (port, replicas):
            for _ in range(10):
                send(port)
            for replica in replicas:
                replica.response = OK
            assert [send(port).status for _ in range(10)] == [200] * 10


class TestHeaders:
    def test_the_service_gets_the_client_s_address_from_nginx_alone(self) -> None:
        with proxied(OK) as (port, (replica,)):
            send(port, X_Forwarded_For="198.51.100.7")
        assert received_headers(replica.requests[0])["x-forwarded-for"] == ["127.0.0.1"]

    @pytest.mark.parametrize(("sent", "kept"), [("order-12345678", True), ('"} {"x', False)])
    def test_a_harmless_request_id_is_passed_on_and_another_replaced(self, sent: str, kept: bool) -> None:
        with proxied(OK) as (port, (replica,)):
            send(port, X_Request_ID=sent)
        (received,) = received_headers(replica.requests[0])["x-request-id"]
        assert (received == sent) is kept
        assert len(received) >= 8

    def test_keys_pass(self) -> None:
        with proxied(OK) as (port, (replica,)):
            send(port, Authorization="Bearer abc", X_API_Key="def", traceparent="ghi")
        headers = received_headers(replica.requests[0])
        assert [headers[name] for name in ("authorization", "x-api-key", "traceparent")] == [
            ["Bearer abc"],
            ["def"],
            ["ghi"],
        ]


class TestErrors:
    @pytest.mark.parametrize(("path", "size"), [("/predict", 9 * MB), ("/predict/batch", 66 * MB)])
    def test_a_body_that_is_too_large_is_refused_before_it_is_sent(self, path: str, size: int) -> None:
        with proxied(OK) as (port, replicas), announced(port, path, size) as client:
            head, _, body = client.recv(65536).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 413 ")
            assert json.loads(body)["error"] == "file_too_large"
            assert count(replicas) == 0

    @pytest.mark.parametrize(
        ("path", "size"), [("/analyze/facial", 7 * MB), ("/predict/batch", 64 * MB), ("/analyze/session", 40 * MB)]
    )
    def test_a_body_within_the_service_s_limits_reaches_it_before_its_end(self, path: str, size: int) -> None:
        with proxied(OK) as (port, replicas), announced(port, path, size) as client:
            assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
            assert count(replicas) == 1

    def test_where_no_replica_responds_the_error_is_one_of_the_service_s(self) -> None:
        with proxied(None) as (port, _):
            reply = send(port, X_Request_ID="order-12345678")
        assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
        assert json.loads(reply.body) == {
            "success": False,
            "error": "not_ready",
            "message": "No replica of the service responded. Try again later.",
            "request_id": "order-12345678",
        }

    def test_one_address_cannot_take_every_connection(self) -> None:
        with ExitStack() as stack:
            # It accepts no connection, so that every request stays in progress.
            silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=256))
            port = stack.enter_context(nginx(str(NGINX), silent.getsockname()[1])).port
            clients = [stack.enter_context(announced(port, "/predict", 1000)) for _ in range(129)]
            (refused,), _, _ = select.select(clients, [], [], 30)
            head, _, body = refused.recv(65536).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 429 ")
        assert json.loads(body)["error"] == "rate_limited"


def test_a_client_of_http_1_0_needs_no_host(shared_server: ServerProcess) -> None:
    with ExitStack() as stack:
        port = stack.enter_context(nginx(str(NGINX), shared_server.port)).port
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
        client.sendall(b"GET /health/live HTTP/1.0\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")


async def test_a_stream_passes_through(shared_server: ServerProcess) -> None:
    with nginx(str(NGINX), shared_server.port) as proxy:
        port = proxy.port
        origin = {"Origin": f"http://127.0.0.1:{port}"}
        async with connect(f"ws://127.0.0.1:{port}/stream", additional_headers=origin, proxy=None) as stream:
            assert json.loads(await stream.recv())["type"] == "started"
            await stream.send(portrait())
            assert json.loads(await stream.recv())["faces"]
            await stream.send('{"type": "end"}')
            assert json.loads(await stream.recv())["frames"]["read"] == 1


def test_a_response_that_needs_no_body_reaches_the_client_that_still_sends_it(shared_server: ServerProcess) -> None:
    """nginx gives up a connection on which the service responds early. So the service waits for the end of the body."""
    with ExitStack() as stack:
        port = stack.enter_context(nginx(str(NGINX), shared_server.port)).port
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
        for _ in range(10):
            client.sendall(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 150000\r\n\r\n" + bytes(70_000))
            # Most clients send a body in pieces, and most of them send the next one within some milliseconds.
            time.sleep(0.02)
            client.sendall(bytes(80_000))
            assert client.recv(65536).startswith(b"HTTP/1.1 404 ")
