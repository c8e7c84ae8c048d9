"""Asks a real Prometheus every query of the dashboard, while it scrapes a real service with a real Redis under load.

    python scripts/check_dashboard.py [--seconds 20]

Fails when a query is wrong or returns nothing.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DASHBOARD = ROOT / "deploy/grafana/dashboards/visage.json"
SAMPLES = ("happy_sample.jpg", "neutral_sample.jpg", "no_face.jpg", "multiple_faces.jpg")


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
            raise SystemExit(f"{what} did not come in a minute")
        time.sleep(0.05)


def start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def send(port: int, picture: bytes) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + picture + b"\r\n--b--\r\n"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/predict", body, {"Content-Type": "multipart/form-data; boundary=b"})
    connection.getresponse().read()
    connection.close()


def configuration(service: int) -> str:
    """The committed configuration's job, with an address in place of the name server and a quicker scrape."""
    return json.dumps(
        {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(ROOT / "deploy/prometheus/alerts.yml")],
            "scrape_configs": [{"job_name": "visage", "static_configs": [{"targets": [f"127.0.0.1:{service}"]}]}],
        }
    )


def ask(prometheus: int, expression: str) -> list[Any]:
    expression = expression.replace("$__rate_interval", "10s").replace("$instance", ".*")
    status, answer = get(prometheus, "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
    if status != 200:
        raise SystemExit(f"{expression}\n{answer.decode()}")
    found: list[Any] = json.loads(answer)["data"]["result"]
    return found


def check(prometheus: int) -> list[str]:
    """The titles of the panels with a query that returns nothing, each query printed with what it returned."""
    empty = []
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            found = ask(prometheus, target["expr"])
            first = found[0]["value"][1] if found else "nothing"
            print(f"{panel['title']:32} {len(found):3} series, the first {first}")
            if not found or (len(found) == 1 and first == "NaN"):
                empty.append(panel["title"])
    return empty


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="how long the load lasts")
    seconds = parser.parse_args().seconds
    service, prometheus, redis = free_port(), free_port(), free_port()
    processes: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch, "prometheus.yml")
        config.write_text(configuration(service))
        try:
            arguments = ["--port", str(redis), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
            processes.append(start(["redis-server", *arguments], dict(os.environ)))
            settings = {"RATE_LIMIT": "1000000/minute", "RATE_LIMIT_STORAGE": f"redis://127.0.0.1:{redis}"}
            environment = os.environ | {"PORT": str(service), "HOST": "127.0.0.1"} | settings
            processes.append(start([sys.executable, "-m", "app"], environment))
            wait(lambda: get(service, "/health/ready")[0] == 200, "the service")
            arguments = [f"--config.file={config}", f"--storage.tsdb.path={scratch}/data"]
            arguments.append(f"--web.listen-address=127.0.0.1:{prometheus}")
            processes.append(start(["prometheus", *arguments], dict(os.environ)))
            wait(lambda: get(prometheus, "/-/ready")[0] == 200, "Prometheus")
            pictures = [(ROOT / "sample_images" / name).read_bytes() for name in SAMPLES]
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                for picture in pictures:
                    send(service, picture)
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
