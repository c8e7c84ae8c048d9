"""Bodies: too large, too slow, too many at once, lying about their length, and left behind."""

from __future__ import annotations

import asyncio
import threading

import pytest
from fastapi.testclient import TestClient

from tests.api.conftest import Start, service_of, until, upload
from tests.api.fakes import Script
from tests.api.raw import FORM, RawRequest, ask, beginning, form

MEGABYTE = 1024 * 1024


@pytest.fixture
def client(start: Start) -> TestClient:
    return start(max_file_size_mb=0.1, max_batch_size_mb=0.3)


def test_a_declared_length_over_the_limit_is_refused_unread(client: TestClient) -> None:
    answer = ask(client, RawRequest(headers={**FORM, "Content-Length": str(2 * MEGABYTE)}, pieces=[b"x"]))
    assert answer.status == 413
    assert answer.error == "file_too_large"
    assert answer.pieces_read == 0
    assert answer.headers["connection"] == "close"


def test_an_undeclared_length_is_counted_as_it_arrives(client: TestClient) -> None:
    pieces = [beginning(), *(b"x" * 65536 for _ in range(16))]
    answer = ask(client, RawRequest(headers={**FORM, "Transfer-Encoding": "chunked"}, pieces=pieces))
    assert answer.error == "file_too_large"
    assert answer.pieces_read < 5
    assert answer.headers["connection"] == "close"


def test_a_length_that_lies_is_counted_as_it_arrives(client: TestClient) -> None:
    pieces = [beginning(), *(b"x" * 65536 for _ in range(16))]
    answer = ask(client, RawRequest(headers={**FORM, "Content-Length": "10"}, pieces=pieces))
    assert answer.error == "file_too_large"
    assert answer.pieces_read < 5


@pytest.mark.parametrize("length", ["-1", "1e3", "ten", "", "+5", "0x10"])
def test_a_length_that_is_no_number_is_refused(client: TestClient, length: str) -> None:
    answer = ask(client, RawRequest(headers={**FORM, "Content-Length": length}, pieces=[form(b"x")]))
    assert answer.error == "invalid_request"


def test_a_long_content_type_is_not_parsed(client: TestClient) -> None:
    answer = ask(client, RawRequest(headers={"Content-Type": "multipart/form-data" + 10_000 * ";"}, pieces=[b"x"]))
    assert (answer.status, answer.error) == (422, "invalid_request")


def test_every_route_has_a_limit(client: TestClient) -> None:
    for path in ("/predict", "/predict/batch", "/predict/compare", "/analyze/facial", "/info", "/nowhere"):
        answer = ask(client, RawRequest(path, headers={"Content-Length": str(10 * MEGABYTE)}, pieces=[b"x"]))
        assert (answer.status, answer.pieces_read) == (413, 0), path


def test_a_batch_may_be_larger_than_a_picture_but_not_without_end(client: TestClient) -> None:
    files = [("files", (f"{number}.jpg", b"x" * 90_000, "image/jpeg")) for number in range(3)]
    assert client.post("/predict/batch", files=files).status_code == 200
    response = client.post("/predict/batch", files=files + files)
    assert response.status_code == 413


def test_a_slow_body_ends_with_the_time_of_its_request(start: Start) -> None:
    client = start(request_timeout_seconds=0.2, queue_timeout_seconds=0.1)
    answer = ask(client, RawRequest(headers={**FORM, "Content-Length": "1000"}, pieces=[beginning()], complete=False))
    assert (answer.status, answer.error) == (503, "timeout")


def test_a_slow_body_is_answered_at_its_deadline(start: Start) -> None:
    client = start(body_timeout_seconds=0.1)
    answer = ask(client, RawRequest(headers={**FORM, "Content-Length": "1000"}, pieces=[beginning()], complete=False))
    assert answer.status == 503
    assert answer.error == "timeout"
    assert answer.headers["connection"] == "close"


def test_bodies_in_flight_share_a_bounded_memory(start: Start) -> None:
    client = start(body_memory_mb=0.2, max_file_size_mb=0.15)
    assert client.portal is not None
    held = RawRequest(headers=FORM, pieces=[beginning(), b"x" * 120_000], complete=False)
    tasks = [client.portal.start_task_soon(held.ask, client)]
    until(lambda: _body_refused(client))
    assert 'visage_requests_shed_total{reason="memory"}' in client.get("/metrics").text
    tasks[0].cancel()
    until(lambda: not _body_refused(client))


def _body_refused(client: TestClient) -> bool:
    response = client.post("/predict", **upload(b"x" * 120_000))
    assert response.status_code in {200, 503}
    return response.status_code == 503


class TestLeaving:
    """A client that goes away takes its work with it."""

    def test_while_it_waits_its_work_never_starts(self, start: Start, script: Script) -> None:
        script.gate = threading.Event()
        client = start()
        assert client.portal is not None
        first = client.portal.start_task_soon(RawRequest(headers=FORM, pieces=[form(b"first")]).ask, client)
        script.wait_until_entered()
        leaves = client.portal.call(_event)
        request = RawRequest(headers=FORM, pieces=[form(b"second")], leaves=leaves)
        second = client.portal.start_task_soon(request.ask, client)
        until(lambda: service_of(client).pool.waiting == 1)
        client.portal.call(leaves.set)
        second.result()
        assert service_of(client).pool.waiting == 0
        script.gate.set()
        assert first.result().status == 200
        assert client.post("/predict", **upload(b"third")).status_code == 200
        assert [seen[:6] for seen in script.seen] == [b"first", b"third"]

    def test_while_it_runs_its_work_stops_at_the_next_stage(self, start: Start, script: Script) -> None:
        script.gate = threading.Event()
        client = start()
        assert client.portal is not None
        leaves = client.portal.call(_event)
        request = RawRequest(headers=FORM, pieces=[form(b"x")], leaves=leaves)
        task = client.portal.start_task_soon(request.ask, client)
        script.wait_until_entered()
        client.portal.call(leaves.set)
        task.result()
        script.gate.set()
        until(lambda: service_of(client).pool.busy == 0)
        assert (script.started, script.finished) == (1, 0)

    def test_in_the_middle_of_its_upload_nothing_happens(self, start: Start, script: Script) -> None:
        client = start()
        assert client.portal is not None
        leaves = client.portal.call(_event)
        client.portal.call(leaves.set)
        ask(client, RawRequest(headers=FORM, pieces=[form(b"x")[:50]], complete=False, leaves=leaves))
        assert script.started == 0
        assert 'status="499"' in client.get("/metrics").text


async def _event() -> asyncio.Event:
    return asyncio.Event()
