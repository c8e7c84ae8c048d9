"""The clients of ``docs/streams.md``, run as they are printed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process import ROOT, ServerProcess

PAGE = (ROOT / "docs" / "streams.md").read_text("utf-8")
SAMPLES = ROOT / "sample_images"
COMPILER = ROOT / "tests/api/typescript/node_modules/typescript/bin/tsc"
KEY = "your-key-0123456789"

RUN = """
import { readFileSync } from "node:fs";
import { openStream } from "./client.js";

const [base, token, picture] = process.argv.slice(2);
const types = [];
const stream = openStream(base, token, (message) => types.push(message.type));
await stream.opened;
stream.send(readFileSync(picture));
const summary = await stream.end();
console.log(JSON.stringify({ types, read: summary.frames.read }));
process.exit(0);
"""

pytestmark = pytest.mark.e2e


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def keyed() -> Iterator[ServerProcess]:
    settings = {"WORKERS": 1, "DRAIN_SECONDS": 0, "API_KEYS": f"page:{KEY}", "STREAM_FRAMES_PER_SECOND": 2}
    with ServerProcess(settings) as process:
        process.wait_ready()
        yield process


def test_the_client_in_python(keyed: ServerProcess) -> None:
    client = block("python").replace("your-key", KEY)
    address = f"ws://127.0.0.1:{keyed.port}"
    # More than the rate takes at once: what is beyond it gets no message.
    pictures = [str(SAMPLES / name) for name in ("happy_sample.jpg", *["no_face.jpg"] * 4)]
    done = subprocess.run(
        [sys.executable, "-c", client, address, *pictures], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    labels, happy, *nobody, frames = done.stdout.splitlines()
    assert "surprise" in labels
    assert "(1, 'happy'" in happy
    assert nobody == ["[]"] * 4
    assert "'read': 5" in frames


@pytest.mark.skipif(not COMPILER.exists(), reason="The TypeScript compiler is not installed (npm ci there).")
def test_the_client_in_typescript(keyed: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "client.ts").write_text(block("ts"), "utf-8")
    (tmp_path / "package.json").write_text('{"type": "module"}', "utf-8")
    (tmp_path / "run.js").write_text(RUN, "utf-8")
    compiled = ["node", COMPILER, "--strict", "--target", "es2022", "--module", "es2022", tmp_path / "client.ts"]
    node(*compiled)
    curl = ["curl", "--silent", "--fail", "-X", "POST", "-H", f"X-API-Key: {KEY}", f"{keyed.url}/stream/token"]
    token = json.loads(subprocess.run(curl, capture_output=True, text=True, check=True).stdout)["token"]
    arguments = [f"ws://127.0.0.1:{keyed.port}", token, SAMPLES / "happy_sample.jpg"]
    said = json.loads(node("node", "--experimental-websocket", tmp_path / "run.js", *arguments))
    assert said == {"types": ["started", "prediction", "summary"], "read": 1}


def node(*command: str | Path) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
