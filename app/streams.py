"""The open streams of the process: how many, the rate of their frames, and their end when the service stops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from app.errors import Overloaded
from app.rate_limiter import NETWORK_FACTOR, Budget, MemoryCounter, Rate

_RETRY_AFTER: Final = 5.0
_MOST_OF_THE_REST: Final = 3
"""How many times as many streams a client may have as there are places left. Alone it gets three quarters of them."""


class Streams:
    """Event loop only. ``frames_per_second`` is the rate of each client, in all its streams together."""

    def __init__(self, most: int, frames_per_second: int, *, max_clients: int) -> None:
        self._most = most
        self._open: dict[object, Callable[[], None]] = {}
        self._of_client: Counter[str] = Counter()
        self._frames = MemoryCounter(max_clients)
        self._rate = Rate.of(frames_per_second, 1)
        self._network_rate = Rate.of(NETWORK_FACTOR * frames_per_second, 1)

    def __len__(self) -> int:
        return len(self._open)

    def require_room(self, client: Sequence[str]) -> None:
        """Raises Overloaded when no more streams may be open, or none of this client and its networks."""
        left = self._most - len(self._open) - 1
        if left < 0:
            raise Overloaded("This service has as many streams as it takes. Try again later.", retry_after=_RETRY_AFTER)
        has = max(self._of_client[name] for name in client)
        if has and has + 1 > _MOST_OF_THE_REST * left:
            raise Overloaded(
                f"This client has {has} streams. The places that are left are for others.", retry_after=_RETRY_AFTER
            )

    @contextmanager
    def opened(self, client: Sequence[str], drain: Callable[[], None]) -> Iterator[None]:
        """Takes a place for a stream of a client. Calls ``drain`` when the service stops."""
        self.require_room(client)
        place = object()
        self._open[place] = drain
        self._of_client.update(client)
        try:
            yield
        finally:
            del self._open[place]
            self._of_client.subtract(client)
            self._of_client = +self._of_client

    def drain(self) -> None:
        """Tells every stream to end."""
        for drain in tuple(self._open.values()):
            drain()

    def grants_frame(self, client: str, *networks: str) -> bool:
        """Counts a frame of a client, and says whether it is within the client's rate."""
        budgets = [Budget(client, self._rate), *(Budget(network, self._network_rate) for network in networks)]
        debts = self._frames.take(budgets)
        return all(debt <= budget.rate.span for debt, budget in zip(debts, budgets, strict=True))
