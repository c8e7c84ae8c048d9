"""Bounds of the connections of the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProtocolLimits:
    """What one connection, and all of them, may take."""

    header_timeout: float
    write_timeout: float
    connections: int
    header_bytes: int = 16 * 1024
    waiting_requests: int = 16
    waiting_bytes: int = 64 * 1024
    """How many requests, with how many bytes of headers, may wait on a connection behind the one that is processed."""
    unread_responses: int = 256
    """On how many connections a response may wait for its client to read on; fewer when they hold much memory."""
    discard_timeout: float = 2.0
    discard_bytes: int = 16 * 1024 * 1024
    """How long, and how many bytes, the rest of a body is read that nobody needs."""
    response_delay: float = 0.05
    """How long a response waits for the end of a body that it leaves unread. nginx loses those that come before it."""
    eof_timeout: float = 0.1
    """How soon a response must begin once the client has closed its side. Later, the client counts as gone."""
