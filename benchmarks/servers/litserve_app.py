"""The same pipeline behind LitServe, with the worker processes and the fast queue that its documentation advises.

LitServe reads the annotations of ``decode_request`` as they stand, so they must not be postponed.
"""

import os
from typing import Any

import litserve
from fastapi import HTTPException, Request

from app.errors import VisageError
from benchmarks.servers.bare_pipeline import BarePipeline


class Expressions(litserve.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002
        self.pipeline = BarePipeline()

    def decode_request(self, request: Request) -> bytes:
        content: bytes = request["file"].file.read()
        return content

    def predict(self, data: bytes) -> dict[str, Any]:
        try:
            return self.pipeline.result(data)
        except VisageError as error:
            raise HTTPException(error.status, error.code) from error

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


if __name__ == "__main__":
    server = litserve.LitServer(
        Expressions(api_path="/predict"),
        accelerator="cpu",
        workers_per_device=int(os.environ["WORKERS"]),
        fast_queue=True,
    )
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
