"""Finds the pictures and videos of a run. The listing has the same order each time, so that a run can be resumed."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import posixpath
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import fsspec

from bulk.stops import Stop

_READABLE: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
PICTURES: Final = _READABLE | {".heic", ".heif", ".avif", ".tif", ".tiff", ".jxl"}
"""Those that cannot be read get a row that says so: none of an archive's pictures is passed over in silence."""
VIDEOS: Final = frozenset({".mp4", ".webm", ".mkv", ".mov", ".gif"})
_TABLES: Final = frozenset({".csv", ".parquet"})
_FILES: Final = PICTURES | VIDEOS | _TABLES | {".txt", ".tar"}
_COMPRESSED: Final = (".tar.gz", ".tgz", ".tar.zst", ".zip")
_GLOB: Final = frozenset("*?[")
_MOST_LINKS: Final = 10
"""Links that are followed from one to the next in an archive."""


class Unreadable(Exception):
    """An item that is there and cannot be read. The message becomes that of its row."""


@dataclass(frozen=True, slots=True)
class Item:
    """One picture or video. ``member`` is its place in a tar archive: the offset and the size of its data. ``fault``
    says why there is nothing to read."""

    source: str
    location: str
    member: tuple[int, int] | None = None
    fault: str | None = None

    @property
    def is_video(self) -> bool:
        return self.fault is None and PurePosixPath(self.source).suffix.lower() in VIDEOS

    def load(self, largest: int) -> bytes:
        """The bytes of the item, one more than ``largest`` at most. Raises Unreadable."""
        if self.fault is not None:
            raise Unreadable(self.fault)
        try:
            # A store is asked for these bytes alone.
            with opened(self.location, cache_type="none") as file:
                if self.member is not None:
                    offset, size = self.member
                    file.seek(offset)
                else:
                    # Python takes memory for all that a read may return. A pipe has no size.
                    size = (not is_url(self.location) and os.fstat(file.fileno()).st_size) or largest + 1
                return bytes(file.read(min(size, largest + 1)))
        except Exception as error:  # Each store has errors of its own, and none of them may end the run.
            raise Unreadable(f"The file cannot be read: {reason_of(error)}.") from None


def is_url(location: str) -> bool:
    return "://" in location


def shown(text: str) -> str:
    """A name as text; bytes that are none are escaped."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def reason_of(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")


def find_items(sources: Sequence[str], column: str | None) -> list[Item]:
    """Every item of the sources once, in order. Raises Stop when a source is not there or nothing is found."""
    # A dictionary keeps the first of what two sources name.
    items = list(dict.fromkeys(item for source in sources for item in _find(source, column)))
    if not items:
        kinds = ", ".join(sorted(suffix.lstrip(".") for suffix in _READABLE | VIDEOS))
        raise Stop(f"Nothing to read in {', '.join(map(shown, sources))}: there are no files of the kinds {kinds}.")
    return items


def digest(items: Iterable[Item]) -> str:
    """A hash of the listing, which tells whether a source has changed between two runs."""
    total = hashlib.sha256()
    for item in items:
        total.update(f"{item.location}\0{item.source}\0{item.member}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def _find(source: str, column: str | None) -> Iterator[Item]:
    suffix = PurePosixPath(source).suffix.lower()
    if is_url(source):
        yield from _find_remote(source, suffix, column)
        return
    path = Path(source)
    if any(character in _GLOB for character in source) and not path.exists():
        yield from _globbed(source)
    elif path.is_dir():
        yield from _walk(source)
    elif not path.exists():
        raise Stop(f"{shown(source)} is not there.")
    else:
        yield from _from_file(source, suffix, column)


def _from_file(location: str, suffix: str, column: str | None) -> Iterator[Item]:
    """The items of one file: a table or list of names, an archive, or the file itself."""
    if suffix in _TABLES or suffix == ".txt":
        yield from (Item(shown(name), _relative_to(location, name)) for name in _names(location, suffix, column))
    elif suffix == ".tar":
        yield from _members(location)
    elif suffix in PICTURES | VIDEOS:
        yield Item(shown(location), location)
    elif location.endswith(_COMPRESSED):
        raise Stop(f"{shown(location)} is compressed: unpack it, or pack it again as a plain .tar.")
    else:
        raise Stop(f"{shown(location)} is no picture, video, list (.txt, .csv, .parquet) or .tar archive.")


def _find_remote(url: str, suffix: str, column: str | None) -> Iterator[Item]:
    pattern = any(character in _GLOB for character in url)
    if not pattern and (suffix in _FILES or url.endswith(_COMPRESSED)):
        yield from _from_file(url, suffix, column)
        return
    try:
        system, path = fsspec.core.url_to_fs(url)
        found = system.glob(path) if pattern else system.find(path)
        # Stores give names without the scheme, which may have several names: az and abfs.
        scheme = url.partition("://")[0]
        locations = sorted(name if is_url(name) else f"{scheme}://{name}" for name in found)
    except Exception as error:  # Each store has errors of its own.
        raise Stop(f"{shown(url)} cannot be listed: {reason_of(error)}.") from None
    yield from _kinds(locations)


def _globbed(pattern: str) -> Iterator[Item]:
    import glob  # noqa: PLC0415

    for location in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - the pattern may be absolute
        if Path(location).is_dir():
            yield from _walk(location)
        else:
            yield from _kinds([location])


def _kinds(locations: Iterable[str]) -> Iterator[Item]:
    for location in locations:
        suffix = PurePosixPath(location).suffix.lower()
        if suffix not in PICTURES | VIDEOS | {".tar"}:
            continue
        if not is_url(location) and _is_device(location):
            yield Item(shown(location), location, fault="It is a pipe or a device, not a file.")
        elif suffix != ".tar":
            yield Item(shown(location), location)
        else:
            # One that is damaged ends no run over its folder.
            try:
                yield from _members(location)
            except Stop as error:
                yield Item(shown(location), location, fault=str(error))


def _is_device(location: str) -> bool:
    """Whether reading it might wait without end: a pipe, a terminal. An archive that was unpacked may hold pipes."""
    try:
        return not stat.S_ISREG(os.stat(location).st_mode)  # noqa: PTH116 - a path of a million files
    except OSError:
        return False


def _walk(top: str) -> Iterator[Item]:
    """The files below a folder by name. Links are followed, but into no folder twice. A folder in it that cannot be
    listed is an item that cannot be read."""
    seen: set[tuple[int, int]] = set()
    waiting = [(top, True)]
    while waiting:
        location, is_folder = waiting.pop()
        if not is_folder:
            yield from _kinds([location])
            continue
        try:
            waiting += reversed(_entries(location, seen))
        except OSError as error:
            if location == top:
                raise Stop(f"{shown(location)} cannot be listed: {reason_of(error)}.") from None
            yield Item(shown(location), location, fault=f"The folder cannot be listed: {reason_of(error)}.")


def _entries(folder: str, seen: set[tuple[int, int]]) -> list[tuple[str, bool]]:
    """What is in a folder, and whether it is one; nothing in one that was seen."""
    status = os.stat(folder)  # noqa: PTH116 - a path of a million files is no place for objects
    if (status.st_dev, status.st_ino) in seen:
        return []
    seen.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as found:
        return [(entry.path, _is_folder(entry)) for entry in sorted(found, key=lambda entry: entry.name)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link to itself.
        return False


def _members(location: str) -> Iterator[Item]:
    """The pictures in a tar archive, each with its place, so that any of them can be read by itself."""
    try:
        with opened(location) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            members = list(_checked(archive))
    except Exception as error:  # Each store has errors of its own.
        raise Stop(f"{shown(location)} cannot be read as a tar archive: {reason_of(error)}.") from None
    by_name = {posixpath.normpath(each.name): each for each in members}
    for each in members:
        is_file = each.isreg() or each.islnk() or each.issym()
        if not is_file or PurePosixPath(each.name).suffix.lower() not in PICTURES:
            continue
        source, target = f"{shown(location)}/{shown(each.name)}", _target(each, by_name)
        if target is None:
            yield Item(source, location, fault="It is a link to a file that is not in the archive.")
        else:
            yield Item(source, location, (target.offset_data, target.size))


def _checked(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members of an archive. Where a header has a negative size, Python might list the same members for ever."""
    last = -1
    for member in archive:
        if member.size < 0 or member.offset <= last:
            raise tarfile.ReadError("a member has a negative size")
        last = member.offset
        yield member


def _target(member: tarfile.TarInfo, by_name: Mapping[str, tarfile.TarInfo]) -> tarfile.TarInfo | None:
    """The file that a member is or links to. Archives keep the second name of a file as a link to the first."""
    for _ in range(_MOST_LINKS):
        if member.isreg():
            return member
        folder = posixpath.dirname(member.name) if member.issym() else ""
        linked = by_name.get(posixpath.normpath(posixpath.join(folder, member.linkname)))
        if linked is None:
            return None
        member = linked
    return None


def _names(location: str, suffix: str, column: str | None) -> list[str]:
    """The names in a list: one a line, or a column of a table."""
    try:
        if suffix == ".txt":
            with opened(location) as file:
                lines = file.read().decode("utf-8-sig", "surrogateescape").split("\n")
            return [name for line in lines if (name := line.removesuffix("\r")).strip()]
    except Exception as error:  # Each store has errors of its own.
        raise Stop(f"{shown(location)} cannot be read: {reason_of(error)}.") from None
    rows = read_table(location)
    name = column or next((name for name in ("path", "file", "url", "source") if name in rows.columns), None)
    if name is None or name not in rows.columns:
        raise Stop(f"{rows.without(column or 'path')} Use --column.")
    return [str(value) for value in rows.values(name) if value not in (None, "")]


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a CSV or Parquet file."""

    location: str
    columns: tuple[str, ...]
    values: Callable[[str], list[Any]]

    def without(self, column: str) -> str:
        """What to say when it lacks a column."""
        present = ", ".join(map(shown, self.columns)) or "none"
        return f"{shown(self.location)} has no column {shown(column)}: it has {present}."


def read_table(location: str) -> Table:
    """The table. Raises Stop when there is none."""
    try:
        if PurePosixPath(location).suffix.lower() == ".parquet":
            return _parquet(location)
        return _csv(location)
    except Exception as error:  # Each store and each parser has errors of its own.
        raise Stop(f"{shown(location)} cannot be read: {reason_of(error)}.") from None


def _parquet(location: str) -> Table:
    from pyarrow import parquet  # noqa: PLC0415 - not every run needs it

    with opened(location) as file:
        table = parquet.read_table(file)
    return Table(location, tuple(table.column_names), lambda name: list(table[name].to_pylist()))


def _csv(location: str) -> Table:
    with opened(location) as file:
        text = file.read().decode("utf-8-sig", "surrogateescape")
    # Spreadsheets separate columns with semicolons where a comma is that of numbers.
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows = list(reader)
    return Table(location, tuple(reader.fieldnames or ()), lambda name: [row[name] for row in rows])


def _relative_to(location: str, name: str) -> str:
    """Names in a list are relative to the list."""
    if is_url(name) or os.path.isabs(name):  # noqa: PTH117
        return name
    folder = location.rsplit("/", 1)[0] if "/" in location else "."
    return f"{folder}/{name}"


def opened(location: str, **options: Any) -> Any:
    """The file, to read. ``options`` are those of a file in a store."""
    if not is_url(location):
        return Path(location).open("rb")
    system, path = fsspec.core.url_to_fs(location)
    return system.open(path, "rb", **options)
