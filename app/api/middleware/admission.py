"""Who is let in, decided before one byte of the body is read: phase, room in the queue, API key, the client's rate."""

from __future__ import annotations

import logging
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.dependencies import ADMIN, CLIENT, RESERVATION, charge, route_path, service_of
from app.api.identity import ApiKeys, client_names
from app.config import Settings
from app.errors import NotReady, Overloaded, Unauthorized
from app.service import Phase, Service

logger = logging.getLogger("visage.admission")

_PROBES = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})
_OPEN = frozenset({"/", "/favicon.ico", "/docs", "/openapi.json"})
_OPEN_BELOW = ("/web/", "/docs/", "/samples/")
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
        self._trusted = settings.proxy_networks
        if not self._keys:
            logger.warning("API_KEYS is empty: the service is open to everybody.")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await self._admit(scope)
        try:
            await self.app(scope, receive, send)
        finally:
            reservation = scope["state"].get(RESERVATION)
            if reservation is not None:
                service_of(scope).pool.release(reservation)

    async def _admit(self, scope: Scope) -> None:
        path = route_path(scope)
        if path in _PROBES:
            return
        service = service_of(scope)
        if service.phase is Phase.DRAINING:
            service.metrics.shed("draining")
            raise NotReady("The service is stopping. Send the request again.")
        if path in _OPEN or path.startswith(_OPEN_BELOW):
            return
        predicts = path in PREDICTION_PATHS and scope["method"] == "POST"
        if predicts and service.phase is Phase.SERVING:
            # Asked first, because under overload most requests end here. Taken last, because only who may enter takes.
            _require_room(service)
        self._identify(scope)
        await charge(scope, read=not predicts)
        if service.phase is Phase.STARTING:
            service.metrics.shed("starting")
            raise NotReady
        if predicts:
            _require_room(service)
            scope["state"][RESERVATION] = service.pool.reserve()

    def _identify(self, scope: Scope) -> None:
        """Notes what the request is counted under and what its key may do, or raises Unauthorized."""
        if not self._keys:
            scope["state"][CLIENT] = client_names(scope, self._trusted)
            return
        name = self._keys.name_of(scope)
        if name is None:
            raise Unauthorized
        scope["state"][CLIENT] = (f"key {name}",)
        scope["state"][ADMIN] = self._keys.is_admin(name)


def _require_room(service: Service) -> None:
    if not service.pool.room:
        service.metrics.shed("queue_full")
        raise Overloaded(retry_after=service.pool.retry_after)
