"""Who is let in, decided before one byte of the body is read: phase, room in the queue, API key, the client's rate."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.dependencies import ADMIN, CLIENT, KEY_NAME, RESERVATION, charge, is_page, route_path, service_of
from app.api.identity import ApiKeys, StreamTokens, client_names
from app.api.stream_messages import KEY_PREFIX, STREAM_PATH, SUBPROTOCOL
from app.config import Settings
from app.errors import Forbidden, InvalidRequest, NotFound, NotReady, Overloaded, Unauthorized
from app.service import Phase, Service

logger = logging.getLogger("visage.admission")

PROBES: Final = frozenset({"/health", "/health/live", "/health/ready"})
"""Their responses come first. Those of /metrics take a hundred times as long, and anybody may ask for them."""

PREDICTION_PATHS: Final = frozenset(
    {
        "/predict",
        "/predict/batch",
        "/predict/compare",
        "/analyze/facial",
        "/analyze/session",
        "/analyze/multimodal",
    }
)
"""The routes that need room in the queue."""


class Admission:
    """Lets a request in, or raises the error that refuses it.

    Probes are always let in. The page and the docs need no key, and are not counted. Other routes than predictions have
    an allowance of their own.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self.app = app
        self._keys = ApiKeys(settings.api_keys)
        self._tokens = StreamTokens(settings.stream_secret)
        self._origins = frozenset(settings.cors_origins)
        self._trusted = settings.proxy_networks
        if not self._keys:
            logger.warning("API_KEYS is empty: the service is open to everybody.")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._admit_stream(scope)
        elif scope["type"] == "http":
            await self._admit(scope)
        else:
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            reservation = scope["state"].get(RESERVATION)
            if reservation is not None:
                service_of(scope).pool.release(reservation)

    async def _admit(self, scope: Scope) -> None:
        path = route_path(scope)
        if path in PROBES or path == "/metrics":
            return
        service = service_of(scope)
        if service.phase is Phase.DRAINING:
            service.metrics.shed("draining")
            raise NotReady("The service is stopping. Send the request again.")
        if is_page(path):
            return
        predicts = path in PREDICTION_PATHS and scope["method"] == "POST"
        if predicts and service.phase is Phase.SERVING:
            # Asked first, because under overload most requests end here. Taken last, because only who may enter takes.
            _require_room(service)
        self._identify(scope)
        await charge(scope, read=not predicts)
        if path.endswith("\n"):
            # The patterns of the routes match it as if it ended before.
            raise NotFound
        if service.phase is Phase.STARTING:
            service.metrics.shed("starting")
            raise NotReady
        if predicts:
            _require_room(service)
            scope["state"][RESERVATION] = service.pool.reserve()

    async def _admit_stream(self, scope: Scope) -> None:
        """The same for a WebSocket. Its place among the streams is taken when it opens."""
        if route_path(scope) != STREAM_PATH:
            raise NotFound
        if scope["subprotocols"] and SUBPROTOCOL not in scope["subprotocols"]:
            raise InvalidRequest(f"The WebSocket's subprotocol must be {SUBPROTOCOL}, or none.")
        service = service_of(scope)
        if service.phase is Phase.DRAINING:
            service.metrics.shed("draining")
            raise NotReady("The service is stopping. Open the stream again.")
        self._check_origin(scope)
        self._identify(scope, _token(scope["subprotocols"]))
        _require_place(service, scope["state"][CLIENT])
        await charge(scope)
        if service.phase is Phase.STARTING:
            service.metrics.shed("starting")
            raise NotReady

    def _check_origin(self, scope: Scope) -> None:
        """Raises Forbidden for a page of another origin that CORS_ORIGINS does not list."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        if not origin or "*" in self._origins or origin in self._origins:
            return
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if _without_default_port(origin.partition("://")[2]) != _without_default_port(host):
            raise Forbidden("A page of this origin may not open a stream: CORS_ORIGINS does not name it.")

    def _identify(self, scope: Scope, token: str | None = None) -> None:
        """Notes what the request is counted under and what its key may do, or raises Unauthorized."""
        by_token = None if token is None else self._tokens.name_of(token)
        if token is not None and by_token is None:
            raise Unauthorized("This token is wrong or has expired. POST /stream/token returns another.")
        if not self._keys:
            scope["state"][CLIENT] = client_names(scope, self._trusted)
            return
        name = self._keys.name_of(scope) if by_token is None else by_token
        if name is None or not self._keys.has(name):
            raise Unauthorized
        scope["state"][CLIENT] = (f"key {name}",)
        scope["state"][KEY_NAME] = name
        scope["state"][ADMIN] = self._keys.is_admin(name)


def _require_room(service: Service) -> None:
    if not service.pool.room:
        service.metrics.shed("queue_full")
        raise Overloaded(retry_after=service.pool.retry_after)


def _require_place(service: Service, client: Sequence[str]) -> None:
    try:
        service.streams.require_room(client)
    except Overloaded:
        service.metrics.shed("streams")
        raise


def _token(subprotocols: Sequence[str]) -> str | None:
    """The token among the subprotocols that a WebSocket offers."""
    return next((name.removeprefix(KEY_PREFIX) for name in subprotocols if name.startswith(KEY_PREFIX)), None)


def _without_default_port(host: str) -> str:
    return host.removesuffix(":80").removesuffix(":443")
