"""``POST /predict/batch``: several pictures, one result each."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from app.api import jobs
from app.api.csv_table import table
from app.api.dependencies import TheService, TheTicket, charge
from app.api.direct import direct
from app.api.error_responses import known_error
from app.api.openapi import READING, errors, file_form
from app.api.queries import Choices, Predicting, PredictionQuery, choices
from app.api.responses import json_response
from app.api.results import Answer
from app.api.schemas import Batch
from app.api.uploads import Upload, files
from app.errors import RateLimited, RetryableError, TooManyFiles, VisageError
from app.service import Service
from app.telemetry.records import RequestRecord, request_record
from app.worker_pool import ClientLeft, Ticket

Fields = dict[str, Any]
_Piece = tuple[Upload, Fields]

_MOST_OF_A_JOB: Final = 3
_BYTES_OF_A_JOB: Final = 512 * 1024

router = APIRouter(tags=["Predictions"], route_class=direct(PredictionQuery))


@router.post(
    "/predict/batch",
    operation_id="predict_batch",
    summary="Read several pictures",
    response_model=Batch,
    responses={
        200: {
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "index,filename,success,emotion,confidence\r\n0,happy_sample.jpg,true,happy,0.92\r\n",
                }
            }
        },
        **errors(*READING, TooManyFiles),
    },
    openapi_extra=file_form("files", several=True),
)
async def predict_batch(request: Request, service: TheService, ticket: TheTicket, query: Predicting) -> Response:
    """Reads each picture as `/predict` would, in the order of the request. An item that cannot be read has its error
    in its place and does not touch the others.

    ```sh
    curl -F files=@sample_images/happy_sample.jpg -F files=@sample_images/no_face.jpg \\
      http://localhost:8000/predict/batch
    ```

    With `Accept: text/csv` the answer is a table with one row an item. A batch counts as many times against the
    client's rate as it holds pictures.
    """
    started = time.perf_counter()
    chosen = choices(service, query)
    manifest = chosen.model.manifest
    record = request_record(request.scope)
    record.model = manifest.name
    work = _Work(service, ticket, chosen, record)
    try:
        await work.take_all(request)
    finally:
        await work.end()
    items = work.items
    if _wants_csv(request.headers.get("accept", "")):
        headers = {"Content-Disposition": 'attachment; filename="predictions.csv"', "Vary": "Accept"}
        return Response(table(items, manifest.labels), headers=headers, media_type="text/csv")
    return json_response(
        {
            "success": True,
            "results": items,
            "summary": _summary(items),
            "model": {"name": manifest.name, "version": manifest.version},
            "total_time_ms": round((time.perf_counter() - started) * 1000, 2),
            "request_id": record.request_id,
        },
        headers={"Vary": "Accept"},
    )


class _Work:
    """The items of one batch. A few small pictures make one job, since handing a job on takes its time too; a large one
    is a job of its own. An upload waits while there are jobs for all workers, so what is in memory is little more than
    what is being read."""

    def __init__(self, service: Service, ticket: Ticket, chosen: Choices, record: RequestRecord) -> None:
        self.items: list[Fields] = []
        self._service = service
        self._ticket = ticket
        self._chosen = chosen
        self._record = record
        # One more than there are workers, so that none is idle while the loop hands on the next.
        self._room = asyncio.Semaphore(service.pool.size + 1)
        self._jobs = 0
        self._portion: list[_Piece] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._timings: Counter[str] = Counter()
        self._bytes = 0
        self._faces = 0

    async def take_all(self, request: Request) -> None:
        """Reads the form to its end and waits for all items."""
        settings = self._service.settings
        limits = {"max_files": settings.max_batch_files, "max_bytes": settings.max_file_bytes}
        async with aclosing(files(request, "files", **limits)) as uploads:
            async for upload in uploads:
                await self._charge(request)
                if not self._portion:
                    await self._room.acquire()
                item: Fields = {"index": len(self.items), "filename": upload.name}
                self.items.append(item)
                self._bytes += upload.size
                self._portion.append((upload, item))
                # No worker waits until several are here.
                if self._jobs < self._service.pool.size or _is_enough(self._portion):
                    self._begin()
            if self._portion:
                self._begin()
        await asyncio.gather(*self._tasks)
        self._record.items = len(self.items)
        self._record.size = self._bytes
        self._record.faces = self._faces
        self._record.timings_ms = dict(self._timings)

    async def end(self) -> None:
        """Lets go of the items that nobody waits for any more; there are none after :meth:`take_all`."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _charge(self, request: Request) -> None:
        """Charges for every picture but the first, for which the request itself was charged."""
        if not self.items:
            return
        try:
            await charge(request.scope)
        except RateLimited as error:
            raise RateLimited(
                f"The client's rate allowed {len(self.items)} pictures of this batch. Wait, or send smaller batches.",
                retry_after=error.retry_after,
            ) from None

    def _begin(self) -> None:
        self._jobs += 1
        self._tasks.append(asyncio.create_task(self._read(self._portion)))
        self._portion = []

    async def _read(self, portion: list[_Piece]) -> None:
        try:
            for (_, item), outcome in zip(portion, await self._outcomes(portion), strict=True):
                self._note(item, outcome)
        finally:
            self._jobs -= 1
            self._room.release()

    async def _outcomes(self, portion: list[_Piece]) -> list[Answer | VisageError]:
        request_id = self._record.request_id
        try:
            sources = [upload.content for upload, _ in portion]
            return await jobs.predict_several(self._service, self._ticket, sources, self._chosen, request_id)
        except (ClientLeft, asyncio.CancelledError):
            raise
        except Exception as exception:
            error = known_error(exception, request_id)
            if len(portion) == 1 or isinstance(error, RetryableError):
                return [error] * len(portion)
        # The job itself failed. Which of them that is due to shows when each is read alone.
        return [outcome for piece in portion for outcome in await self._outcomes([piece])]

    def _note(self, item: Fields, outcome: Answer | VisageError) -> None:
        if isinstance(outcome, VisageError):
            self._service.metrics.error(outcome.code)
            item.update(success=False, error=outcome.code, message=outcome.message)
            return
        jobs.account(self._service, outcome)
        self._timings.update(outcome.note.timings_ms)
        self._faces += outcome.note.faces_detected
        item.update(outcome.fields)
        item.pop("model")


def _is_enough(portion: list[_Piece]) -> bool:
    return len(portion) == _MOST_OF_A_JOB or sum(upload.size for upload, _ in portion) >= _BYTES_OF_A_JOB


def _summary(items: Sequence[Fields]) -> Fields:
    good = [item for item in items if item["success"]]
    return {
        "total": len(items),
        "succeeded": len(good),
        "failed": len(items) - len(good),
        "uncertain": sum(item["is_uncertain"] for item in good),
        "by_emotion": Counter(item["emotion"] for item in good),
        "by_error": Counter(item["error"] for item in items if not item["success"]),
    }


def _wants_csv(accept: str) -> bool:
    """Whether a client likes CSV better than JSON."""
    weights = {"text/csv": 0.0, "application/json": 0.0}
    for choice in accept.split(","):
        kind, _, parameters = choice.partition(";")
        kind = kind.strip().lower()
        if kind in weights:
            weights[kind] = _quality(parameters)
    return weights["text/csv"] > 0 and weights["text/csv"] >= weights["application/json"]


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
