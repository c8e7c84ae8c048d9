"""nginx and Redis, configured as in a deployment."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.process import ROOT, free_port

HOST = "127.0.0.1"
TIMEOUT = 10.0


@dataclass(frozen=True)
class Proxy:
    """A running nginx."""

    port: int
    pid: int


def program(name: str, variable: str) -> str | None:
    """The path of an installed program. The environment variable overrides it."""
    return os.environ.get(variable) or shutil.which(name)


@contextmanager
def redis(binary: str, port: int) -> Iterator[None]:
    """Runs a Redis on the loopback interface that stores nothing."""
    command = [binary, "--port", str(port), "--bind", HOST, "--save", ""]
    with tempfile.TemporaryDirectory() as folder, running([*command, "--dir", folder], port):
        yield


@contextmanager
def nginx(binary: str, *services: int, forwarded: bool = False) -> Iterator[Proxy]:
    """Runs nginx with the configuration of ``deploy/nginx`` in front of services on these ports.

    With ``forwarded`` it takes a client's address from ``X-Forwarded-For``, so that one machine can be many clients.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        proxied = (ROOT / "deploy/nginx/visage.conf").read_text().replace("listen 8080;", f"listen {HOST}:{port};")
        servers = "".join(rf"server {HOST}:{service} \1;" for service in services)
        proxied, replaced = re.subn(r"server visage:8000 resolve (.*);", servers, proxied)
        assert replaced == 1, "deploy/nginx names its servers otherwise"
        # Only a name server's addresses are looked up again, and older versions refuse the line.
        proxied = re.sub(r"\n *resolver .*;", "", proxied)
        if forwarded:
            proxied = f"set_real_ip_from {HOST}; real_ip_header X-Forwarded-For;\n{proxied}"
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
        config = Path(folder) / "nginx.conf"
        config.write_text(
            f"""{"user root;" if os.geteuid() == 0 else ""}
            worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; daemon off;
            events {{ worker_connections 4096; }}
            http {{
                access_log off; {temporary}
                {proxied}
            }}"""
        )
        with running([binary, "-e", f"{folder}/error.log", "-c", str(config)], port) as pid:
            yield Proxy(port, pid)


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[int]:
    """Runs a process that listens on a port. Yields its id."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + TIMEOUT
        while not _listens(port):
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            assert time.monotonic() < deadline, f"{command[0]} does not listen"
            time.sleep(0.02)
        yield process.pid
    finally:
        # A quick shutdown; nginx would leave its worker behind if it were killed.
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
