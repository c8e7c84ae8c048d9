"""Removes what the service never uses from a folder of installed packages. The image's build stage runs it.

    python scripts/slim_image.py /opt/site

It deletes tests, headers and stubs, and strips symbol tables. It replaces OpenCV's video libraries, which ``cv2`` links
to but which only videos use, by stubs of a few kilobytes whose functions end the process. Needs binutils.
"""

from __future__ import annotations

import platform
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

UNUSED = (
    "bin",
    "include",
    "share",
    "**/tests",
    "**/*.pyi",
    "**/*.a",
    "**/*.h",
    "numpy/distutils",
    "numpy/f2py",
    "onnxruntime/backend",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
)
"""Patterns of paths that nothing imports."""

UNLINKED = ("onnxruntime/capi/libonnxruntime.so*",)
"""Libraries that are deleted unless another library of the folder links to them."""

VIDEO = ("libavcodec", "libavformat", "libavutil", "libavdevice", "libavfilter", "libswscale", "libswresample")
"""FFmpeg's libraries."""

VIDEO_ONLY = ("libvpx", "libcrypto", "libssl", "libdrm")
"""Libraries that only FFmpeg's libraries link to."""

TRAP = {"x86_64": "ud2", "aarch64": ".inst 0"}
"""The only instruction of a stub's functions."""

_UNDEFINED = re.compile(r"\sU (?P<name>[\w.$]+)@(?P<version>[\w.]+)")
_DEFINED_DATA = re.compile(r"\s[BDRGS] (?P<name>[\w.$]+)@")
_NEEDED = re.compile(r"\(NEEDED\).*\[(?P<name>[^]]+)]")


def size(folder: Path) -> int:
    """Bytes of the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def delete_unused(site: Path) -> None:
    for pattern in UNUSED:
        for path in list(site.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    linked = {name for library in libraries(site) for name in needed(library)}
    for pattern in UNLINKED:
        for path in list(site.glob(pattern)):
            if path.name not in linked:
                path.unlink()


def libraries(folder: Path) -> Iterator[Path]:
    """The ELF files below a folder, without NVIDIA's, which stay unchanged."""
    for path in sorted(folder.rglob("*.so*")):
        if "nvidia" in path.relative_to(folder).parts or path.is_symlink() or not path.is_file():
            continue
        with path.open("rb") as file:
            magic = file.read(4)
        if magic == b"\x7fELF":
            yield path


def needed(library: Path) -> list[str]:
    return _NEEDED.findall(_output("readelf", "--dynamic", "--wide", str(library)))


def strip(site: Path) -> None:
    """Strips every library that can still be loaded afterwards.

    Some wheels have libraries with moved program headers. Stripped, these lose their page alignment, and the loader
    refuses them, so they stay unchanged.
    """
    for library in libraries(site):
        stripped = library.with_name(library.name + ".stripped")
        _output("strip", "--strip-unneeded", "-o", str(stripped), str(library))
        if _loadable(stripped):
            stripped.chmod(library.stat().st_mode)
            stripped.replace(library)
        else:
            stripped.unlink()


def _loadable(library: Path) -> bool:
    data = library.read_bytes()
    (table,) = struct.unpack_from("<Q", data, 32)
    entry_size, count = struct.unpack_from("<HH", data, 54)
    for number in range(count):
        kind, _, offset, address, _, _, _, alignment = struct.unpack_from(
            "<IIQQQQQQ", data, table + number * entry_size
        )
        if kind == 1 and alignment and (address - offset) % alignment:
            return False
    return True


def replace_video(site: Path) -> None:
    """Replaces FFmpeg's libraries by stubs and deletes the libraries that only they link to."""
    folder = next(iter(site.glob("opencv_python_headless.libs")), None)
    if folder is None:
        return
    video = {path.name: path for path in libraries(folder) if path.name.startswith(VIDEO)}
    for path in folder.iterdir():
        if path.name.startswith(VIDEO_ONLY):
            path.unlink()
    wanted: dict[str, dict[str, set[str]]] = {name: defaultdict(set) for name in video}
    for library in libraries(site):
        links = [name for name in needed(library) if name in video]
        if library.name in video or not links:
            continue
        for name, version in _UNDEFINED.findall(_output("nm", "--dynamic", "--with-symbol-versions", str(library))):
            for link in links:
                if version in _versions(link):
                    wanted[link][version].add(name)
    for name, path in video.items():
        if any(wanted[name].values()):
            _refuse_data(path, set().union(*wanted[name].values()))
            _write_stub(path, wanted[name])
        else:
            path.unlink()


def _versions(library: str) -> tuple[str]:
    """The symbol version of an FFmpeg library: ``LIBAVCODEC_62`` of ``libavcodec-0a1b2c3d.so.62.28.101``."""
    stem, _, number = library.partition(".so.")
    return (f"{stem.partition('-')[0].upper()}_{number.partition('.')[0]}",)


def _refuse_data(library: Path, names: set[str]) -> None:
    data = set(_DEFINED_DATA.findall(_output("nm", "--dynamic", "--with-symbol-versions", str(library)))) & names
    if data:
        raise SystemExit(f"{library.name} exports data that is used: {', '.join(sorted(data))}")


def _write_stub(library: Path, versions: dict[str, set[str]]) -> None:
    names = sorted(set().union(*versions.values()))
    with tempfile.TemporaryDirectory() as scratch:
        source, script, binary = (Path(scratch, name) for name in ("stub.s", "stub.map", "stub.o"))
        lines = [".text"]
        for name in names:
            lines += [f".globl {name}", f".type {name}, %function", f"{name}: {TRAP[platform.machine()]}"]
        lines.append('.section .note.GNU-stack,"",%progbits')
        source.write_text("\n".join(lines) + "\n")
        script.write_text(
            "\n".join(
                f"{version} {{ global: {' '.join(f'{n};' for n in sorted(used))} local: *; }};"
                for version, used in sorted(versions.items())
            )
            + "\n"
        )
        _output("as", "-o", str(binary), str(source))
        _output(
            "ld",
            "-shared",
            "-z",
            "noexecstack",
            "-soname",
            library.name,
            f"--version-script={script}",
            "-o",
            str(library),
            str(binary),
        )


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main(site: Path) -> None:
    before = size(site)
    delete_unused(site)
    replace_video(site)
    strip(site)
    print(f"{site}: {before / 1e6:.0f} MB became {size(site) / 1e6:.0f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
