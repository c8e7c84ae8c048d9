"""Takes a posted series of predictions apart.

A series may be large. Its frames are found in the bytes of the body and parsed one at a time, so that they are never
all in memory as Python's objects.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

import orjson

from app.api.json_values import check_number, check_probabilities, is_number
from app.api.parameters import unknown
from app.errors import InvalidRequest
from app.expression.blinks import series_units
from app.vision.quality import WarningCode

MOST_FRAMES: Final = 100_000
BYTES_A_FRAME: Final = 400
"""What a frame may take on average: 100,000 of them make the largest body."""

_LONGEST_FRAME: Final = 8192
_LATEST: Final = 1e9
_WARNINGS: Final = frozenset(get_args(WarningCode.__value__))
_FIELDS: Final = ("t", "probabilities", "face_detected", "face_box", "warnings", "action_units")
_MEMBERS: Final = ("profile", "frames")

_BLANK: Final = rb"[ \t\r\n]*+"
_TEXT: Final = rb'"(?:[^"\\]++|\\.)*+"'
_INNER: Final = rb'(?:[^"{}\[\]]++|%b)*+' % _TEXT
_VALUE: Final = rb'(?:[^"{}\[\]]++|%b|\{%b\}|\[%b\])*+' % (_TEXT, _INNER, _INNER)
_KEY: Final = rb"%b(%b)%b:%b" % (_BLANK, _TEXT, _BLANK, _BLANK)
_FIRST_KEY: Final = re.compile(rb"%b\{%b" % (_BLANK, _KEY), re.DOTALL)
_NEXT_KEY: Final = re.compile(rb"%b,%b" % (_BLANK, _KEY), re.DOTALL)
_SCALAR: Final = re.compile(rb'%b|[^"{}\[\],\s]++' % _TEXT, re.DOTALL)
_FRAME: Final = re.compile(rb"%b(\{%b\})%b(,?)" % (_BLANK, _VALUE, _BLANK), re.DOTALL)
_END_OF_FRAMES: Final = re.compile(rb"%b\]" % _BLANK)
_END: Final = re.compile(rb"%b\}%b" % (_BLANK, _BLANK))


@dataclass(frozen=True, slots=True)
class PostedFrame:
    """A frame of a series; without a face its probabilities are None."""

    t: float
    probabilities: Mapping[str, float] | None
    warnings: tuple[str, ...]
    units: Mapping[str, float] | None


class PostedSession:
    """The body of ``POST /analyze/session``. Raises InvalidRequest where it is not one."""

    def __init__(self, body: bytearray) -> None:
        self._body = body
        self._starts = array("Q")
        self._ends = array("Q")
        self.profile: str | None = None
        self._find_members()

    @property
    def count(self) -> int:
        return len(self._starts)

    def frames(self) -> Iterator[PostedFrame]:
        """The frames in their order, each checked as it is reached."""
        last, labels = 0.0, None
        for index in range(self.count):
            frame = self._frame(index)
            if frame.t < last:
                raise _wrong(index, "t", "is less than that of the frame before")
            last = frame.t
            if frame.probabilities is not None:
                given = frame.probabilities.keys()
                if labels is None:
                    labels = given
                elif given != labels:
                    raise _wrong(index, "probabilities", "has other labels than the frames before")
            yield frame

    def labels(self) -> tuple[str, ...]:
        """The labels of the first frame with a face; none without one."""
        frames = (self._frame(index) for index in range(self.count))
        return next((tuple(frame.probabilities) for frame in frames if frame.probabilities is not None), ())

    def _find_members(self) -> None:
        """Notes where the frames stand, and reads what else there is."""
        position, seen = 0, set[str]()
        while key := self._match(_NEXT_KEY if seen else _FIRST_KEY, position):
            name = str(_loaded(key[1]))
            if name not in _MEMBERS:
                raise unknown("field", name, _MEMBERS)
            if name in seen:
                raise InvalidRequest(f"{name}: the body has it twice.")
            seen.add(name)
            position = self._find_frames(key.end()) if name == "frames" else self._read_profile(key.end())
        end = self._match(_END, position)
        if "frames" not in seen or end is None or end.end() < len(self._body):
            raise _no_series()

    def _read_profile(self, position: int) -> int:
        found = self._match(_SCALAR, position)
        value = _loaded(found[0]) if found else 0
        if not found or not (value is None or isinstance(value, str)):
            raise InvalidRequest("profile: is neither null nor the name of a profile.")
        self.profile = value
        return found.end()

    def _find_frames(self, position: int) -> int:
        if self._body[position : position + 1] != b"[":
            raise InvalidRequest("frames: is no list.")
        position += 1
        more = b""
        while found := self._match(_FRAME, position):
            if self.count == MOST_FRAMES:
                raise InvalidRequest(f"frames: there are more than {MOST_FRAMES:,}.")
            self._starts.append(found.start(1))
            self._ends.append(found.end(1))
            position, more = found.end(), found[2]
            if not more:
                break
        end = self._match(_END_OF_FRAMES, position)
        if end is None or more:
            raise InvalidRequest(
                f"frames[{self.count}]: this is not valid JSON, not a frame, or longer than {_LONGEST_FRAME} bytes."
            )
        return end.end()

    def _match(self, pattern: re.Pattern[bytes], position: int) -> re.Match[bytes] | None:
        """A match that looks at a bounded part of the body, since nothing else of the process runs meanwhile."""
        return pattern.match(self._body, position, position + _LONGEST_FRAME)

    def _frame(self, index: int) -> PostedFrame:
        frame = _loaded(self._body[self._starts[index] : self._ends[index]], index)
        for name in frame:
            if name not in _FIELDS:
                raise unknown(f"field of frames[{index}]", name, _FIELDS)
        t = frame.get("t")
        check_number(f"frames[{index}].t", t, _LATEST)
        _check_box(index, frame.get("face_box"))
        units = _units(index, frame.get("action_units"))
        return PostedFrame(t, _probabilities(index, frame), _warnings(index, frame.get("warnings")), units)


def _probabilities(index: int, frame: Mapping[str, Any]) -> Mapping[str, float] | None:
    """The probabilities of a frame's face; None where it has none."""
    detected, given = frame.get("face_detected"), frame.get("probabilities")
    if detected is not None and not isinstance(detected, bool):
        raise _wrong(index, "face_detected", "is neither true nor false")
    if given is None:
        if detected:
            raise _wrong(index, "probabilities", "is missing, but face_detected is true")
        return None
    check_probabilities(f"frames[{index}].probabilities", given)
    return given if detected is not False else None


def _check_box(index: int, box: Any) -> None:
    if box is not None and not (isinstance(box, list) and len(box) == 4 and all(map(is_number, box))):
        raise _wrong(index, "face_box", "is no list of four numbers")


def _warnings(index: int, given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(code, str) and code in _WARNINGS for code in given):
        raise _wrong(index, "warnings", f"is no list of the codes {', '.join(sorted(_WARNINGS))}")
    return tuple(dict.fromkeys(given))


def _units(index: int, given: Any) -> Mapping[str, float] | None:
    """The intensities of a frame's action units; None where it has none."""
    if given is None:
        return None
    if not isinstance(given, dict):
        raise _wrong(index, "action_units", "is no object of numbers from 0 to 1 by action unit")
    for code, intensity in given.items():
        if code not in series_units():
            raise unknown(f"action unit of frames[{index}]", code, tuple(series_units()))
        check_number(f"frames[{index}].action_units.{code}", intensity, 1)
    return given


def _loaded(text: bytes | bytearray, index: int | None = None) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        error = _no_series() if index is None else InvalidRequest(f"frames[{index}]: is not valid JSON.")
        raise error from None


def _wrong(index: int, field: str, fault: str) -> InvalidRequest:
    return InvalidRequest(f"frames[{index}].{field}: {fault}.")


def _no_series() -> InvalidRequest:
    return InvalidRequest('The body has to be {"profile": null, "frames": [{"t": 0.0, "probabilities": {…}}, …]}.')
