"""The same pipeline behind BentoML, with one worker process a core, as its documentation advises for CPU work."""

from __future__ import annotations

import os
from http import HTTPStatus
from pathlib import Path
from typing import Any

import bentoml
from bentoml.exceptions import BentoMLException

from app.errors import VisageError
from benchmarks.servers.bare_pipeline import BarePipeline


class Refused(BentoMLException):
    """A picture that cannot be processed. BentoML sends the status of this class."""

    error_code = HTTPStatus.UNPROCESSABLE_ENTITY


@bentoml.service(
    workers=int(os.environ.get("WORKERS", "1")), traffic={"timeout": 30}, logging={"access": {"enabled": False}}
)
class Expressions:
    def __init__(self) -> None:
        self.pipeline = BarePipeline()

    @bentoml.api
    def predict(self, file: Path) -> dict[str, Any]:
        try:
            return self.pipeline.result(file.read_bytes())
        except VisageError as error:
            raise Refused(error.code) from error
