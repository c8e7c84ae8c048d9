"""Nothing of a request is stored or sent elsewhere: checks system calls, logs and disks while every route is called.

The server runs under strace, then again in a network that has only the loopback interface.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
from PIL import Image
from skimage import data

from drills.client import Response, get, post, send, statuses, upload
from drills.report import Report, run
from tests.pictures import encoded
from tests.process import ROOT, ServerProcess

CANARY = "canary7f3e9b"
ADDRESS = "198.51.100.77"
"""A client's address, as a trusted proxy sends it in X-Forwarded-For."""

CALLS = (
    "open,openat,openat2,creat,mknod,mknodat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,"
    "truncate,connect,sendto,sendmsg,sendmmsg"
)
SETTINGS = {"TRUSTED_PROXIES": "127.0.0.1", "API_KEYS": f"drill:{CANARY}-key-0123456789:admin"}
INSIDE = "--inside-without-network"

_WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE|^\S*creat\(")
_CALL = re.compile(r"^(?:\d+ +)?(?:[\d:.]+ +)?(\w+)\((.*)")
_HARMLESS = ('"/dev/null"', '"/dev/tty"')


def drill(report: Report) -> None:
    if shutil.which("strace") is None:
        report.check("strace is installed", False)
        return
    before = time.time()
    with tempfile.TemporaryDirectory(prefix="drill-strace-") as folder:
        trace = Path(folder) / "trace"
        wrap = ["strace", "-f", "-qq", "-s", "256", "-o", str(trace), "-e", f"trace={CALLS},io_uring_setup"]
        # strace cannot see calls through io_uring, so it is switched off, as by a container's seccomp profile.
        wrap += ["-e", "inject=io_uring_setup:error=EPERM"]
        with ServerProcess(SETTINGS, wrap) as server:
            server.wait_ready(180)
            responses = asyncio.run(_every_route(server.port))
            log = server.log
            # strace would end at once and not wait for the server.
            psutil.Process(server.pid).children()[0].terminate()
            server.wait()
        report.note(f"responses: {statuses(responses)}")
        report.check("every route responded with a result", _all_responded(responses), statuses(responses))
        calls = trace.read_text(errors="replace").splitlines()
        report.figure("system calls checked", len(calls), at_least=100)
        for what, lines in (
            ("files opened for writing", _writes(calls)),
            ("outbound connections", _connections(calls)),
        ):
            report.figure(what, len(lines), at_most=0)
            for line in lines[:10]:
                report.note(f"  {line}")
        report.check("the canary is in no system call", not any(CANARY in line for line in calls))
    report.check("the canary is in no log", CANARY not in log)
    report.check("no address is in any log", ADDRESS not in log)
    report.check("no probability is in any log", "probabilit" not in log and '"confidence"' not in log)
    found = list(_on_disk(before))
    report.check("the canary is on no disk", not found, ", ".join(map(str, found)))
    _without_network(report)


async def _every_route(port: int) -> list[Response]:
    """Calls each route at least once, with the canary wherever a client can put it."""
    key = (f"X-API-Key: {CANARY}-key-0123456789", f"X-Forwarded-For: {ADDRESS}")
    picture, painted = _canary_picture(), _canary_pixels()
    name = f"{CANARY}.jpg"
    document = json.loads((await send(port, get("/openapi.json"))).body)
    requests = [get(path, *key) for path, item in document["paths"].items() if "get" in item and "{" not in path]
    requests += [
        get("/", *key),
        get(f"/{CANARY}", *key),
        get(f"/health?{CANARY}", f"X-Request-ID: {'x' * 99}"),
        get("/info"),
    ]
    requests += [
        upload("/predict", picture, name=name, headers=key),
        upload("/predict?explain=true&faces=all", picture, name=name, headers=key),
        upload("/predict", b"\xff\xd8\xff" + CANARY.encode(), name=name, headers=key),
        upload("/predict", CANARY.encode(), name=name, headers=key),
        upload(f"/predict?model={CANARY}", picture, name=name, headers=key),
        upload("/predict/compare?models=default", picture, name=name, headers=key),
        upload("/predict/batch", picture, picture, CANARY.encode(), field="files", name=name, headers=key),
        post("/analyze/facial", _json(picture), "application/json", *key),
        post("/analyze/facial", CANARY.encode(), "application/json", *key),
        upload("/analyze/multimodal", picture, field="image", name=name, headers=key),
        post("/analyze/multimodal", _text(), "application/json", *key),
        post("/analyze/session", _series(), "application/json", *key),
        upload("/predict", picture * 40, name=name, headers=key),
        upload("/predict?on_no_face=center&explain=true", painted, name=name, headers=key),
        upload("/predict/batch", picture, painted, field="files", name=name, headers=(*key, "Accept: text/csv")),
        post("/models/reload", b"", "application/json", *key),
    ]
    return [await send(port, request) for request in requests]


def _all_responded(responses: list[Response]) -> bool:
    read = sum(response.status == 200 and b'"emotion' in response.body for response in responses)
    return all(0 < response.status < 500 for response in responses) and read >= 3


def _text() -> bytes:
    return json.dumps({"text": {"quality_score": 50, "feedback": CANARY}}).encode()


def _series() -> bytes:
    return json.dumps({"frames": [{"t": 0, "probabilities": {CANARY: 0.5}}, {"t": 1, CANARY: 1}]}).encode()


def _json(picture: bytes) -> bytes:
    return json.dumps({"image": "data:image/jpeg;base64," + base64.b64encode(picture).decode()}).encode()


def _canary_picture() -> bytes:
    """A portrait with the canary in its EXIF and in a comment."""
    picture = Image.fromarray(data.astronaut())
    exif = Image.Exif()
    exif[0x010E] = CANARY
    exif[0x013B] = CANARY
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=95, exif=exif, comment=CANARY.encode())
    return buffer.getvalue()


def _canary_pixels() -> bytes:
    """A picture whose pixels contain the canary in every row, both encoded and decoded."""
    row = (CANARY.encode() * 100)[: 300 * 3]
    pixels = np.frombuffer(row * 300, np.uint8).reshape(300, 300, 3)
    return encoded(Image.fromarray(pixels), "PNG")


def _writes(calls: list[str]) -> list[str]:
    """Calls that opened a file for writing, or created, renamed or linked one."""
    found = []
    for line in calls:
        call = _CALL.match(line)
        if call is None or " = -1 " in line or any(harmless in line for harmless in _HARMLESS):
            continue
        name, arguments = call.groups()
        changes = name.startswith(("mkdir", "mknod", "rename", "link", "symlink", "creat", "truncate"))
        if changes or (name.startswith("open") and _WRITING.search(arguments)):
            found.append(line)
    return found


def _connections(calls: list[str]) -> list[str]:
    """Calls that addressed another machine."""
    return [line for line in calls if "AF_INET" in line and re.search(r"\b(connect|sendto|sendm?msg)\(", line)]


def _on_disk(since: float) -> Iterator[Path]:
    """Files changed since then that contain the canary, in every folder where a service might write."""
    own = Path(__file__).resolve()
    roots = {ROOT, Path(tempfile.gettempdir()), Path.home(), Path("/var/tmp"), Path("/dev/shm")}
    skipped = {".git", ".venv", ".venv-train", "node_modules", "proc", "runs", "__pycache__"}
    for root in roots:
        for folder, folders, files in os.walk(root):
            folders[:] = [name for name in folders if name not in skipped]
            for file in files:
                path = Path(folder) / file
                try:
                    fresh = path.stat().st_mtime >= since and path.stat().st_size < 100_000_000
                    if fresh and path.is_file() and path.resolve() != own and CANARY.encode() in path.read_bytes():
                        yield path
                except OSError:
                    continue


def _without_network(report: Report) -> None:
    """The same server in a network namespace without other interfaces."""
    command = ["unshare", "--map-root-user", "--net", sys.executable, "-m", "drills.retention", INSIDE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    last = (done.stdout.strip() or done.stderr.strip() or "no output").splitlines()[-1]
    report.check("every route responds with only the loopback interface", done.returncode == 0, last)
    report.note(f"  {last}")


def _inside() -> int:
    """Runs in the network namespace: enables the loopback interface, and calls every route."""
    import fcntl
    import socket
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        up = struct.pack("16sH", b"lo", 0x41)  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(control, 0x8914, up)  # SIOCSIFFLAGS
    with ServerProcess(SETTINGS) as server:
        server.wait_ready()
        responses = asyncio.run(_every_route(server.port))
        quiet = CANARY not in server.log and ADDRESS not in server.log
    print(statuses(responses))
    return 0 if _all_responded(responses) and quiet else 1


if __name__ == "__main__":
    if INSIDE in sys.argv:
        sys.exit(_inside())
    run("retention", drill)
