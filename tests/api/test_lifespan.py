"""From the first probe to the last request."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from app import service
from app.config import BadSettings, Settings
from app.errors import InternalError
from app.main import create_app
from app.memory_budget import MemoryBudget
from app.service import Factories, Phase
from tests.api.conftest import Start, service_of, until, upload
from tests.api.fakes import PATIENCE, FakeModel, FakeRegistry, Script, fake_factories


class TestStarting:
    @pytest.fixture
    def starting(self, start: Start, script: Script) -> TestClient:
        """A service whose worker is still at its pipeline."""
        script.build_gate = threading.Event()
        return start(wait=False)

    def test_it_lives_before_it_is_ready(self, starting: TestClient, script: Script) -> None:
        assert starting.get("/health/live").status_code == 200
        assert starting.get("/health/ready").json() == {"status": "unavailable", "reason": "The service is starting."}
        health = starting.get("/health")
        assert health.status_code == 503
        assert health.json()["status"] == "starting"
        assert starting.get("/metrics").status_code == 200
        self.release(starting, script)

    def test_a_request_is_told_to_come_back(self, starting: TestClient, script: Script) -> None:
        response = starting.post("/predict", **upload())
        assert response.status_code == 503
        assert response.json()["error"] == "not_ready"
        assert int(response.headers["retry-after"]) >= 1
        self.release(starting, script)
        assert starting.post("/predict", **upload()).status_code == 200

    @staticmethod
    def release(client: TestClient, script: Script) -> None:
        assert script.build_gate is not None
        script.build_gate.set()
        until(lambda: client.get("/health/ready").status_code == 200)


class TestHealth:
    def test_a_service_that_is_well_says_so(self, client: TestClient) -> None:
        body = client.get("/health").json()
        assert body["status"] == "ok"
        assert body["reason"] is None
        assert body["model_loaded"] is True
        assert body["is_cold_start"] is True
        assert 0 < body["uptime_seconds"] < 60

    def test_the_first_minute_is_the_cold_start(self, client: TestClient) -> None:
        service_of(client).started_at = time.monotonic() - 61
        assert client.get("/health").json()["is_cold_start"] is False

    def test_a_default_model_that_failed_is_named(self, start: Start) -> None:
        sentence = "Model default: its hash is not the manifest's."
        client = start(wait=False, registry=FakeRegistry(failures={"default": sentence}))
        until(lambda: client.get("/health").json()["reason"] == sentence)
        assert client.get("/health").json()["model_loaded"] is False
        assert client.get("/health/ready").status_code == 503
        assert client.get("/health/live").status_code == 200
        assert client.post("/predict", **upload()).json()["error"] == "not_ready"

    def test_models_that_cannot_be_loaded_at_all_do_not_end_the_process(self) -> None:
        def fails(_: Settings) -> FakeRegistry:
            raise MemoryError

        factories = fake_factories(Script())
        app = create_app(Settings(workers=1), Factories(fails, factories.build_pipeline))  # type: ignore[arg-type]
        with TestClient(app) as client:
            until(lambda: client.get("/health").json()["status"] == "unavailable")
            assert client.get("/health").json()["reason"] == "The models could not be loaded (MemoryError)."
            assert client.post("/predict", **upload()).json()["error"] == "not_ready"

    def test_a_setting_that_only_loading_finds_wrong_ends_it(self) -> None:
        def fails(_: Settings) -> FakeRegistry:
            raise BadSettings("EXECUTION_PROVIDERS: there is no CUDA here.")

        factories = fake_factories(Script())
        app = create_app(Settings(workers=1), Factories(fails, factories.build_pipeline))  # type: ignore[arg-type]
        with TestClient(app) as client:
            until(lambda: service_of(client).fatal is not None)
            assert service_of(client).fatal == "EXECUTION_PROVIDERS: there is no CUDA here."


class TestMemory:
    def test_it_is_given_back_when_nothing_is_being_read(
        self, start: Start, script: Script, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tidied: list[float] = []
        monkeypatch.setattr(service, "trim_memory", lambda: tidied.append(time.monotonic()))
        for pause in ("_TRIM_INTERVAL", "_TRIM_RETRY"):
            monkeypatch.setattr(service, pause, 0.001)
        client = start()
        until(lambda: len(tidied) > 2)
        script.gate = threading.Event()
        with ThreadPoolExecutor(1) as sender:
            answer = sender.submit(client.post, "/predict", **upload())
            script.wait_until_entered()
            before = len(tidied)
            time.sleep(0.05)
            assert len(tidied) == before
            script.gate.set()
        assert answer.result().status_code == 200
        until(lambda: len(tidied) > before)

    def test_the_budget_does_not_count_what_networks_give_back(
        self, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        entered, gate, followed = threading.Semaphore(0), threading.Semaphore(0), threading.Event()

        def frees() -> None:
            entered.release()
            assert gate.acquire(timeout=PATIENCE)

        monkeypatch.setattr(service, "_free_networks", frees)
        start()
        assert entered.acquire(timeout=PATIENCE)
        monkeypatch.setattr(MemoryBudget, "follow", lambda _: followed.set())
        gate.release()
        assert followed.wait(PATIENCE / 10)

    def test_a_failure_ends_neither_this_nor_the_order_of_the_end(
        self, script: Script, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tries: list[None] = []

        def fails() -> None:
            tries.append(None)
            raise MemoryError

        monkeypatch.setattr(service, "_free_networks", fails)
        monkeypatch.setattr(service, "_TRIM_INTERVAL", 0.001)
        registry = FakeRegistry(FakeModel())
        with TestClient(create_app(Settings(workers=1), fake_factories(script, registry))):
            until(lambda: len(tries) > 2)
        assert registry.closed


class TestWorkers:
    def test_a_worker_that_dies_costs_one_request(self, start: Start, script: Script) -> None:
        client = start()
        script.fails = SystemExit()
        response = client.post("/predict", **upload())
        assert response.status_code == InternalError.status
        assert response.json()["error"] == "internal_error"
        assert client.post("/predict", **upload()).status_code == 200
        assert "visage_worker_restarts_total 1.0" in client.get("/metrics").text
        assert client.get("/health/ready").status_code == 200

    def test_a_request_over_its_time_has_its_503(self, start: Start, script: Script) -> None:
        script.gate = threading.Event()
        client = start(request_timeout_seconds=0.1, queue_timeout_seconds=0.1)
        response = client.post("/predict", **upload())
        assert response.status_code == 503
        assert response.json()["error"] == "timeout"
        assert int(response.headers["retry-after"]) >= 1
        script.gate.set()
        until(lambda: service_of(client).pool.busy == 0)
        assert script.finished == 0


class TestDraining:
    def test_what_was_admitted_ends_and_what_comes_is_turned_away(self, start: Start, script: Script) -> None:
        script.gate = threading.Event()
        client = start()
        with ThreadPoolExecutor(1) as pool:
            admitted = pool.submit(client.post, "/predict", **upload())
            script.wait_until_entered()
            service_of(client).phase = Phase.DRAINING
            refused = client.post("/predict", **upload())
            assert refused.status_code == 503
            assert refused.json()["error"] == "not_ready"
            assert refused.headers["connection"] == "close"
            assert client.get("/health/ready").json()["reason"] == "The service is stopping."
            assert client.get("/health/live").status_code == 200
            script.gate.set()
            assert admitted.result().status_code == 200

    def test_a_request_without_a_body_is_told_to_close_too(self, client: TestClient) -> None:
        service_of(client).phase = Phase.DRAINING
        refused = client.get("/info")
        assert refused.status_code == 503
        assert refused.headers["connection"] == "close"

    def test_the_models_are_closed_at_the_end(self, script: Script) -> None:
        registry = FakeRegistry(FakeModel())
        with TestClient(create_app(Settings(workers=1), fake_factories(script, registry))) as client:
            until(lambda: client.get("/health/ready").status_code == 200)
            assert not registry.closed
        assert registry.closed


class TestHeaders:
    def test_a_sane_request_id_is_kept(self, client: TestClient) -> None:
        response = client.get("/health", headers={"X-Request-ID": "trace-0123456789"})
        assert response.headers["x-request-id"] == "trace-0123456789"

    @pytest.mark.parametrize("sent", ["short", "x" * 65, "with space in it", "new\tline-12345", '{"json":"12345678"}'])
    def test_another_one_is_replaced(self, client: TestClient, sent: str) -> None:
        answered = client.get("/health", headers={"X-Request-ID": sent}).headers["x-request-id"]
        assert answered != sent
        assert len(answered) == 32

    def test_answers_keep_browsers_from_guessing_and_caches_from_keeping(self, client: TestClient) -> None:
        headers = client.post("/predict", **upload()).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "server" not in headers

    def test_the_page_may_run_its_own_files_only(self, client: TestClient) -> None:
        policy = client.get("/").headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
