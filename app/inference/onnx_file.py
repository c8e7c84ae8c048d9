"""Reads and extends ONNX files as bytes, without a library for them: the few fields that the service needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_GRAPH: Final = 7
_INITIALIZER, _OUTPUT = 5, 12
_DIMS, _TYPE, _FLOATS, _NAME, _BYTES = 1, 2, 4, 8, 9
"""Numbers of fields: of a model, of its graph, and of a tensor."""

_FLOAT_TYPES: Final = {1: "<f4", 10: "<f2", 11: "<f8"}

_VARINT, _FIXED_64, _DELIMITED, _FIXED_32 = 0, 1, 2, 5
"""How a field is stored."""


def with_output(model: bytes, name: str) -> bytes:
    """The model with one more of its tensors among its outputs.

    Protobuf merges repeated messages, so appending a second graph with one output of a name does it.
    """
    message = name.encode()
    for field in (1, _OUTPUT, _GRAPH):
        message = bytes([field << 3 | _DELIMITED]) + _varint(len(message)) + message
    return model + message


def initializer(model: bytes, name: str) -> NDArray[Any] | None:
    """The floats that the graph stores under a name; None where it stores none, or not in one piece."""
    try:
        for graph in _messages(memoryview(model), _GRAPH):
            for tensor in _messages(graph, _INITIALIZER):
                if any(bytes(value) == name.encode() for value in _messages(tensor, _NAME)):
                    return _floats(tensor)
    except (ValueError, IndexError):
        # ONNX Runtime says better what is wrong with a file.
        return None
    return None


def _floats(tensor: memoryview) -> NDArray[Any] | None:
    shape: list[int] = []
    dtype = data = None
    for field, value in _fields(tensor):
        if field == _DIMS:
            shape += [value] if isinstance(value, int) else _varints(value)
        elif field == _TYPE and isinstance(value, int):
            dtype = _FLOAT_TYPES.get(value)
        elif field in (_FLOATS, _BYTES) and not isinstance(value, int):
            data = value
    return None if dtype is None or data is None else np.frombuffer(data, dtype).reshape(shape).copy()


def _messages(data: memoryview, wanted: int) -> Iterator[memoryview]:
    return (value for field, value in _fields(data) if field == wanted and not isinstance(value, int))


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The numbers of the fields of a message, and their values. Raises ValueError for what is no message."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        field, kind = key >> 3, key & 7
        if kind == _VARINT:
            number, at = _read_varint(data, at)
            yield field, number
        elif kind in (_DELIMITED, _FIXED_32, _FIXED_64):
            size, at = _read_varint(data, at) if kind == _DELIMITED else (4 if kind == _FIXED_32 else 8, at)
            yield field, data[at : at + size]
            at += size
        else:
            raise ValueError("no field of Protobuf")


def _varints(data: memoryview) -> list[int]:
    numbers, at = [], 0
    while at < len(data):
        number, at = _read_varint(data, at)
        numbers.append(number)
    return numbers


def _read_varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number, and where the next one begins. Raises IndexError where the data ends too soon."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return number, at


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
