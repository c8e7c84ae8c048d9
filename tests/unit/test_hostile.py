"""Hostile files, and those that once broke a bound, through the decoder."""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import pytest

from app.errors import VisageError
from drills.fuzz import CRASHERS, TARGETS, decode_picture
from tests.hostile import REFUSALS, HostileFile, hostile_files

MEGABYTES = 2**20 if sys.platform == "darwin" else 2**10


def outcome(data: bytes) -> str:
    try:
        decode_picture(data)
    except VisageError as error:
        return error.code
    return "accepted"


@pytest.mark.parametrize("file", hostile_files(), ids=lambda file: file.name)
def test_a_hostile_file_is_refused_with_an_error_of_the_catalogue(file: HostileFile) -> None:
    assert outcome(file.data) in REFUSALS | ({"accepted"} if file.readable else set())


@pytest.mark.parametrize("name", ["bomb-png-13000", "bomb-png-20000", "bomb-jpeg-65500", "bomb-webp-6000"])
def test_a_bomb_costs_next_to_nothing(name: str) -> None:
    data = next(file.data for file in hostile_files() if file.name == name)
    most, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.thread_time()
    assert outcome(data) == "image_too_large"
    assert time.thread_time() - started < 0.1
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most) / MEGABYTES < 20


def _crashers() -> list[Any]:
    return [
        pytest.param(name, path.read_bytes(), id=path.name)
        for name in TARGETS
        for path in sorted(CRASHERS.glob(f"{name}-*"))
    ]


@pytest.mark.parametrize(("target", "data"), _crashers())
def test_what_once_broke_a_parser(target: str, data: bytes) -> None:
    parse, allowed = TARGETS[target]
    code = None
    try:
        parse(data)
    except VisageError as error:
        code = error.code
    assert code is None or code in allowed
