"""The Python client with a real service."""

from __future__ import annotations

import copy
import http.server
import io
import os
import pickle
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.server import ServerConnection, serve

import app
from tests.process import ROOT, ServerProcess, free_port

CLIENT = ROOT / "clients" / "python"
sys.path.insert(0, str(CLIENT / "src"))

from visage_client import AsyncVisage, Visage, VisageError, level_of, pictures_in  # noqa: E402

ADMIN_KEY = "admin-key-0123456789"
KEY = "some-key-0123456789"
SETTINGS = {
    "WORKERS": 1,
    "DRAIN_SECONDS": 0,
    "API_KEYS": f"some:{KEY},root:{ADMIN_KEY}:admin",
    "SESSION_PROFILES": "interview_practice",
}
HAPPY = ROOT / "sample_images" / "happy_sample.jpg"
NOBODY = ROOT / "sample_images" / "no_face.jpg"
SEVERAL = ROOT / "sample_images" / "multiple_faces.jpg"

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def service() -> Iterator[ServerProcess]:
    with ServerProcess(SETTINGS) as process:
        process.wait_ready()
        yield process


@pytest.fixture
def visage(service: ServerProcess) -> Iterator[Visage]:
    with Visage(service.url, api_key=KEY) as client:
        yield client


@pytest.fixture
async def async_visage(service: ServerProcess) -> AsyncIterator[AsyncVisage]:
    async with AsyncVisage(service.url, api_key=KEY) as client:
        yield client


def test_pictures_are_paths_bytes_or_open_files(visage: Visage) -> None:
    assert visage.predict(HAPPY)["emotion"] == "happy"
    assert visage.predict(str(HAPPY))["emotion"] == "happy"
    assert visage.predict(HAPPY.read_bytes())["emotion"] == "happy"
    assert visage.predict(io.BytesIO(HAPPY.read_bytes()))["emotion"] == "happy"
    with HAPPY.open("rb") as file:
        assert visage.predict_batch([file, NOBODY])["results"][0]["filename"] == "happy_sample.jpg"


def test_options_reach_the_service(visage: Visage) -> None:
    result = visage.predict(
        SEVERAL, faces="all", explain="grid", details=["head_pose", "description"], model="accurate"
    )
    assert len(result["faces"]) == result["faces_detected"] > 1
    assert result["model"]["name"] == "accurate"
    assert {"explanation", "head_pose", "description"} <= result.keys()
    assert visage.predict(NOBODY, on_no_face="center")["faces_detected"] == 0


def test_every_route_has_its_method(visage: Visage) -> None:
    batch = visage.predict_batch([HAPPY, NOBODY])
    assert [item["success"] for item in batch["results"]] == [True, False]
    assert visage.compare(HAPPY, models=["default", "accurate"])["agree"]
    assert visage.analyze_facial(HAPPY)["dominant_emotion"] == "happy"
    frames = [{"t": 0.0, "probabilities": {"happy": 0.9, "neutral": 0.1}}, {"t": 1.0, "face_detected": False}]
    summary = visage.session(frames, profile="interview_practice")  # type: ignore[arg-type]
    assert (summary["frames"]["without_face"], summary["tracks"][0]["frames"]) == (1, 1)
    fused = visage.multimodal(image=HAPPY, text={"quality_score": 80})
    assert fused["dominant_emotion"] == "happy"
    assert visage.info()["notice"]["laws"]
    assert [level_of(confidence, visage.labels()) for confidence in (0, 0.59, 0.6, 0.8, 1)] == [
        "uncertain",
        "uncertain",
        "fair",
        "sure",
        "sure",
    ]
    assert visage.models()["default"] == "default"
    assert visage.stats()["pictures"] > 0
    assert visage.health()["status"] == "ok"


def test_a_key_may_end_with_a_line_as_files_do(service: ServerProcess) -> None:
    with Visage(service.url, api_key=f"{KEY}\n") as visage, visage.stream() as stream:
        assert visage.stats()["success"]
        assert stream.started


def test_only_an_admin_reloads_models(visage: Visage, service: ServerProcess) -> None:
    with pytest.raises(VisageError) as caught:
        visage.reload_models()
    assert (caught.value.code, caught.value.status) == ("forbidden", 403)
    with Visage(service.url, api_key=ADMIN_KEY) as admin:
        assert "default" in admin.reload_models()["models"]


def test_an_error_says_what_the_service_says(visage: Visage, service: ServerProcess) -> None:
    with pytest.raises(VisageError, match="No face found") as caught:
        visage.predict(NOBODY)
    error = caught.value
    assert (error.code, error.status, error.retry_after) == ("no_face_detected", 422, None)
    assert len(error.request_id or "") == 32
    with pytest.raises(VisageError) as refused, Visage(service.url, api_key="wrong") as stranger:
        stranger.predict(HAPPY)
    assert refused.value.code == "unauthorized"


class OwnError(VisageError):
    def __init__(self, name: str) -> None:
        super().__init__("unreadable_file", f"{name} is missing.", status=404, request_id="r", retry_after=2.5)
        self.name = name


@pytest.mark.parametrize("error", [VisageError("overloaded", "Busy.", status=503, retry_after=1.0), OwnError("a.jpg")])
def test_an_error_can_be_pickled_and_copied(error: VisageError) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is type(error)
        assert vars(other) == vars(error)
        assert (str(other), other.args) == (str(error), error.args)


@pytest.mark.parametrize(
    ("picture", "code", "status"),
    [
        (b"no picture", "unsupported_media_type", 415),
        (b"\xff" * 6_000_000, "file_too_large", 413),
        (HAPPY.read_bytes()[:2000], "invalid_image", 400),
    ],
)
def test_what_is_no_picture_has_a_code_of_its_own(visage: Visage, picture: bytes, code: str, status: int) -> None:
    with pytest.raises(VisageError) as caught:
        visage.predict(picture)
    assert (caught.value.code, caught.value.status) == (code, status)


def test_a_folder_is_read_in_order_with_bounded_concurrency(visage: Visage) -> None:
    found = [*visage.predict_many(pictures_in(ROOT / "sample_images"), concurrency=3, faces="largest")]
    assert [Path(str(picture)).name for picture, _ in found] == sorted(p.name for p in HAPPY.parent.glob("*.jpg"))
    outcomes = {Path(str(picture)).name: outcome for picture, outcome in found}
    failed = {name: outcome.code for name, outcome in outcomes.items() if isinstance(outcome, VisageError)}
    assert failed.keys() < outcomes.keys()
    assert failed["no_face.jpg"] == "no_face_detected"
    assert set(failed.values()) == {"no_face_detected"}
    with pytest.raises(ValueError, match="concurrency"):
        next(visage.predict_many([], concurrency=0))


def test_no_more_pictures_are_taken_than_are_on_their_way(visage: Visage) -> None:
    taken: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            taken.append(1)
            yield HAPPY.read_bytes()

    results = visage.predict_many(endless(), concurrency=3)
    for _ in range(5):
        next(results)
    assert len(taken) <= 5 + 3
    results.close()  # type: ignore[attr-defined]


def test_a_file_that_cannot_be_read_is_one_of_the_errors(visage: Visage, tmp_path: Path) -> None:
    ((_, outcome),) = visage.predict_many([tmp_path / "missing.jpg"])
    assert isinstance(outcome, VisageError)
    assert outcome.code == "unreadable_file"


def test_a_name_that_is_not_utf8_is_sent_as_far_as_it_goes(visage: Visage, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    shutil.copy(HAPPY, tmp_path / name)
    ((_, outcome),) = visage.predict_many(pictures_in(tmp_path))
    assert not isinstance(outcome, VisageError)
    assert outcome["emotion"] == "happy"
    assert visage.predict_batch([tmp_path / name])["results"][0]["filename"] == "caf?.jpg"


def test_a_path_that_no_file_can_have_is_an_unreadable_file(visage: Visage) -> None:
    with pytest.raises(VisageError) as caught:
        visage.predict("a\0b.jpg")
    assert caught.value.code == "unreadable_file"


async def test_asyncio(async_visage: AsyncVisage) -> None:
    assert (await async_visage.predict(HAPPY))["emotion"] == "happy"
    assert (await async_visage.predict_batch([HAPPY]))["summary"]["succeeded"] == 1
    assert (await async_visage.compare(HAPPY))["agree"]
    assert (await async_visage.analyze_facial(HAPPY))["face_detected"]
    assert (await async_visage.session([{"t": 0.0}]))["frames"]["received"] == 1
    assert (await async_visage.multimodal(image=HAPPY))["dominant_emotion"] == "happy"
    assert (await async_visage.info())["service"] == "visage"
    assert (await async_visage.labels())["success"]
    assert (await async_visage.models())["default"] == "default"
    assert (await async_visage.stats())["success"]
    assert (await async_visage.health())["status"] == "ok"
    found = [each async for each in async_visage.predict_many([HAPPY, NOBODY, HAPPY], concurrency=2)]
    assert [isinstance(outcome, VisageError) for _, outcome in found] == [False, True, False]
    with pytest.raises(VisageError, match="admin"):
        await async_visage.reload_models()


def test_a_stream_reads_frames_one_after_another(visage: Visage) -> None:
    events: list[Any] = []
    options: dict[str, Any] = {"profile": "interview_practice", "purpose": "own_practice", "smoothing": 0.2}
    with visage.stream(on_event=events.append, **options) as stream:
        assert stream.started["profile"] == "interview_practice"
        read = [stream.read(HAPPY, t=number / 10) for number in range(3)]
        assert [(each["frame"], each["t"]) for each in read] == [(0, 0.0), (1, 0.1), (2, 0.2)]
        assert {each["faces"][0]["track"] for each in read} == {1}
        with pytest.raises(VisageError) as caught:
            stream.read(b"no picture")
        assert caught.value.code == "unsupported_media_type"
        assert stream.read(NOBODY)["faces"] == []
        summary = stream.finish()
    assert (summary["frames"]["read"], summary["frames"]["failed"], summary["reason"]) == (4, 1, "end")
    assert stream.summary == summary


def test_a_stream_can_be_sent_and_received_apart(visage: Visage) -> None:
    with visage.stream() as stream:
        for _ in range(4):
            stream.send(HAPPY)
        sender = threading.Timer(0.5, lambda: stream._socket.send('{"type": "end"}'))
        sender.start()
        kinds = [message["type"] for message in stream]
        sender.join()
    assert kinds[0] == "prediction"
    assert kinds[-1] == "summary"
    assert stream.summary is not None
    assert stream.summary["frames"]["received"] == 4


async def test_a_stream_that_is_opened_again_begins_anew(visage: Visage, async_visage: AsyncVisage) -> None:
    stream = visage.stream()
    for _ in range(2):
        with stream:
            assert stream.summary is None
            assert stream.read(HAPPY)["frame"] == 0
            stream.finish()
    other = async_visage.stream()
    for _ in range(2):
        async with other:
            assert (await other.read(HAPPY))["frame"] == 0
            assert (await other.finish())["frames"]["read"] == 1


def test_a_stream_that_is_refused_says_why(service: ServerProcess, visage: Visage) -> None:
    with pytest.raises(VisageError) as caught, visage.stream(model="nobody"):
        pass
    assert caught.value.code == "model_not_found"
    with pytest.raises(VisageError) as refused, Visage(service.url) as stranger, stranger.stream():
        pass
    assert refused.value.code == "unauthorized"
    nobody = Visage(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(VisageError) as unreachable, nobody, nobody.stream():
        pass
    assert unreachable.value.code == "unreachable"


def test_a_stream_that_the_service_ends_says_why(visage: Visage) -> None:
    with visage.stream() as stream:
        for _ in range(10):
            with pytest.raises(VisageError, match="picture"):
                stream.read(b"no picture")
        # The summary comes after the tenth error.
        assert [message["type"] for message in stream] == ["summary"]
        with pytest.raises(VisageError):
            stream.read(HAPPY)


@contextmanager
def streaming(handler: Callable[[ServerConnection], None]) -> Iterator[str]:
    """The address of a server that does this with each stream."""
    with serve(handler, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


async def test_a_stream_that_ends_after_its_summary_says_so() -> None:
    def restarting(connection: ServerConnection) -> None:
        connection.send(STARTED)
        connection.recv()
        connection.send('{"type": "summary", "reason": "shutdown"}')
        connection.close(1012)

    with streaming(restarting) as url:
        with Visage(url) as visage, visage.stream() as stream, pytest.raises(VisageError) as blocking:
            stream.read(HAPPY)
        async with AsyncVisage(url) as client, client.stream() as other:
            with pytest.raises(VisageError) as asynchronous:
                await other.read(HAPPY)
    for caught in (blocking, asynchronous):
        assert (caught.value.code, caught.value.message) == (
            "disconnected",
            "The stream ended with its summary (code 1012).",
        )
    assert stream.summary is not None
    assert stream.summary["reason"] == "shutdown"


STARTED = '{"type": "started", "session": "1", "labels": [], "limits": {"frames_per_second": 1000}}'


@pytest.mark.parametrize(("sent", "code"), [(STARTED, "disconnected"), ("<html>", "unexpected_response")])
async def test_a_connection_that_breaks_in_the_middle_is_an_error(sent: str, code: str) -> None:
    def broken(connection: ServerConnection) -> None:
        connection.send(sent)
        if sent == STARTED:
            connection.recv()
        connection.socket.close()

    with streaming(broken) as url:
        with pytest.raises(VisageError) as blocking, Visage(url) as visage, visage.stream() as stream:
            stream.read(HAPPY)
        with pytest.raises(VisageError) as asynchronous:
            async with AsyncVisage(url) as client, client.stream() as other:
                await other.read(HAPPY)
    assert [blocking.value.code, asynchronous.value.code] == [code, code]


def test_an_error_before_a_good_prediction_is_not_why_a_stream_ends() -> None:
    error = '{"type": "error", "error": "invalid_image", "message": "No picture.", "request_id": "r", "frame": 0}'

    def broken(connection: ServerConnection) -> None:
        connection.send(STARTED)
        connection.send(error)
        connection.send('{"type": "prediction", "frame": 1, "faces": []}')
        connection.socket.close()

    with (
        streaming(broken) as url,
        Visage(url) as visage,
        visage.stream() as stream,
        pytest.raises(VisageError) as caught,
    ):
        stream.finish()
    assert caught.value.code == "disconnected"


async def test_a_stream_for_asyncio(async_visage: AsyncVisage) -> None:
    async with async_visage.stream(faces="all") as stream:
        read = [await stream.read(SEVERAL, t=number / 10) for number in range(2)]
        assert len(read[1]["faces"]) > 1
        with pytest.raises(VisageError):
            await stream.read(b"no picture")
        await stream.send(HAPPY)
        async for message in stream:
            assert message["type"] == "prediction"
            break
        assert (await stream.finish())["frames"]["read"] == 3
    with pytest.raises(VisageError, match="no model"):
        async with async_visage.stream(model="nobody"):
            pass


@contextmanager
def answering(*answers: tuple[int, dict[str, str], bytes]) -> Iterator[tuple[str, list[str]]]:
    """A server with these responses, the last of them again and again; and the paths of its requests."""
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, body = answers[min(len(paths), len(answers) - 1)]
            paths.append(self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", paths
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


BUSY = b'{"success": false, "error": "overloaded", "message": "Busy.", "request_id": "r"}'
FINE = b'{"success": true}'
Answers = Sequence[tuple[int, dict[str, str], bytes]]


@pytest.mark.parametrize(
    ("answers", "requests", "code"),
    [
        ([(503, {"Retry-After": "0"}, BUSY), (200, {}, FINE)], 2, None),
        ([(429, {"Retry-After": "0"}, BUSY)], 3, "overloaded"),
        # It does not say when to come back, or too late.
        ([(503, {}, BUSY)], 1, "overloaded"),
        ([(503, {"Retry-After": "61"}, BUSY)], 1, "overloaded"),
        ([(503, {"Retry-After": "\u00b2"}, BUSY)], 1, "overloaded"),
        ([(500, {}, BUSY)], 1, "overloaded"),
        # It may have been carried out.
        ([(504, {"Retry-After": "0"}, b"<h1>Gateway Timeout</h1>")], 1, "unexpected_response"),
        ([(200, {"Content-Encoding": "gzip"}, b"<h1>Welcome</h1>")], 1, "unexpected_response"),
        ([(502, {}, b"<h1>Bad Gateway</h1>")], 1, "unexpected_response"),
        ([(200, {}, b"<h1>Welcome</h1>")], 1, "unexpected_response"),
    ],
)
async def test_only_what_the_service_refuses_for_the_moment_is_sent_again(
    answers: Answers, requests: int, code: str | None
) -> None:
    for asynchronous in (False, True):
        with answering(*answers) as (url, paths):
            try:
                if asynchronous:
                    async with AsyncVisage(url) as client:
                        await client.predict(HAPPY)
                else:
                    with Visage(url) as blocking:
                        blocking.predict(HAPPY)
                found = None
            except VisageError as error:
                found = error.code
        assert (found, len(paths)) == (code, requests)


async def test_a_service_that_is_not_there_is_an_error() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with Visage(url) as visage, pytest.raises(VisageError, match="cannot be reached"):
        visage.predict(HAPPY)
    async with AsyncVisage(url) as client:
        with pytest.raises(VisageError, match="cannot be reached"):
            await client.predict(HAPPY)


def test_a_prefix_and_a_client_of_one_s_own_are_kept() -> None:
    with answering((200, {}, FINE)) as (url, paths), httpx.Client(headers={"X-Own": "1"}) as http:
        with Visage(f"{url}/visage/", http=http) as visage:
            visage.predict(HAPPY, faces="largest")
        assert not http.is_closed
    assert paths == ["/visage/predict?faces=largest"]


def test_the_version_is_the_service_s() -> None:
    project = (CLIENT / "pyproject.toml").read_text("utf-8")
    assert f'\nversion = "{app.__version__}"\n' in project


README = (CLIENT / "README.md").read_text("utf-8")
(INSTALL,) = re.findall(r"^```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
PROGRAMS = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def python_at_hand(name: str) -> str | None:
    """The path of a Python, also of one that pyenv has and does not show."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*/bin")
    return shutil.which(name, path=os.pathsep.join([*map(str, versions), os.environ["PATH"]]))


AT_HAND = [minor for minor in range(10, 15) if python_at_hand(f"python3.{minor}")]


@pytest.fixture(scope="module")
def package_index() -> None:
    look = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps", "httpx"]
    if subprocess.run(look, capture_output=True, check=False).returncode:
        pytest.skip("pip reaches no package index.")


@pytest.mark.usefixtures("package_index")
@pytest.mark.parametrize("minor", sorted({*AT_HAND[:1], *AT_HAND[-1:]}))
def test_the_readme_works_as_printed(minor: int, shared_server: ServerProcess, tmp_path: Path) -> None:
    """With the oldest and the newest Python at hand that the client supports."""
    python = python_at_hand(f"python3.{minor}")
    assert python is not None
    subprocess.run([python, "-m", "venv", tmp_path], check=True)
    path = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(INSTALL, shell=True, cwd=ROOT, env={**os.environ, **path}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    for program in PROGRAMS:
        assert "http://localhost:8000" in program
        command = [
            tmp_path / "bin/python",
            "-W",
            "error",
            "-c",
            program.replace("http://localhost:8000", shared_server.url),
        ]
        ran = subprocess.run(command, cwd=ROOT, env=path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.startswith("happy")
