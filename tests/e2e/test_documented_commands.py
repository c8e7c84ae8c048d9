"""The commands of ``docs/api.md``, run as they are printed, answer what the page says."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.process import ServerProcess

ROOT = Path(__file__).parents[2]
COMMANDS = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "api.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)

pytestmark = pytest.mark.e2e


def run(command: str, server: ServerProcess) -> dict[str, Any]:
    command = command.replace("localhost:8000", f"127.0.0.1:{server.port}").replace("curl ", "curl --silent ")
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_documentation_works(command: str, shared_server: ServerProcess) -> None:
    answer = run(command, shared_server)
    assert answer["success"] is True
    (item, *_) = answer.get("results", [answer])
    assert "happy" in (item.get("emotion"), item.get("dominant_emotion"), *item.get("by_emotion", ()))
