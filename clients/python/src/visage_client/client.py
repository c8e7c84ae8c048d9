"""The client that blocks."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
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
from visage_client.errors import VisageError
from visage_client.stream import Stream
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

LevelName = Literal["uncertain", "fair", "sure"]


class Visage:
    """A service at ``url``. Safe to use from several threads; close it, or use it in a ``with`` statement.

    A request that the service refuses for the moment is sent again up to ``retries`` times, after the wait that it asks
    for, if that is at most ``longest_wait`` seconds. Every other failure raises :class:`VisageError` at once.
    """

    def __init__(
        self,
        url: str = "http://localhost:8000",
        *,
        http: httpx.Client | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self._service = Service(url, **options)
        self._own = http is None
        self._http = http or httpx.Client()

    def predict(self, picture: Picture, **options: Unpack[PredictOptions]) -> PredictionResult:
        """The apparent expression in one picture."""
        return cast(PredictionResult, self._send(_calls.upload("/predict", "file", [picture], options)))

    def predict_batch(self, pictures: Iterable[Picture], **options: Unpack[PredictOptions]) -> BatchResult:
        """Several pictures in one request, as many as ``labels()["limits"]["max_batch_files"]`` and the rate allow."""
        return cast(BatchResult, self._send(_calls.upload("/predict/batch", "files", pictures, options)))

    def predict_many(
        self, pictures: Iterable[Picture], *, concurrency: int = 4, **options: Unpack[PredictOptions]
    ) -> Iterator[tuple[Picture, PredictionResult | VisageError]]:
        """Any number of pictures, for example :func:`pictures_in` a folder, in their order.

        Yields each with its result, or with its error. At most ``concurrency`` are in memory or on their way.
        """
        count = _calls.checked(concurrency)
        waiting: deque[tuple[Picture, Future[PredictionResult]]] = deque()
        with ThreadPoolExecutor(count) as threads:
            try:
                for picture in pictures:
                    waiting.append((picture, threads.submit(self.predict, picture, **options)))
                    if len(waiting) == count:
                        yield _finished(*waiting.popleft())
                while waiting:
                    yield _finished(*waiting.popleft())
            finally:
                for _, future in waiting:
                    future.cancel()

    def compare(self, picture: Picture, **options: Unpack[CompareOptions]) -> ComparisonResult:
        """What several models say of one picture."""
        return cast(ComparisonResult, self._send(_calls.upload("/predict/compare", "file", [picture], options)))

    def analyze_facial(self, picture: Picture, **options: Unpack[OnePictureOptions]) -> AnalysisResult:
        """One picture, in the short form that other services know."""
        return cast(AnalysisResult, self._send(_calls.analyze_facial(picture, options)))

    def session(
        self, frames: Iterable[SessionFrame], *, profile: Literal["interview_practice"] | None = None
    ) -> SessionSummary:
        """The summary of a series of predictions."""
        return cast(SessionSummary, self._send(_calls.session(frames, profile)))

    def multimodal(
        self,
        *,
        image: Picture | None = None,
        voice: Mapping[str, Any] | None = None,
        text: Mapping[str, Any] | None = None,
        **options: Unpack[MultimodalOptions],
    ) -> MultimodalResult:
        """A picture and the results of a voice and of a text service, fused."""
        return cast(MultimodalResult, self._send(_calls.multimodal(image, voice, text, options)))

    def stream(
        self, *, on_event: Callable[[StreamEvent], None] | None = None, **options: Unpack[StreamOptions]
    ) -> Stream:
        """A stream of frames, which ``with`` opens; ``on_event`` gets what the profile notices."""
        return Stream(self._service, options, on_event)

    def info(self) -> Info:
        """How the service is set up, and the notice on use."""
        return cast(Info, self._send(_calls.get("/info")))

    def labels(self) -> Labels:
        """Labels, levels of confidence, thresholds and limits."""
        return cast(Labels, self._send(_calls.get("/labels")))

    def models(self) -> Models:
        """Every model with its card and figures."""
        return cast(Models, self._send(_calls.get("/models")))

    def stats(self) -> Stats:
        """Totals since the start of the service."""
        return cast(Stats, self._send(_calls.get("/stats")))

    def health(self) -> Health:
        """How the service is, also where it is not well."""
        return cast(Health, self._send(_calls.get("/health", 503)))

    def reload_models(self) -> ReloadedModels:
        """Loads the models again from disk. Needs a key that is marked as admin."""
        return cast(ReloadedModels, self._send(Call("POST", "/models/reload")))

    def close(self) -> None:
        """Closes the connections, unless they came with ``http``."""
        if self._own:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, call: Call) -> Any:
        attempt = 0
        while True:
            try:
                return self._send_once(call)
            except VisageError as error:
                if not self._service.retries(error, attempt):
                    raise
                attempt += 1
                time.sleep(error.retry_after or 0)

    def _send_once(self, call: Call) -> Any:
        try:
            response = self._http.request(**self._service.request(call))
        except httpx.RequestError as error:
            raise _calls.without_response(error) from error
        return _calls.result_of(call, response)


def pictures_in(folder: str | os.PathLike[str]) -> Iterator[Picture]:
    """The pictures of a folder and of those below it, by name: JPEG, PNG, WebP and BMP files."""
    return _calls.pictures_in(folder)


def level_of(confidence: float, labels: Labels) -> LevelName:
    """The level of a confidence by the bounds of the service: ``uncertain``, ``fair`` or ``sure``."""
    reached = [name for name, bound in labels["levels"].items() if confidence >= bound]
    return cast(LevelName, reached[-1])


def _finished(picture: Picture, future: Future[PredictionResult]) -> tuple[Picture, PredictionResult | VisageError]:
    try:
        return picture, future.result()
    except VisageError as error:
        return picture, error
