"""Clients that never pause and stay under their rate: with the rate limiter on, memory does not grow.

Each client sends its next request, a prediction without a picture, as soon as it has its response. The default rate is
passed in a thousandth of the time, so that the drill shows in a minute what a service shows in hours.
"""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

from drills.client import post
from drills.process_stats import process_stats
from drills.report import Report, run
from tests.process import ServerProcess

CLIENTS = 4
SHORT, LONG = 50_000, 500_000
WARM_UP = 10_000
LARGEST_GAIN = 1.0
"""Megabytes."""

SETTINGS = {"RATE_LIMIT": "10000/second;36000000/hour", "TRUSTED_PROXIES": "127.0.0.1", "LOG_LEVEL": "warning"}


def drill(report: Report) -> None:
    requests = LONG if report.long else SHORT
    with ServerProcess(SETTINGS) as server:
        server.wait_ready()
        _send(server.port, WARM_UP)
        before = process_stats(server.pid)
        expected = _send(server.port, requests)
        after = process_stats(server.pid)
    report.figure("requests", requests)
    report.figure("responses other than a counted 415", requests - expected, at_most=0)
    report.figure("resident memory before", before.resident, "MB")
    report.figure("resident memory gained", after.resident - before.resident, "MB", at_most=LARGEST_GAIN)


def _send(port: int, requests: int) -> int:
    """Sends the requests of all clients. Returns how many responses were as expected."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(pool.map(lambda number: _client(port, number, requests // CLIENTS), range(CLIENTS)))


def _client(port: int, number: int, requests: int) -> int:
    request = post("/predict", b"", "image/jpeg", f"X-Forwarded-For: 198.51.100.{number}")
    expected = 0
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for _ in range(requests):
            connection.sendall(request)
            response = b""
            while not response.endswith(b'"}') and (part := connection.recv(4096)):
                response += part
            expected += response.startswith(b"HTTP/1.1 415 ") and b"x-ratelimit-remaining: " in response.lower()
    return expected


if __name__ == "__main__":
    run("steady-clients", drill)
