"""Serves the files of the built-in page, the engine for the device, the samples, Swagger UI and the OpenAPI document.

A middleware adds the security headers.
"""

from __future__ import annotations

import hashlib
import json
import stat
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import orjson
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.datastructures import Headers
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from app import __version__ as app_version
from app.errors import NotFound

router = APIRouter(include_in_schema=False)

_ROOT: Final = Path(__file__).parents[3]
_WEB: Final = Path(__file__).parents[2] / "web"
_SWAGGER: Final = Path(__file__).parents[1] / "swagger"

_page = StaticFiles(directory=_WEB)
_edge = StaticFiles(directory=_WEB / "edge", check_dir=False)
_swagger = StaticFiles(directory=_SWAGGER)
_samples = StaticFiles(directory=_ROOT / "sample_images", check_dir=False)

_REVALIDATE: Final = "no-cache"
"""The browser keeps the file and asks each time whether it changed; an unchanged ETag gets a 304."""
_A_DAY: Final = "public, max-age=86400"
_FOREVER: Final = "public, max-age=31536000, immutable"
"""For folders that are named after the hash of their content."""

_TYPES: Final = {
    **{".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".json": "application/json"},
    **{
        ".jpeg": "image/jpeg",
        ".jpg": "image/jpeg",
        ".png": "image/png",
        ".svg": "image/svg+xml",
        ".webp": "image/webp",
    },
    **{".mjs": "text/javascript", ".onnx": "application/octet-stream", ".wasm": "application/wasm"},
    **{".txt": "text/plain", ".webmanifest": "application/manifest+json"},
}
"""The files that are served, by their suffixes."""
_PORTION: Final = 64 * 1024
"""Bytes of a file that are on their way to a client at a time."""


@dataclass(frozen=True, slots=True)
class _File:
    changed: int
    content: bytes
    etag: str


def _file(changed: int, content: bytes) -> _File:
    return _File(changed, content, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


_files: dict[str, _File] = {}
"""The files that were asked for, by their paths: 4 MB if all of them were, and 10 MB of the engine for the device."""


def _serve(path: str, folder: StaticFiles, caching: str, file: str | None = None) -> None:
    """Adds the route of one file, or of all files of a folder."""

    async def serve(request: Request) -> Response:
        name = file or request.path_params["path"]
        headers = {"Cache-Control": caching}
        found = None
        if caching == _FOREVER:
            headers["Vary"] = "Accept-Encoding"
            found = _compressed(folder, name) if "gzip" in request.headers.get("Accept-Encoding", "") else None
            if found is not None:
                headers["Content-Encoding"] = "gzip"
        return _response(request, name, found or _find(folder, name), headers)

    router.add_api_route(path, serve, methods=["GET", "HEAD"])


def _response(request: Request, name: str, found: _File, headers: dict[str, str]) -> Response:
    headers["ETag"] = found.etag
    if _page.is_not_modified(Headers(headers), request.headers):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    headers["Content-Length"] = str(len(found.content))
    kind = _TYPES[Path(name).suffix]
    if request.method == "HEAD":
        return Response(headers=headers, media_type=kind)
    return _FileResponse(found.content, headers, kind)


def _find(folder: StaticFiles, name: str) -> _File:
    """A file. It is kept in memory, so that a client that reads slowly keeps no file open and no copy."""
    if Path(name).suffix not in _TYPES:
        raise NotFound
    return _read(folder, name)


def _compressed(folder: StaticFiles, name: str) -> _File | None:
    """The gzip form of a file, where it has one."""
    try:
        return _read(folder, f"{name}.gz") if Path(name).suffix in _TYPES else None
    except NotFound:
        return None


class _FileResponse(Response):
    """Sends a file in portions without a copy, so that a client that reads slowly takes no memory.

    A StreamingResponse would also start two tasks. Here the server ends a response that nobody reads.
    """

    def __init__(self, content: bytes, headers: dict[str, str], media_type: str) -> None:
        super().__init__(headers=headers, media_type=media_type)
        self._content = memoryview(content)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for start in range(0, len(self._content), _PORTION):
            portion = self._content[start : start + _PORTION]
            await send({"type": "http.response.body", "body": portion, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _read(folder: StaticFiles, name: str) -> _File:
    try:
        path, status = folder.lookup_path(name)
        if status is None or not stat.S_ISREG(status.st_mode):
            raise NotFound
        found = _files.get(path)
        if found is None or found.changed != status.st_mtime_ns:
            found = _files[path] = _file(status.st_mtime_ns, Path(path).read_bytes())
        return found
    except (OSError, ValueError):
        # No name of a file: it is too long, or holds a zero byte.
        raise NotFound from None


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    app: FastAPI = request.app
    if not hasattr(app.state, "openapi"):
        servers = {"servers": [{"url": app.root_path}]} if app.root_path else {}
        app.state.openapi = orjson.dumps({**app.openapi(), **servers})
    return Response(app.state.openapi, media_type="application/json")


@router.get("/web/engine.json")
async def engine() -> Response:
    """Where the engine for the device is; without one, ``folder`` is null."""
    return Response(orjson.dumps(_engine()), media_type="application/json", headers={"Cache-Control": _REVALIDATE})


@router.get("/service-worker.js")
async def service_worker() -> Response:
    """The script that keeps the page and the engine for use without a network."""
    found = _engine()
    if found["folder"] is None:
        raise NotFound
    files = {file.name: _find(_page, file.name).etag for file in sorted(_WEB.iterdir()) if file.suffix in _TYPES}
    version = hashlib.sha256(repr([app_version, found, files]).encode()).hexdigest()[:16]
    values = {
        "VERSION": version,
        "ENGINE_FOLDER": f"web/{found['folder']}",
        "PAGE_FILES": [f"web/{name}" for name in files],
    }
    head = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
    script = head.encode() + _find(_page, "service-worker.js").content
    return Response(script, media_type="text/javascript", headers={"Cache-Control": _REVALIDATE})


def _engine() -> dict[str, Any]:
    """What ``make edge`` has put into ``app/web/edge``."""
    try:
        described: dict[str, Any] = orjson.loads(_find(_edge, "edge.json").content)
    except NotFound:
        return {"folder": None}
    return described


@router.api_route("/", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    """The page. Where the engine is, there is room for its switches from the start, so that nothing moves."""
    found = _find(_page, "index.html")
    if _engine()["folder"] is not None:
        found = _file(found.changed, found.content.replace(b" data-device hidden", b" data-device"))
    return _response(request, "index.html", found, {"Cache-Control": _REVALIDATE})


_serve("/favicon.ico", _page, _A_DAY, "icon.svg")
_serve("/web/edge/{path:path}", _edge, _FOREVER)
_serve("/web/{path:path}", _page, _REVALIDATE)
_serve("/docs", _swagger, _REVALIDATE, "index.html")
_serve("/docs/{path:path}", _swagger, _A_DAY)
_serve("/samples/{path:path}", _samples, _A_DAY)
