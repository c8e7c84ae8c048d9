"""API keys."""

from __future__ import annotations

import pytest

from app.api.identity import ApiKeys

ALICE, BOB = "a" * 20, "b:b" * 10
KEYS = ApiKeys([f"alice:{ALICE}", f"bob:{BOB}"])


def presenting(**headers: str) -> dict[str, list[tuple[bytes, bytes]]]:
    return {"headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]}


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"x_api_key": ALICE}, "alice"),
        ({"x_api_key": BOB}, "bob"),
        ({"authorization": f"Bearer {ALICE}"}, "alice"),
        ({"authorization": f"bearer  {BOB} "}, "bob"),
        ({"x_api_key": ALICE, "authorization": f"Bearer {BOB}"}, "alice"),
        ({"x_api_key": ALICE[:-1]}, None),
        ({"x_api_key": ""}, None),
        ({"x_api_key": "é" * 20}, None),
        ({"authorization": f"Basic {ALICE}"}, None),
        ({"authorization": "Bearer "}, None),
        ({}, None),
    ],
)
def test_name_of(headers: dict[str, str], name: str | None) -> None:
    assert KEYS.name_of(presenting(**headers)) == name


def test_no_keys_is_open() -> None:
    assert not ApiKeys([])
    assert KEYS


def test_keys_are_not_held_in_the_clear() -> None:
    assert ALICE not in repr(vars(KEYS))


def test_an_admin_is_marked_in_the_setting() -> None:
    keys = ApiKeys([f"alice:{ALICE}:admin", f"bob:{BOB}"])
    assert keys.name_of(presenting(x_api_key=ALICE)) == "alice"
    assert keys.name_of(presenting(x_api_key=f"{ALICE}:admin")) is None
    assert keys.is_admin("alice")
    assert not keys.is_admin("bob")
