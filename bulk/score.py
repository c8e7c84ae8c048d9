"""``visage score``: pictures and video in, a table out, one row a face."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import app
from app.api.details import DetailsRequest
from app.config import Settings
from app.errors import DetailsUnavailable, NoFaceDetected
from app.expression.details import Detail, needs_mesh
from app.inference.classifier import Classifier
from app.pipeline import FrameOptions, Pipeline, go_on
from app.sessions.tracks import Track, Tracker
from app.system import trim_memory
from bulk.engine import Loaded, LocalEngine, Part
from bulk.output import PLAN, Format, Output, part_writer
from bulk.pictures import Faces, PictureScorer
from bulk.progress import Progress
from bulk.rows import Row, columns_of, counted, error_row
from bulk.sources import Item, Unreadable, digest, find_items, is_url, shown
from bulk.stops import Stop
from bulk.video import frames_of

PART_SIZE: Final = 1000
_SMOOTHING_SECONDS: Final = 0.5
_PIECE: Final = 2000
"""Rows of a video that are written at once."""
NOT_READ: Final = 1
"""Exit status when some items could not be read."""

_READ_WITHOUT_A_FACE: Final = frozenset({"", "no_face_detected"})


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """What a run is told to do. A run that is resumed must be told the same."""

    sources: tuple[str, ...]
    column: str | None
    format: Format
    model: str | None
    faces: Faces
    details: tuple[Detail, ...]
    fps: float | None
    limit: int | None


@dataclass(frozen=True, slots=True)
class Target:
    """Where the parts go, and which share of them this process makes: the K-th of N."""

    out: str
    shard: tuple[int, int] = (1, 1)
    cluster: Cluster | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where Ray runs: its address (None starts one here), how many actors score, and how many GPUs each takes."""

    address: str | None
    actors: int
    gpus: float | None = None


def score(options: ScoreOptions, target: Target, settings: Settings, engine: LocalEngine, progress: Progress) -> int:
    """Scores what is not scored yet. Returns the exit status."""
    out, shard = target.out, target.shard
    _check_apart(options.sources, out)
    model = engine.registry.get(options.model)
    items = find_items(options.sources, options.column)[: options.limit]
    output = Output(out)
    try:
        video = any(item.is_video for item in items)
        scorer = Scorer(options, settings, model, video=video)
        if needs_mesh(frozenset(options.details)):
            try:
                engine.mesh.get()
            except DetailsUnavailable as error:
                raise Stop(f"--details: {engine.mesh.failure or error.message}") from None
        _begin(output, options, settings, model, items)
        parts = [part for part in split(items) if part.number % shard[1] == shard[0] - 1]
        done = output.names()
        waiting = [part for part in parts if scorer.name(part) not in done]
        if shard == (1, 1):
            output.remove_unfinished()
        progress.begin(sum(len(part.items) for part in parts), sum(len(part.items) for part in waiting))
        for part in parts:
            if scorer.name(part) in done:
                progress.add(codes=output.codes(scorer.name(part), options.format))
        if target.cluster is None:
            scorer.run(engine, output, waiting, progress)
        elif waiting:
            from bulk import ray_engine  # noqa: PLC0415 - only these runs need Ray

            job = ray_engine.Job(options, settings, out, video, model.manifest.sha256)
            ray_engine.run(job, target.cluster, waiting, progress)
    finally:
        output.close()
    progress.end(f"The rows are in {shown(out)}.")
    return NOT_READ if progress.not_read(_READ_WITHOUT_A_FACE) else 0


class Scorer:
    """Turns the items of a run into rows, and writes the parts."""

    def __init__(self, options: ScoreOptions, settings: Settings, model: Classifier, *, video: bool) -> None:
        details = DetailsRequest(frozenset(options.details))
        self._labels = model.manifest.labels
        self._columns = columns_of(self._labels, details.names, video=video)
        self._options = options
        self._pictures = PictureScorer(settings, model, options.faces, details)

    def name(self, part: Part) -> str:
        return f"part-{part.number:06d}.{self._options.format}"

    def run(self, engine: LocalEngine, output: Output, parts: Sequence[Part], progress: Progress) -> None:
        def rows_of(pipeline: Pipeline, part: Part, number: int, loaded: Loaded) -> list[Row]:
            item = part.items[number]
            if item.is_video:
                self._write_video(pipeline, output, part, progress)
                return []
            rows = list(self._complete(part.start + number, item, self._pictures.rows(pipeline, loaded)))
            progress.add(items=1, codes=counted(rows))
            return rows

        for part, rows in engine.run(parts, rows_of, self._pictures.largest):
            if not part.is_video:
                self._write(output, part, [rows])
                # Without it, what each part leaves scattered adds up over an archive.
                trim_memory()

    def _write(self, output: Output, part: Part, pieces: Iterable[list[Row]]) -> None:
        with output.whole(self.name(part)) as path:
            writer = part_writer(path, self._options.format, self._columns)
            try:
                for rows in pieces:
                    writer.write(rows)
            finally:
                writer.close()

    def _write_video(self, pipeline: Pipeline, output: Output, part: Part, progress: Progress) -> None:
        """Writes the rows of a video as they come, so that memory does not grow with its length."""
        (item,) = part.items

        def pieces() -> Iterator[list[Row]]:
            rows = self._complete(part.start, item, self._frames(pipeline, item, progress))
            while piece := list(itertools.islice(rows, _PIECE)):
                progress.add(codes=counted(piece))
                yield piece

        self._write(output, part, pieces())
        progress.add(items=1)

    def _frames(self, pipeline: Pipeline, item: Item, progress: Progress) -> Iterator[Row]:
        """The rows of a video: one a face and frame, with its track and its smoothed probabilities."""
        tracker = Tracker(_SMOOTHING_SECONDS)
        pictures = self._pictures
        options = FrameOptions(pictures.faces == "all", pictures.details.names)
        try:
            for frame in frames_of(item, self._options.fps, pictures.most_pixels):
                progress.add(frames=1)
                about = {"frame": frame.number, "t": round(frame.t, 3)}
                detected = pipeline.detect_pixels(frame.picture, options, go_on)
                if not detected.faces:
                    tracker.update(frame.t, ())
                    yield about | {"faces_detected": 0} | error_row(NoFaceDetected.code, NoFaceDetected.default_message)
                    continue
                rows = pictures.rows_of(pipeline, detected)
                for track, row in zip(tracker.update(frame.t, detected.faces), rows, strict=True):
                    yield about | row | self._tracked(frame.t, track, row)
        except Unreadable as error:
            yield error_row("unreadable", str(error))

    def _tracked(self, t: float, track: Track, row: Row) -> Row:
        """What a face of a video has besides its prediction."""
        means = track.smoothed(t, [row[f"p_{label}"] for label in self._labels]) or ()
        smoothed = {f"smoothed_{label}": round(mean, 4) for label, mean in zip(self._labels, means, strict=True)}
        return {"track": track.number, **smoothed}

    def _complete(self, index: int, item: Item, rows: Iterable[Row]) -> Iterator[Row]:
        """Rows with what all rows of a run have."""
        manifest = self._pictures.model.manifest
        about = {
            "index": index,
            "source": item.source,
            "model": manifest.name,
            "model_version": manifest.version,
            "model_sha256": manifest.sha256,
        }
        return (about | row for row in rows)


def split(items: Sequence[Item]) -> Iterator[Part]:
    """The items in parts, each of which becomes one file. A video is a part of its own."""
    number = start = 0
    for stop in range(1, len(items) + 1):
        full = stop - start == PART_SIZE or items[stop - 1].is_video
        if stop < len(items) and not full and not items[stop].is_video:
            continue
        yield Part(number, start, items[start:stop])
        number, start = number + 1, stop


_SETTINGS: Final = (
    *("confidence_threshold", "detection_threshold"),
    *("max_faces", "max_file_size_mb", "max_image_pixels"),
)
"""Settings that rows depend on."""


def _begin(output: Output, options: ScoreOptions, settings: Settings, model: Classifier, items: Sequence[Item]) -> None:
    """Writes down what this run does, or checks that it does what was begun here."""
    manifest = model.manifest
    plan: dict[str, Any] = {
        "options": json.loads(json.dumps(asdict(options))),
        "items": len(items),
        "items_sha256": digest(items),
        "model": {
            **{"name": manifest.name, "version": manifest.version, "sha256": manifest.sha256},
            "manifest_sha256": hashlib.sha256(manifest.model_dump_json().encode()).hexdigest(),
        },
        "settings": {name: getattr(settings, name) for name in _SETTINGS},
        "part_size": PART_SIZE,
        "version": app.__version__,
    }
    begun = output.plan()
    if begun is None:
        if any(name.startswith("part-") for name in output.names()):
            raise Stop(f"{shown(output.location)} holds parts without a plan: use an empty folder with --out.")
        with output.whole(PLAN) as path:
            path.write_text(json.dumps(plan, indent=2, ensure_ascii=True), "utf-8")
        return
    changed = sorted(key for key in plan if begun.get(key) != plan[key])
    if changed:
        raise Stop(f"{shown(output.location)} was begun otherwise: {_difference(begun, plan, changed[0])}. {_ADVICE}")


_ADVICE: Final = "Run it as it was begun, or use another folder with --out."


def _difference(begun: dict[str, Any], plan: dict[str, Any], key: str) -> str:
    before, now = begun.get(key), plan[key]
    if key == "items_sha256":
        return "the files in the source have changed since"
    if isinstance(before, dict) and isinstance(now, dict):
        # Another version may know other options.
        inner = next(name for name in before | now if before.get(name) != now.get(name))
        return f"its {inner} was {before.get(inner)!r} and is {now.get(inner)!r}"
    return f"its {key} was {before!r} and is {now!r}"


def _check_apart(sources: Sequence[str], out: str) -> None:
    """Refuses an output inside a source, which would be read on the next run."""
    if is_url(out):
        inside = [source for source in sources if f"{out.rstrip('/')}/".startswith(f"{source.rstrip('/')}/")]
    else:
        target = Path(out).resolve()
        inside = [source for source in sources if not is_url(source) and _holds(Path(source), target)]
    if inside:
        raise Stop(f"--out {shown(out)} lies in the source {shown(inside[0])}: choose a folder outside of it.")


def _holds(source: Path, target: Path) -> bool:
    source = source.resolve()
    return source == target or source in target.parents
