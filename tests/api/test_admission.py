"""Who gets in, in which order it is decided, and what the others are told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from app import rate_limiter
from app.rate_limiter import Rate
from tests.api.conftest import Start, service_of, until, upload
from tests.api.fakes import Script
from tests.api.raw import FORM, RawRequest, ask, form

ALICE, BOB = "alice-key-0123456789", "bob-key-01234567890"
KEYS = (f"alice:{ALICE}", f"bob:{BOB}")
ORIGIN = {"Origin": "https://page.example"}


def assert_turned_away(response: object, status: int, error: str) -> None:
    assert getattr(response, "status_code") == status  # noqa: B009
    body = response.json()  # type: ignore[attr-defined]
    assert body.keys() == {"success", "error", "message", "request_id"}
    assert body["success"] is False
    assert body["error"] == error
    assert response.headers["x-request-id"] == body["request_id"]  # type: ignore[attr-defined]


class TestKeys:
    def test_without_keys_anybody_gets_in(self, client: TestClient) -> None:
        assert client.post("/predict", **upload()).status_code == 200

    @pytest.mark.parametrize("headers", [{"X-API-Key": ALICE}, {"Authorization": f"Bearer {BOB}"}])
    def test_a_key_opens(self, start: Start, headers: dict[str, str]) -> None:
        assert start(api_keys=KEYS).post("/predict", headers=headers, **upload()).status_code == 200

    @pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong"}, {"Authorization": f"Basic {ALICE}"}])
    def test_without_one_it_stays_shut(self, start: Start, headers: dict[str, str]) -> None:
        response = start(api_keys=KEYS).post("/predict", headers=headers, **upload())
        assert_turned_away(response, 401, "unauthorized")
        assert response.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize("path", ["/info", "/models", "/stats", "/nowhere", "/admin"])
    def test_routes_of_the_service_need_one(self, start: Start, path: str) -> None:
        assert start(api_keys=KEYS).get(path).status_code == 401

    @pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/metrics", "/docs", "/openapi.json"])
    def test_probes_and_docs_need_none(self, start: Start, path: str) -> None:
        assert start(api_keys=KEYS).get(path).status_code == 200


@pytest.mark.parametrize(
    "path", ["/predict", "/predict/batch", "/analyze/facial", "/stream/token", "/metrics", "/health", "/models", "/"]
)
def test_a_path_with_a_line_break_is_another_path(start: Start, path: str) -> None:
    client = start(rate_limit="2/minute")
    client.event_hooks["response"].clear()
    for response in (client.get(f"{path}%0A"), client.post(f"{path}%0A", **upload())):
        assert_turned_away(response, 404, "not_found")


class TestRate:
    def test_over_the_rate_is_429_with_when_to_come_back(self, start: Start) -> None:
        client = start(rate_limit="2/minute")
        first = client.post("/predict", **upload())
        assert first.status_code == 200
        assert first.headers["x-ratelimit-limit"] == "2"
        assert first.headers["x-ratelimit-remaining"] == "1"
        assert int(first.headers["x-ratelimit-reset"]) > 0
        client.post("/predict", **upload())
        refused = client.post("/predict", **upload())
        assert_turned_away(refused, 429, "rate_limited")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["x-ratelimit-remaining"] == "0"

    def test_probes_and_the_page_are_never_counted(self, start: Start) -> None:
        client = start(rate_limit="1/minute")
        for _ in range(5):
            for path in ("/health", "/health/live", "/health/ready", "/metrics", "/openapi.json"):
                response = client.get(path)
                assert response.status_code == 200
                assert "x-ratelimit-limit" not in response.headers
        assert client.post("/predict", **upload()).status_code == 200

    def test_what_is_read_of_the_service_costs_nothing_of_the_rate_and_shows_what_is_left(self, start: Start) -> None:
        client = start(rate_limit="2/minute")
        for left in ("2", "1", "0"):
            for path in ("/info", "/labels", "/models", "/stats"):
                response = client.get(path)
                assert (response.status_code, response.headers["x-ratelimit-remaining"]) == (200, left)
                assert response.headers["x-ratelimit-limit"] == "2"
            assert client.post("/predict", **upload()).status_code == (429 if left == "0" else 200)

    def test_what_is_read_of_the_service_has_an_allowance_of_its_own(
        self, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rate_limiter, "_READS", Rate.of(3, 3600, "reads "))
        client = start(rate_limit="2/minute")
        assert [client.get("/nowhere").status_code for _ in range(3)] == [404] * 3
        refused = client.get("/info")
        assert_turned_away(refused, 429, "rate_limited")
        assert refused.headers["x-ratelimit-limit"] == "3"
        assert client.post("/predict", **upload()).status_code == 200

    def test_each_key_has_its_own_budget(self, start: Start) -> None:
        client = start(rate_limit="1/minute", api_keys=KEYS)
        for key, status in ((ALICE, 200), (ALICE, 429), (BOB, 200), (BOB, 429)):
            assert client.post("/predict", headers={"X-API-Key": key}, **upload()).status_code == status

    def test_who_has_no_key_does_not_use_up_a_budget(self, start: Start) -> None:
        client = start(rate_limit="1/minute", api_keys=KEYS)
        for _ in range(5):
            assert client.post("/predict", headers={"X-API-Key": "guess"}, **upload()).status_code == 401
        assert client.post("/predict", headers={"X-API-Key": ALICE}, **upload()).status_code == 200

    def test_a_forged_address_buys_nothing(self, start: Start) -> None:
        client = start(rate_limit="1/minute")
        answers = [
            ask(client, RawRequest(headers={"X-Forwarded-For": f"198.51.100.{number}"})).status for number in range(3)
        ]
        assert answers == [415, 429, 429]

    def test_behind_a_trusted_proxy_each_client_has_its_own(self, start: Start) -> None:
        client = start(rate_limit="1/minute", trusted_proxies=("10.0.0.0/8",))

        def status(forwarded: str) -> int:
            return ask(client, RawRequest(headers={"X-Forwarded-For": forwarded}, peer="10.0.0.1")).status

        assert status("198.51.100.1") == 415
        assert status("198.51.100.2") == 415
        assert status("198.51.100.1") == 429
        assert status("1.2.3.4, 198.51.100.1") == 429

    def test_a_batch_costs_what_it_holds(self, start: Start) -> None:
        client = start(rate_limit="5/minute")
        files = [("files", (f"{number}.jpg", b"x", "image/jpeg")) for number in range(4)]
        response = client.post("/predict/batch", files=files)
        assert response.status_code == 200
        assert response.headers["x-ratelimit-remaining"] == "1"
        assert client.post("/predict/batch", files=files[:2]).status_code == 429

    def test_where_limits_are_counted_is_told(self, start: Start) -> None:
        assert start(rate_limit="5/minute").get("/health").json()["rate_limit_storage"] == "memory"
        assert start(rate_limit="off").get("/health").json()["rate_limit_storage"] == "off"


class TestRoom:
    @pytest.fixture
    def full(self, start: Start, script: Script) -> TestClient:
        """A service whose worker is busy and whose queue is full."""
        script.gate = threading.Event()
        client = start(queue_size=1)
        self.pool = ThreadPoolExecutor(2)
        self.waiting = [self.pool.submit(client.post, "/predict", **upload())]
        script.wait_until_entered()
        self.waiting.append(self.pool.submit(client.post, "/predict", **upload()))
        until(lambda: service_of(client).pool.waiting == 1)
        return client

    def release(self, script: Script) -> None:
        assert script.gate is not None
        script.gate.set()
        assert [future.result().status_code for future in self.waiting] == [200, 200]
        self.pool.shutdown()

    def test_no_room_is_503_with_when_to_come_back(self, full: TestClient, script: Script) -> None:
        refused = full.post("/predict", **upload())
        assert_turned_away(refused, 503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        self.release(script)
        assert full.post("/predict", **upload()).status_code == 200

    def test_probes_and_facts_are_answered_meanwhile(self, full: TestClient, script: Script) -> None:
        for path in ("/health/live", "/metrics", "/info"):
            assert full.get(path).status_code == 200
        self.release(script)

    def test_a_queue_that_stays_full_is_not_ready(self, full: TestClient, script: Script) -> None:
        until(lambda: full.get("/health/ready").status_code == 503)
        assert full.get("/health/ready").json()["reason"] == "The queue is full."
        self.release(script)
        until(lambda: full.get("/health/ready").status_code == 200)

    def test_what_is_shed_is_counted(self, full: TestClient, script: Script) -> None:
        full.post("/predict", **upload())
        assert 'visage_requests_shed_total{reason="queue_full"} 1.0' in full.get("/metrics").text
        self.release(script)


class TestOrder:
    """Room, then key, then rate, all before one byte of the body."""

    @pytest.mark.parametrize(
        ("settings", "headers", "before", "error"),
        [
            ({"api_keys": KEYS}, {}, 0, "unauthorized"),
            ({"rate_limit": "1/minute"}, {}, 1, "rate_limited"),
        ],
    )
    def test_the_body_is_not_read(
        self, start: Start, settings: dict[str, object], headers: dict[str, str], before: int, error: str
    ) -> None:
        client = start(**settings)
        request = RawRequest(headers={**FORM, "Content-Length": "1000", **headers}, pieces=[form(b"x" * 100)])
        for _ in range(before):
            assert ask(client, request).status == 200
        answer = ask(client, request)
        assert answer.error == error
        assert answer.pieces_read == 0

    @pytest.mark.parametrize(
        ("headers", "kept"),
        [
            ({"Content-Length": "100000"}, True),
            ({"Content-Length": "3000000"}, False),
            ({"Transfer-Encoding": "chunked"}, False),
            ({"Content-Length": "1000", "Expect": "100-continue"}, False),
        ],
    )
    def test_a_connection_is_kept_where_little_of_a_body_is_left(
        self, start: Start, headers: dict[str, str], kept: bool
    ) -> None:
        answer = ask(start(api_keys=KEYS), RawRequest(headers={**FORM, **headers}, pieces=[form(b"x")]))
        assert answer.error == "unauthorized"
        assert ("connection" not in answer.headers) is kept

    @pytest.mark.parametrize("headers", [{}, {"X-API-Key": ALICE}])
    def test_room_is_asked_first_and_costs_nobody_a_budget(
        self, start: Start, script: Script, headers: dict[str, str]
    ) -> None:
        script.gate = threading.Event()
        client = start(queue_size=0, api_keys=KEYS, rate_limit="2/minute")
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(client.post, "/predict", headers={"X-API-Key": ALICE}, **upload())
            script.wait_until_entered()
            for _ in range(3):
                refused = client.post("/predict", headers=headers, **upload())
                assert_turned_away(refused, 503, "overloaded")
            script.gate.set()
            assert first.result().status_code == 200
        assert client.post("/predict", headers={"X-API-Key": ALICE}, **upload()).status_code == 200

    def test_who_is_refused_takes_no_place(self, start: Start) -> None:
        client = start(queue_size=0, api_keys=KEYS)
        for _ in range(3):
            assert client.post("/predict", **upload()).status_code == 401
        assert client.post("/predict", headers={"X-API-Key": ALICE}, **upload()).status_code == 200

    def test_nor_is_it_when_there_is_no_room(self, start: Start, script: Script) -> None:
        script.gate = threading.Event()
        client = start(queue_size=0)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(client.post, "/predict", **upload())
            script.wait_until_entered()
            answer = ask(client, RawRequest(headers=FORM, pieces=[form(b"x")]))
            assert answer.error == "overloaded"
            assert answer.pieces_read == 0
            script.gate.set()
            assert first.result().status_code == 200

    def test_a_wrong_key_is_told_before_a_rate_that_is_used_up(self, start: Start) -> None:
        client = start(api_keys=KEYS, rate_limit="1/minute")
        for _ in range(2):
            client.post("/predict", headers={"X-API-Key": ALICE}, **upload())
        assert client.post("/predict", **upload()).status_code == 401

    def test_a_body_that_arrives_slowly_holds_no_place(self, start: Start, script: Script) -> None:
        client = start(queue_size=0)
        assert client.portal is not None
        slow = RawRequest(headers=FORM, pieces=[form(b"x")[:40]], complete=False)
        task = client.portal.start_task_soon(slow.ask, client)
        until(lambda: "visage_http_requests_in_flight 1.0" in _metrics(client))
        until(lambda: client.post("/predict", **upload()).status_code == 200)
        task.cancel()


def _metrics(client: TestClient) -> str:
    # The scrape itself is in flight too.
    return client.get("/metrics").text.replace("in_flight 2.0", "in_flight 1.0")


class TestCors:
    @pytest.mark.parametrize("settings", [{"api_keys": KEYS}, {"rate_limit": "1/hour"}, {}])
    def test_a_page_can_read_every_error(self, start: Start, settings: dict[str, object]) -> None:
        client = start(cors_origins=("https://page.example",), **settings)
        responses = [client.post("/predict", headers=ORIGIN) for _ in range(2)]
        responses.append(client.get("/nowhere", headers=ORIGIN))
        for response in responses:
            assert response.status_code >= 400
            assert response.headers["access-control-allow-origin"] == "https://page.example"

    def test_also_one_that_nobody_foresaw(self, start: Start, script: Script) -> None:
        client = start(cors_origins=("https://page.example",))
        script.fails = RuntimeError("a secret")
        response = client.post("/predict", headers=ORIGIN, **upload())
        assert_turned_away(response, 500, "internal_error")
        assert "secret" not in response.text
        assert response.headers["access-control-allow-origin"] == "https://page.example"

    def test_other_origins_get_nothing(self, start: Start) -> None:
        response = start(cors_origins=("https://page.example",)).get(
            "/info", headers={"Origin": "https://evil.example"}
        )
        assert "access-control-allow-origin" not in response.headers

    def test_a_star_comes_without_credentials(self, start: Start) -> None:
        response = start(cors_origins=("*",)).get("/info", headers={**ORIGIN, "Cookie": "a=b"})
        assert response.headers["access-control-allow-origin"] in {"*", "https://page.example"}
        assert "access-control-allow-credentials" not in response.headers

    def test_a_preflight_needs_no_key(self, start: Start) -> None:
        asks = {**ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
        client = start(cors_origins=("https://page.example",), api_keys=KEYS)
        response = client.options("/predict", headers=asks)
        assert response.status_code == 200
        assert "x-api-key" in response.headers["access-control-allow-headers"].lower()

    @pytest.mark.parametrize("allowed", [("https://page.example",), ()])
    @pytest.mark.parametrize(
        ("headers", "refused"),
        [({"Origin": "https://evil.example"}, "origin"), ({"Access-Control-Request-Method": "DELETE"}, "method")],
    )
    def test_a_preflight_that_is_refused_is_an_error_like_others(
        self,
        start: Start,
        caplog: pytest.LogCaptureFixture,
        allowed: tuple[str, ...],
        headers: dict[str, str],
        refused: str,
    ) -> None:
        asks = {**ORIGIN, "Access-Control-Request-Method": "POST", **headers}
        client = start(cors_origins=allowed, api_keys=KEYS)
        with caplog.at_level("INFO"):
            response = client.options("/predict", headers=asks)
        assert_turned_away(response, 422, "invalid_request")
        assert refused in response.json()["message"]
        assert ("access-control-allow-origin" in response.headers) == (refused == "method" and bool(allowed))
        (line,) = (record.getMessage() for record in caplog.records if record.name == "visage.cors")
        assert refused in line
        assert "CORS_ORIGINS" in line
        assert "example" not in line
        (request,) = (record.request for record in caplog.records if record.name == "visage.access")
        assert (request.method, request.status) == ("OPTIONS", 422)
