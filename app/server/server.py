"""The server process: sockets with deadlines, signals, and a drain in which nothing that was admitted is lost."""

from __future__ import annotations

import errno
import logging
import os
import resource
import signal
import socket
import time
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app.config import BadSettings, Settings
from app.server.limits import ProtocolLimits
from app.server.protocol import protocol_classes
from app.service import Phase, Service
from app.system import configure_allocator
from app.telemetry.logs import write_logs

logger = logging.getLogger("visage.server")

_BACKLOG = 1024
_UNSENT_BYTES = 64 * 1024
"""What the kernel takes of a response before it sends it."""
_FILES_KEPT_BACK = 64
"""For models and Redis."""
_MOST_CONNECTIONS = 4096
_ENDING = 1
_PING_SECONDS = 10


class Server(uvicorn.Server):
    """uvicorn's server, whose listener stays open while it drains."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain_seconds: float) -> None:
        super().__init__(config)
        self._app = app
        self._drain_seconds = drain_seconds
        self._exit_at: float | None = None
        self._drain_told = False

    @property
    def service(self) -> Service | None:
        return getattr(self._app.state, "service", None)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """The first SIGTERM turns new requests away; when the drain is over, or at a second signal, the server ends.
        While it starts, nothing is to be drained.

        uvicorn would raise the signal again at the end, so that the exit status were not 0. Nothing is logged here:
        a signal may interrupt the very code that holds the log's lock.
        """
        service = self.service
        if sig == signal.SIGTERM and service is not None and service.phase is Phase.SERVING and self._exit_at is None:
            self._exit_at = time.monotonic() + self._drain_seconds
            # Without a drain, what comes until the listener is closed is served.
            if self._drain_seconds:
                service.phase = Phase.DRAINING
        elif self.should_exit:
            self.force_exit = True
        else:
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        if self._exit_at is not None and not self._drain_told:
            self._drain_told = True
            logger.info("Draining for %g s.", self._drain_seconds)
            if self.service is not None:
                self.service.streams.drain()
        if self._exit_at is not None and time.monotonic() >= self._exit_at:
            self.should_exit = True
        if self.service is not None and self.service.fatal is not None:
            self.should_exit = True
        return await super().on_tick(counter)


def run(settings: Settings) -> None:
    """Serves until a signal ends it. Raises BadSettings when a setting, or the port, cannot be had."""
    # A dump of this process would hold pictures.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    configure_allocator()
    listener = _listen(settings.host, settings.port)
    with write_logs(settings.log_level, settings.log_format):
        # The application imports what takes long; a port that is taken is found before.
        from app.main import create_app  # noqa: PLC0415

        app = create_app(settings)
        server = Server(config_of(app, settings), app, settings.drain_seconds)
        logger.info("Listening on %s:%d.", *listener.getsockname()[:2])
        server.run(sockets=[listener])
        logger.info("Stopped.")
    if server.service is not None and server.service.fatal is not None:
        raise BadSettings(server.service.fatal)


def config_of(app: FastAPI, settings: Settings) -> uvicorn.Config:
    limits = ProtocolLimits(
        header_timeout=settings.header_timeout_seconds,
        write_timeout=settings.request_timeout_seconds,
        connections=_connections(),
    )
    http, websocket = protocol_classes(limits)
    return uvicorn.Config(
        app,
        http=http,
        ws=websocket,
        ws_max_size=settings.max_file_bytes,
        # A client that does not read sends no pong either, so that it is closed within the deadline of writes.
        ws_ping_interval=min(settings.request_timeout_seconds / 3, _PING_SECONDS),
        ws_ping_timeout=min(settings.request_timeout_seconds * 2 / 3, 2 * _PING_SECONDS),
        # Pictures are compressed already.
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        # Forwarded headers are read where clients are counted, from trusted proxies only.
        proxy_headers=False,
        backlog=_BACKLOG,
        # Longer than common load balancers keep a connection, so that they are the ones to close it.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(int(settings.request_timeout_seconds - settings.drain_seconds), 0) + _ENDING,
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # Asyncio's own loop sends small answers at once only on sockets that say that they are TCP's; without it they
        # wait 40 ms for the client's acknowledgement. uvloop always does.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it. Else the kernel copies megabytes for clients that do not read.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        listener.bind((host, port))
    except OSError as error:
        name = "PORT" if error.errno in {errno.EADDRINUSE, errno.EACCES} else "HOST"
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise BadSettings(f"{name}: cannot listen on {host}:{port}: {reason}.") from None
    return listener


def _connections() -> int:
    """As many connections as there are files for, with a quarter kept back for those that are being replaced."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(min(_MOST_CONNECTIONS, (soft - _FILES_KEPT_BACK) * 3 // 4), 16)
