"""The recipes for HTTPS, run: pages, predictions and redirects through nginx and Caddy."""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.backends import running
from tests.process import ROOT, ServerProcess, free_port

NGINX, CADDY, OPENSSL, UNSHARE = (shutil.which(name) for name in ("nginx", "caddy", "openssl", "unshare"))
NAME = "visage.example.org"
SAMPLE = ROOT / "sample_images" / "phone_12mp.jpg"

needs_nginx = pytest.mark.skipif(not NGINX or not OPENSSL, reason="nginx is not installed (Debian: nginx-light)")
needs_caddy = pytest.mark.skipif(not CADDY, reason="Caddy is not installed (Debian: caddy)")

pytestmark = pytest.mark.e2e

PATIENCE = 20.0
Proxy = Callable[[Path, int], Any]


@contextmanager
def nginx(folder: Path, service: int) -> Iterator[tuple[str, str]]:
    """The addresses of HTTPS and of HTTP."""
    secure, plain = free_port(), free_port()
    certificate = [
        "-keyout",
        f"{folder}/privkey.pem",
        "-out",
        f"{folder}/fullchain.pem",
        "-subj",
        "/CN=visage.example.org",
    ]
    subprocess.run(
        [str(OPENSSL), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *certificate],
        check=True,
        capture_output=True,
    )
    text = (ROOT / "deploy/nginx/https.conf").read_text()
    changes = {
        f"/etc/letsencrypt/live/{NAME}": str(folder),
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl;": f"listen 127.0.0.1:{secure} ssl;",
        "http://127.0.0.1:8000": f"http://127.0.0.1:{service}",
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    if not _has_http2_directive():
        text = text.replace("http2 on;", "")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    config = folder / "nginx.conf"
    config.write_text(
        f"""{"user root;" if os.geteuid() == 0 else ""}
        worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; daemon off;
        events {{}}
        http {{ access_log off; {temporary} {text} }}"""
    )
    with running([str(NGINX), "-e", f"{folder}/error.log", "-c", str(config)], secure):
        yield f"https://127.0.0.1:{secure}", f"http://127.0.0.1:{plain}"


def _has_http2_directive() -> bool:
    said = subprocess.run([str(NGINX), "-v"], capture_output=True, text=True, check=True).stderr
    version = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", said)
    assert version
    return tuple(map(int, version.groups())) >= (1, 25, 1)


@contextmanager
def caddy(folder: Path, service: int, name: str = "localhost", wrap: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """The address of HTTPS. Caddy makes the certificate for localhost itself. ``wrap`` is put before its command."""
    secure = free_port()
    settings = {"DOMAIN": "localhost", "SERVICE_HOST": name, "SERVICE_PORT": str(service)}
    adapted = subprocess.run(
        [str(CADDY), "adapt", "--config", ROOT / "deploy/caddy/Caddyfile"],
        env={**os.environ, **settings},
        capture_output=True,
        check=True,
    )
    config: dict[str, Any] = json.loads(adapted.stdout)
    (server,) = config["apps"]["http"]["servers"].values()
    assert server["listen"] == [":443"]
    server["listen"] = [f"127.0.0.1:{secure}"]
    server["automatic_https"] = {"disable_redirects": True}
    config["apps"]["pki"] = {"certificate_authorities": {"local": {"install_trust": False}}}
    config["apps"]["tls"] = {"automation": {"policies": [{"issuers": [{"module": "internal"}]}]}}
    config["admin"]["config"] = {"persist": False}
    config["storage"] = {"module": "file_system", "root": str(folder)}
    (folder / "caddy.json").write_text(json.dumps(config))
    with running([*wrap, str(CADDY), "run", "--config", f"{folder}/caddy.json"], secure):
        _wait_for_certificate(secure)
        yield f"https://localhost:{secure}", ""


def _wait_for_certificate(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            httpx.get(f"https://localhost:{port}", verify=False, trust_env=False)
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


PROXIES = {"nginx": pytest.param(nginx, marks=needs_nginx), "caddy": pytest.param(caddy, marks=needs_caddy)}


@pytest.fixture(params=PROXIES.values(), ids=PROXIES)
def proxy(request: pytest.FixtureRequest) -> Proxy:
    found: Proxy = request.param
    return found


@pytest.fixture(scope="module")
def service() -> Iterator[ServerProcess]:
    """A server that trusts the proxy."""
    settings = {"WORKERS": 1, "DRAIN_SECONDS": 0, "TRUSTED_PROXIES": "127.0.0.1", "RATE_LIMIT": "1000/day"}
    with ServerProcess(settings) as process:
        process.wait_ready()
        yield process


def test_the_page_and_predictions_come_over_https(proxy: Proxy, tmp_path: Path, service: ServerProcess) -> None:
    with proxy(tmp_path, service.port) as (url, plain), httpx.Client(verify=False, trust_env=False) as client:
        page = client.get(url)
        assert page.status_code == 200
        assert "camera=(self)" in page.headers["permissions-policy"]
        assert page.headers["strict-transport-security"] == "max-age=31536000"
        result = client.post(f"{url}/predict", files={"file": SAMPLE.read_bytes()}, timeout=60)
        assert (result.status_code, result.json()["emotion"]) == (200, "happy")
        if plain:
            redirected = client.get(f"{plain}/docs?a=b", headers={"Host": NAME})
            assert (redirected.status_code, redirected.headers["location"]) == (301, f"https://{NAME}/docs?a=b")


def test_a_client_is_its_address_whatever_it_claims(proxy: Proxy, tmp_path: Path, service: ServerProcess) -> None:
    with proxy(tmp_path, service.port) as (url, _), httpx.Client(verify=False, trust_env=False) as client:
        forged = [client.post(f"{url}/predict", headers={"X-Forwarded-For": f"192.0.2.{n}"}) for n in range(3)]
    left = [int(response.headers["x-ratelimit-remaining"]) for response in forged]
    assert left == [left[0], left[0] - 1, left[0] - 2]


def test_a_stream_comes_over_https(proxy: Proxy, tmp_path: Path, service: ServerProcess) -> None:
    # The certificate is signed by nobody that this machine knows.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with proxy(tmp_path, service.port) as (url, _):
        stream = connect(f"{url.replace('https', 'wss')}/stream", ssl=context, proxy=None)
        with stream:
            stream.send(SAMPLE.read_bytes())
            messages = [json.loads(stream.recv(timeout=PATIENCE)) for _ in range(2)]
    assert [message["type"] for message in messages] == ["started", "prediction"]
    assert messages[1]["faces"][0]["emotion"] == "happy"


@needs_caddy
def test_an_error_of_caddy_has_the_form_of_the_service_s(tmp_path: Path) -> None:
    with caddy(tmp_path, free_port()) as (url, _):
        response = httpx.get(f"{url}/info", verify=False, trust_env=False)
    body = response.json()
    assert (response.status_code, body["success"], body["error"]) == (503, False, "not_ready")
    assert body["request_id"] == response.headers["x-request-id"]
    assert response.headers["retry-after"] == "1"


@needs_caddy
@pytest.mark.skipif(
    not UNSHARE or subprocess.run([UNSHARE, "--mount", "true"], capture_output=True, check=False).returncode != 0,
    reason="only root may give one program another /etc/hosts",
)
def test_caddy_sends_a_body_to_the_replica_that_listens(tmp_path: Path, service: ServerProcess) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n127.0.0.3 replicas\n127.0.0.1 replicas\n")
    script = 'mount --bind "$0" /etc/hosts && exec "$@"'
    wrap = ["unshare", "--mount", "sh", "-c", script, str(tmp_path / "hosts")]
    with (
        caddy(tmp_path, service.port, "replicas", wrap) as (url, _),
        httpx.Client(verify=False, trust_env=False) as client,
    ):
        sent = [client.post(f"{url}/predict", files={"file": SAMPLE.read_bytes()}, timeout=60) for _ in range(5)]
    assert [response.status_code for response in sent] == [200] * 5
