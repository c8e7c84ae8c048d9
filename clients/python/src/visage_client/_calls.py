"""What both clients share: requests, and what responses to them mean. Nothing here waits."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, Union

import httpx
from typing_extensions import TypedDict

from visage_client.errors import VisageError
from visage_client.types import WarningCode

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
MOST_AT_ONCE = 64


class Readable(Protocol):
    """A file that is open for reading bytes."""

    def read(self) -> bytes: ...


Picture = Union[str, "os.PathLike[str]", bytes, Readable]
"""A path, the bytes of a picture, or an open file."""


class OnePictureOptions(TypedDict, total=False):
    """What the routes for one picture take."""

    model: str
    faces: Literal["one", "largest", "all"]
    on_no_face: Literal["error", "center"]
    details: Sequence[str]


class PredictOptions(OnePictureOptions, total=False):
    """What ``predict`` and ``predict_batch`` take."""

    explain: Literal["true", "grid"]
    explain_label: str
    explain_method: Literal["contrast", "cam", "occlusion"]


class CompareOptions(TypedDict, total=False):
    """What ``compare`` takes."""

    models: Sequence[str]
    faces: Literal["one", "largest"]
    on_no_face: Literal["error", "center"]
    details: Sequence[str]


class MultimodalOptions(TypedDict, total=False):
    """What ``multimodal`` takes besides its parts."""

    model: str
    faces: Literal["one", "largest"]


class StreamOptions(TypedDict, total=False):
    """What ``stream`` takes."""

    model: str
    faces: Literal["largest", "all"]
    details: Sequence[str]
    smoothing: float
    profile: Literal["interview_practice"]
    purpose: Literal["own_practice"]


class _SessionFrame(TypedDict):
    t: float


class SessionFrame(_SessionFrame, total=False):
    """One frame of a series."""

    probabilities: Mapping[str, float] | None
    face_detected: bool
    face_box: Sequence[float]
    warnings: Sequence[WarningCode]
    action_units: Mapping[str, float]


class ClientOptions(TypedDict, total=False):
    """What a client takes besides the address of the service."""

    api_key: str | None
    timeout: float
    """Seconds that the service may be silent, 40 by default."""
    retries: int
    """How often a request is sent again that the service refuses for the moment, twice by default."""
    longest_wait: float
    """Seconds after which such a request may be sent again at most, 60 by default."""


@dataclass(frozen=True)
class Call:
    """One request. A response with a status of ``results`` is a result."""

    method: str
    path: str
    params: dict[str, str] = field(default_factory=dict)
    files: list[tuple[str, tuple[str, bytes]]] | None = None
    json: Any = None
    results: frozenset[int] = frozenset({200})


class Service:
    """A service, and how it is called."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout: float = 40,
        retries: int = 2,
        longest_wait: float = 60,
    ) -> None:
        self.url = url.rstrip("/")
        self.headers = {} if api_key is None else {"X-API-Key": api_key.strip()}
        self.timeout = timeout
        self._retries = retries
        self._longest_wait = longest_wait

    def request(self, call: Call) -> dict[str, Any]:
        """The arguments of a request of httpx."""
        return {
            "method": call.method,
            "url": self.url + call.path,
            "params": call.params,
            "files": call.files,
            "json": call.json,
            "headers": self.headers,
            "timeout": self.timeout,
        }

    def retries(self, error: VisageError, attempt: int) -> bool:
        """Whether a request is sent again: only where the service has refused it and says when to come back."""
        wait = error.retry_after
        refused = error.status in {429, 503}
        return refused and attempt < self._retries and wait is not None and wait <= self._longest_wait


def get(path: str, *results: int) -> Call:
    return Call("GET", path, results=frozenset({200, *results}))


def upload(path: str, field_name: str, pictures: Iterable[Picture], options: Mapping[str, Any]) -> Call:
    return Call("POST", path, parameters(options), files=[(field_name, read(picture)) for picture in pictures])


def analyze_facial(picture: Picture, options: Mapping[str, Any]) -> Call:
    body = {"image": base64.b64encode(read(picture)[1]).decode()}
    return Call("POST", "/analyze/facial", parameters(options), json=body)


def session(frames: Iterable[SessionFrame], profile: str | None) -> Call:
    return Call("POST", "/analyze/session", json={"profile": profile, "frames": list(frames)})


def multimodal(
    image: Picture | None, voice: Mapping[str, Any] | None, text: Mapping[str, Any] | None, options: Mapping[str, Any]
) -> Call:
    parts = {
        "image": None if image is None else base64.b64encode(read(image)[1]).decode(),
        "voice": voice,
        "text": text,
    }
    body = {name: part for name, part in parts.items() if part is not None}
    return Call("POST", "/analyze/multimodal", parameters(options), json=body)


def parameters(options: Mapping[str, Any]) -> dict[str, str]:
    """A query. What is None is left out, and a list is written with commas."""
    return {name: _written(value) for name, value in options.items() if value is not None}


def _written(value: Any) -> str:
    return str(value) if isinstance(value, (str, float, int)) else ",".join(value)


def read(picture: Picture) -> tuple[str, bytes]:
    """The name and the bytes of a picture."""
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return "picture", bytes(picture)
    try:
        if isinstance(picture, (str, os.PathLike)):
            return _name_of(picture), Path(picture).read_bytes()
        return _name_of(str(getattr(picture, "name", "picture"))), picture.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise VisageError("unreadable_file", f"The file cannot be read: {reason}.") from error


def _name_of(path: str | os.PathLike[str]) -> str:
    """The name of a file, with a question mark for what is not UTF-8."""
    return Path(path).name.encode("utf-8", "replace").decode()


def pictures_in(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """The pictures of a folder and of those below it, by name. The next folder is looked into when it is needed."""
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if Path(name).suffix.lower() in SUFFIXES:
                yield Path(where, name)


def result_of(call: Call, response: httpx.Response) -> Any:
    """The result in a response. Raises the error that it has instead."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if response.status_code in call.results and isinstance(body, dict):
        return body
    code, message = "unexpected_response", f"The response has the status {response.status_code} and no result."
    if isinstance(body, dict) and isinstance(body.get("error"), str) and isinstance(body.get("message"), str):
        code, message = body["error"], body["message"]
    raise VisageError(
        code,
        message,
        status=response.status_code,
        request_id=response.headers.get("x-request-id"),
        retry_after=_seconds(response.headers.get("retry-after")),
    )


def without_response(error: httpx.RequestError) -> VisageError:
    """Why there is no response that can be read."""
    if not isinstance(error, httpx.TransportError):
        return VisageError("unexpected_response", "The response cannot be decoded, or leads in circles.")
    what = "did not respond in time" if isinstance(error, httpx.TimeoutException) else "cannot be reached"
    return VisageError("unreachable", f"The service {what}.")


def checked(concurrency: int) -> int:
    if not 1 <= concurrency <= MOST_AT_ONCE:
        raise ValueError(f"concurrency is from 1 to {MOST_AT_ONCE}")
    return concurrency


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None
