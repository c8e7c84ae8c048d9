"""What this program refuses, each with its code, HTTP status and one sentence."""

from __future__ import annotations


class ReviewsError(Exception):
    """An error that a client gets as JSON."""

    code = "internal_error"
    status = 500

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after

    def body(self) -> dict[str, object]:
        """The same shape as Visage's errors."""
        return {"success": False, "error": self.code, "message": self.message}


class InvalidRequest(ReviewsError):
    """A field is missing, has the wrong type, or is out of its bounds."""

    code, status = "invalid_request", 422


class EmptyText(ReviewsError):
    """A query without any letter or digit, or a text of nothing but spaces."""

    code, status = "empty_text", 422


class TextTooLong(ReviewsError):
    """A query or a text over its limit of words or characters."""

    code, status = "text_too_long", 422


class UnknownEmotion(ReviewsError):
    """A label that this program has no query for."""

    code, status = "unknown_emotion", 422


class BodyTooLarge(ReviewsError):
    """More bytes than the route takes."""

    code, status = "body_too_large", 413


class VisageFailed(ReviewsError):
    """Visage did not give a prediction; code, message and status are its own where it sent some."""

    def __init__(self, code: str, message: str, status: int, retry_after: float | None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.code, self.status = code, status


class SetupError(Exception):
    """What keeps the program from starting, in one sentence."""
