"""The event loop of these tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The service's own. That of Python goes on writing to who does not read in 3.12.0 to 3.12.8 and 3.13.0 to 3.13.1
    (CVE-2024-12254)."""
    return {"uvloop": uvloop.new_event_loop}
