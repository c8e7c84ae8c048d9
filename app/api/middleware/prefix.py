"""The prefix under which a proxy serves the service, whether the proxy takes it off the paths or leaves it on."""

from __future__ import annotations

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class Prefix:
    """Gives every path its prefix, which the layers within take off again to find the route."""

    def __init__(self, app: ASGIApp, *, prefix: str) -> None:
        self.app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        if path == self._prefix:
            scope["root_path"] = self._prefix
            # The page's addresses are relative: without the slash a browser would look for them beside the prefix.
            query = scope["query_string"].decode("latin-1")
            redirect = RedirectResponse(f"{path}/?{query}" if query else f"{path}/")
            await redirect(scope, receive, send)
            return
        put_prefix(scope, self._prefix)
        await self.app(scope, receive, send)


def put_prefix(scope: Scope, prefix: str) -> None:
    """Gives a path its prefix, if it has none yet."""
    scope["root_path"] = prefix
    if not scope["path"].startswith(f"{prefix}/"):
        scope["path"] = prefix + scope["path"]
