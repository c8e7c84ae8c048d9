"""What an attacker sends to a real server with its defaults: no request costs a 500, much memory or a slow probe."""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Iterator

import pytest

from drills.process_stats import process_stats, reset_peak
from tests.pictures import portrait
from tests.process import ServerProcess

MOST_MB = 40
PICTURE = portrait(96)
HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
FILE = b'Content-Disposition: form-data; name="file"; filename="a.jpg"'
FORM = b"multipart/form-data; boundary="
LONG = b"b" * 70
MIXED = b"\r\nContent-Type: multipart/mixed; boundary=c"
UPGRADE = b"Connection: upgrade\r\nUpgrade: websocket\r\n"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"


def form(*parts: tuple[bytes, bytes], boundary: bytes = b"b") -> bytes:
    body = b"".join(b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary, head, data) for head, data in parts)
    return body + b"--%b--\r\n" % boundary


def post(body: bytes, path: bytes = b"/predict", kind: bytes = FORM + b"b") -> bytes:
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
    return head % (path, kind, len(body)) + body


def analyze(body: bytes) -> bytes:
    return post(body, b"/analyze/facial", b"application/json")


ENCODED = base64.b64encode(PICTURE)
BODY = form((FILE, PICTURE))
CONFLICTS = (
    b"Content-Length: 6\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nContent-Length: 6",
    b"Content-Length: 6\r\nContent-Length: 60",
    b"Content-Length: 6, 6",
    b"Content-Length: +6",
    b"Content-Length: -1",
    b"Content-Length: 99999999999999999999999",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding:\x0bchunked",
)
REQUESTS: dict[str, tuple[bytes, set[int]]] = {
    **{f"the length {each.decode()!r}": (HEAD + each + b"\r\n\r\n123456", {400}) for each in CONFLICTS},
    "a length of 5,000 digits": (HEAD + b"Content-Length: " + b"0" * 5_000 + b"6\r\n\r\n123456", {422}),
    "a path with a line break": (b"POST /predict%0a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", {404}),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", {400}),
    "two hosts": (LIVE + b"Host: y\r\n\r\n", {400}),
    "a chunk of a wrong size": (CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n", {400}),
    "a chunk without its end": (CHUNKED + b"5\r\nhello0\r\n\r\n", {400}),
    "an extension without end": (CHUNKED + b"5\r\n--b\r\n\r\n5;" + b"x" * 2_000_000, {431, 422}),
    "trailers without end": (CHUNKED + b"0\r\n" + b"name: value\r\n" * 200_000, {431, 422}),
    "a chunk for each byte": (CHUNKED + b"1\r\n-\r\n" * 200_000, {422}),
    "another version": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), {400}),
    "CONNECT": (b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    "TRACE": (b"TRACE / HTTP/1.1\r\nHost: x\r\nX-API-Key: secret\r\n\r\n", {405}),
    "an upgrade of a POST": (HEAD + UPGRADE + b"Content-Length: 5\r\n\r\nhello", {422, 400}),
    "a path of 5 MB": (b"GET /" + b"a" * 5_000_000, {431}),
    "a header of 5 MB": (LIVE + b"a: " + b"a" * 5_000_000, {431}),
    "many headers": (LIVE + b"a:\r\n" * 4_000 + b"\r\n", {431}),
    "a folded header": (LIVE + b"a: b\r\n c\r\n\r\n", {400}),
    "a zero byte in a header": (LIVE + b"a: b\0c\r\n\r\n", {400}),
    "a path that leads out": (b"GET /web/..%2f..%2fapp/config.py HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
    "a path that is no text": (b"GET /web/%c0%ae%c0%ae/%zz%00 HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
    "a thousand ranges": (b"GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=" + b"0-," * 1000 + b"1-\r\n\r\n", {200}),
    "a long query": (post(b"", b"/predict?" + b"model=b&" * 1900), {404}),
    "nested forms": (post(form((FILE + MIXED, form((FILE, PICTURE), boundary=b"c")))), {415}),
    "many tiny parts": (post(form(*[(b'Content-Disposition: form-data; name="x"', b"")] * 80_000)), {422}),
    "many tiny files": (post(form(*[(FILE.replace(b'"file"', b'"files"'), b"x")] * 60_000), b"/predict/batch"), {413}),
    "a part's header of 4 MB": (post(form((FILE + b"\r\nX: " + b"y" * 4_000_000, PICTURE))), {422}),
    "a disposition of quotes": (post(form((FILE + b'"' * 2000 + b"\\" * 1500, PICTURE))), {200, 422}),
    "a file of boundaries": (
        post(form((FILE, (b"\r\n--" + LONG[1:] + b"c") * 60_000), boundary=LONG), kind=FORM + LONG),
        {415},
    ),
    "a file of line ends": (post(form((FILE, b"\r\n" * 2_400_000))), {415}),
    "brackets of 6 MB": (analyze(b"[" * 6_000_000), {422}),
    "escapes of 6 MB": (analyze(b'{"image":"' + b"\\n" * 3_000_000 + b'"}'), {400}),
    "an escape without end": (analyze(b'{"image":"' + b"\\" * 200_001), {422}),
    "two pictures": (analyze(b'{"image":"%b","image":"x"}' % ENCODED), {422}),
    "half a surrogate": (analyze(b'{"image":"\\ud800"}'), {422}),
    "padding of 6 MB": (analyze(b'{"image":"' + b"=" * 6_000_000 + b'"}'), {400}),
    "requests behind requests": (post(BODY) * 40, {200, 422, 400}),
}


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with ServerProcess({"RATE_LIMIT": "600/minute", "WORKERS": 1, "DRAIN_SECONDS": 0}) as process:
        process.wait_ready()
        yield process


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_refused_or_served(server: ServerProcess, name: str) -> None:
    request, expected = REQUESTS[name]
    reset_peak(server.pid)
    before, lines = process_stats(server.pid).resident, len(server.log.splitlines())
    statuses, text = _send(server.port, request)
    assert set(statuses) <= expected
    assert statuses, text[:200]
    assert b"secret" not in text
    assert b"Traceback" not in text
    assert _send(server.port, LIVE + b"\r\n")[0] == [200]
    assert process_stats(server.pid).peak - before < MOST_MB
    assert not [line for line in server.log.splitlines()[lines:] if '"level":"error"' in line]


@pytest.mark.parametrize(
    "headers",
    [
        b'X-Request-ID: abcdefgh","level":"error',
        b"X-Request-ID: \xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8",
        b"Origin: https://evil.example",
        b'Host: evil"><script>\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: javascript',
        b"X-Forwarded-For: " + b"evil, " * 1500,
        b"traceparent: evil",
    ],
)
def test_nothing_that_is_sent_comes_back_in_headers_or_the_log(server: ServerProcess, headers: bytes) -> None:
    host = b"" if headers.startswith(b"Host:") else b"Host: x\r\n"
    statuses, text = _send(server.port, b"GET /web/%0d%0aevil:1 HTTP/1.1\r\n" + host + headers + b"\r\n\r\n")
    assert statuses == [404]
    head, _, _ = text.lower().partition(b"\r\n\r\n")
    for word in (b"evil", b"access-control", b'abcdefgh"', b"\xff"):
        assert word not in head
    assert "evil" not in server.log
    assert '"level":"error"' not in server.log


def _send(port: int, request: bytes) -> tuple[list[int], bytes]:
    """Sends as much as the server takes, half-closes, and reads to the end."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        try:
            while piece := connection.recv(1 << 20):
                received += piece
        except OSError:
            pass
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)], received
