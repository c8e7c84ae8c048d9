"""``visage``: ``serve`` the HTTP service, ``score`` an archive, or ``audit`` the service on faces of your own."""

from __future__ import annotations

import argparse
import logging
import math
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from app.config import BadSettings, Settings, load_settings
from bulk.stops import BAD_INPUT, Stop

if TYPE_CHECKING:
    from app.expression.details import Detail
    from bulk.engine import LocalEngine
    from bulk.score import Cluster

_INTERRUPTED = 130


def main() -> None:
    arguments = sys.argv[1:]
    if arguments in ([], ["serve"]):
        from app.__main__ import main as serve  # noqa: PLC0415 - its imports take long

        serve()
        return
    status = run(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads that still predict would trip over what the interpreter tears down.
    os._exit(status)


def run(arguments: Sequence[str]) -> int:
    """Runs a command of its own. Returns the exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    try:
        return int(options.command(options))
    except (Stop, BadSettings) as error:
        _say(str(error))
        return error.status if isinstance(error, Stop) else BAD_INPUT
    except ModuleNotFoundError as error:
        extra = "ray" if error.name == "ray" else "bulk"
        how = f"In the repository: make {extra}-install, or pip install '.[{extra}]'."
        _say(f"The package {error.name} is missing. {how}")
        return BAD_INPUT
    except KeyboardInterrupt:
        _say("Stopped. Run the same line again to go on.")
        # Threads that predict are not waited for: what they have not finished is done again.
        sys.stderr.flush()
        os._exit(_INTERRUPTED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="visage", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("serve", help="serve the HTTP API, as the settings of the environment say")

    score = commands.add_parser("score", help="pictures and video in, a table out, one row a face")
    _add_sources(score)
    score.add_argument("--out", required=True, metavar="PATH", help="folder or URL for the table, one file a part")
    score.add_argument("--format", choices=("parquet", "csv", "jsonl"), default="parquet")
    score.add_argument("--faces", choices=("all", "largest"), default="all")
    score.add_argument("--details", default="", help="details of each face, separated by commas")
    score.add_argument("--fps", type=_positive, help="frames a second of a video that are read; without it, all")
    score.add_argument("--limit", type=_count, help="read only so many items")
    score.add_argument("--shard", type=_shard, default=(1, 1), metavar="K/N", help="read the K-th of N shares")
    score.add_argument("--engine", choices=("local", "ray"), default="local", help="threads here, or Ray")
    score.add_argument("--address", help="address of a Ray cluster; without it, Ray is started here")
    score.add_argument("--actors", type=_count, help="actors of Ray at most; without it, one a core of this machine")
    score.add_argument("--gpus", type=_positive, metavar="N", help="GPUs that each actor takes, such as 1 or 0.5")
    score.add_argument("--lenient", action="store_true", help="exit with 0 also when some items could not be read")
    score.set_defaults(command=_score)

    audit = commands.add_parser("audit", help="how well a model does on labelled faces of your own")
    _add_sources(audit)
    audit.add_argument("--labels", metavar="CSV", help="table of path, label and groups; without it, a folder a label")
    audit.add_argument("--out", required=True, metavar="FOLDER", help="folder for audit.json and audit.html")
    audit.add_argument("--groups", default="", help="columns of the table that name groups, separated by commas")
    audit.add_argument("--ignore-labels", default="", help="labels to leave out, separated by commas")
    audit.add_argument("--compare", metavar="A,B", help="test the difference between two models")
    audit.add_argument("--precision", type=_share, default=0.9, help="precision that the threshold is to reach")
    audit.add_argument("--pictures", action="store_true", help="show the surest mistakes as pictures")
    audit.add_argument("--write-threshold", action="store_true", help="write the threshold found as settings.env")
    audit.add_argument("--write-temperature", metavar="FOLDER", help="copy the model there with the temperature found")
    audit.set_defaults(command=_audit)
    return parser


def _add_sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="folder, glob, list, table, .tar, file or URL")
    parser.add_argument("--column", help="column of a table that names the pictures")
    parser.add_argument("--model", help="model in place of the default")
    parser.add_argument("--workers", type=_count, help="threads that predict; without it, one a core")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def _score(options: argparse.Namespace) -> int:
    from bulk.progress import Progress  # noqa: PLC0415 - their imports take long
    from bulk.score import ScoreOptions, Target, score  # noqa: PLC0415

    settings = load_settings()
    wanted = ScoreOptions(
        tuple(options.sources),
        options.column,
        options.format,
        options.model,
        options.faces,
        _details(options.details),
        options.fps,
        options.limit,
    )
    progress = Progress(quiet=options.quiet)
    try:
        target = Target(options.out, options.shard, _cluster(options))
        status = score(wanted, target, settings, _engine(options, settings), progress)
        return 0 if options.lenient else status
    finally:
        progress.stop()


def _cluster(options: argparse.Namespace) -> Cluster | None:
    from app.system import usable_cores  # noqa: PLC0415 - their imports take long
    from bulk.score import Cluster  # noqa: PLC0415

    if options.engine == "ray":
        return Cluster(options.address, options.actors or usable_cores(), options.gpus)
    for name in ("address", "actors", "gpus"):
        if getattr(options, name) is not None:
            raise Stop(f"--{name} is for --engine ray.")
    return None


def _audit(options: argparse.Namespace) -> int:
    from app.expression.labels import usual_name  # noqa: PLC0415 - their imports take long
    from bulk.audit import AuditOptions, audit  # noqa: PLC0415
    from bulk.progress import Progress  # noqa: PLC0415

    settings = load_settings()
    wanted = AuditOptions(
        sources=tuple(options.sources),
        labels=options.labels,
        column=options.column,
        groups=_words(options.groups),
        ignored=tuple(map(usual_name, _words(options.ignore_labels))),
        models=_models(options),
        precision=options.precision,
        pictures=options.pictures,
        write_threshold=options.write_threshold,
        write_temperature=options.write_temperature,
    )
    progress = Progress(quiet=options.quiet)
    try:
        return audit(wanted, options.out, settings, _engine(options, settings), progress)
    finally:
        progress.stop()


def _engine(options: argparse.Namespace, settings: Settings) -> LocalEngine:
    from app.inference.registry import load_registry  # noqa: PLC0415 - their imports take long
    from bulk.engine import LocalEngine  # noqa: PLC0415

    registry = load_registry(settings)
    for name in _models(options):
        wanted = name or registry.default_name
        if wanted not in registry.names:
            fault = registry.failures.get(wanted, f"There is no model {wanted}: there are {', '.join(registry.names)}.")
            raise Stop(fault)
    return LocalEngine(settings, registry, options.workers)


def _models(options: argparse.Namespace) -> tuple[str | None, ...]:
    """The model of a command, or the two that it compares."""
    if getattr(options, "compare", None) is None:
        return (options.model,)
    names = _words(options.compare)
    if len(set(names)) != 2 or len(names) != 2 or options.model is not None:
        raise Stop("--compare takes two models, such as --compare default,accurate, and no --model beside them.")
    return names


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for part in text.split(",") if (word := part.strip()))


def _details(text: str) -> tuple[Detail, ...]:
    from app.expression.details import DETAILS  # noqa: PLC0415

    names = _words(text)
    for name in names:
        if name not in DETAILS or name == "mesh":
            known = ", ".join(detail for detail in DETAILS if detail != "mesh")
            raise Stop(f"--details {name} is none of {known}.")
    return tuple(detail for detail in DETAILS if detail in names)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("it must be a whole number of at least 1")
    return int(text)


def _positive(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError("it must be above 0 and at most 1000")
    return value


def _share(text: str) -> float:
    value = _number(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError("it must be between 0 and 1")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _shard(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise argparse.ArgumentTypeError("it must be K/N with K at most N, such as 3/10")
    return int(number), int(count)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _say(message: str) -> None:
    # Names in a table may hold sequences that a terminal obeys.
    safe = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in message)
    sys.stderr.write(f"{safe}\n")


if __name__ == "__main__":
    main()
