"""Hours of mixed traffic with some hostile files in it: memory, files and threads stay where they were."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from dataclasses import dataclass
from pathlib import Path

from tests.drills.client import Answer, ask, statuses, upload
from tests.drills.report import Report, run
from tests.hostile import hostile_files
from tests.pictures import faceless, portrait
from tests.process import ServerProcess

HOSTILE_SHARE = 0.05
CLIENTS = 4


@dataclass(frozen=True)
class Sample:
    """What the process held at one moment."""

    seconds: float
    megabytes: float
    files: int
    threads: int


def drill(report: Report) -> None:
    minutes = 60.0 if report.long else 1.5
    with ServerProcess({"LOG_LEVEL": "warning"}) as server:
        server.wait_ready()
        samples, answers = asyncio.run(_mix(server, 60 * minutes))
        report.note(f"answers: {statuses(answers)}")
        report.check("no answer is a 5xx or missing", all(0 < a.status < 500 for a in answers), statuses(answers))
        # The first third is warm-up: every size of picture has to have been seen once.
        settled = [sample for sample in samples if sample.seconds > 20 * minutes]
        first, last = settled[0], settled[-1]
        report.figure("resident memory at the end", last.megabytes, "MB")
        if report.long:
            report.figure("slope of the memory", _slope(settled), "%/h", at_most=1)
        else:
            report.figure("memory grown after warm-up", last.megabytes - first.megabytes, "MB", at_most=15)
        report.figure("file descriptors gained", last.files - first.files, at_most=CLIENTS)
        report.figure("threads gained", last.threads - first.threads, at_most=0)


async def _mix(server: ServerProcess, seconds: float) -> tuple[list[Sample], list[Answer]]:
    chance = random.Random(1)
    honest = [
        *(upload("/predict", portrait(width)) for width in (256, 512, 1080, 2160)),
        upload("/predict?faces=all&explain=true", portrait(640)),
        upload("/predict", faceless()),
        upload("/predict/batch", portrait(256), faceless(), portrait(512), field="files"),
    ]
    hostile = [upload("/predict", file.data) for file in hostile_files() if len(file.data) < 1_000_000]
    started = time.monotonic()
    answers: list[Answer] = []

    async def client() -> None:
        while time.monotonic() < started + seconds:
            kind = hostile if chance.random() < HOSTILE_SHARE else honest
            answers.append(await ask(server.port, chance.choice(kind)))

    async def watch() -> list[Sample]:
        samples = []
        for tick in itertools.count():
            samples.append(_sample(server.pid, time.monotonic() - started))
            if samples[-1].seconds > seconds:
                return samples
            await asyncio.sleep(max(started + tick * seconds / 120 - time.monotonic(), 0.1))
        return samples

    samples, *_ = await asyncio.gather(watch(), *(client() for _ in range(CLIENTS)))
    return samples, answers


def _sample(pid: int, seconds: float) -> Sample:
    process = Path("/proc") / str(pid)
    fields = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return Sample(
        seconds,
        int(fields["VmRSS"].split()[0]) / 1024,
        len(list((process / "fd").iterdir())),
        int(fields["Threads"]),
    )


def _slope(samples: list[Sample]) -> float:
    """Percent of the mean an hour, by least squares."""
    count = len(samples)
    mean_x = sum(sample.seconds for sample in samples) / count
    mean_y = sum(sample.megabytes for sample in samples) / count
    across = sum((sample.seconds - mean_x) ** 2 for sample in samples)
    slope = sum((sample.seconds - mean_x) * (sample.megabytes - mean_y) for sample in samples) / across
    return slope * 3600 / mean_y * 100


if __name__ == "__main__":
    run("soak", drill)
