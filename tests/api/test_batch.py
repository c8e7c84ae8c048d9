"""``POST /predict/batch``: every item in its place, whatever becomes of the others."""

from __future__ import annotations

import asyncio
import csv
import gc
import io
import json
import threading
import weakref
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from starlette.types import Receive, Scope, Send

from app.errors import InvalidImage
from app.memory_budget import NotEnoughMemory, process_memory
from app.vision.decode import Picture
from app.vision.geometry import Face
from tests.api.conftest import PICTURE, Start, service_of, until
from tests.api.fakes import PATIENCE, FakeModel, FakeRegistry, Script, face
from tests.api.raw import BOUNDARY, FORM, RawRequest, ask
from tests.api.raw import form as form_part
from tests.pictures import portrait


def form(*pictures: bytes, names: tuple[str, ...] = ()) -> dict[str, Any]:
    labelled = [names[i] if i < len(names) else f"{i}.jpg" for i in range(len(pictures))]
    return {"files": [("files", (name, data, "image/jpeg")) for name, data in zip(labelled, pictures, strict=True)]}


def batch(client: TestClient, *pictures: bytes, query: str = "", names: tuple[str, ...] = ()) -> dict[str, Any]:
    response = client.post(f"/predict/batch{query}", **form(*pictures, names=names))
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


BAD = b"error:invalid_image\n"


def test_good_and_bad_items_stand_in_the_order_of_the_request(start: Start) -> None:
    client = start(workers=3)
    result = batch(client, PICTURE, BAD, PICTURE, b"", b"error:no_face_detected\n", PICTURE)
    assert [item["index"] for item in result["results"]] == [0, 1, 2, 3, 4, 5]
    assert [item["filename"] for item in result["results"]] == [f"{i}.jpg" for i in range(6)]
    assert [item.get("error") for item in result["results"]] == [
        None,
        "invalid_image",
        None,
        "empty_file",
        "no_face_detected",
        None,
    ]
    assert result["summary"] == {
        "total": 6,
        "succeeded": 3,
        "failed": 3,
        "uncertain": 0,
        "by_emotion": {"happy": 3},
        "by_error": {"invalid_image": 1, "empty_file": 1, "no_face_detected": 1},
    }
    assert result["model"] == {"name": "default", "version": "1.2.3"}


def test_an_item_has_the_result_of_a_single_request(client: TestClient) -> None:
    (item,) = batch(client, PICTURE)["results"]
    single = client.post("/predict", files={"file": ("0.jpg", PICTURE)}).json()
    for name in ("emotion", "confidence", "probabilities", "face", "warnings", "faces_detected", "image"):
        assert item[name] == single[name]


def test_items_are_read_next_to_each_other_but_no_more_than_there_is_room_for(start: Start, script: Script) -> None:
    client = start(workers=2)
    script.gate = threading.Event()
    results: list[dict[str, Any]] = []
    sender = threading.Thread(target=lambda: results.append(batch(client, *[PICTURE] * 9)))
    sender.start()
    try:
        script.wait_until_entered()
        script.wait_until_entered()
        until(lambda: service_of(client).pool.waiting == 1)
        assert service_of(client).pool.busy == 2
    finally:
        script.gate.set()
        sender.join()
    assert results[0]["summary"]["succeeded"] == 9


def test_uncertain_items_are_counted(start: Start) -> None:
    client = start(registry=FakeRegistry(FakeModel(probabilities=(0.05, 0.0, 0.05, 0.45, 0.05, 0.05, 0.35))))
    assert batch(client, PICTURE, PICTURE)["summary"]["uncertain"] == 2


def test_a_foreign_exception_in_one_item_is_that_items_error(client: TestClient, script: Script) -> None:
    script.fails = ZeroDivisionError("a secret of the code")
    result = batch(client, PICTURE, PICTURE)
    assert [item["success"] for item in result["results"]] == [False, True]
    assert result["results"][0]["error"] == "internal_error"
    assert "secret" not in str(result)


def test_a_thread_that_dies_costs_the_item_it_was_at(start: Start) -> None:
    client = start(workers=1)
    result = batch(client, PICTURE, PICTURE, b"dies:\n", PICTURE, PICTURE, PICTURE)
    assert [item.get("error") for item in result["results"]] == [None, None, "internal_error", None, None, None]


def test_what_was_read_before_the_time_was_up_is_kept(start: Start, script: Script) -> None:
    client = start(workers=1, request_timeout_seconds=0.5, queue_timeout_seconds=0.5)
    try:
        result = batch(client, PICTURE, b"waits:\n", PICTURE)
    finally:
        script.patience.set()
    assert [item.get("error") for item in result["results"]] == [None, "timeout", "timeout"]


def test_a_picture_that_waits_for_memory_is_the_only_one_that_is_read_again(client: TestClient, script: Script) -> None:
    script.fails = NotEnoughMemory(1)
    result = batch(client, b"one", b"two")
    assert result["summary"]["succeeded"] == 2
    assert script.seen == [b"one", b"one", b"two"]


def test_a_batch_holds_the_memory_only_of_pictures_that_are_not_read_yet(start: Start) -> None:
    client = start(workers=1, body_memory_mb=1.2)
    end = f"--{BOUNDARY.decode()}--\r\n".encode()
    parts = [form_part(b"x" * 90_000, "files").removesuffix(end) for _ in range(24)]
    answer = ask(client, RawRequest("/predict/batch", headers=FORM, pieces=[*parts, end]))
    assert json.loads(answer.body)["summary"]["succeeded"] == 24
    assert process_memory().used == 0


def test_results_for_which_there_is_no_memory_are_refused(start: Start, script: Script) -> None:
    script.faces = 20
    client = start(body_memory_mb=2)
    result = batch(client, PICTURE, query="?faces=all&explain=true")
    assert result["summary"]["by_error"] == {"overloaded": 1}
    assert batch(client, PICTURE, query="?faces=all&explain=grid")["summary"]["succeeded"] == 1
    assert process_memory().used == 0


def test_an_error_does_not_hold_its_picture_while_the_next_is_read(client: TestClient, script: Script) -> None:
    script.fails = error = InvalidImage()
    assert batch(client, PICTURE, PICTURE)["summary"]["by_error"] == {"invalid_image": 1}
    assert error.__traceback__ is None


def test_a_timeout_holds_no_picture_until_the_garbage_collector_comes(start: Start, script: Script) -> None:
    client = start(request_timeout_seconds=0.5, queue_timeout_seconds=0.5)
    pixels: list[weakref.ref[Any]] = []
    answered = threading.Event()

    def faces_in(_: bytes, picture: Picture) -> list[Face]:
        pixels.append(weakref.ref(picture.pixels))
        assert answered.wait(PATIENCE)
        return [face()]

    script.faces_in = faces_in
    gc.collect()
    gc.disable()
    try:
        result = batch(client, portrait())
        answered.set()
        assert [item["error"] for item in result["results"]] == ["timeout"]
        until(lambda: pixels[0]() is None)
    finally:
        gc.enable()


def test_an_item_that_is_too_large_has_its_error_in_its_place(start: Start) -> None:
    client = start(max_file_size_mb=0.01)
    result = batch(client, b"x" * 20_000, PICTURE)
    assert [item.get("error") for item in result["results"]] == ["file_too_large", None]


def test_more_files_than_allowed_are_refused(start: Start) -> None:
    client = start(max_batch_files=2)
    assert batch(client, PICTURE, PICTURE)["summary"]["total"] == 2
    response = client.post("/predict/batch", **form(PICTURE, PICTURE, PICTURE))
    assert (response.status_code, response.json()["error"]) == (413, "too_many_files")
    assert "2" in response.json()["message"]


def test_two_hundred_files_are_refused_and_the_next_request_is_answered(client: TestClient) -> None:
    response = client.post("/predict/batch", **form(*[PICTURE] * 200))
    assert (response.status_code, response.json()["error"]) == (413, "too_many_files")
    assert batch(client, PICTURE)["summary"]["succeeded"] == 1


def test_names_are_echoed_safely(client: TestClient) -> None:
    result = batch(client, PICTURE, PICTURE, names=("../../etc/pass\u202ewd", "x" * 500))
    assert result["results"][0]["filename"] == "passwd"
    assert len(result["results"][1]["filename"]) == 120


def test_explanations_come_with_each_item(client: TestClient) -> None:
    result = batch(client, PICTURE, PICTURE, query="?explain=true")
    assert all(item["explanation"]["overlay"].startswith("data:image/png") for item in result["results"])


def test_all_faces_of_each_item(client: TestClient, script: Script) -> None:
    script.faces = 2
    result = batch(client, PICTURE, query="?faces=all")
    assert len(result["results"][0]["faces"]) == 2


@pytest.mark.parametrize(
    ("kwargs", "status", "error"),
    [
        ({"files": {"file": ("a.jpg", PICTURE)}}, 422, "invalid_request"),
        ({"content": PICTURE}, 415, "unsupported_media_type"),
        ({}, 415, "unsupported_media_type"),
    ],
)
def test_a_wrong_body_is_one_error(client: TestClient, kwargs: dict[str, Any], status: int, error: str) -> None:
    response = client.post("/predict/batch", **kwargs)
    assert (response.status_code, response.json()["error"]) == (status, error)


def rows(client: TestClient, accept: str, *pictures: bytes, names: tuple[str, ...] = ()) -> list[dict[str, str]]:
    response = client.post("/predict/batch", headers={"Accept": accept}, **form(*pictures, names=names))
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in response.headers["content-disposition"]
    return list(csv.DictReader(io.StringIO(response.text)))


@pytest.mark.parametrize(
    "accept",
    [
        "text/csv",
        "text/csv;q=0.9, application/json;q=0.5",
        "Text/CSV , */*;q=0.1",
        "text/csv, */*",
        "text/csv;q=0.5,*/*;q=0",
    ],
)
def test_csv_where_a_client_prefers_it(client: TestClient, accept: str) -> None:
    first, second = rows(client, accept, PICTURE, BAD, names=("=cmd().jpg", "b.jpg"))
    assert first["filename"] == "'=cmd().jpg"
    assert (first["emotion"], first["p_happy"], first["x"]) == ("happy", "0.92", "10")
    assert (second["success"], second["error"]) == ("false", "invalid_image")


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "*/*",
        "text/csv;q=0",
        "text/csv;q=0.1, application/json",
        "image/png",
        "text/csv;q=x",
        "*/*, text/csv;q=0.5",
        "application/*,text/csv;q=0.1",
    ],
)
def test_json_everywhere_else(client: TestClient, accept: str) -> None:
    response = client.post("/predict/batch", headers={"Accept": accept}, **form(PICTURE))
    assert response.headers["content-type"] == "application/json"
    assert response.headers["vary"] == "Accept"


def test_a_batch_costs_what_it_holds(start: Start) -> None:
    client = start(rate_limit="5/minute")
    assert batch(client, PICTURE, PICTURE, PICTURE)["summary"]["total"] == 3
    assert batch(client, PICTURE, PICTURE)["summary"]["total"] == 2
    response = client.post("/predict/batch", **form(PICTURE))
    assert (response.status_code, response.json()["error"]) == (429, "rate_limited")


def test_a_batch_that_runs_out_of_its_rate_is_refused_as_a_whole(start: Start) -> None:
    client = start(rate_limit="4/minute")
    assert client.post("/predict/batch", **form(PICTURE)).status_code == 200
    response = client.post("/predict/batch", **form(*[PICTURE] * 4))
    assert (response.status_code, response.json()["error"]) == (429, "rate_limited")
    # After the 20 s for one picture, the same batch would be refused again.
    assert 50 <= int(response.headers["retry-after"]) <= 60
    until(lambda: service_of(client).pool.busy == 0 and service_of(client).pool.waiting == 0)


def test_a_batch_that_no_wait_would_let_in_is_too_large(start: Start) -> None:
    response = start(rate_limit="3/minute;100/hour").post("/predict/batch", **form(*[PICTURE] * 4))
    assert (response.status_code, response.json()["error"]) == (413, "too_many_files")
    assert "allows 3 pictures at once" in response.json()["message"]
    assert "retry-after" not in response.headers


def test_a_batch_that_breaks_off_leaves_nothing_behind(start: Start, script: Script) -> None:
    client = start(workers=1)
    script.gate = threading.Event()
    whole = client.build_request("POST", "/predict/batch", **form(PICTURE, PICTURE, PICTURE))
    body = whole.read()

    async def cut_short() -> AsyncIterator[bytes]:
        yield body[:-100]
        await asyncio.to_thread(script.wait_until_entered)

    async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
        await client.app({**scope, "state": {"service": service_of(client)}}, receive, send)

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(with_state)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as sender:
            headers = {"Content-Type": whole.headers["content-type"]}
            return await sender.post("/predict/batch", content=cut_short(), headers=headers)

    assert client.portal is not None
    response = client.portal.call(send)
    assert (response.status_code, response.json()["error"]) == (422, "invalid_request")
    pool = service_of(client).pool
    assert pool.waiting == 0
    script.gate.set()
    until(lambda: pool.busy == 0)
    assert (script.started, script.finished) == (1, 0)


def test_a_picture_of_a_batch_with_too_many_faces_for_occlusion_leaves_the_others_alone(
    client: TestClient, script: Script
) -> None:
    script.faces = 9
    result = batch(client, PICTURE, PICTURE, query="?faces=all&explain=grid&explain_method=occlusion")
    assert {item["error"] for item in result["results"]} == {"invalid_request"}
    script.faces = 2
    result = batch(client, PICTURE, query="?faces=all&explain=grid&explain_method=occlusion")
    assert [face["explanation"]["method"] for face in result["results"][0]["faces"]] == ["occlusion"] * 2


def test_a_batch_has_a_hundred_faces_explained_at_most(start: Start, script: Script) -> None:
    client = start()
    script.faces = 40
    result = batch(client, *[PICTURE] * 4, query="?faces=all&explain=grid")
    assert [item.get("error") for item in result["results"]] == [None, None, "invalid_request", "invalid_request"]
    assert "at most 100 faces" in result["results"][2]["message"]
    plain = batch(client, *[PICTURE] * 4, query="?faces=all")
    assert plain["summary"]["succeeded"] == 4
