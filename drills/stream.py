"""Streams: their pace, their share of the service beside single requests, their memory, and their end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import socket
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import cv2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.pipeline import FrameOptions, Pipeline
from app.vision.decode import ImageLimits
from app.vision.detectors import make_detector
from drills.client import HOST, Response, get, quantile, send, upload
from drills.process_stats import process_stats
from drills.report import Report, run
from tests.crossing import crossing, frames, numbers_kept
from tests.pictures import framed
from tests.process import ROOT, ServerProcess

FRAME = framed()
REQUEST = upload("/predict", FRAME)
MANY = {"STREAM_FRAMES_PER_SECOND": 1000, "LOG_LEVEL": "warning"}
"""All clients of this drill have one address, and so one rate."""


@dataclass
class Session:
    """What one client saw of its stream."""

    sent: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    """From sending a frame to its prediction."""
    told: int = 0
    """Frames that predictions and errors account for: themselves, and those that were skipped before them."""
    summary: dict[str, Any] | None = None
    code: int | None = None

    def take(self, message: dict[str, Any]) -> None:
        if message["type"] == "summary":
            self.summary = message
        elif "frame" in message:
            self.told += 1 + message["skipped"]
            self.seconds.append(time.perf_counter() - self.sent[message["frame"]])

    @property
    def honest(self) -> bool:
        """Whether every frame that was sent is accounted for, by the summary and by the messages before it."""
        if self.summary is None:
            return False
        frames = self.summary["frames"]
        counted = frames["read"] + frames["failed"] + sum(frames["skipped"].values())
        return frames["received"] == counted == len(self.sent) and self.told <= len(self.sent)


@asynccontextmanager
async def opened(port: int, query: str = "") -> AsyncIterator[ClientConnection]:
    async with connect(f"ws://{HOST}:{port}/stream{query}", max_size=None, proxy=None, compression=None) as websocket:
        await websocket.recv()
        yield websocket


async def listen(websocket: ClientConnection, session: Session) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for message in websocket:
            session.take(json.loads(message))
    session.code = websocket.close_code


def drill(report: Report) -> None:
    _crossings(report)
    with ServerProcess(MANY) as server:
        server.wait_ready()
        _one(report, server)
        _twenty(report, server)
        _long_session(report, server)
        _killed(report, server)
    _beside_requests(report)
    _not_reading(report)
    _terminated(report)


def _crossings(report: Report) -> None:
    """Two people who walk past each other, as the detector finds them."""
    cv2.setNumThreads(1)
    pipeline = Pipeline(make_detector(ROOT / "models", 0.5), ImageLimits(max_pixels=50_000_000))
    draws = 200 if report.long else 50
    kept = sum(numbers_kept(pipeline, draw) for draw in range(draws))
    _searches(report, pipeline)
    report.figure(f"pairs who cross and keep their numbers, of {draws}", kept, at_least=draws if draws == 50 else 196)


def _searches(report: Report, pipeline: Pipeline) -> None:
    """What it saves to search where the faces were, with two faces in a frame."""
    _, picture = next(frames(crossing(0)))
    whole = FrameOptions(every_face=True)
    known = tuple(face.box for face in pipeline.search(picture, whole)[0])
    again = FrameOptions(every_face=True, whole_frame=False, known=known, known_count=len(known))
    times: dict[FrameOptions, list[float]] = {whole: [], again: []}
    for _ in range(30):
        for options, taken in times.items():
            started = time.perf_counter()
            pipeline.search(picture, options)
            taken.append(time.perf_counter() - started)
    full, close = (statistics.median(taken) * 1000 for taken in times.values())
    report.figure("two faces: search of the whole frame", full, "ms")
    report.figure("two faces: search where they were, in times of it", close / full, at_most=0.67)


def _one(report: Report, server: ServerProcess) -> None:
    seconds = 20 if report.long else 5
    session = asyncio.run(_as_fast_as_it_reads(server.port, seconds))
    report.figure("one stream of 640 x 480: frames read a second", len(session.seconds) / seconds, "/s", at_least=60)
    report.check("every frame is accounted for", session.honest)


async def _as_fast_as_it_reads(port: int, seconds: float, step: float | None = None) -> Session:
    """One stream with two frames on their way at any time. ``step`` is the time between them that it claims."""
    session = Session()
    async with opened(port) as websocket:
        until = time.perf_counter() + seconds

        async def put() -> None:
            if step is not None:
                await websocket.send(json.dumps({"type": "time", "t": len(session.sent) * step}))
            session.sent.append(time.perf_counter())
            await websocket.send(FRAME)

        for _ in range(2):
            await put()
        while time.perf_counter() < until:
            message = json.loads(await websocket.recv())
            session.take(message)
            for _ in range(1 + message.get("skipped", 0)):
                await put()
        await websocket.send('{"type": "end"}')
        await listen(websocket, session)
    return session


def _twenty(report: Report, server: ServerProcess) -> None:
    seconds = 30 if report.long else 6
    sessions = asyncio.run(_at_a_rate(server.port, 20, 10, seconds))
    times = [Response(200, taken) for session in sessions for taken in session.seconds]
    report.figure("20 streams at 10 frames a second: frames read", len(times))
    report.figure("20 streams: p95 from frame to prediction", quantile(times, 0.95), "ms", at_most=150)
    report.check("every frame of each is accounted for", all(session.honest for session in sessions))


async def _at_a_rate(port: int, streams: int, rate: float, seconds: float) -> list[Session]:
    async def client(number: int) -> Session:
        session = Session()
        async with opened(port) as websocket:
            listener = asyncio.create_task(listen(websocket, session))
            begun = time.perf_counter() + number / streams / rate
            for frame in range(int(rate * seconds)):
                await asyncio.sleep(begun + frame / rate - time.perf_counter())
                session.sent.append(time.perf_counter())
                await websocket.send(FRAME)
            await websocket.send('{"type": "end"}')
            await listener
        return session

    return list(await asyncio.gather(*(client(number) for number in range(streams))))


def _long_session(report: Report, server: ServerProcess) -> None:
    """An hour, in which frames come as fast as they are read."""
    seconds = 900 if report.long else 20
    asyncio.run(_as_fast_as_it_reads(server.port, 5))
    before = process_stats(server.pid).anonymous
    session = asyncio.run(_as_fast_as_it_reads(server.port, seconds, step=3600 / (100 * seconds)))
    grown = process_stats(server.pid).anonymous - before
    assert session.summary is not None
    report.figure("time of a long session, as its frames claim", session.summary["duration"] / 60, "min")
    report.figure("memory after it", grown, "MB", at_most=5)


def _killed(report: Report, server: ServerProcess) -> None:
    """SIGKILL of a client."""
    client = multiprocessing.get_context("spawn").Process(target=_hold, args=(server.port,))
    client.start()
    asyncio.run(_until_open(server.port, 1))
    client.kill()
    started = time.perf_counter()
    asyncio.run(_until_open(server.port, 0))
    report.figure("place of a killed client free after", time.perf_counter() - started, "s", at_most=1)
    client.join()


def _hold(port: int) -> None:
    asyncio.run(_as_fast_as_it_reads(port, 60))


def _beside_requests(report: Report) -> None:
    """Single requests, alone and beside 32 clients that send as fast as they can."""
    count = 300 if report.long else 100
    # Of 43 places one client gets 32.
    with ServerProcess({**MANY, "MAX_STREAMS": 43, "STREAM_FRAMES_PER_SECOND": 30}) as server:
        server.wait_ready()
        asyncio.run(_in_turn(server.port, 20))
        alone = asyncio.run(_in_turn(server.port, count))
        clients = multiprocessing.get_context("spawn").Process(target=_flood, args=(server.port,))
        clients.start()
        asyncio.run(_until_open(server.port, 32))
        time.sleep(1)
        beside = asyncio.run(_in_turn(server.port, count))
        opened_streams = asyncio.run(_open(server.port))
        clients.kill()
        clients.join()
    report.figure("single requests alone: median", quantile(alone, 0.5), "ms")
    report.figure("streams open beside them", opened_streams, at_least=32)
    times = quantile(beside, 0.5) / quantile(alone, 0.5)
    report.figure("beside 32 streams that send as they can: median, times", times, at_most=2)
    report.figure("and p95, in times of the median alone", quantile(beside, 0.95) / quantile(alone, 0.5))
    report.check("all of them served", all(response.status == 200 for response in alone + beside))


async def _in_turn(port: int, count: int) -> list[Response]:
    responses = []
    for _ in range(count):
        responses.append(await send(port, REQUEST))
        await asyncio.sleep(0.01)
    return responses


def _flood(port: int) -> None:
    # The clients share the machine with the service, which they would not do in earnest.
    os.nice(19)

    async def discard(websocket: ClientConnection) -> None:
        async for _ in websocket:
            pass

    async def client() -> None:
        async with opened(port) as websocket, asyncio.TaskGroup() as tasks:
            tasks.create_task(discard(websocket))
            while True:
                await websocket.send(FRAME)
                await asyncio.sleep(0)

    async def clients() -> None:
        await asyncio.gather(*(client() for _ in range(32)))

    asyncio.run(clients())


def _not_reading(report: Report) -> None:
    """Clients that send frames and never read a prediction."""
    deadline, clients = 3.0, 8
    with ServerProcess({**MANY, "REQUEST_TIMEOUT_SECONDS": deadline, "QUEUE_TIMEOUT_SECONDS": deadline}) as server:
        server.wait_ready()
        asyncio.run(_as_fast_as_it_reads(server.port, 3))
        before = process_stats(server.pid).anonymous
        blocked, most = asyncio.run(_send_only(server, clients))
    report.figure("clients that do not read: longest until closed", blocked, "s", at_most=deadline + 1)
    report.figure("memory of each", (most - before) / clients, "MB", at_most=2)


async def _send_only(server: ServerProcess, clients: int) -> tuple[float, float]:
    """Returns the longest time that a stream was open once its client stopped reading, and the most memory."""
    most = 0.0

    async def client() -> float:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect((HOST, server.port))
        address = f"ws://{HOST}:{server.port}/stream?faces=all"
        async with connect(address, sock=sock, max_queue=1, compression=None, close_timeout=0.1) as websocket:
            started = time.perf_counter()
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await websocket.send(FRAME)
                    await asyncio.sleep(0.02)
            return time.perf_counter() - started

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, process_stats(server.pid).anonymous)
            await asyncio.sleep(0.1)

    watcher = asyncio.create_task(watch())
    times = await asyncio.gather(*(client() for _ in range(clients)))
    watcher.cancel()
    return max(times), most


def _terminated(report: Report) -> None:
    with ServerProcess({**MANY, "DRAIN_SECONDS": 1}) as server:
        server.wait_ready()
        sessions = asyncio.run(_terminate(server))
        status = server.wait()
    ended = [session for session in sessions if session.summary is not None]
    report.figure("streams with a summary after SIGTERM, of 20", len(ended), at_least=20)
    right = all(session.code == 1012 and session.summary["reason"] == "draining" for session in ended)  # type: ignore[index]
    report.check("each for draining, with the code 1012", right)
    report.check("every frame that arrived is accounted for", all(_accounted(session) for session in ended))
    report.check("exit status 0", status == 0, str(status))


def _accounted(session: Session) -> bool:
    assert session.summary is not None
    frames = session.summary["frames"]
    return bool(frames["received"] == frames["read"] + frames["failed"] + sum(frames["skipped"].values()))


async def _terminate(server: ServerProcess) -> list[Session]:
    async def client() -> Session:
        session = Session()
        async with opened(server.port) as websocket:
            listener = asyncio.create_task(listen(websocket, session))
            with contextlib.suppress(ConnectionClosed):
                while True:
                    session.sent.append(time.perf_counter())
                    await websocket.send(FRAME)
                    await asyncio.sleep(0.1)
            await listener
        return session

    clients = [asyncio.create_task(client()) for _ in range(20)]
    await _until_open(server.port, 20)
    await asyncio.sleep(0.5)
    server.signal(signal.SIGTERM)
    return list(await asyncio.gather(*clients))


async def _open(port: int) -> float:
    text = (await send(port, get("/metrics"))).body.decode()
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith("visage_stream_open "))


async def _until_open(port: int, count: int) -> None:
    async with asyncio.timeout(30):
        while await _open(port) != count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    run("stream", drill)
