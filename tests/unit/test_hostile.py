"""Hostile files, and those that once broke a bound, through the decoder."""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import pytest

from app.errors import VisageError
from tests.drills.fuzz import CRASHERS, FORM_ERRORS, decode_picture, parse_form
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


def _crashers(target: str) -> list[Any]:
    return [pytest.param(path.read_bytes(), id=path.name) for path in sorted(CRASHERS.glob(f"{target}-*"))]


@pytest.mark.parametrize("data", _crashers("decode"))
def test_what_once_broke_the_decoder(data: bytes) -> None:
    assert outcome(data) in REFUSALS | {"accepted"}


@pytest.mark.parametrize("data", _crashers("form"))
def test_what_once_broke_the_parser_of_forms(data: bytes) -> None:
    code = None
    try:
        parse_form(data)
    except VisageError as error:
        code = error.code
    assert code is None or code in FORM_ERRORS
