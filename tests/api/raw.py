"""Requests as a server hands them on, for what a well-behaved client cannot say: bodies that lie, stop or end early."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fastapi.testclient import TestClient

BOUNDARY = b"boundary"


@dataclass
class RawAnswer:
    """What came back, and how many pieces of the body were asked for. ``status`` is 0 when nothing came."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    pieces_read: int = 0

    @property
    def error(self) -> str | None:
        return json.loads(self.body)["error"] if self.body else None


@dataclass
class RawRequest:
    """A request in pieces. After its last piece the client waits, or leaves when ``leaves`` is set."""

    path: str = "/predict"
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Iterable[bytes] = ()
    complete: bool = True
    leaves: asyncio.Event | None = None
    peer: str = "203.0.113.7"

    def scope(self, client: TestClient) -> dict[str, Any]:
        headers = [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path.partition("?")[0],
            "raw_path": self.path.encode(),
            "query_string": self.path.partition("?")[2].encode(),
            "root_path": "",
            "headers": headers,
            "client": (self.peer, 4711),
            "server": ("testserver", 80),
            "state": dict(client.app_state),
        }

    async def ask(self, client: TestClient) -> RawAnswer:
        answer = RawAnswer()
        pieces = list(self.pieces)
        over = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if answer.pieces_read < len(pieces):
                piece = pieces[answer.pieces_read]
                answer.pieces_read += 1
                last = answer.pieces_read == len(pieces)
                return {"type": "http.request", "body": piece, "more_body": not (last and self.complete)}
            if not pieces and self.complete:
                return {"type": "http.request", "body": b"", "more_body": False}
            await (self.leaves or over).wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                answer.body += message.get("body", b"")
                if not message.get("more_body", False):
                    over.set()

        await client.app(self.scope(client), receive, send)  # type: ignore[arg-type]
        return answer


def ask(client: TestClient, request: RawRequest) -> RawAnswer:
    """Sends a request on the service's own event loop and waits for its end."""
    assert client.portal is not None
    answer: RawAnswer = client.portal.call(request.ask, client)
    return answer


def form(data: bytes, field_name: str = "file") -> bytes:
    """A form with one file."""
    head = b'--%b\r\nContent-Disposition: form-data; name="%b"; filename="a.jpg"\r\n' % (BOUNDARY, field_name.encode())
    return head + b"Content-Type: image/jpeg\r\n\r\n" + data + b"\r\n--%b--\r\n" % BOUNDARY


def beginning() -> bytes:
    """The beginning of such a form, up to the bytes of its file."""
    return form(b"").removesuffix(b"\r\n--%b--\r\n" % BOUNDARY)


FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}
