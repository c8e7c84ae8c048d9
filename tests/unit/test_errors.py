"""The catalogue is complete, and its messages are written for the person who reads them."""

from __future__ import annotations

import app.errors
from app.errors import CATALOGUE, Overloaded, RetryableError, VisageError


def _concrete(kind: type[VisageError]) -> set[type[VisageError]]:
    found = {kind} if "code" in vars(kind) else set()
    return found.union(*(_concrete(child) for child in kind.__subclasses__()))


def test_the_catalogue_holds_every_error_once() -> None:
    assert set(CATALOGUE) == {kind for kind in _concrete(VisageError) if kind.__module__ == app.errors.__name__}
    assert len({kind.code for kind in CATALOGUE}) == len(CATALOGUE)


def test_messages_are_sentences_that_say_what_to_do() -> None:
    for kind in CATALOGUE:
        assert kind.default_message.endswith("."), kind
        assert 400 <= kind.status < 600, kind


def test_what_passes_by_itself_says_when_to_come_back() -> None:
    for kind in CATALOGUE:
        assert issubclass(kind, RetryableError) == (kind.status in {429, 503}), kind
    assert Overloaded(retry_after=2.5).retry_after == 2.5


def test_a_message_of_its_own_replaces_the_default() -> None:
    assert Overloaded("Full.").message == "Full."
    assert str(Overloaded()) == Overloaded.default_message
