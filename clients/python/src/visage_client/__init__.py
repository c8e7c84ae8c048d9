"""A client of Visage, which reads the apparent expression of faces: what a picture shows, not what somebody feels."""

from visage_client._calls import Picture
from visage_client.async_client import AsyncVisage
from visage_client.async_stream import AsyncStream
from visage_client.client import LevelName, Visage, level_of, pictures_in
from visage_client.errors import VisageError
from visage_client.stream import Stream

__all__ = [
    "AsyncStream",
    "AsyncVisage",
    "LevelName",
    "Picture",
    "Stream",
    "Visage",
    "VisageError",
    "level_of",
    "pictures_in",
]
