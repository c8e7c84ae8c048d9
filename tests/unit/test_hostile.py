"""Hostile files in the decoder, and inputs that broke a parser before."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from app.errors import VisageError
from drills.fuzz import CRASHERS, TARGETS, decode_picture
from tests.hostile import REFUSALS, HostileFile, hostile_files


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
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux resets the peak of a process's memory")
def test_a_bomb_is_refused_before_its_pixels_are_decoded(name: str) -> None:
    from drills.process_stats import process_stats, reset_peak

    data = next(file.data for file in hostile_files() if file.name == name)
    reset_peak(os.getpid())
    before = process_stats(os.getpid()).peak
    assert outcome(data) == "image_too_large"
    assert process_stats(os.getpid()).peak - before < 20


def _crashers() -> list[Any]:
    return [
        pytest.param(name, path.read_bytes(), id=path.name)
        for name in TARGETS
        for path in sorted(CRASHERS.glob(f"{name}-*"))
    ]


@pytest.mark.parametrize(("target", "data"), _crashers())
def test_an_input_that_broke_a_parser_before(target: str, data: bytes) -> None:
    parse, allowed = TARGETS[target]
    code = None
    try:
        parse(data)
    except VisageError as error:
        code = error.code
    assert code is None or code in allowed
