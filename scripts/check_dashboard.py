"""Runs every query of the dashboard in a real Prometheus that scrapes a real service with Redis under load.

    python -m scripts.check_dashboard [--seconds 20]

The load causes everything that is counted except internal errors: pictures with and without faces, uncertain results,
warnings, a client above its rate, a full queue, a shadow model, streams whose frames are read, passed over and refused.
Exits with an error if a query is invalid or returns nothing. Zeros that a query itself puts in place of missing values
count as nothing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect

from tests.backends import redis, running
from tests.process import ROOT, ServerProcess, free_port

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


def send(port: int, picture: bytes, query: str, client: str) -> None:
    url, headers = f"http://127.0.0.1:{port}/predict{query}", {"X-Forwarded-For": client}
    httpx.post(url, files={"file": picture}, headers=headers, timeout=30, trust_env=False)


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


def get(prometheus: int, path: str, **parameters: str) -> Any:
    """The data that Prometheus responds with."""
    response = httpx.get(f"http://127.0.0.1:{prometheus}/api/v1/{path}", params=parameters, trust_env=False)
    if response.status_code != 200:
        raise SystemExit(f"{path} {parameters}\n{response.text}")
    return response.json()["data"]


def run_query(prometheus: int, expression: str) -> list[Any]:
    if 'status="500"' not in expression:
        expression = expression.replace(NOTHING_YET, "")
    expression = expression.replace("$__rate_interval", "10s").replace("$instance", ".*")
    found: list[Any] = get(prometheus, "query", query=expression)["result"]
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
    prometheus, storage = free_port(), free_port()
    with tempfile.TemporaryDirectory() as scratch:
        settings = {
            "WORKERS": 2,
            "QUEUE_SIZE": 2,
            "RATE_LIMIT": "20/minute",
            "RATE_LIMIT_STORAGE": f"redis://127.0.0.1:{storage}",
            "TRUSTED_PROXIES": "127.0.0.1",
            "CONFIDENCE_THRESHOLD": 1,
            "MODELS_DIR": models(Path(scratch, "models")),
            "SHADOW_MODEL": SHADOW,
            "SHADOW_SHARE": 1,
            "DRAIN_SECONDS": 0,
        }
        config = Path(scratch, "prometheus.yml")
        command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={scratch}/data", "--log.level=error"]
        command.append(f"--web.listen-address=127.0.0.1:{prometheus}")
        with redis("redis-server", storage), ServerProcess(settings) as service:
            service.wait_ready()
            config.write_text(configuration(service.port))
            with running(command, prometheus):
                load(service.port, seconds)
                empty = check(prometheus)
                alerts = get(prometheus, "alerts")["alerts"]
    print(f"alerts: {', '.join(alert['labels']['alertname'] for alert in alerts) or 'none'}")
    if empty:
        raise SystemExit(f"no data for {', '.join(empty)}")


if __name__ == "__main__":
    main()
