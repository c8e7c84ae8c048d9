"""A process from its first line to its exit status, with real sockets, real models and real signals."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import StartServer
from tests.pictures import portrait
from tests.process import ROOT, ServerProcess

pytestmark = pytest.mark.e2e

PATIENCE = 30.0
PROCESS_1 = ("unshare", "--fork", "--pid", "--kill-child")


def predict(server: ServerProcess) -> httpx.Response:
    return httpx.post(
        f"{server.url}/predict",
        files={"file": ("a.jpg", portrait(), "image/jpeg")},
        timeout=PATIENCE,
        trust_env=False,
    )


def get(server: ServerProcess, path: str) -> httpx.Response:
    return httpx.get(server.url + path, timeout=PATIENCE, trust_env=False)


def connection(server: ServerProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)


def all_of(peer: socket.socket) -> bytes:
    """What comes until the other side closes."""
    received = b""
    try:
        while piece := peer.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


class TestStarting:
    def test_a_setting_without_sense_ends_it_with_one_sentence(self, server: StartServer) -> None:
        process = server(wait=False, confidence_threshold=7)
        assert process.wait(PATIENCE) == 2
        assert process.log == "CONFIDENCE_THRESHOLD: Input should be less than or equal to 1.\n"

    def test_so_does_a_port_that_is_taken(self, server: StartServer) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            process = server(wait=False, port=port)
            assert process.wait(PATIENCE) == 2
        assert process.log == f"PORT: cannot listen on 127.0.0.1:{port}: Address already in use.\n"

    def test_so_does_a_provider_that_must_be_there_and_is_not(self, server: StartServer) -> None:
        process = server(wait=False, execution_providers="cuda", strict_providers="true", log_level="error")
        assert process.wait(PATIENCE) == 2
        assert "Traceback" not in process.log
        assert "cuda" in process.log.splitlines()[-1].lower()

    def test_a_damaged_model_is_told_and_is_not_served(self, server: StartServer, tmp_path: Path) -> None:
        models = tmp_path / "models"
        shutil.copytree(ROOT / "models", models)
        weights = next((models / "default").glob("*.onnx"))
        data = bytearray(weights.read_bytes())
        data[len(data) // 2] ^= 1
        weights.write_bytes(data)
        process = server(wait=False, models_dir=models)
        health = _settled(process)
        assert health["status"] == "unavailable"
        assert health["model_loaded"] is False
        assert health["reason"].startswith("Model default: ")
        assert health["reason"].count(". ") == 0
        assert get(process, "/health/live").status_code == 200
        assert predict(process).json()["error"] == "not_ready"
        assert "Traceback" not in process.log


def _settled(process: ServerProcess) -> dict[str, object]:
    """What ``/health`` says once the start is over."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            health: dict[str, object] = get(process, "/health").json()
        except httpx.TransportError:
            time.sleep(0.02)
            continue
        if health["status"] != "starting":
            return health
        time.sleep(0.02)
    raise AssertionError(process.log)


class TestServing:
    def test_a_portrait_is_read(self, shared_server: ServerProcess) -> None:
        response = predict(shared_server)
        assert response.status_code == 200
        assert response.json()["faces_detected"] == 1
        assert "server" not in response.headers

    def test_an_upload_that_is_refused_reaches_a_client_that_sends_all_first(
        self, shared_server: ServerProcess
    ) -> None:
        size = 8 * 1024 * 1024
        with connection(shared_server) as peer:
            peer.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
            peer.sendall(b"x" * size)
            answer = all_of(peer)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b'"file_too_large"' in answer

    def test_headers_are_bounded(self, shared_server: ServerProcess) -> None:
        with connection(shared_server) as peer:
            peer.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 40_000 + b"\r\n\r\n")
            answer = all_of(peer)
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"] == "headers_too_large"

    def test_silent_sockets_and_half_headers_are_closed(self, server: StartServer) -> None:
        process = server(header_timeout_seconds=0.5)
        with connection(process) as silent, connection(process) as half:
            half.sendall(b"POST /predict HTTP/1.1\r\nHost:")
            assert all_of(silent) == b""
            assert all_of(half) == b""

    def test_a_body_that_trickles_is_answered_and_closed(self, server: StartServer) -> None:
        process = server(body_timeout_seconds=0.5)
        with connection(process) as peer:
            peer.sendall(
                b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
                b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
            )
            answer = all_of(peer)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'"timeout"' in answer

    def test_it_goes_on_after_all_files_were_taken(self, server: StartServer) -> None:
        process = server(wrap=("sh", "-c", 'ulimit -n 128; exec "$@"', "sh"))
        began = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
        peers = [connection(process) for _ in range(300)]
        for peer in peers:
            with suppress(OSError):
                peer.sendall(began)
        for peer in peers:
            peer.close()
        _until_it_predicts(process)
        process.signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0

    def test_clients_that_do_not_read_leave_files_for_others(self, server: StartServer) -> None:
        process = server(wrap=("sh", "-c", 'ulimit -n 256; exec "$@"', "sh"))
        with ExitStack() as peers:
            for _ in range(150):
                peer = peers.enter_context(socket.socket())
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                peer.connect(("127.0.0.1", process.port))
                with suppress(OSError):
                    peer.sendall(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n" * 16)
            # A probe that comes while their responses begin may find no room.
            _until_it_predicts(process)
        assert "internal_error" not in get(process, "/metrics").text

    def test_two_servers_run_side_by_side(self, server: StartServer, shared_server: ServerProcess) -> None:
        other = server()
        assert other.port != shared_server.port
        assert get(other, "/info").status_code == get(shared_server, "/info").status_code == 200


class TestEnding:
    def test_sigterm_finishes_what_it_began_and_turns_the_rest_away(self, server: StartServer) -> None:
        process = server(drain_seconds=5)
        with ThreadPoolExecutor(4) as pool, httpx.Client(trust_env=False) as kept:
            assert kept.get(f"{process.url}/health").status_code == 200
            admitted = [pool.submit(predict, process) for _ in range(4)]
            _until_admitted(process, 4)
            process.signal(signal.SIGTERM)
            _until_draining(process)
            refused = predict(process)
            assert refused.status_code == 503
            assert refused.headers["connection"] == "close"
            assert refused.json()["error"] == "not_ready"
            assert kept.get(f"{process.url}/health").headers["connection"] == "close"
            assert [future.result().status_code for future in admitted] == [200] * 4
        assert process.wait(PATIENCE) == 0
        assert "Traceback" not in process.log

    def test_without_a_drain_it_listens_once_it_is_ready(self, server: StartServer) -> None:
        process = server(wait=False, drain_seconds=0)
        _until_it_listens(process)
        assert get(process, "/health/ready").status_code == 200

    def test_without_a_drain_sigterm_refuses_connections_and_no_request(self, server: StartServer) -> None:
        process = server(drain_seconds=0)
        with httpx.Client(trust_env=False) as kept:
            statuses = [kept.get(f"{process.url}/labels").status_code]
            process.signal(signal.SIGTERM)
            with suppress(httpx.TransportError):
                while True:
                    statuses.append(kept.get(f"{process.url}/labels").status_code)
        assert set(statuses) == {200}
        assert process.wait(PATIENCE) == 0

    def test_sigterm_while_it_starts_ends_it_too(self, server: StartServer) -> None:
        process = server(wait=False, drain_seconds=5)
        _until_it_listens(process)
        process.signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0

    def test_sigterm_before_it_listens_ends_it_too(self, server: StartServer) -> None:
        process = server(wait=False)
        _until_it_handles(process, signal.SIGTERM)
        process.signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert "Listening" not in process.log

    @pytest.mark.parametrize("first", [(), PROCESS_1], ids=["process", "process 1"])
    @pytest.mark.parametrize("seconds", [0.0, 0.05, 0.2, 0.5, 1.0])
    def test_sigterm_at_any_moment_of_the_start_ends_it(
        self, server: StartServer, first: tuple[str, ...], seconds: float
    ) -> None:
        if first and subprocess.run([*first, "true"], check=False, capture_output=True).returncode:
            pytest.skip("This system does not permit a namespace for processes.")
        # As the image starts it.
        process = server(wait=False, wrap=(*first, "env", "--block-signal=TERM,INT"), drain_seconds=0)
        pid = _that_keeps(process, signal.SIGTERM)
        time.sleep(seconds)
        os.kill(pid, signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert "Traceback" not in process.log

    def test_a_terminal_that_is_closed_does_not_end_it(self, server: StartServer) -> None:
        process = server()
        process.signal(signal.SIGHUP)
        assert predict(process).status_code == 200

    def test_ctrl_c_ends_it_without_a_drain(self, server: StartServer) -> None:
        process = server(drain_seconds=600)
        process.signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0

    def test_an_open_connection_does_not_keep_it(self, server: StartServer) -> None:
        process = server()
        with connection(process) as idle:
            process.signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
            assert all_of(idle) == b""


class TestLog:
    def test_a_pipe_that_nobody_reads_does_not_keep_it(self, server: StartServer) -> None:
        read, write = os.pipe()
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
        process = server(stdout=write)
        for _ in range(50):
            assert get(process, "/health").status_code == 200
        process.signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        os.close(read)
        os.close(write)

    def test_a_reader_that_has_left_does_not_matter(self, server: StartServer) -> None:
        read, write = os.pipe()
        process = server(stdout=write)
        os.close(read)
        assert predict(process).status_code == 200
        process.signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert "Traceback" not in process.log
        os.close(write)

    @pytest.mark.parametrize("redirection", ["> /dev/full", ">&-", ">&- 2>&- <&-"])
    def test_a_stdout_that_takes_nothing_does_not_matter(self, server: StartServer, redirection: str) -> None:
        process = server(wrap=("sh", "-c", f'exec "$@" {redirection}', "sh"))
        assert predict(process).status_code == 200
        process.signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert "Traceback" not in process.log

    def test_it_logs_again_once_a_full_disk_has_room(self, server: StartServer, tmp_path: Path) -> None:
        log = tmp_path / "log"
        with log.open("wb") as file:
            process = server(stdout=file.fileno())
        size = log.stat().st_size
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size + 10, resource.RLIM_INFINITY))
        for _ in range(20):
            get(process, "/health")
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        get(process, "/info")
        process.signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        assert any(line.get("route") == "/info" for line in lines)
        assert sum(str(line.get("message")).endswith("log lines were lost.") for line in lines) == 1
        assert lines[-1]["message"] == "Stopped."


def _until_admitted(process: ServerProcess, count: int) -> None:
    """Until so many uploads have arrived, of which some may have been answered."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        lines = get(process, "/metrics").text.splitlines()
        # The request for the metrics is in flight too.
        seen = -1.0
        for line in lines:
            if line.startswith(("visage_http_requests_in_flight ", 'visage_http_requests_total{method="POST"')):
                seen += float(line.split()[-1])
        if seen >= count:
            return
    raise AssertionError("the requests never arrived")


def _until_draining(process: ServerProcess) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if get(process, "/health/ready").json()["reason"] == "The service is stopping.":
            return
    raise AssertionError("it did not begin to drain")


def _until_it_predicts(process: ServerProcess) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if predict(process).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(process.log)


def _until_it_handles(process: ServerProcess, number: signal.Signals) -> None:
    """Until the process has a handler for this signal. The kernel ignores other signals to process 1."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if _is_in(process.pid, "SigCgt", number):
            return
        time.sleep(0.001)
    raise AssertionError("it never handles the signal")


def _that_keeps(process: ServerProcess, number: signal.Signals) -> int:
    """The process, or its child, once it blocks or handles this signal, so that the kernel does not discard it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        pid = int(children[0]) if children else process.pid
        # unshare blocks signals too, until it becomes another program.
        is_its_own = Path(f"/proc/{pid}/comm").read_text().strip() != "unshare"
        if is_its_own and any(_is_in(pid, signals, number) for signals in ("SigBlk", "SigCgt")):
            return pid
        time.sleep(0.001)
    raise AssertionError("it never handles the signal")


def _is_in(pid: int, signals: str, number: signal.Signals) -> bool:
    """Whether a set of signals in the status of a process has this one."""
    status = Path(f"/proc/{pid}/status").read_text()
    return bool(int(status.partition(f"{signals}:")[2].split()[0], 16) >> (number - 1) & 1)


def _until_it_listens(process: ServerProcess) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            connection(process).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.01)
    raise AssertionError(process.log)
