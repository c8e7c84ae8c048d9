"""``python -m app``: serves with the settings of the environment."""

from __future__ import annotations

import os
import signal
import sys

EXIT_BAD_SETTINGS = 2


def main() -> None:
    """Serves until a signal ends it; a setting that makes no sense ends it at once with one sentence."""
    # The kernel ignores a signal to process 1 of a container for which there is no handler. The server sets its own.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    from app.config import BadSettings, load_settings  # noqa: PLC0415
    from app.server.server import run  # noqa: PLC0415

    status = 0
    try:
        run(load_settings())
    except BadSettings as error:
        sys.stderr.write(f"{error}\n")
        status = EXIT_BAD_SETTINGS
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads inside a library's code would keep the interpreter from ending, or trip over what it tears down.
    os._exit(status)


if __name__ == "__main__":
    main()
