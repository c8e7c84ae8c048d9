"""The form that uploads pictures to a contestant."""

from __future__ import annotations

_BOUNDARY = "visage-benchmark-7f3a"
CONTENT_TYPE = f"multipart/form-data; boundary={_BOUNDARY}"


def form(content: bytes, field: str = "file", count: int = 1) -> bytes:
    """A multipart body that holds the same picture ``count`` times."""
    head = (
        f"--{_BOUNDARY}\r\n"
        f'Content-Disposition: form-data; name="{field}"; filename="photo.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode()
    return (head + content + b"\r\n") * count + f"--{_BOUNDARY}--\r\n".encode()
