"""Serves the files of the built-in page, the samples and Swagger UI. A middleware adds the security headers."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import stat
from http import HTTPStatus
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
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


def _serve(path: str, folder: StaticFiles, caching: str, file: str | None = None) -> None:
    """Adds the route of one file, or of all files of a folder."""

    async def serve(request: Request) -> Response:
        name = file or request.path_params["path"]
        content = await asyncio.to_thread(_content, folder, name)
        headers = {"ETag": f'"{hashlib.blake2b(content, digest_size=16).hexdigest()}"', "Cache-Control": caching}
        if folder.is_not_modified(Headers(headers), request.headers):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        if request.method == "HEAD":
            headers["Content-Length"] = str(len(content))
            content = b""
        return Response(content, headers=headers, media_type=mimetypes.guess_type(name)[0])

    router.add_api_route(path, serve, methods=["GET", "HEAD"])


def _content(folder: StaticFiles, name: str) -> bytes:
    """The bytes of a file. They are read at once, so that a client that reads slowly keeps no file open."""
    if Path(name).suffix not in _SUFFIXES:
        raise NotFound
    try:
        path, status = folder.lookup_path(name)
        if status is None or not stat.S_ISREG(status.st_mode):
            raise NotFound
        return Path(path).read_bytes()
    except (OSError, ValueError):
        # No name of a file: it is too long, or holds a zero byte.
        raise NotFound from None


_serve("/", _page, _REVALIDATE, "index.html")
_serve("/favicon.ico", _page, _A_DAY, "icon.svg")
_serve("/web/{path:path}", _page, _REVALIDATE)
_serve("/docs", _swagger, _REVALIDATE, "index.html")
_serve("/docs/{path:path}", _swagger, _A_DAY)
_serve("/samples/{path:path}", _samples, _A_DAY)
