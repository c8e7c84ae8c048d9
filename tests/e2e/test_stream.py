"""Streams of a real server: hostile frames and clients, after which it serves as before."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.api.streams import StreamClient, started
from tests.e2e.conftest import StartServer
from tests.hostile import REFUSALS, hostile_files
from tests.pictures import faceless, framed, portrait
from tests.process import ServerProcess

pytestmark = pytest.mark.e2e

BOMBS = [each for each in hostile_files() if "20000" in each.name or "bomb" in each.name]


@asynccontextmanager
async def untouched(server: ServerProcess) -> AsyncIterator[StreamClient]:
    """A stream of a server that must serve as before when it has ended."""
    async with started(server.port) as client:
        yield client
    async with asyncio.timeout(10), httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        while _open(await http.get("/metrics")):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        response = await http.post("/predict", files={"file": portrait()})
    assert response.status_code == 200
    assert "Traceback" not in server.log


def _open(metrics: httpx.Response) -> float:
    found = re.search(r"^visage_stream_open (\S+)$", metrics.text, re.M)
    assert found is not None
    return float(found[1])


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"hello", "unsupported_media_type"),
        (b"", "empty_file"),
        (portrait()[: len(portrait()) // 2], "invalid_image"),
    ],
    ids=["text", "nothing", "half a picture"],
)
async def test_a_frame_that_is_no_picture(shared_server: ServerProcess, frame: bytes, code: str) -> None:
    async with untouched(shared_server) as client:
        await client.send(frame)
        assert (await client.receive("error"))["error"] == code
        assert len((await client.read(portrait()))["faces"]) == 1
        assert (await client.read(faceless()))["faces"] == []
        frames = (await client.end())["frames"]
    assert frames == {"received": 3, "read": 2, "failed": 1, "skipped": {}, "without_face": 1}


async def test_hostile_files_as_frames(server: StartServer) -> None:
    files = [each for each in hostile_files() if len(each.data) < 1_000_000][::8]
    assert BOMBS
    # A frame beyond the rate would be skipped, whatever it holds.
    async with untouched(server(stream_frames_per_second=1000)) as client:
        for each in [*BOMBS, *files]:
            await client.send(each.data)
            message = await client.receive()
            assert message["type"] == "prediction" or message["error"] in REFUSALS, each.name
            # So that there are never ten errors in a row.
            await client.read(portrait(128))


async def test_six_megabytes(shared_server: ServerProcess) -> None:
    async with untouched(shared_server) as client:
        await client.send(bytes(6_000_000))
        (error, summary), code = await client.rest()
    assert (error["error"], summary["reason"], code) == ("file_too_large", "frame_too_large", 1009)


async def test_a_thousand_messages_a_second(server: StartServer) -> None:
    """Every frame is accounted for, however many there are."""
    async with untouched(server()) as client:
        for _ in range(1000):
            await client.send(b"\xff\xd8\xff")
            await client.send({"type": "time", "t": 1})
        await client.send({"type": "end"})
        messages, code = await client.rest()
    assert code in {1000, 1008}
    frames = messages[-1]["frames"]
    assert frames["received"] == frames["read"] + frames["failed"] + sum(frames["skipped"].values())
    assert frames["skipped"]["rate"] > 0


async def test_a_flood_of_pings(shared_server: ServerProcess) -> None:
    async with untouched(shared_server) as client:
        for _ in range(3000):
            await client.websocket.ping()
        await client.read(portrait())
        assert (await client.end())["reason"] == "end"


async def test_a_frame_in_a_thousand_fragments(shared_server: ServerProcess) -> None:
    data = portrait()
    step = len(data) // 1000
    async with untouched(shared_server) as client:
        await client.websocket.send([data[at : at + step] for at in range(0, len(data), step)])
        assert len((await client.receive("prediction"))["faces"]) == 1


async def test_details_of_every_frame(shared_server: ServerProcess) -> None:
    async with started(shared_server.port, details="head_pose,action_units,mesh") as client:
        (shown,) = (await client.read(portrait()))["faces"]
        assert len(shown["mesh"]) == 478
        assert "AU12" in shown["action_units"]
        assert (await client.read(faceless()))["faces"] == []


async def test_a_face_is_followed_through_frames(shared_server: ServerProcess) -> None:
    """The whole frame is not searched each time, and the face stays where it is."""
    async with untouched(shared_server) as client:
        boxes = []
        for number in range(12):
            await client.send({"type": "time", "t": number / 10})
            (shown,) = (await client.read(framed()))["faces"]
            assert shown["track"] == 1
            boxes.append(shown["face"]["box"])
    assert all(abs(box["x"] - boxes[0]["x"]) <= 2 for box in boxes)


async def test_the_server_ends_with_a_summary_for_each_stream() -> None:
    with ServerProcess({"WORKERS": 1, "DRAIN_SECONDS": 0}) as server:
        server.wait_ready()
        async with started(server.port) as one, started(server.port) as other:
            await one.read(portrait())
            begun = time.monotonic()
            server.signal()
            for client in (one, other):
                (summary,), code = await client.rest()
                assert (summary["reason"], code) == ("draining", 1012)
        assert await asyncio.to_thread(server.wait) == 0
        assert time.monotonic() - begun < 8
        assert "Traceback" not in server.log
