"""Serves the files of the built-in page, the samples and Swagger UI. A middleware adds the security headers."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
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


@router.api_route("/", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    return await _file(_page, "index.html", request, _REVALIDATE)


@router.api_route("/favicon.ico", methods=["GET", "HEAD"])
async def favicon(request: Request) -> Response:
    return await _file(_page, "icon.svg", request, _A_DAY)


@router.api_route("/web/{path:path}", methods=["GET", "HEAD"])
async def web(path: str, request: Request) -> Response:
    return await _file(_page, path, request, _REVALIDATE)


@router.api_route("/docs", methods=["GET", "HEAD"])
async def docs(request: Request) -> Response:
    return await _file(_swagger, "index.html", request, _REVALIDATE)


@router.api_route("/docs/{path:path}", methods=["GET", "HEAD"])
async def swagger(path: str, request: Request) -> Response:
    return await _file(_swagger, path, request, _A_DAY)


@router.api_route("/samples/{path:path}", methods=["GET", "HEAD"])
async def sample(path: str, request: Request) -> Response:
    return await _file(_samples, path, request, _A_DAY)


async def _file(folder: StaticFiles, path: str, request: Request, caching: str) -> Response:
    if Path(path).suffix not in {".html", ".css", ".js", ".svg", ".png", ".jpg", ".jpeg", ".webp", ".json"}:
        raise NotFound
    response = await folder.get_response(path, request.scope)
    response.headers["Cache-Control"] = caching
    return response
