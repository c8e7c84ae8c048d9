"""The local engine: what waits for what, and how much of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.config import Settings
from app.inference.registry import load_registry
from app.pipeline import Pipeline
from bulk import engine as engine_module
from bulk.engine import Loaded, LocalEngine, Part
from bulk.rows import Row
from bulk.sources import Item


class Fetched(Item):
    """An item whose bytes come from a function."""

    __slots__ = ("fetch",)

    def load(self, largest: int) -> bytes:
        return self.fetch()  # type: ignore[no-any-return, attr-defined]


def item(name: str, fetch: Callable[[], bytes]) -> Item:
    made = Fetched(name, name)
    object.__setattr__(made, "fetch", fetch)
    return made


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    settings = Settings()
    return LocalEngine(settings, load_registry(settings), 2)


def row(_pipeline: Pipeline, part: Part, number: int, loaded: Loaded) -> list[Row]:
    return [{"part": part.number, "number": number, "bytes": loaded}]


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def test_a_slow_picture_holds_up_no_other(engine: LocalEngine) -> None:
    release = threading.Event()

    def slow() -> bytes:
        release.wait()
        return b"slow"

    done: list[str] = []

    def noted(pipeline: Pipeline, part: Part, number: int, loaded: Loaded) -> list[Row]:
        rows = row(pipeline, part, number, loaded)
        done.append(part.items[number].source)
        return rows

    parts = [Part(0, 0, [item("slow", slow), *(item(f"a{n}", lambda: b"a") for n in range(5))])]
    parts += [Part(1, 6, [item(f"b{n}", lambda: b"b") for n in range(5)])]
    found = engine.run(parts, noted, 100)
    first, rows = next(found)
    assert first.number == 1, "Parts come as they become whole."
    assert [each["number"] for each in rows] == [0, 1, 2, 3, 4], "Rows keep the order of their items."
    assert within(30, lambda: len(done) == 10)
    release.set()
    last, rows = next(found)
    assert (last.number, rows[0]["bytes"]) == (0, b"slow")
    assert list(found) == []


def test_only_so_many_pictures_are_read_ahead(engine: LocalEngine) -> None:
    read: list[int] = []
    release = threading.Event()

    def waiting(*arguments: object) -> list[Row]:
        release.wait()
        return [{}]

    items = [item(str(n), lambda n=n: read.append(n) or b"x") for n in range(500)]  # type: ignore[misc, func-returns-value]
    found = engine.run([Part(0, 0, items)], waiting, 100)
    thread = threading.Thread(target=lambda: list(found))
    thread.start()
    most = engine_module._READERS * engine_module._AHEAD_A_READER
    assert within(30, lambda: len(read) == most)
    assert not within(0.2, lambda: len(read) > most)
    release.set()
    thread.join(30)
    assert len(read) == 500


def test_what_a_worker_raises_ends_the_run(engine: LocalEngine) -> None:
    def failing(_pipeline: Pipeline, _part: Part, number: int, _loaded: Loaded) -> list[Row]:
        if number == 3:
            raise OSError("no room")
        return []

    before = threading.active_count()
    with pytest.raises(OSError, match="no room"):
        list(engine.run([Part(0, 0, [item(str(n), lambda: b"") for n in range(100)])], failing, 100))
    assert within(30, lambda: threading.active_count() <= before), "No thread is left."


def test_pipelines_are_kept_from_one_run_to_the_next(engine: LocalEngine) -> None:
    seen: set[int] = set()

    def noted(pipeline: Pipeline, *_: object) -> list[Row]:
        seen.add(id(pipeline))
        return []

    for _ in range(3):
        list(engine.run([Part(0, 0, [item(str(n), lambda: b"") for n in range(50)])], noted, 100))
    assert 1 <= len(seen) <= 2


def test_an_item_that_cannot_be_read_says_so_where_it_is_predicted(engine: LocalEngine, tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.jpg")

    def reason(_pipeline: Pipeline, _part: Part, _number: int, loaded: Loaded) -> list[Row]:
        return [{"reason": str(loaded)}]

    ((_, rows),) = engine.run([Part(0, 0, [Item(gone, gone)])], reason, 100)
    assert rows == [{"reason": "The file cannot be read: No such file or directory."}]
