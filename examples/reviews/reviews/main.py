"""The application: routes, errors and the page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, File, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.base import RequestResponseEndpoint
from starlette.responses import Response

from reviews.body_limit import BodyLimit
from reviews.config import Settings
from reviews.engine import Engine
from reviews.errors import EmptyText, InvalidRequest, ReviewsError
from reviews.requests import ReviewQuery, Texts
from reviews.visage import Visage

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; media-src 'self' blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
PAGE = Path(__file__).parent / "page"


def create_app(settings: Settings, engine: Engine) -> FastAPI:
    """The application around an engine."""
    visage = Visage(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await visage.close()

    app = FastAPI(title="Reviews by apparent expression", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(BodyLimit)
    app.middleware("http")(_with_headers)
    app.exception_handler(ReviewsError)(_refused)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_http_error)
    app.include_router(_routes(engine, visage))
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    return app


def _routes(engine: Engine, visage: Visage) -> APIRouter:
    router = APIRouter()

    @router.post("/predict_emotion")
    async def predict_emotion(file: Annotated[UploadFile, File()]) -> dict[str, Any]:
        """The apparent expression in a picture, by Visage."""
        picture = await file.read()
        if not picture:
            raise EmptyText("The picture is empty.")
        return {"success": True} | await visage.predict(picture)

    @router.post("/query_rag")
    def query_rag(query: ReviewQuery) -> dict[str, Any]:
        """The reviews most similar to a text or an emotion, and their summary."""
        return engine.result_of(query)

    @router.post("/analyze_sentiment")
    def analyze_sentiment(texts: Texts) -> dict[str, Any]:
        """The sentiment of each text."""
        found = engine.analyser.analyse(texts.every())
        return {"success": True, "results": [each.as_dict() for each in found], "sentiment_by": engine.analyser.name}

    @router.get("/health")
    async def health() -> dict[str, Any]:
        """What is loaded, and whether Visage answers."""
        healthy = await visage.is_healthy()
        return {
            "status": "ok" if healthy else "degraded",
            "visage": "ok" if healthy else "unreachable",
            "reviews": len(engine.store.reviews),
            "synthetic": all(each.synthetic for each in engine.store.reviews),
            "summary_by": engine.summariser.name,
            "sentiment_by": engine.analyser.name,
        }

    return router


async def _with_headers(request: Request, call_next: RequestResponseEndpoint) -> Response:
    response = await call_next(request)
    response.headers.update(HEADERS)
    return response


def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ReviewsError)
    headers = {} if error.retry_after is None else {"Retry-After": str(round(error.retry_after))}
    return JSONResponse(error.body(), error.status, headers)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or "The body"
    place = place[:80].encode("utf-8", "replace").decode("utf-8")
    return _refused(request, InvalidRequest(f"{place}: {first['msg']}."))


def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}.get(
        error.status_code, "invalid_request"
    )
    body = {"success": False, "error": code, "message": f"{error.detail}."}
    return JSONResponse(body, error.status_code, error.headers)
