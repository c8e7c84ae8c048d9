"""The commands of ``docs/api.md`` and of the README, run as they are printed, answer what the pages say."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.process import ServerProcess

ROOT = Path(__file__).parents[2]


def commands_of(page: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)


# Another test generates clients, as a stranger does.
COMMANDS = [command for command in commands_of("api.md") if "curl" in command]
README = re.search(
    r"^## Use it\n.*?^```sh\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
)

pytestmark = pytest.mark.e2e


def statements(block: str) -> list[str]:
    """The commands of a block: a line that ends in a pipe goes on in the next."""
    lines = [line for line in block.replace("|\n", "| ").splitlines() if line and not line.startswith("#")]
    return [line.partition("  # ")[0].strip() for line in lines]


def output(command: str, server: ServerProcess) -> str:
    command = command.replace("localhost:8000", f"127.0.0.1:{server.port}").replace("curl ", "curl --silent --fail ")
    return subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def run(command: str, server: ServerProcess) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(output(command, server))
    return answer


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_documentation_works(command: str, shared_server: ServerProcess) -> None:
    answer = run(command, shared_server)
    assert answer["success"] is True
    (item, *_) = answer.get("results", [answer])
    assert "happy" in (item.get("emotion"), item.get("dominant_emotion"), *item.get("by_emotion", ()))


@pytest.mark.parametrize("command", commands_of("sessions.md"))
def test_a_command_of_the_page_on_sessions_works(command: str, shared_server: ServerProcess) -> None:
    assert run(command, shared_server)["success"] is True


def test_every_command_of_the_readme_works(shared_server: ServerProcess) -> None:
    assert README is not None
    commands = statements(README[1])
    assert len(commands) >= 12
    for command in commands:
        assert output(command, shared_server), command
