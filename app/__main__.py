"""``python -m app``: serves with the settings of the environment."""

from __future__ import annotations

import os
import sys

EXIT_BAD_SETTINGS = 2


def main() -> None:
    """Serves until a signal ends it; a setting that makes no sense ends it at once with one sentence."""
    from app.config import BadSettings, load_settings  # noqa: PLC0415
    from app.server import run  # noqa: PLC0415

    try:
        run(load_settings())
    except BadSettings as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_BAD_SETTINGS)
    sys.stdout.flush()
    sys.stderr.flush()
    # A worker that hangs in a library's code would keep the interpreter from ending.
    os._exit(0)


if __name__ == "__main__":
    main()
