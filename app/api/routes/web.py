"""Serves the files of the built-in page, the samples, Swagger UI and the OpenAPI document.

A middleware adds the security headers.
"""

from __future__ import annotations

import hashlib
import mimetypes
import stat
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

import orjson
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.datastructures import Headers
from starlette.staticfiles import StaticFiles

from app.errors import NotFound

router = APIRouter(include_in_schema=False)

_ROOT: Final = Path(__file__).parents[3]
_WEB: Final = Path(__file__).parents[2] / "web"
_SWAGGER: Final = Path(__file__).parents[1] / "swagger"

_page = StaticFiles(directory=_WEB)
_swagger = StaticFiles(directory=_SWAGGER)
_samples = StaticFiles(directory=_ROOT / "sample_images", check_dir=False)

_REVALIDATE: Final = "no-cache"
"""The browser keeps the file and asks each time whether it changed; an unchanged ETag gets a 304."""
_A_DAY: Final = "public, max-age=86400"

_SUFFIXES: Final = {".html", ".css", ".js", ".svg", ".png", ".jpg", ".jpeg", ".webp", ".json"}


@dataclass(frozen=True, slots=True)
class _File:
    changed: int
    content: bytes
    etag: str


_files: dict[str, _File] = {}
"""The files that were asked for, by their paths: 4 MB if all of them were."""


def _serve(path: str, folder: StaticFiles, caching: str, file: str | None = None) -> None:
    """Adds the route of one file, or of all files of a folder."""

    async def serve(request: Request) -> Response:
        name = file or request.path_params["path"]
        found = _find(folder, name)
        headers = {"ETag": found.etag, "Cache-Control": caching}
        if folder.is_not_modified(Headers(headers), request.headers):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        headers["Content-Length"] = str(len(found.content))
        content = b"" if request.method == "HEAD" else found.content
        return Response(content, headers=headers, media_type=mimetypes.guess_type(name)[0])

    router.add_api_route(path, serve, methods=["GET", "HEAD"])


def _find(folder: StaticFiles, name: str) -> _File:
    """A file. It is kept in memory, so that a client that reads slowly keeps no file open and no copy."""
    if Path(name).suffix not in _SUFFIXES:
        raise NotFound
    try:
        path, status = folder.lookup_path(name)
        if status is None or not stat.S_ISREG(status.st_mode):
            raise NotFound
        found = _files.get(path)
        if found is None or found.changed != status.st_mtime_ns:
            content = Path(path).read_bytes()
            found = _files[path] = _File(status.st_mtime_ns, content, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
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


_serve("/", _page, _REVALIDATE, "index.html")
_serve("/favicon.ico", _page, _A_DAY, "icon.svg")
_serve("/web/{path:path}", _page, _REVALIDATE)
_serve("/docs", _swagger, _REVALIDATE, "index.html")
_serve("/docs/{path:path}", _swagger, _A_DAY)
_serve("/samples/{path:path}", _samples, _A_DAY)
