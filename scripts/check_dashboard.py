"""Runs every query of the dashboard in a real Prometheus that scrapes a real service with Redis under load.

    python scripts/check_dashboard.py [--seconds 20]

The load causes everything that is counted except internal errors: pictures with and without faces, uncertain results,
warnings, a client above its rate, a full queue, a shadow model, streams whose frames are read, passed over and refused.
Exits with an error if a query is invalid or returns nothing. Zeros that a query itself puts in place of missing values
count as nothing.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

ROOT = Path(__file__).resolve().parent.parent
DASHBOARD = ROOT / "deploy/grafana/dashboards/visage.json"
NOTHING_YET = " or on() vector(0)"
SHADOW = "second"
CLIENTS = 8

REQUESTS = (
    ("happy_sample.jpg", ""),
    ("neutral_sample.jpg", "?explain=true"),
    ("no_face.jpg", ""),
    ("no_face.jpg", "?on_no_face=center"),
    ("multiple_faces.jpg", "?faces=all"),
)
"""Pictures and query strings."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} was not ready after a minute")
        time.sleep(0.05)


def start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def send(port: int, picture: bytes, query: str, client: str) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + picture + b"\r\n--b--\r\n"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": "multipart/form-data; boundary=b", "X-Forwarded-For": client}
    connection.request("POST", f"/predict{query}", body, headers)
    connection.getresponse().read()
    connection.close()


def stream(port: int, picture: bytes, client: str) -> None:
    """Sends something that is no picture, and frames faster than they are read."""
    with connect(f"ws://127.0.0.1:{port}/stream", additional_headers={"X-Forwarded-For": client}) as socket:
        socket.send(b"no picture")
        # `started`, and the error. The newest frame wins: a picture would take the place of this one.
        socket.recv()
        socket.recv()
        for _ in range(4):
            socket.send(picture)
        socket.send('{"type": "end"}')
        for _ in socket:
            pass


def load(port: int, seconds: float) -> None:
    """Bursts of requests, each from another address, one client above its rate, and streams."""
    requests = [((ROOT / "sample_images" / name).read_bytes(), query) for name, query in REQUESTS]
    addresses = (str(address) for address in ip_network("198.18.0.0/15"))
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(CLIENTS) as clients:
        while time.monotonic() < end:
            sent = [clients.submit(send, port, *request, next(addresses)) for request in requests]
            sent.append(clients.submit(send, port, *requests[0], "203.0.113.1"))
            sent.append(clients.submit(stream, port, requests[0][0], next(addresses)))
            for request in sent:
                request.result()
            # One request alone, so that a worker is free for the shadow model afterwards.
            send(port, *requests[0], next(addresses))
            time.sleep(0.05)


def models(folder: Path) -> Path:
    """Copies the service's models, and the default under a second name."""
    shutil.copytree(ROOT / "models", folder)
    shutil.copytree(folder / "default", folder / SHADOW)
    manifest = folder / SHADOW / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"name": SHADOW}))
    return folder


def configuration(service: int) -> str:
    """The job of the committed configuration, with a fixed address and a shorter interval."""
    return json.dumps(
        {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(ROOT / "deploy/prometheus/alerts.yml")],
            "scrape_configs": [{"job_name": "visage", "static_configs": [{"targets": [f"127.0.0.1:{service}"]}]}],
        }
    )


def run_query(prometheus: int, expression: str) -> list[Any]:
    if 'status="500"' not in expression:
        expression = expression.replace(NOTHING_YET, "")
    expression = expression.replace("$__rate_interval", "10s").replace("$instance", ".*")
    status, body = get(prometheus, "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
    if status != 200:
        raise SystemExit(f"{expression}\n{body.decode()}")
    found: list[Any] = json.loads(body)["data"]["result"]
    return found


def check(prometheus: int) -> list[str]:
    """Prints the result of each query. Returns the titles of panels with a query that returns nothing."""
    empty = []
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            found = run_query(prometheus, target["expr"])
            first = found[0]["value"][1] if found else "nothing"
            print(f"{panel['title']:32} {len(found):3} series, the first {first}")
            if not found or (len(found) == 1 and first == "NaN"):
                empty.append(panel["title"])
    return empty


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="seconds of load")
    seconds = parser.parse_args().seconds
    service, prometheus, redis = free_port(), free_port(), free_port()
    processes: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch, "prometheus.yml")
        config.write_text(configuration(service))
        try:
            arguments = ["--port", str(redis), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
            processes.append(start(["redis-server", *arguments], dict(os.environ)))
            settings = {
                "PORT": str(service),
                "HOST": "127.0.0.1",
                "WORKERS": "2",
                "QUEUE_SIZE": "2",
                "RATE_LIMIT": "20/minute",
                "RATE_LIMIT_STORAGE": f"redis://127.0.0.1:{redis}",
                "TRUSTED_PROXIES": "127.0.0.1",
                "CONFIDENCE_THRESHOLD": "1",
                "MODELS_DIR": str(models(Path(scratch, "models"))),
                "SHADOW_MODEL": SHADOW,
                "SHADOW_SHARE": "1",
                "DRAIN_SECONDS": "0",
            }
            processes.append(start([sys.executable, "-m", "app"], os.environ | settings))
            wait(lambda: get(service, "/health/ready")[0] == 200, "the service")
            arguments = [f"--config.file={config}", f"--storage.tsdb.path={scratch}/data"]
            arguments.append(f"--web.listen-address=127.0.0.1:{prometheus}")
            processes.append(start(["prometheus", *arguments], dict(os.environ)))
            wait(lambda: get(prometheus, "/-/ready")[0] == 200, "Prometheus")
            load(service, seconds)
            empty = check(prometheus)
            alerts = json.loads(get(prometheus, "/api/v1/alerts")[1])["data"]["alerts"]
            print(f"alerts: {', '.join(alert['labels']['alertname'] for alert in alerts) or 'none'}")
        finally:
            for process in processes:
                process.terminate()
                process.wait(timeout=60)
    if empty:
        raise SystemExit(f"no data for {', '.join(empty)}")


if __name__ == "__main__":
    main()
