"""What must be known of an ONNX file before ONNX Runtime opens it, read from its protobuf.

The ``onnx`` package would do it too, at forty megabytes of memory and half a second of every start. Numbers in
this module are those of ``onnx.proto``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

_GRAPH, _OPSET, _FUNCTION, _TRAINING = 7, 8, 25, 20
_MODEL_PARTS = {_GRAPH: "graph", _FUNCTION: "function", _TRAINING: "training"}
_PARTS: dict[str, dict[int, str]] = {
    "model": _MODEL_PARTS,
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
"""Which fields of which message hold messages in which a tensor can lie."""

_FLOAT, _FLOAT16 = 1, 10


class NotOnnx(ValueError):
    """These bytes are no protobuf of an ONNX model."""


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """An ONNX file's bytes, with what was found in them."""

    data: bytes
    opset: int
    external: tuple[str, ...]
    """Where tensors say that their values lie, when it is not in the file itself."""
    tensors: frozenset[str]
    """Names of what the graph's nodes compute."""
    outputs: frozenset[str]
    """Those of them that the graph gives out."""

    def initializer(self, name: str) -> NDArray[np.float32] | None:
        """The values of a float initializer of the graph; none if there is no such initializer."""
        for graph in _messages(memoryview(self.data), _GRAPH):
            for tensor in _messages(graph, 5):
                if _text(tensor, 8) == name:
                    return _values(tensor)
        return None

    def with_output(self, name: str) -> bytes:
        """The file with one more of its graph's tensors among the outputs.

        Protobuf merges what follows a message into it, so a second, tiny model at the end does it.
        """
        output = _message(12, _message(1, name.encode()))
        return self.data + _message(_GRAPH, output)


def read(data: bytes) -> OnnxFile:
    """Looks through an ONNX file, or raises :class:`NotOnnx`."""
    opset = 0
    external: list[str] = []
    graphs: list[memoryview] = []
    waiting: list[tuple[str, memoryview]] = [("model", memoryview(data))]
    while waiting:
        kind, message = waiting.pop()
        if kind == "tensor":
            external.extend(_external(message))
            continue
        parts = _PARTS[kind]
        for number, value in _fields(message):
            if not isinstance(value, memoryview):
                continue
            if kind == "model" and number == _OPSET and _text(value, 1) in ("", "ai.onnx"):
                opset = _integer(value, 2)
            if number in parts:
                if kind == "model" and number == _GRAPH:
                    graphs.append(value)
                waiting.append((parts[number], value))
    if not graphs or not opset:
        raise NotOnnx("it holds no graph")
    tensors = {name for graph in graphs for node in _messages(graph, 1) for name in _texts(node, 2)}
    outputs = {_text(output, 1) for graph in graphs for output in _messages(graph, 12)}
    return OnnxFile(data, opset, tuple(external), frozenset(tensors), frozenset(outputs))


def _external(tensor: memoryview) -> Iterator[str]:
    for number, value in _fields(tensor):
        if number == 14 and value == 1:
            yield "another file"
        if number == 13 and isinstance(value, memoryview) and _text(value, 1) == "location":
            yield _text(value, 2)


def _values(tensor: memoryview) -> NDArray[np.float32]:
    shape: list[int] = []
    kind = 0
    raw, floats = b"", b""
    for number, value in _fields(tensor):
        if number == 1:
            shape.extend([value] if isinstance(value, int) else _varints(value))
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 4 and isinstance(value, memoryview):
            floats += bytes(value)
        elif number == 9 and isinstance(value, memoryview):
            raw = bytes(value)
    if kind not in (_FLOAT, _FLOAT16):
        raise NotOnnx("its values are not of type float")
    dtype = np.dtype("<f4" if kind == _FLOAT else "<f2")
    if len(raw or floats) != math.prod(shape) * dtype.itemsize:
        raise NotOnnx("its values do not fill its shape")
    return np.frombuffer(raw or floats, dtype).reshape(shape).astype(np.float32)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: an integer for a varint, else the bytes."""
    position, end = 0, len(message)
    while position < end:
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire == _BYTES:
            size, position = _varint(message, position)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            raise NotOnnx(f"there is no wire type {wire}")
        if size > end - position:
            raise NotOnnx("it ends in the middle of a field")
        yield number, message[position : position + size]
        position += size


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(message) and shift < 70:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise NotOnnx("it ends in the middle of a number")


def _varints(message: memoryview) -> Iterator[int]:
    position = 0
    while position < len(message):
        value, position = _varint(message, position)
        yield value


def _messages(message: memoryview, number: int) -> Iterator[memoryview]:
    """All values of a repeated field of messages or texts."""
    for field, value in _fields(message):
        if field == number and isinstance(value, memoryview):
            yield value


def _texts(message: memoryview, number: int) -> Iterator[str]:
    for value in _messages(message, number):
        yield bytes(value).decode("utf-8", "replace")


def _text(message: memoryview, number: int) -> str:
    """A text field; the last one counts, as protobuf has it."""
    return ["", *_texts(message, number)][-1]


def _integer(message: memoryview, number: int) -> int:
    found = 0
    for field, value in _fields(message):
        if field == number and isinstance(value, int):
            found = value
    return found


def _message(number: int, body: bytes) -> bytes:
    return _encoded(number << 3 | _BYTES) + _encoded(len(body)) + body


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
