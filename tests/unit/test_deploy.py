"""The files that an operator deploys match the code and one another: ports, probes, settings, times, series."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from pydantic import ValidationError

import app
from app.api.routes.metrics import ServiceState
from app.config import Settings
from app.service import build_service
from bulk import __main__ as bulk
from bulk.stops import BAD_INPUT
from tests.api.fakes import FakeModel, FakeRegistry, Script, fake_factories
from tests.backends import running
from tests.process import free_port

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"
DASHBOARD = ROOT / "deploy/grafana/dashboards/visage.json"
DEFAULTS = Settings.model_construct()
SETTINGS = {name.upper() for name in Settings.model_fields}
LONGEST_STOP = DEFAULTS.drain_seconds + DEFAULTS.request_timeout_seconds


def load(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def resources(folder: Path) -> list[dict[str, Any]]:
    listed = load(folder / "kustomization.yaml")[0]["resources"]
    return [document for name in listed if name.endswith(".yaml") for document in load(folder / name)]


@pytest.fixture(scope="module")
def base() -> dict[tuple[str, str], dict[str, Any]]:
    return {(item["kind"], item["metadata"]["name"]): item for item in resources(KUBERNETES / "base")}


@pytest.fixture(scope="module")
def pod(base: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = base["Deployment", "visage"]["spec"]["template"]["spec"]
    return spec


@pytest.fixture(scope="module")
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod["containers"]
    return only


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return load(ROOT / "docker-compose.yml")[0]["services"]


@pytest.fixture(scope="module")
def scale() -> dict[str, Any]:
    return added("scale")


@pytest.fixture(scope="module", params=["scale", "https"])
def proxied(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What each of the files adds that put a proxy in front of the service."""
    return {**added(request.param), "name": request.param}


def added(name: str) -> dict[str, Any]:
    """What docker-compose.NAME.yml adds. A tag such as !reset gives the plain value."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!reset", lambda loader, _, node: loader.construct_sequence(node))
    document: dict[str, Any] = yaml.load((ROOT / f"docker-compose.{name}.yml").read_text(), Loader)
    return document


@pytest.fixture(scope="module")
def railway() -> dict[str, Any]:
    deploy: dict[str, Any] = json.loads((ROOT / "railway.json").read_text())["deploy"]
    return deploy


@pytest.fixture(scope="module")
def render() -> dict[str, Any]:
    (service,) = load(ROOT / "render.yaml")[0]["services"]
    return service


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text().replace("\\\n", "")


def values(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def literals(overlay: str) -> list[str]:
    (generator,) = load(KUBERNETES / f"overlays/{overlay}/kustomization.yaml")[0]["configMapGenerator"]
    found: list[str] = generator["literals"]
    return found


class TestImage:
    def test_files_that_the_build_copies_exist_and_are_not_ignored(self, dockerfile: str) -> None:
        kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
        copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.M)
        for path in (word.rstrip("/") for line in copied for word in line.split()):
            assert path in kept or any(name.startswith(f"{path}/") for name in kept), path
            assert (ROOT / path).exists(), path

    @pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
    def test_the_health_check_follows_the_service(self, dockerfile: str, status: int, code: int) -> None:
        command = json.loads(re.search(r"^HEALTHCHECK .*?CMD (\[.*\])$", dockerfile, re.M)[1])  # type: ignore[index]
        with listening(status) as (port, paths):
            done = subprocess.run([sys.executable, *command[1:]], env={"PORT": str(port)}, check=False, timeout=30)
        assert done.returncode == code
        assert paths == ["/health"]

    def test_requirements_name_no_host(self) -> None:
        for file in (ROOT / "requirements").iterdir():
            assert "://" not in file.read_text(), file.name


@contextmanager
def listening(status: int) -> Iterator[tuple[int, list[str]]]:
    """A server on a free port that always responds with one status, and the paths of its requests."""
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            paths.append(self.path)
            self.send_response(status)
            self.end_headers()

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, paths
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class TestScoreJob:
    @pytest.fixture
    def job(self) -> dict[str, Any]:
        (job,) = load(KUBERNETES / "score-job.yaml")
        spec: dict[str, Any] = job["spec"]
        return spec

    def test_its_pods_score_each_share_once(self, job: dict[str, Any]) -> None:
        container = job["template"]["spec"]["containers"][0]
        (line,) = container["args"]
        shares = set()
        for index in range(job["completions"]):
            echoed = subprocess.run(
                [*container["command"], line.replace("exec python", "echo")],
                env={**os.environ, "JOB_COMPLETION_INDEX": str(index)},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            options = bulk._parser().parse_args(echoed.split()[2:])
            assert options.lenient, "A picture that cannot be read is no reason to try again."
            assert {options.out, *options.sources} == {mount["mountPath"] for mount in container["volumeMounts"]} - {
                "/tmp"
            }
            shares.add(options.shard)
        count = job["completions"]
        assert shares == {(number, count) for number in range(1, count + 1)}

    def test_a_line_that_makes_no_sense_is_not_tried_again(self, job: dict[str, Any]) -> None:
        (rule,) = job["podFailurePolicy"]["rules"]
        assert rule["action"] == "FailIndex"
        assert rule["onExitCodes"]["values"] == [BAD_INPUT]

    def test_it_runs_as_the_image_does(self, job: dict[str, Any], dockerfile: str) -> None:
        user = re.search(r"^USER (\d+):", dockerfile, re.M)
        assert user is not None
        assert job["template"]["spec"]["securityContext"]["runAsUser"] == int(user[1])

    def test_its_user_may_write_to_a_new_volume(self, job: dict[str, Any]) -> None:
        context = job["template"]["spec"]["securityContext"]
        assert context["fsGroup"] == context["runAsGroup"]

    def test_it_has_as_many_workers_as_its_memory_holds(self, job: dict[str, Any]) -> None:
        """There is a worker for every core of the limit, and without one for every core of the node."""
        assert "cpu" in job["template"]["spec"]["containers"][0]["resources"]["limits"]


class TestEveryPlatform:
    def test_published_ports_are_those_the_service_listens_on(
        self, dockerfile: str, compose: dict[str, Any], container: dict[str, Any]
    ) -> None:
        assert re.search(r"^EXPOSE (\d+)$", dockerfile, re.M)[1] == re.search(r"PORT=(\d+)", dockerfile)[1]  # type: ignore[index]
        (published,) = compose["visage"]["ports"]
        assert published.rpartition(":")[2] == compose["visage"]["environment"]["PORT"]
        (port,) = container["ports"]
        assert {"name": "PORT", "value": str(port["containerPort"])} in container["env"]
        probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
        assert {probe["port"] for probe in probes} == {port["name"]}

    def test_probes_use_routes_of_the_service(
        self, container: dict[str, Any], railway: dict[str, Any], render: dict[str, Any]
    ) -> None:
        routes = json.loads((ROOT / "docs/openapi.json").read_text())["paths"]
        probes = {container[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
        assert probes | {railway["healthcheckPath"], render["healthCheckPath"]} <= routes.keys()

    def test_variables_are_settings_that_the_service_starts_with(
        self, compose: dict[str, Any], scale: dict[str, Any], render: dict[str, Any]
    ) -> None:
        gpu = load(ROOT / "docker-compose.gpu.yml")[0]["services"]["visage"]["environment"]
        for given in (
            gpu,
            scale["services"]["visage"]["environment"],
            {e["key"]: e["value"] for e in render["envVars"]},
        ):
            assert set(given) <= SETTINGS
            Settings(**{name.lower(): value for name, value in given.items()})
        assert set(compose["visage"]["environment"]) <= SETTINGS

    def test_replicas_behind_a_proxy_without_probes_stop_without_a_drain(self, proxied: dict[str, Any]) -> None:
        assert proxied["services"]["visage"]["environment"]["DRAIN_SECONDS"] == "0"

    def test_no_file_trusts_every_private_network(self, scale: dict[str, Any], render: dict[str, Any]) -> None:
        assert DEFAULTS.trusted_proxies == ()
        assert values(KUBERNETES / "base/settings.env")["TRUSTED_PROXIES"] == ""
        trusted = [entry["value"] for entry in render["envVars"] if entry["key"] == "TRUSTED_PROXIES"]
        trusted.append(scale["services"]["visage"]["environment"]["TRUSTED_PROXIES"])
        for overlay in ("cpu", "gpu"):
            for literal in literals(overlay):
                trusted += [literal.partition("=")[2]] if literal.startswith("TRUSTED_PROXIES") else []
        assert all("," not in networks for networks in trusted)

    def test_images_of_others_have_a_digest(self, compose: dict[str, Any], proxied: dict[str, Any]) -> None:
        images = [service["image"] for service in (compose | proxied["services"]).values() if "image" in service]
        images += [compose["visage"]["build"]["args"]["BASE"]]
        images += [
            each["image"]
            for document in resources(KUBERNETES / "base")
            if document["kind"] == "Deployment"
            for each in document["spec"]["template"]["spec"]["containers"]
        ]
        for workflow in (ROOT / ".github/workflows").iterdir():
            text = workflow.read_text()
            bases = re.findall(r"^ *BASE: (.+)$", text, re.M)
            assert bases or not re.search(r"docker build|smoke-image", text), workflow.name
            images += bases
        for image in images:
            assert image.startswith("visage") or re.search(r":[\w.-]+@sha256:[0-9a-f]{64}$", image), image
        assert len({image for image in images if image.startswith("python:")}) == 1

    def test_a_stop_waits_for_the_drain_and_the_longest_request(
        self, compose: dict[str, Any], railway: dict[str, Any], render: dict[str, Any], pod: dict[str, Any]
    ) -> None:
        pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert int(compose["visage"]["stop_grace_period"].removesuffix("s")) > LONGEST_STOP
        assert railway["drainingSeconds"] > LONGEST_STOP
        assert render["maxShutdownDelaySeconds"] > LONGEST_STOP
        assert pod["terminationGracePeriodSeconds"] > pause + LONGEST_STOP


class TestCompose:
    def test_replicas_are_reached_through_the_proxy_alone(
        self, compose: dict[str, Any], proxied: dict[str, Any]
    ) -> None:
        file = f"docker-compose.{proxied['name']}.yml"
        replicas, proxy = proxied["services"]["visage"], proxied["services"]["proxy"]
        assert re.search(r"^  visage:\n    ports: !reset \[\]$", (ROOT / file).read_text(), re.M)
        assert replicas["environment"]["TRUSTED_PROXIES"] == proxy["networks"]["service"]["ipv4_address"]
        shared = set(compose["visage"]["networks"]) & set(proxy["networks"])
        assert shared == {"service"}
        assert proxied["networks"]["service"]["internal"]

    def test_every_printed_command_reads_the_settings_of_its_user(self) -> None:
        """With --env-file, Compose would not read .env. Without it, .env need not be there."""
        files = [
            *ROOT.glob("*.md"),
            *ROOT.glob("docs/*.md"),
            *ROOT.glob("docker-compose*.yml"),
            *ROOT.glob("deploy/*/*"),
        ]
        text = "".join(file.read_text() for file in files if file.is_file())
        commands = re.findall(r"docker compose( .*)$", text, re.M)
        named = [re.findall(r" -f (\S+)", command) for command in commands]
        for overlay in ("scale", "https", "gpu"):
            assert ["docker-compose.yml", f"docker-compose.{overlay}.yml"] in named
        assert not [command for command in commands if "--env-file" in command]

    def test_no_replica_can_get_the_proxy_s_address(self, proxied: dict[str, Any]) -> None:
        (pool,) = proxied["networks"]["service"]["ipam"]["config"]
        proxy = ip_address(proxied["services"]["proxy"]["networks"]["service"]["ipv4_address"])
        assert proxy in ip_network(pool["subnet"])
        assert proxy not in ip_network(pool["ip_range"])
        assert str(proxy) != pool["gateway"]

    def test_redis_is_reached_by_the_service_alone(self, compose: dict[str, Any]) -> None:
        (network,) = compose["redis"]["networks"]
        assert load(ROOT / "docker-compose.yml")[0]["networks"][network]["internal"]
        assert "ports" not in compose["redis"]
        assert {name for name, each in compose.items() if network in each.get("networks", ())} == {"redis", "visage"}

    def test_the_service_counts_rates_in_a_redis_that_starts_with_it(self, compose: dict[str, Any]) -> None:
        storage = re.search(r":-redis://(\w+):", compose["visage"]["environment"]["RATE_LIMIT_STORAGE"])[1]  # type: ignore[index]
        assert "profiles" not in compose[storage]

    def test_the_proxy_waits_longer_and_accepts_more_than_the_service(self) -> None:
        proxy = (ROOT / "deploy/nginx/visage.conf").read_text()
        assert int(re.search(r"proxy_read_timeout (\d+)s", proxy)[1]) > DEFAULTS.request_timeout_seconds  # type: ignore[index]
        assert int(re.search(r"proxy_send_timeout (\d+)s", proxy)[1]) > DEFAULTS.body_timeout_seconds  # type: ignore[index]
        picture, batch = map(int, re.findall(r"client_max_body_size (\d+)m", proxy))
        assert DEFAULTS.max_file_size_mb * 4 / 3 < picture < batch
        assert batch > DEFAULTS.max_batch_size_mb

    def test_every_proxy_has_the_same_room_for_a_batch(self) -> None:
        """Caddy's MB are 1000², those of the service and of nginx 1024²."""
        largest = {
            int(size)
            for file, pattern in {
                "caddy/Caddyfile": r"max_size (\d+)MiB\n",
                "nginx/https.conf": r"client_max_body_size (\d+)m;",
                "nginx/visage.conf": r"client_max_body_size (\d\d+)m;",
                "kubernetes/components/ingress/ingress.yaml": r"proxy-body-size: (\d+)m\n",
            }.items()
            for size in re.findall(pattern, (ROOT / "deploy" / file).read_text()) or [0]
        }
        assert largest == {DEFAULTS.max_batch_size_mb + 1}

    @pytest.mark.skipif(shutil.which("caddy") is None, reason="Caddy is not installed (Debian: caddy)")
    def test_caddy_refuses_a_larger_body_as_the_service_does(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "Caddyfile"
        file.write_text(re.sub(r"max_size \w+", "max_size 1MiB", (ROOT / "deploy/caddy/Caddyfile").read_text()))
        port = free_port()
        monkeypatch.setenv("DOMAIN", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("HOME", str(tmp_path))
        with listening(200) as (service, _):
            monkeypatch.setenv("SERVICE_HOST", "localhost")
            monkeypatch.setenv("SERVICE_PORT", str(service))
            with running(["caddy", "run", "--adapter", "caddyfile", "--config", str(file)], port):
                url = f"http://127.0.0.1:{port}/predict"
                accepted, refused = (
                    httpx.post(url, content=bytes(size), trust_env=False) for size in (1024**2, 1024**2 + 1)
                )
        assert accepted.status_code == 200
        body = refused.json()
        assert (refused.status_code, body["success"], body["error"]) == (413, False, "file_too_large")
        assert body["request_id"] == refused.headers["x-request-id"]
        assert "retry-after" not in refused.headers

    def test_the_proxy_s_memory_holds_the_buffers_of_all_its_requests(self, scale: dict[str, Any]) -> None:
        proxy = (ROOT / "deploy/nginx/visage.conf").read_text()
        (requests,) = map(int, re.findall(r"limit_conn visage_requests (\d+);", proxy))
        (kilobytes,) = map(int, re.findall(r"client_body_buffer_size (\d+)k;", proxy))
        head = 32  # nginx's largest headers
        assert requests * (kilobytes + head) < int(scale["services"]["proxy"]["mem_limit"].removesuffix("m")) * 1024
        assert "proxy_request_buffering off;" in proxy

    def test_prometheus_scrapes_the_service_under_the_job_of_the_alerts(self, compose: dict[str, Any]) -> None:
        (job,) = load(ROOT / "deploy/prometheus/prometheus.yml")[0]["scrape_configs"]
        (found,) = job["dns_sd_configs"]
        assert set(found["names"]) <= compose.keys()
        assert found["port"] == int(compose["visage"]["environment"]["PORT"])
        expressions = [*queries(), (ROOT / "deploy/prometheus/alerts.yml").read_text()]
        selected = {name for expression in expressions for name in re.findall(r'\bjob="(\w+)"', expression)}
        assert selected == {job["job_name"]}
        assert found["names"] == [job["job_name"]]

    def test_alerts_reach_the_receiver_of_the_variable(self, compose: dict[str, Any]) -> None:
        (target,) = load(ROOT / "deploy/prometheus/prometheus.yml")[0]["alerting"]["alertmanagers"]
        assert target["static_configs"] == [{"targets": ["alertmanager:9093"]}]
        assert compose["alertmanager"]["profiles"] == compose["prometheus"]["profiles"]
        assert receiver(alertmanager_config("http://hooks.example/a")) == ["http://hooks.example/a"]
        assert receiver(alertmanager_config(None)) == []

    def test_grafana_shows_the_dashboard_with_the_prometheus_of_compose(self, compose: dict[str, Any]) -> None:
        def mounted(service: str) -> dict[str, str]:
            split = [volume.split(":") for volume in compose[service]["volumes"] if volume.startswith("./")]
            return {inside: outside for outside, inside, _ in split}

        grafana = mounted("grafana")
        (provider,) = load(ROOT / grafana["/etc/grafana/provisioning"] / "dashboards/visage.yml")[0]["providers"]
        (source,) = load(ROOT / grafana["/etc/grafana/provisioning"] / "datasources/prometheus.yml")[0]["datasources"]
        assert (ROOT / grafana[provider["options"]["path"]]).samefile(DASHBOARD.parent)
        home = compose["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
        assert home == f"{provider['options']['path']}/{DASHBOARD.name}"
        assert urlsplit(source["url"]).hostname in compose
        used = {target["datasource"]["uid"] for panel in panels() for target in panel.get("targets", ())}
        assert used == {source["uid"]}
        config = mounted("prometheus")["/etc/prometheus"]
        assert "--config.file=/etc/prometheus/prometheus.yml" in compose["prometheus"]["command"]
        assert all((ROOT / config / name).exists() for name in ("prometheus.yml", "alerts.yml"))

    def test_every_container_runs_without_rights_and_within_limits(
        self, compose: dict[str, Any], proxied: dict[str, Any]
    ) -> None:
        for name, service in (proxied["services"] | compose).items():
            assert service["read_only"], name
            # Which Compose could not place into a container that is read-only.
            assert "configs" not in service, name
            # Caddy's file asks for this one, and does not run without it.
            assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if "caddy" in service.get("image", "") else [])
            assert service["cap_drop"] == ["ALL"], name
            assert "no-new-privileges:true" in service["security_opt"], name
            assert "mem_limit" in service, name
            assert "pids_limit" in service, name


def alertmanager_text(url: str | None) -> str:
    """Alertmanager's configuration as Compose gives it with ``ALERT_WEBHOOK_URL``."""
    content: str = load(ROOT / "docker-compose.yml")[0]["services"]["alertmanager"]["environment"]["CONFIG"]
    content = re.sub(r"\$\{ALERT_WEBHOOK_URL:\+(.*?)\}", r"\1" if url else "", content)
    content = re.sub(r"\$\{ALERT_WEBHOOK_URL:-(.*?)\}", url or r"\1", content)
    assert "$" not in content
    return content


def alertmanager_config(url: str | None) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(alertmanager_text(url))
    return config


def receiver(config: dict[str, Any]) -> list[str]:
    """The addresses that get the alerts."""
    (chosen,) = [each for each in config["receivers"] if each["name"] == config["route"]["receiver"]]
    return [hook["url"] for hook in chosen.get("webhook_configs", ())]


@contextmanager
def alertmanager(folder: Path, url: str | None) -> Iterator[str]:
    """The address of an Alertmanager that the line of Compose starts, with ``folder`` for what the container has."""
    service = load(ROOT / "docker-compose.yml")[0]["services"]["alertmanager"]
    (temporary,) = service["tmpfs"]
    port = free_port()
    line = [word.replace("$$", "$") for word in service["entrypoint"] + service["command"]]
    for inside in (temporary.partition(":")[0], "/alertmanager"):
        line = [re.sub(rf"(?<=[>=]){inside}\b", str(folder), word) for word in line]
    binary = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    (folder / "alertmanager").symlink_to(str(binary))
    config = alertmanager_text(url).replace("group_wait: 15s", "group_wait: 0s")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONFIG", config)
        patch.setenv("PATH", str(folder), prepend=os.pathsep)
        with running([*line, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"], port):
            assert (folder / "alertmanager.yml").read_text() == config
            yield f"http://127.0.0.1:{port}"


needs_alertmanager = pytest.mark.skipif(
    not (shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")),
    reason="Alertmanager is not installed (Debian: prometheus-alertmanager)",
)


@needs_alertmanager
def test_an_alert_arrives(tmp_path: Path) -> None:
    with listening(200) as (hook, posted), alertmanager(tmp_path, f"http://127.0.0.1:{hook}/alerts") as address:
        alert = [{"labels": {"alertname": "VisageDown", "severity": "critical"}}]
        deadline = time.monotonic() + 20
        while "/alerts" not in posted:
            assert time.monotonic() < deadline
            with contextlib.suppress(httpx.TransportError):
                httpx.post(f"{address}/api/v2/alerts", json=alert, trust_env=False)
            time.sleep(0.05)


@needs_alertmanager
def test_alertmanager_starts_without_an_address_to_post_to(tmp_path: Path) -> None:
    with alertmanager(tmp_path, None) as address:
        assert httpx.get(f"{address}/-/healthy", trust_env=False).status_code == 200


class TestKubernetes:
    def test_the_service_starts_with_its_values(self) -> None:
        for overlay in ("cpu", "gpu"):
            written = values(KUBERNETES / "base/settings.env") | dict(each.split("=", 1) for each in literals(overlay))
            assert set(written) <= SETTINGS
            given = {name.lower(): value for name, value in written.items() if value}
            Settings(**given, api_keys="web:0123456789abcdef")  # type: ignore[arg-type]
            with pytest.raises(ValidationError, match="there is no key"):
                Settings(**given, api_keys="")  # type: ignore[arg-type]

    def test_no_pod_starts_without_the_secret_of_keys(self, container: dict[str, Any]) -> None:
        (source,) = [each["valueFrom"]["secretKeyRef"] for each in container["env"] if each["name"] == "API_KEYS"]
        assert source["key"] == "API_KEYS"
        assert not source.get("optional")

    def test_every_pod_says_who_may_connect(self, base: dict[tuple[str, str], dict[str, Any]]) -> None:
        for name in ("visage", "visage-redis"):
            for rule in base["NetworkPolicy", name]["spec"]["ingress"]:
                assert rule["from"]
                assert all(peer.get("podSelector") for peer in rule["from"]), name

    def test_a_pod_gets_no_requests_before_it_stops(self, container: dict[str, Any]) -> None:
        readiness = container["readinessProbe"]
        pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pause >= readiness["periodSeconds"] * readiness["failureThreshold"]

    def test_a_pod_runs_as_the_user_of_the_image(self, pod: dict[str, Any], dockerfile: str) -> None:
        context = pod["securityContext"]
        assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in dockerfile

    def test_a_pod_may_reach_the_redis_of_its_settings(self, base: dict[tuple[str, str], dict[str, Any]]) -> None:
        storage = urlsplit(values(KUBERNETES / "base/settings.env")["RATE_LIMIT_STORAGE"])
        redis = base["Service", str(storage.hostname)]["spec"]["selector"]
        egress = base["NetworkPolicy", "visage"]["spec"]["egress"]
        assert any(
            target["podSelector"]["matchLabels"].items() <= redis.items() and port["port"] == storage.port
            for rule in egress
            for target in rule["to"]
            for port in rule["ports"]
        )

    def test_selectors_match_the_pods(self, base: dict[tuple[str, str], dict[str, Any]]) -> None:
        labels = base["Deployment", "visage"]["spec"]["template"]["metadata"]["labels"]
        selectors = [
            base["Deployment", "visage"]["spec"]["selector"]["matchLabels"],
            base["Service", "visage"]["spec"]["selector"],
            base["PodDisruptionBudget", "visage"]["spec"]["selector"]["matchLabels"],
            base["NetworkPolicy", "visage"]["spec"]["podSelector"]["matchLabels"],
        ]
        assert all(selector.items() <= labels.items() for selector in selectors)

    def test_the_autoscaler_uses_a_series_that_is_exported(
        self, base: dict[tuple[str, str], dict[str, Any]], series: set[str]
    ) -> None:
        metrics = base["HorizontalPodAutoscaler", "visage"]["spec"]["metrics"]
        (name,) = [metric["pods"]["metric"]["name"] for metric in metrics if metric["type"] == "Pods"]
        assert name in series
        (rule,) = load(KUBERNETES / "prometheus-adapter.yaml")[0]["rules"]["custom"]
        assert rule["name"]["as"] == name

    def test_the_monitor_s_job_is_the_one_that_the_alerts_and_the_dashboard_select(
        self, base: dict[tuple[str, str], dict[str, Any]], container: dict[str, Any]
    ) -> None:
        (monitor,) = load(KUBERNETES / "components/monitoring/service-monitor.yaml")
        service = base["Service", "visage"]
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        (job,) = load(ROOT / "deploy/prometheus/prometheus.yml")[0]["scrape_configs"]
        assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == job["job_name"]
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        assert endpoint["path"] in json.loads((ROOT / "docs/openapi.json").read_text())["paths"]

    def test_the_rules_of_the_operator_are_the_alerts(self) -> None:
        (rule,) = load(KUBERNETES / "components/monitoring/prometheus-rule.yaml")
        assert rule["spec"] == load(ROOT / "deploy/prometheus/alerts.yml")[0]

    @pytest.mark.parametrize("overlay", ["cpu", "gpu"])
    def test_the_documented_line_renders_what_can_be_applied(self, overlay: str, tmp_path: Path) -> None:
        if shutil.which("kubectl") is None:
            pytest.skip("kubectl is not installed")
        assert any(
            re.search(rf"overlays/{overlay}.*kustomize edit set image visage=", (ROOT / page).read_text())
            for page in ("README.md", "docs/deployment.md")
        )
        shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
        file = tmp_path / "kubernetes/overlays" / overlay / "kustomization.yaml"
        (kustomization,) = load(file)
        # What `kustomize edit set image visage=ghcr.io/owner/visage@sha256:…` writes.
        kustomization["images"] = [
            {"name": "visage", "newName": "ghcr.io/owner/visage", "digest": f"sha256:{'0' * 64}"}
        ]
        kustomization["components"] = ["../../components/monitoring", "../../components/ingress"]
        file.write_text(yaml.safe_dump(kustomization))
        done = subprocess.run(["kubectl", "kustomize", file.parent], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        documents = [document for document in yaml.safe_load_all(done.stdout) if document]
        kinds = {document["kind"] for document in documents}
        assert kinds >= {"Deployment", "Service", "ServiceMonitor", "PrometheusRule", "Ingress", "NetworkPolicy"}
        spaces = {
            document["metadata"].get("namespace", "") for document in documents if document["kind"] != "Namespace"
        }
        assert spaces == {"visage"}
        images = re.findall(r"^ *image: (\S+)$", done.stdout, re.M)
        assert any(image.startswith("ghcr.io/owner/visage@sha256:") for image in images)
        assert not any("example.org" in image for image in images)

    @pytest.mark.parametrize("overlay", ["cpu", "gpu"])
    def test_a_rollout_waits_as_long_as_a_pod_may_take_to_start(
        self, overlay: str, base: dict[tuple[str, str], dict[str, Any]]
    ) -> None:
        spec, file = base["Deployment", "visage"]["spec"], KUBERNETES / f"overlays/{overlay}/deployment.yaml"
        patch = load(file)[0]["spec"] if file.exists() else spec
        probe = spec["template"]["spec"]["containers"][0]["startupProbe"]
        probe = probe | patch["template"]["spec"]["containers"][0]["startupProbe"]
        longest = probe["periodSeconds"] * probe["failureThreshold"]
        assert patch.get("progressDeadlineSeconds", spec["progressDeadlineSeconds"]) > longest

    def test_the_adapter_asks_the_prometheus_of_the_same_release_as_the_monitor(self) -> None:
        (monitor,) = load(KUBERNETES / "components/monitoring/service-monitor.yaml")
        manual = (ROOT / "docs/operations.md").read_text()
        assert re.findall(r"prometheus\.url=http://(\S+)", manual) == [
            f"{monitor['metadata']['labels']['release']}-prometheus.monitoring.svc"
        ]

    def test_overlays_change_what_the_base_has(self, base: dict[tuple[str, str], dict[str, Any]]) -> None:
        for overlay in ("cpu", "gpu"):
            folder = KUBERNETES / "overlays" / overlay
            kustomization = load(folder / "kustomization.yaml")[0]
            assert kustomization["images"][0]["newTag"].removesuffix("-cuda") == app.__version__
            for patch in kustomization.get("patches", ()):
                (document,) = load(folder / patch["path"])
                assert (document["kind"], document["metadata"]["name"]) in base


@pytest.fixture(scope="module")
def series() -> set[str]:
    """The name of every series that a service can export."""
    registry = FakeRegistry(FakeModel())
    service = build_service(Settings(rate_limit_storage="redis://127.0.0.1:1"), fake_factories(Script()))
    service.registry_or_none = registry  # type: ignore[assignment]
    text = service.metrics.exposition(ServiceState(service)).decode()
    names = set(re.findall(r"^# TYPE (\S+) ", text, re.M))
    histograms = {name for name in names if f"# TYPE {name} histogram" in text}
    return names | {f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")}


def named(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:visage|process|python)_\w+\b", re.sub(r'"[^"]*"', "", expression)))


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def queries() -> Iterator[str]:
    for panel in panels():
        yield from (target["expr"] for target in panel.get("targets", ()))


class TestMonitoring:
    def test_every_query_of_the_dashboard_uses_series_that_exist(self, series: set[str]) -> None:
        ids = [panel["id"] for panel in panels()]
        assert len(set(ids)) == len(ids)
        asked = [named(query) for query in queries()]
        assert len(asked) > 20
        assert all(asked)
        assert set().union(*asked) <= series

    def test_every_alert_uses_series_that_exist_and_links_to_its_runbook(self, series: set[str]) -> None:
        (group,) = load(ROOT / "deploy/prometheus/alerts.yml")[0]["groups"]
        manual = (ROOT / "docs/operations.md").read_text()
        for rule in group["rules"]:
            assert named(rule["expr"]) <= series, rule["alert"]
            assert f"\n### {rule['alert']}\n" in manual
            assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"

    def test_the_dashboard_shows_every_series(self, series: set[str]) -> None:
        shown = set().union(*(named(query) for query in queries()))
        parts = ("_bucket", "_sum", "_count", "_created")
        counted = {name for name in series if name.startswith("visage_") and not name.endswith(parts)}
        missing = {name for name in counted if not {name, f"{name}_bucket", f"{name}_sum"} & shown}
        assert not missing

    @pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
    def test_the_alerts_fire_when_they_should(self) -> None:
        for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
            done = subprocess.run(
                ["promtool", *command], cwd=ROOT / "deploy/prometheus", capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr


class TestMake:
    @pytest.fixture
    def tree(self, tmp_path: Path) -> Path:
        """This repository without an environment, in a folder whose path has a space."""
        folder = tmp_path / "some where"
        folder.mkdir()
        for path in ROOT.glob("[!.]*"):
            (folder / path.name).symlink_to(path)
        return folder

    def make(self, tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
        # These tests may themselves be run by make.
        env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        return subprocess.run(["make", *words], cwd=tree, env=env, capture_output=True, text=True, check=False)

    def program(self, file: Path, text: str) -> Path:
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
        return file

    def test_another_python_is_refused_in_one_sentence(self, tmp_path: Path, tree: Path) -> None:
        checked = "import sys; sys.version_info = (3, 10, 12); exec(sys.argv[1])"
        python = self.program(tmp_path / "python3.10", f"exec '{sys.executable}' -c '{checked}' \"$2\"")
        done = self.make(tree, ".venv/bin/python", f"PYTHON={python}")
        assert done.returncode != 0
        sentence = done.stderr.splitlines()[0]
        assert "PYTHON=python3.12" in sentence
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        low, high = map(int, re.findall(r"3\.(\d+)", project["requires-python"]))
        named = re.findall(r"3\.\d+", sentence.partition(", and ")[0])
        assert named == [f"3.{minor}" for minor in range(low, high)]
        assert not (tree / ".venv").exists()

    def test_an_environment_that_venv_leaves_unfinished_is_removed(self, tmp_path: Path, tree: Path) -> None:
        unfinished = '[ "$1" = -c ] || { mkdir -p "$3/bin" && touch "$3/bin/python"; exit 1; }'
        python = self.program(tmp_path / "python3", unfinished)
        assert self.make(tree, ".venv/bin/python", f"PYTHON={python}").returncode != 0
        assert not (tree / ".venv").exists()

    def test_the_folder_s_path_may_have_a_space(
        self, tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.program(tmp_path / "npm", "")
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        done = self.make(tree, "--dry-run", "clients-test", "reviews-test", "lock")
        assert done.returncode == 0, done.stderr
        words = shlex.split(done.stdout)
        assert words.count(f"VISAGE_PYTHON={tree}/.venv/bin/python") == 2
        assert all(str(tree) in word for word in words if str(tmp_path) in word)

    def test_clean_leaves_nothing_that_the_targets_made(self, tree: Path) -> None:
        removed = self.make(tree, "--dry-run", "clean").stdout.split()
        ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if "*" not in line}
        kept = {"__pycache__", "data", "runs", ".env", ".DS_Store"}
        missing = {name for name in ignored - kept if not any(word.endswith(name) for word in removed)}
        assert not missing

    def test_every_list_of_an_image_is_checked_on_its_platforms(self, tree: Path, dockerfile: str) -> None:
        wanted = self.make(tree, "--dry-run", "platforms").stdout
        lists = re.findall(r"\bfile=(\w+)", dockerfile)
        assert len(lists) == 4
        assert all(f" {name}:x86_64" in wanted for name in lists)

    def test_every_pin_is_audited(self, tmp_path: Path) -> None:
        self.program(tmp_path / "pip-audit", f'echo "$@" >>{tmp_path}/asked')
        subprocess.run(["scripts/audit.sh", str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
        audited = re.findall(r"--requirement (\S+)", (tmp_path / "asked").read_text())
        # PyTorch is pinned without a hash, which pip-audit asks for.
        lists = {file for file in (ROOT / "requirements").iterdir() if file.name != "torch.txt"}
        assert set().union(*map(pins, lists)) <= set().union(*(pins(ROOT / file) for file in audited))


def pins(file: Path) -> set[str]:
    return set(re.findall(r"^\S+==[^\s;]+", file.read_text(), re.M))


class TestReleases:
    def test_the_changelog_has_the_version(self) -> None:
        assert f"\n## {app.__version__} " in (ROOT / "CHANGELOG.md").read_text()

    def test_workflows_have_no_known_weakness(self) -> None:
        zizmor = Path(sys.executable).with_name("zizmor")
        command = [zizmor, "--offline", "--no-progress", "--pedantic", "--quiet", ROOT / ".github"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
