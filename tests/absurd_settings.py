"""Values that no setting may accept, made from its type, so that a setting that is added is covered too."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from app.config import Settings

_EVERYWHERE: Final = ("\udcff\udcfe", "a\nb", "\u202e", "x" * 100_000, "?#%", " , ", "\u00a0")
_NUMBERS: Final = ("many", "-1", "-0.5", "inf", "-inf", "nan", "1e400", "9" * 20, "0x10", "1,5", "1 2", "٣ ٣")
_CHOICES: Final = ("chatty", "-1", "2.5", "nul")
_FOLDERS: Final = ("/dev/null", "/nonexistent/folder", __file__)

_NO_RATES: Final = ("0/minute", "10/second;0/minute", "9999999999/second", "10/99999999999999999999 years")

_BY_NAME: Final[dict[str, tuple[str, ...]]] = {
    "host": ("0.0.0.0.0", "256.1.1.1", ":::", "no such host", "http://localhost", "example.invalid"),
    "port": ("65536", "80.5", "http"),
    "root_path": ("visage", "//", "/a//b", "/a b", "/a?b", "/a#b", "/..", "/a/../b", "/./a", "/%2e", "/é"),
    "default_model": ("../default", "/etc", "A", ".", "a" * 65),
    "shadow_model": ("../default", "/etc", "A", ".", "a" * 65),
    "execution_providers": ("gpu", "cpu;cuda", "auto,cpu"),
    "session_profiles": ("interview", "INTERVIEW_PRACTICE", "interview_practice;x"),
    "workers": ("257", "1.5"),
    "rate_limit": ("often", "10", "ten/minute", "10/fortnight", "-1/minute", "1/minute/minute", *_NO_RATES),
    "rate_limit_storage": (
        *(
            "memory:/",
            "memory://x",
            "redis",
            "redis:",
            "redis:/",
            *(
                "example.org",
                "https://",
                "https:///",
                "https://a.example/",
                "https://a.example/x",
                "https://a b.example",
            ),
            "redis:///0",
            "http://redis",
            "redis://:x",
        ),
        *(
            "redis://h:port",
            "redis://h:99999",
            "redis://h:-1",
            "redis://h/x",
            "redis://h/0/1",
            "redis://[::1",
            "redis://@",
        ),
        *("redis://h?socket_timeout=x", "redis://h?no_such_option=1", "redis+unix://", "unix:///run/redis.sock"),
    ),
    "api_keys": (
        "noname",
        "web:",
        ":0123456789abcdef",
        "web:short",
        "ops:0123456789:admin",
        "a:0123456789abcdef,a:0123456789abcdeg",
    ),
    "cors_origins": (
        *(
            "example.org",
            "https://",
            "https:///",
            "https://a.example/",
            "https://a.example/path",
            "https://a b.example",
        ),
        *(
            "https://*.example",
            "https://u:p@a.example",
            "https://a.example:port",
            "https://a.example?x",
            "ftp://a.example",
        ),
        *("null", "https://a..example", "https://.example"),
    ),
    "trusted_proxies": ("proxy", "10.0.0.0/33", "10.0.0.256", "10.0.0.0/8/8", "::/129", "*", "10.0.0.1-10.0.0.9"),
}
"""What is absurd for one setting alone."""


def absurd_values(name: str) -> tuple[str, ...]:
    """Values of a setting, by its name in the environment, that must be refused."""
    field = Settings.model_fields[name.lower()]
    return tuple(dict.fromkeys((*_EVERYWHERE, *_by_type(field), *_BY_NAME.get(name.lower(), ()))))


def _by_type(field: FieldInfo) -> tuple[str, ...]:
    kind = field.annotation
    if kind in {int, float}:
        # Where nothing at all makes no sense, next to nothing makes none either.
        return (*_NUMBERS, "0", "1e-300") if any(getattr(rule, "ge", 0) > 0 for rule in field.metadata) else _NUMBERS
    if kind is bool or get_origin(kind) is Literal:
        return _CHOICES
    return _FOLDERS if kind is Path or Path in get_args(kind) else ()
