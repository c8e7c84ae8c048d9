"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, cast

import httpx
from typing_extensions import Self, Unpack

from visage_client import _calls
from visage_client._calls import (
    Call,
    ClientOptions,
    CompareOptions,
    MultimodalOptions,
    OnePictureOptions,
    Picture,
    PredictOptions,
    Service,
    SessionFrame,
    StreamOptions,
)
from visage_client.async_stream import AsyncStream
from visage_client.errors import VisageError
from visage_client.types import (
    AnalysisResult,
    BatchResult,
    ComparisonResult,
    Health,
    Info,
    Labels,
    Models,
    MultimodalResult,
    PredictionResult,
    ReloadedModels,
    SessionSummary,
    Stats,
    StreamEvent,
)

_Build = Callable[..., Call]


class AsyncVisage:
    """As :class:`visage_client.Visage`, for asyncio. Files are read on threads."""

    def __init__(
        self,
        url: str = "http://localhost:8000",
        *,
        http: httpx.AsyncClient | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self._service = Service(url, **options)
        self._own = http is None
        self._http = http or httpx.AsyncClient()

    async def predict(self, picture: Picture, **options: Unpack[PredictOptions]) -> PredictionResult:
        """The apparent expression in one picture."""
        return cast(PredictionResult, await self._build(_calls.upload, "/predict", "file", [picture], options))

    async def predict_batch(self, pictures: Iterable[Picture], **options: Unpack[PredictOptions]) -> BatchResult:
        """Several pictures in one request, as many as ``labels()["limits"]["max_batch_files"]`` and the rate allow."""
        return cast(BatchResult, await self._build(_calls.upload, "/predict/batch", "files", pictures, options))

    async def predict_many(
        self, pictures: Iterable[Picture], *, concurrency: int = 4, **options: Unpack[PredictOptions]
    ) -> AsyncIterator[tuple[Picture, PredictionResult | VisageError]]:
        """Any number of pictures, for example ``pictures_in`` a folder, in their order.

        Yields each with its result, or with its error. At most ``concurrency`` are in memory or on their way.
        """
        count = _calls.checked(concurrency)
        waiting: deque[tuple[Picture, asyncio.Task[PredictionResult]]] = deque()
        try:
            for picture in pictures:
                waiting.append((picture, asyncio.create_task(self.predict(picture, **options))))
                if len(waiting) == count:
                    yield await _finished(*waiting.popleft())
            while waiting:
                yield await _finished(*waiting.popleft())
        finally:
            for _, task in waiting:
                task.cancel()
            await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)

    async def compare(self, picture: Picture, **options: Unpack[CompareOptions]) -> ComparisonResult:
        """What several models say of one picture."""
        return cast(ComparisonResult, await self._build(_calls.upload, "/predict/compare", "file", [picture], options))

    async def analyze_facial(self, picture: Picture, **options: Unpack[OnePictureOptions]) -> AnalysisResult:
        """One picture, in the short form that other services know."""
        return cast(AnalysisResult, await self._build(_calls.analyze_facial, picture, options))

    async def session(
        self, frames: Iterable[SessionFrame], *, profile: Literal["interview_practice"] | None = None
    ) -> SessionSummary:
        """The summary of a series of predictions."""
        return cast(SessionSummary, await self._build(_calls.session, frames, profile))

    async def multimodal(
        self,
        *,
        image: Picture | None = None,
        voice: Mapping[str, Any] | None = None,
        text: Mapping[str, Any] | None = None,
        **options: Unpack[MultimodalOptions],
    ) -> MultimodalResult:
        """A picture and the results of a voice and of a text service, fused."""
        return cast(MultimodalResult, await self._build(_calls.multimodal, image, voice, text, options))

    def stream(
        self, *, on_event: Callable[[StreamEvent], None] | None = None, **options: Unpack[StreamOptions]
    ) -> AsyncStream:
        """A stream of frames, which ``async with`` opens; ``on_event`` gets what the profile notices."""
        return AsyncStream(self._service, options, on_event)

    async def info(self) -> Info:
        """How the service is set up, and the notice on use."""
        return cast(Info, await self._send(_calls.get("/info")))

    async def labels(self) -> Labels:
        """Labels, levels of confidence, thresholds and limits."""
        return cast(Labels, await self._send(_calls.get("/labels")))

    async def models(self) -> Models:
        """Every model with its card and figures."""
        return cast(Models, await self._send(_calls.get("/models")))

    async def stats(self) -> Stats:
        """Totals since the start of the service."""
        return cast(Stats, await self._send(_calls.get("/stats")))

    async def health(self) -> Health:
        """How the service is, also where it is not well."""
        return cast(Health, await self._send(_calls.get("/health", 503)))

    async def reload_models(self) -> ReloadedModels:
        """Loads the models again from disk. Needs a key that is marked as admin."""
        return cast(ReloadedModels, await self._send(Call("POST", "/models/reload")))

    async def close(self) -> None:
        """Closes the connections, unless they came with ``http``."""
        if self._own:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _build(self, build: _Build, *arguments: Any) -> Any:
        return await self._send(await asyncio.to_thread(build, *arguments))

    async def _send(self, call: Call) -> Any:
        attempt = 0
        while True:
            try:
                return await self._send_once(call)
            except VisageError as error:
                if not self._service.retries(error, attempt):
                    raise
                attempt += 1
                await asyncio.sleep(error.retry_after or 0)

    async def _send_once(self, call: Call) -> Any:
        try:
            response = await self._http.request(**self._service.request(call))
        except httpx.RequestError as error:
            raise _calls.without_response(error) from error
        return _calls.result_of(call, response)


async def _finished(
    picture: Picture, task: asyncio.Task[PredictionResult]
) -> tuple[Picture, PredictionResult | VisageError]:
    try:
        return picture, await task
    except VisageError as error:
        return picture, error
