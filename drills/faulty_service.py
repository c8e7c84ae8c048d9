"""The service with faults that the drill ``faults`` asks for: ``python -m drills.faulty_service FILE``.

While FILE holds the name of a step, that step raises.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

STEPS: Final = {
    "upload": "app.api.routes.predict:one_file",
    "decode": "app.pipeline:decode",
    "detect": "app.pipeline:find",
    "crop": "app.pipeline:extract",
    "infer": "app.inference.classifier:Classifier.infer",
    "quality": "app.pipeline:assess",
    "result": "app.api.routes.predict:prediction_result",
    "json": "app.api.jobs:json_response",
    "reservation": "app.worker_pool:WorkerPool.reserve",
    "rate limiter": "app.rate_limiter:RateLimiter.charge",
    "metrics of the picture": "app.telemetry.metrics:Metrics.picture",
    "metrics of the request": "app.telemetry.metrics:Metrics.request_finished",
    "tracer": "app.telemetry.tracing:Tracer.request_finished",
    "log": "app.telemetry.logs:JsonFormatter.format",
}
"""The steps that can be made to raise, each with its function."""


class InjectedFault(Exception):
    """What a step raises."""


def main() -> None:
    asked = Path(sys.argv[1])
    for step, place in STEPS.items():
        module, _, names = place.partition(":")
        *owners, name = names.split(".")
        owner = functools.reduce(getattr, owners, importlib.import_module(module))
        setattr(owner, name, _faulty(getattr(owner, name), step, asked))
    from app.__main__ import main as serve

    serve()


def _faulty(original: Callable[..., Any], step: str, asked: Path) -> Callable[..., Any]:
    @functools.wraps(original)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        if asked.read_text() == step:
            raise InjectedFault(step)
        return original(*arguments, **named)

    return wrapper


if __name__ == "__main__":
    main()
