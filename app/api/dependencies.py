"""What the edge keeps of one request in its ASGI scope, and how endpoints reach it."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.types import Scope

from app.errors import NotReady, RateLimited
from app.service import Service
from app.worker_pool import Ticket

SERVICE: Final = "service"
TICKET: Final = "visage.ticket"
CLIENT: Final = "visage.client"
LIMIT_HEADERS: Final = "visage.limit_headers"
"""Where a request's state holds who sends it, and the rate-limit headers of its response."""


def service_of(scope: Scope) -> Service:
    """The service that answers a request."""
    service = scope.get("state", {}).get(SERVICE)
    if not isinstance(service, Service):
        raise NotReady
    return service


def route_path(scope: Scope) -> str:
    """The path below the prefix under which a proxy serves the service."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


async def charge(scope: Scope) -> None:
    """Charges the client of a request for one picture, or raises RateLimited."""
    allowance = await service_of(scope).limiter.charge(scope["state"].get(CLIENT, "unknown"))
    if allowance is None:
        return
    scope["state"][LIMIT_HEADERS] = allowance.headers
    if not allowance.granted:
        raise RateLimited(retry_after=allowance.retry_after)


async def _service(request: Request) -> Service:
    return service_of(request.scope)


async def _ticket(request: Request) -> Ticket:
    ticket: Ticket = request.scope["state"][TICKET]
    return ticket


TheService = Annotated[Service, Depends(_service)]
"""An endpoint's parameter: the service."""

TheTicket = Annotated[Ticket, Depends(_ticket)]
"""An endpoint's parameter: the request's ticket, which only routes that read pictures have."""
