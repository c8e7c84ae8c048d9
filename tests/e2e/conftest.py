"""Real servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest

from tests.process import ServerProcess

StartServer = Callable[..., ServerProcess]


@pytest.fixture
def server() -> Iterator[StartServer]:
    """Starts ``python -m app`` with some settings and waits until it is ready, unless ``wait`` is false."""
    with ExitStack() as stack:

        def begin(
            *, wait: bool = True, wrap: Sequence[str] = (), stdout: int | None = None, **settings: object
        ) -> ServerProcess:
            values = {"workers": 1, "drain_seconds": 0, **settings}
            process = ServerProcess({name.upper(): value for name, value in values.items()}, wrap, stdout=stdout)
            stack.enter_context(process)
            if wait:
                process.wait_ready()
            return process

        yield begin


@pytest.fixture(scope="session")
def shared_server() -> Iterator[ServerProcess]:
    """One server with its defaults, for tests that leave it as they found it."""
    with ServerProcess({"WORKERS": 1, "DRAIN_SECONDS": 0}) as process:
        process.wait_ready()
        yield process
