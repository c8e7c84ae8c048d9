"""What routes and middleware get from a request: service, reservation, path, and the options in its query."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from fastapi import Depends, Query, Request
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from starlette.types import Scope

from app.api.details import DetailNames, DetailsRequest, details_of
from app.api.parameters import Parameters
from app.api.results import ExplainMode
from app.config import Settings
from app.errors import Forbidden, InvalidRequest, NotFound, NotReady, RateLimited
from app.expression.labels import usual_name
from app.inference.classifier import Classifier
from app.inference.explain import Method, methods_of
from app.inference.registry import Registry
from app.memory_budget import HeldMemory
from app.pipeline import ClassifyOptions, DetectOptions, FacesMode, NoFaceMode
from app.service import Service
from app.sessions.profile import WEIGHTS
from app.worker_pool import Reservation

SERVICE: Final = "service"
RESERVATION: Final = "visage.reservation"
CLIENT: Final = "visage.client"
KEY_NAME: Final = "visage.key_name"
ADMIN: Final = "visage.admin"
MEMORY: Final = "visage.memory"
LIMIT_HEADERS: Final = "visage.limit_headers"
"""Where a request's state holds the names that it is counted under, the name of its key, whether that may change the
service, the memory that the request holds, and the rate-limit headers of its response."""

_PAGES: Final = frozenset({"/", "/favicon.ico", "/docs", "/openapi.json", "/asyncapi.json", "/service-worker.js"})
_BELOW_PAGES: Final = ("/web/", "/docs/", "/samples/")

ModelName = Annotated[
    str | SkipJsonSchema[None],
    Field(max_length=64, description="Name of a model of `GET /models`; without it, the default model."),
]
OnNoFace = Annotated[
    NoFaceMode,
    Field(
        description="Without a face, `error` returns the error `no_face_detected`; `center` takes the middle of the "
        "picture as the face, with a warning."
    ),
]
OneFace = Annotated[
    Literal["one", "largest"],
    Field(description="`one` refuses a picture with several faces, `largest` takes the largest."),
]


class PredictionQuery(Parameters):
    """The query of ``/predict`` and ``/predict/batch``."""

    model: ModelName = None
    faces: FacesMode | SkipJsonSchema[None] = Field(
        None,
        description="`one` refuses a picture with several faces, `largest` takes the largest, `all` takes all. "
        "The default is `one`, or `all` where `ENABLE_MULTIPLE_FACES` is set.",
    )
    on_no_face: OnNoFace = "error"
    explain: ExplainMode = Field(
        "false", description="`true` adds a heatmap over each face's crop as a PNG, `grid` adds it as numbers."
    )
    explain_label: str | SkipJsonSchema[None] = Field(
        None, max_length=64, description="Label to explain instead of the most probable one."
    )
    explain_method: Method | SkipJsonSchema[None] = Field(
        None,
        description="How: one of the model's `explain_methods` in `GET /models`. Without it, the first of them. "
        "`occlusion` takes 64 inferences a face, and at most 8 faces a picture.",
    )
    details: DetailNames = None


class AnalysisQuery(Parameters):
    """The query of ``/analyze/facial``."""

    model: ModelName = None
    faces: FacesMode = Field(
        "one",
        description="`one` refuses a picture with several faces, `largest` takes the largest, `all` takes all.",
    )
    on_no_face: OnNoFace = "error"
    details: DetailNames = None


class MultimodalQuery(Parameters):
    """The query of ``/analyze/multimodal``."""

    model: ModelName = None
    faces: OneFace = "one"


class ComparisonQuery(Parameters):
    """The query of ``/predict/compare``."""

    models: str | SkipJsonSchema[None] = Field(
        None, max_length=1000, description="Names of models, separated by commas; without it, all models."
    )
    faces: OneFace = "one"
    on_no_face: OnNoFace = "error"
    details: DetailNames = None


@dataclass(frozen=True, slots=True)
class Choices:
    """What the query of a request for predictions asks of the pipeline."""

    model: Classifier
    detect: DetectOptions
    classify: ClassifyOptions
    explain: ExplainMode
    details: DetailsRequest

    @property
    def every_face(self) -> bool:
        return self.detect.faces == "all"


async def choices_of(scope: Scope, query: PredictionQuery) -> Choices:
    """The options of a query, with the service's defaults, or the error that says what is wrong with them."""
    service = service_of(scope)
    model = service.registry.get(query.model)
    labels = model.manifest.labels
    if query.explain_label is not None and query.explain_label not in labels:
        raise InvalidRequest(f"explain_label: this model's labels are {', '.join(labels)}.")
    methods = methods_of(model.manifest)
    if query.explain_method is not None and query.explain_method not in methods:
        raise InvalidRequest(f"explain_method: this model's methods are {', '.join(methods)}.")
    faces = query.faces or ("all" if service.settings.enable_multiple_faces else "one")
    details = await details_of(scope, service.mesh, query.details)
    return Choices(
        model,
        DetectOptions(faces, query.on_no_face, details.names),
        ClassifyOptions(query.explain != "false", query.explain_label, query.explain_method),
        query.explain,
        details,
    )


def compared_models(registry: Registry, query: ComparisonQuery) -> list[Classifier]:
    """The models that were named, each once, in the order in which they were named."""
    if query.models is None:
        if not registry.classifiers:
            raise NotReady
        return [*registry.classifiers]
    names = dict.fromkeys(name.strip() for name in query.models.split(",") if name.strip())
    if not names:
        raise InvalidRequest("models: name at least one model.")
    return [registry.get(name) for name in names]


def check_profile(name: str, settings: Settings, labels: Sequence[str]) -> None:
    """Raises InvalidRequest for a profile that the operator does not allow, or that rates none of the labels."""
    if name not in settings.session_profiles:
        allowed = ", ".join(settings.session_profiles) or "none"
        raise InvalidRequest(f"profile: this service allows {allowed}. Its operator sets SESSION_PROFILES.")
    if labels and not any(usual_name(label) in WEIGHTS for label in labels):
        raise InvalidRequest(f"profile: it rates {', '.join(WEIGHTS)}, none of which the model has.")


def service_of(scope: Scope) -> Service:
    """The service that handles a request."""
    service = scope.get("state", {}).get(SERVICE)
    if not isinstance(service, Service):
        raise NotReady
    return service


def result_headers(scope: Scope) -> dict[str, str]:
    """The headers of a result: where the notice on use is."""
    return {"Link": f'<{scope.get("root_path", "")}/info>; rel="terms-of-service"'}


def reservation_of(scope: Scope) -> Reservation:
    """The request's reservation, which only requests for predictions have."""
    reservation: Reservation = scope["state"][RESERVATION]
    return reservation


def memory_of(scope: Scope) -> HeldMemory:
    """What the request holds of the process's memory budget: its body, and what its route takes besides."""
    memory: HeldMemory = scope["state"][MEMORY]
    return memory


def route_path(scope: Scope) -> str:
    """The path below the prefix under which a proxy serves the service."""
    path: str = scope["path"]
    prefix = scope.get("root_path", "")
    return path.removeprefix(prefix) or "/" if path == prefix or path.startswith(f"{prefix}/") else path


def is_page(path: str) -> bool:
    """Whether this path is of the built-in page or the documentation, which browsers show to everybody."""
    return path in _PAGES or path.startswith(_BELOW_PAGES)


async def charge(scope: Scope, *, read: bool = False, several: bool = False) -> None:
    """Charges the client of a request for one picture, or raises RateLimited.

    With ``read`` it asks for no prediction, and costs nothing of the rate. With ``several``, the error's wait is the
    one for the whole allowance: after the wait for one picture, the same batch would be refused again.
    """
    service = service_of(scope)
    allowance = await service.limiter.charge(*scope["state"].get(CLIENT, ("unknown",)), read=read)
    if allowance is None:
        return
    scope["state"][LIMIT_HEADERS] = allowance.headers
    if not allowance.granted:
        service.metrics.rate_limited()
        wait = math.ceil(allowance.whole_after) if several else allowance.retry_after
        raise RateLimited(f"Too many requests from this client. Wait {wait} s and try again.", retry_after=wait)


async def _require_admin(request: Request) -> None:
    """Admits a key that is marked admin. Raises NotFound where there are no keys, and Forbidden for other keys."""
    if not service_of(request.scope).settings.api_keys:
        raise NotFound("This route exists only where API_KEYS has a key that is marked :admin.")
    if not request.scope["state"].get(ADMIN):
        raise Forbidden


async def _refuse_parameters(request: Request) -> None:
    if request.query_params:
        raise InvalidRequest("This route takes no query parameters.")


async def _service(request: Request) -> Service:
    return service_of(request.scope)


TheService = Annotated[Service, Depends(_service)]
"""An endpoint's parameter: the service."""

AdminOnly = Depends(_require_admin)
"""A route's dependency: only a key that is marked admin may call it."""

NoParameters = Depends(_refuse_parameters)
"""A route's dependency: it takes no query parameters."""

Predicting = Annotated[PredictionQuery, Query()]
Analyzing = Annotated[AnalysisQuery, Query()]
Comparing = Annotated[ComparisonQuery, Query()]
Fusing = Annotated[MultimodalQuery, Query()]
