"""Runs a target of the fuzz drill in atheris: ``python -m drills.fuzz_atheris decode CORPUS``."""

from __future__ import annotations

import logging
import sys
import time

import atheris

with atheris.instrument_imports(include=["app"]):
    from app.errors import VisageError
    from drills.fuzz import SLOWEST_SECONDS, TARGETS


def main() -> None:
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    target, allowed = TARGETS[sys.argv.pop(1)]

    def once(data: bytes) -> None:
        started = time.thread_time()
        try:
            target(data)
        except VisageError as error:
            if error.code not in allowed:
                raise
        if time.thread_time() - started > SLOWEST_SECONDS:
            raise TimeoutError

    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
