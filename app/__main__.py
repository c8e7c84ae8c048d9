"""``python -m app``: serves with the settings of the environment."""

from __future__ import annotations

import contextlib
import gc
import os
import signal

EXIT_BAD_SETTINGS = 2
_STDERR = 2


def main() -> None:
    """Serves until a signal ends it; a setting that makes no sense ends it at once with one sentence."""
    _handle_signals()
    _open_standard_files()
    # The start leaves next to no garbage, and looking for it takes a tenth of its time. The service turns it on again.
    gc.disable()
    from app.config import BadSettings, load_settings  # noqa: PLC0415

    status = 0
    try:
        settings = load_settings()
        from app.server.server import run  # noqa: PLC0415 - its imports take long

        run(settings)
    except BadSettings as error:
        status = EXIT_BAD_SETTINGS
        # Not with print: what Python cannot write it would write again at the exit, and fail.
        with contextlib.suppress(OSError):
            os.write(_STDERR, f"{error}\n".encode(errors="replace"))
    # Threads inside a library's code would keep the interpreter from ending, or trip over what it tears down. A stream
    # that blocks would do the same to a flush.
    os._exit(status)


def _handle_signals() -> None:
    """Ends the process at a signal, until the server sets its own handlers.

    The kernel discards a signal to process 1 of a container that has no handler for it. One that is blocked it keeps,
    so the image starts Python with these signals blocked, and none is lost before this line.
    """
    ends = (signal.SIGTERM, signal.SIGINT)
    for number in ends:
        signal.signal(number, lambda *_: os._exit(0))
    # A terminal that is closed does not end the service. Models are loaded again through the API.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ends)


def _open_standard_files() -> None:
    """Opens those of files 0 to 2 that are closed, or the first sockets would get their numbers, and lines of logs."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(number)


if __name__ == "__main__":
    main()
