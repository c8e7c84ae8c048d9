"""``POST /predict/batch``: several pictures, one result each."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from fastapi import APIRouter, Request, Response

from app.api import jobs
from app.api.csv_table import prefers_csv, table
from app.api.dependencies import Choices, Predicting, charge, choices_of, memory_of, result_headers, service_of
from app.api.details import details_headers
from app.api.error_responses import known_error
from app.api.examples import BATCH, BATCH_TABLE
from app.api.openapi import DETAILED, documented, file_form
from app.api.parameters import QueryRoute
from app.api.results import BatchItem, BatchResult, BatchSummary, PictureResult, json_response
from app.api.uploads import Upload, files
from app.errors import RateLimited, RetryableError, TooManyFiles, VisageError
from app.telemetry.records import request_record
from app.worker_pool import ClientDisconnected

_Picture = tuple[int, Upload]
"""The index of an item and its file."""

_MOST_OF_A_JOB: Final = 3
_BYTES_OF_A_JOB: Final = 512 * 1024

router = APIRouter(tags=["Predictions"], route_class=QueryRoute)


@router.post(
    "/predict/batch",
    operation_id="predict_batch",
    summary="Predict the expressions in several pictures",
    response_model=BatchResult,
    responses=documented(BATCH, *DETAILED, TooManyFiles, table=BATCH_TABLE),
    openapi_extra=file_form("files", several=True),
)
async def predict_batch(request: Request, query: Predicting) -> Response:
    """Takes several pictures and returns for each what `/predict` would return, in the order of the request. An item
    that fails has its error in its place and does not affect the others.

    ```sh
    curl -F files=@sample_images/happy_sample.jpg -F files=@sample_images/no_face.jpg \\
      http://localhost:8000/predict/batch
    ```

    With `Accept: text/csv` the result is a table with one row an item. Each picture of a batch counts against the
    client's rate.
    """
    choices = await choices_of(request.scope, query)
    manifest = choices.model.manifest
    record = request_record(request.scope)
    record.model = manifest.name
    batch = _Batch(request, choices)
    try:
        items = await batch.read()
    finally:
        await batch.cancel()
    headers = {**result_headers(request.scope), **details_headers(choices.details)}
    headers["Vary"] = ", ".join(["Accept", *headers.get("Vary", "").split()])
    if prefers_csv(request.headers.get("accept", "")):
        headers["Content-Disposition"] = 'attachment; filename="predictions.csv"'
        return Response(table(items, manifest.labels, choices.details.names), headers=headers, media_type="text/csv")
    result: BatchResult = {
        "success": True,
        "results": items,
        "summary": _summary(items),
        "model": {"name": manifest.name, "version": manifest.version},
        "total_time_ms": round(record.elapsed_ms, 2),
        "request_id": record.request_id,
    }
    return json_response(result, headers=headers)


class _Batch:
    """Reads the form of one request and collects its items. A few small pictures share one job, since each job has a
    fixed cost; a large picture is a job of its own. Reading pauses while every worker has a job, so that few pictures
    are in memory at once."""

    def __init__(self, request: Request, choices: Choices) -> None:
        self._request = request
        self._choices = choices
        self._service = service_of(request.scope)
        self._record = request_record(request.scope)
        self._memory = memory_of(request.scope)
        # One more than there are workers, so that none is idle while the next job is handed over.
        self._room = asyncio.Semaphore(self._service.pool.size + 1)
        self._jobs = 0
        self._explained = jobs.ExplainedFaces(by_occlusion=choices.classify.by_occlusion(choices.model))
        self._portion: list[_Picture] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._items: dict[int, BatchItem] = {}
        self._timings_ms: Counter[str] = Counter()
        self._faces = 0

    async def read(self) -> list[BatchItem]:
        """Reads the form to its end, waits for all items and completes the request's record."""
        settings, record = self._service.settings, self._record
        limits = {"max_files": settings.max_batch_files, "max_bytes": settings.max_file_bytes}
        count = record.size = 0
        async with aclosing(files(self._request, "files", **limits)) as uploads:
            async for upload in uploads:
                if count:
                    await self._charge(count)
                record.size += upload.size
                await self._add(count, upload)
                count += 1
        if self._portion:
            self._start_job()
        await asyncio.gather(*self._tasks)
        record.items = count
        record.faces = self._faces
        record.timings_ms = dict(self._timings_ms)
        return [self._items[index] for index in range(count)]

    async def cancel(self) -> None:
        """Cancels the jobs that run; there are none after :meth:`read` has returned."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Their errors' tracebacks lead back here: a cycle that holds the pictures.
        self._tasks.clear()

    async def _charge(self, count: int) -> None:
        """Charges for one more picture. The request itself was charged for the first."""
        try:
            await charge(self._request.scope, several=True)
        except RateLimited as error:
            most = self._service.limiter.most_at_once
            if count >= most:
                raise TooManyFiles(f"The client's rate allows {most} pictures at once. Send smaller batches.") from None
            raise RateLimited(
                f"The client's rate allowed {count} pictures of this batch. Wait, or send smaller batches.",
                retry_after=error.retry_after,
            ) from None

    async def _add(self, index: int, upload: Upload) -> None:
        try:
            upload.picture()
        except VisageError as error:
            self._memory.give_back(upload.size)
            self._fail(index, upload, error)
            return
        if not self._portion:
            await self._room.acquire()
        self._portion.append((index, upload))
        # An idle worker does not wait for more pictures.
        if self._jobs < self._service.pool.size or _is_enough(self._portion):
            self._start_job()

    def _start_job(self) -> None:
        self._jobs += 1
        self._tasks.append(asyncio.create_task(self._run_job(self._portion)))
        self._portion = []

    async def _run_job(self, portion: list[_Picture]) -> None:
        try:
            for (index, upload), outcome in zip(portion, await self._outcomes(portion), strict=True):
                if isinstance(outcome, VisageError):
                    self._fail(index, upload, outcome)
                else:
                    self._succeed(index, upload, outcome)
        finally:
            self._memory.give_back(sum(upload.size for _, upload in portion))
            self._jobs -= 1
            self._room.release()

    async def _outcomes(self, portion: list[_Picture]) -> list[jobs.Outcome]:
        try:
            pictures = [upload.content() for _, upload in portion]
            return await jobs.read_pictures(self._request, pictures, self._choices, self._explained)
        except (ClientDisconnected, asyncio.CancelledError):
            raise
        except Exception as exception:
            error = known_error(exception, self._record.request_id)
            # Its traceback leads back here: a cycle that holds the pictures.
            error.__traceback__ = error.__context__ = None
            if len(portion) == 1 or isinstance(error, RetryableError):
                return [error] * len(portion)
        # The job itself failed. Running each picture alone shows which of them caused it.
        return [outcome for picture in portion for outcome in await self._outcomes([picture])]

    def _fail(self, index: int, upload: Upload, error: VisageError) -> None:
        self._service.metrics.error(error.code)
        self._items[index] = {
            "index": index,
            "filename": upload.name,
            "success": False,
            "error": error.code,
            "message": error.message,
        }

    def _succeed(self, index: int, upload: Upload, finished: jobs.Finished[PictureResult]) -> None:
        self._service.metrics.picture(finished.record)
        self._timings_ms.update(finished.record.timings_ms)
        self._faces += finished.record.faces_detected
        self._items[index] = {"index": index, "filename": upload.name, "success": True, **finished.result}


def _is_enough(portion: list[_Picture]) -> bool:
    return len(portion) == _MOST_OF_A_JOB or sum(upload.size for _, upload in portion) >= _BYTES_OF_A_JOB


def _summary(items: Sequence[BatchItem]) -> BatchSummary:
    predictions = [item for item in items if item["success"]]
    errors = [item for item in items if not item["success"]]
    return {
        "total": len(items),
        "succeeded": len(predictions),
        "failed": len(errors),
        "uncertain": sum(item["is_uncertain"] for item in predictions),
        "by_emotion": Counter(item["emotion"] for item in predictions),
        "by_error": Counter(item["error"] for item in errors),
    }
