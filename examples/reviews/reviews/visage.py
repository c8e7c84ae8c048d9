"""Asking Visage for the apparent expression in a picture, through its Python client."""

from __future__ import annotations

from typing import Any

from reviews.config import Settings
from reviews.emotions import QUERIES
from reviews.errors import VisageFailed
from visage_client import AsyncVisage, VisageError


class Visage:
    """The service that reads the picture. Pictures are passed on from memory and kept nowhere."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.visage_url
        self._client = AsyncVisage(
            settings.visage_url,
            api_key=settings.visage_api_key,
            timeout=settings.visage_timeout,
            retries=1,
            longest_wait=5,
        )

    async def predict(self, picture: bytes) -> dict[str, Any]:
        """The largest face's apparent expression, and what is searched for because of it."""
        try:
            prediction = await self._client.predict(picture, faces="largest")
        except VisageError as error:
            raise self._failed(error) from error
        emotion = prediction["emotion"]
        return {
            "emotion": emotion,
            "confidence": prediction["confidence"],
            "is_uncertain": prediction["is_uncertain"],
            "probabilities": prediction["probabilities"],
            "faces_detected": prediction["faces_detected"],
            "warnings": prediction["warnings"],
            "query": QUERIES.get(emotion),
        }

    async def is_healthy(self) -> bool:
        """Whether it answers and is ready."""
        try:
            return (await self._client.health())["status"] == "ok"
        except (VisageError, KeyError, TypeError):
            return False

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()

    def _failed(self, error: VisageError) -> VisageFailed:
        if error.code == "unreachable":
            return VisageFailed("visage_unreachable", f"Visage does not answer at {self._url}.", 502, error.retry_after)
        if error.code == "unexpected_response" or error.status is None:
            return VisageFailed("visage_failed", f"What answers at {self._url} is not Visage.", 502, None)
        # A wrong key is this program's fault, not its client's.
        status = 502 if error.status in {401, 403} else error.status
        return VisageFailed(error.code, error.message, status, error.retry_after)
