"""Up to three processes of the service behind a real nginx with one real Redis: throughput, shared limits, a crash.

    python -m benchmarks.replicas [--quick] [--json FILE]

It measures the throughput of one replica with two workers and of one, two and three replicas with one worker each. It
checks that replicas share one rate limit, kills one under load, and starts it again. The proxy is configured by
deploy/nginx. Bounds that need free cores are checked only without ``--quick``.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from benchmarks.form import CONTENT_TYPE, form
from benchmarks.load.closed import Request, closed_loop
from benchmarks.processes import Server, free_port
from tests.backends import Proxy, nginx, redis

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "sample_images/happy_sample.jpg"
BUDGET = 30
CLIENTS = 8


@dataclass(frozen=True, slots=True)
class Load:
    """A closed-loop run of wrk through the proxy."""

    replicas: int
    workers: int
    """Workers of each replica."""
    a_second: float
    failed: int
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    """CPU time of the replicas per request."""
    proxy_cpu_ms: float
    memory_mb: tuple[float, ...]
    """Proportional set size of each replica after the load."""


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of one run."""

    cores: int
    loads: tuple[Load, ...]
    start_ms: tuple[float, ...]
    budget: int
    accepted: int
    refused: int
    killed_requests: int
    killed_failed: int
    restart_ms: float


class Replica:
    """One process of the service on a port of its own."""

    def __init__(self, environment: dict[str, str], scratch: Path) -> None:
        self.port = free_port()
        self.start_ms = 0.0
        self._environment = environment | {"PORT": str(self.port), "HOST": "127.0.0.1"}
        self._log = scratch / f"replica-{self.port}.log"
        self.server = self._start()

    def _start(self) -> Server:
        return Server([sys.executable, "-m", "app"], self._environment, self._log)

    def wait_ready(self) -> None:
        self.start_ms = self.server.wait_ready(self.port, "/health/ready") * 1000

    def restart(self) -> None:
        self.server.stop()
        self.server = self._start()
        self.wait_ready()

    def stop(self) -> None:
        self.server.stop(patience=60)


def processes(proxy: Proxy) -> list[psutil.Process]:
    master = psutil.Process(proxy.pid)
    return [master, *master.children()]


def cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


@contextmanager
def service(count: int, environment: dict[str, str], scratch: Path) -> Iterator[tuple[list[Replica], Proxy]]:
    with ExitStack() as stack:
        replicas = []
        for _ in range(count):
            replicas.append(Replica(environment, scratch))
            stack.callback(replicas[-1].stop)
        for replica in replicas:
            replica.wait_ready()
        yield replicas, stack.enter_context(nginx("nginx", *(replica.port for replica in replicas)))


def predict(connection: http.client.HTTPConnection, body: bytes) -> int:
    connection.request("POST", "/predict", body, {"Content-Type": CONTENT_TYPE})
    response = connection.getresponse()
    response.read()
    return response.status


def load(replicas: Sequence[Replica], proxy: Proxy, workers: int, seconds: int, scratch: Path) -> Load:
    body = scratch / "body"
    body.write_bytes(form(PICTURE.read_bytes()))
    request = Request(proxy.port, "/predict", body, 200, '"emotion":"happy"')
    for duration in (2, seconds):
        before = sum(replica.server.cpu_seconds() for replica in replicas), cpu_seconds(processes(proxy))
        found = closed_loop(request, CLIENTS, duration)
        after = sum(replica.server.cpu_seconds() for replica in replicas), cpu_seconds(processes(proxy))
    requests = max(found.requests, 1)
    return Load(
        replicas=len(replicas),
        workers=workers,
        a_second=round(found.throughput, 1),
        failed=found.wrong,
        p50_ms=round(found.p50, 1),
        p99_ms=round(found.p99, 1),
        cpu_ms=round((after[0] - before[0]) / requests * 1000, 2),
        proxy_cpu_ms=round((after[1] - before[1]) / requests * 1000, 2),
        memory_mb=tuple(round(replica.server.memory().proportional, 1) for replica in replicas),
    )


def spend_budget(proxy: Proxy) -> tuple[int, int]:
    """Sends twice the budget from one client. Returns how many requests were accepted and how many refused."""
    body = form(PICTURE.read_bytes())
    statuses = []
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    for _ in range(2 * BUDGET):
        statuses.append(predict(connection, body))
    connection.close()
    return statuses.count(200), statuses.count(429)


def kill_one(replicas: Sequence[Replica], proxy: Proxy, seconds: float) -> tuple[int, int]:
    """Kills the first replica after a third of the time. Returns how many requests were sent and how many failed."""
    body = form(PICTURE.read_bytes())
    statuses: list[int | None] = []
    end = time.monotonic() + seconds

    def client() -> None:
        while time.monotonic() < end:
            connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
            try:
                statuses.append(predict(connection, body))
            except OSError:
                statuses.append(None)
            finally:
                connection.close()

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    time.sleep(seconds / 3)
    replicas[0].server.kill()
    for thread in threads:
        thread.join()
    return len(statuses), sum(status != 200 for status in statuses)


def measure(seconds: int) -> Result:
    redis_port = free_port()
    with tempfile.TemporaryDirectory() as folder, redis("redis-server", redis_port):
        scratch = Path(folder)
        storage = {
            "RATE_LIMIT_STORAGE": f"redis://127.0.0.1:{redis_port}",
            "TRUSTED_PROXIES": "127.0.0.1",
            "LOG_LEVEL": "error",
            "DRAIN_SECONDS": "0",
        }
        loads = []
        for count, workers in ((1, 2), (1, 1), (2, 1), (3, 1)):
            settings = storage | {"WORKERS": str(workers), "RATE_LIMIT": "1000000/minute"}
            with service(count, settings, scratch) as (replicas, proxy):
                loads.append(load(replicas, proxy, workers, seconds, scratch))
                if count == 3:
                    starts = tuple(round(replica.start_ms) for replica in replicas)
                    sent, failed = kill_one(replicas, proxy, seconds)
                    replicas[0].restart()
                    restart = round(replicas[0].start_ms)
        with service(3, storage | {"WORKERS": "1", "RATE_LIMIT": f"{BUDGET}/minute"}, scratch) as (_, proxy):
            accepted, refused = spend_budget(proxy)
    return Result(len(os.sched_getaffinity(0)), tuple(loads), starts, BUDGET, accepted, refused, sent, failed, restart)


def broken_bounds(result: Result, *, free_cores: bool) -> list[str]:
    broken = []
    if (result.accepted, result.refused) != (BUDGET, BUDGET):
        broken.append(f"of {2 * BUDGET} requests {result.accepted} were accepted, not {BUDGET}")
    if result.killed_failed > CLIENTS:
        broken.append(f"{result.killed_failed} requests failed; a replica holds at most {CLIENTS}")
    if failed := sum(load.failed for load in result.loads):
        broken.append(f"{failed} requests failed under load")
    pod, one, two, _ = result.loads
    if free_cores and result.cores >= 2 and pod.a_second < 1.2 * one.a_second:
        broken.append(f"two workers serve {pod.a_second / one.a_second:.2f} times what one does, not 1.2")
    if free_cores and result.cores >= 2 and two.a_second < 1.4 * one.a_second:
        broken.append(f"two replicas serve {two.a_second / one.a_second:.2f} times what one does, not 1.4")
    if free_cores and result.restart_ms > 5000:
        broken.append(f"a killed replica is ready again after {result.restart_ms:.0f} ms, not 5,000")
    return broken


def report(result: Result) -> None:
    print(f"{result.cores} cores, shared by replicas, nginx, Redis and the load generator; {CLIENTS} clients\n")
    print("replicas  workers of each   requests/s     p50     p99   CPU a request    nginx  failed  memory of each")
    for run in result.loads:
        print(
            f"{run.replicas:8}{run.workers:17}{run.a_second:13.1f}  {run.p50_ms:5.1f} ms {run.p99_ms:5.1f} ms"
            f"   {run.cpu_ms:10.2f} ms {run.proxy_cpu_ms:5.2f} ms {run.failed:6}  {listed(run.memory_mb)} MB"
        )
    print(f"\nstart to ready           {listed(result.start_ms)} ms, three at once")
    print(
        f"{result.budget} requests a minute    {result.accepted} accepted, {result.refused} refused, by three replicas"
    )
    print(f"one replica killed       {result.killed_failed} of {result.killed_requests} requests failed")
    print(f"and started again        ready after {result.restart_ms:.0f} ms")


def listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.0f}" for value in values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short runs, and no bounds that need free cores")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    for program in ("nginx", "redis-server", "wrk"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is not installed")
    result = measure(3 if arguments.quick else 15)
    report(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(result), indent=2) + "\n")
    if broken := broken_bounds(result, free_cores=not arguments.quick):
        raise SystemExit("\n" + "\n".join(broken))


if __name__ == "__main__":
    main()
