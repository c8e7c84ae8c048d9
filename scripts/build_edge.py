"""Puts the engine and its models into app/web/edge, from where the page offers to read pictures on the device.

    python scripts/build_edge.py [--engine clients/browser/dist]

Everything lies in a folder that is named after the hash of its content, so that caches may keep it for ever. Files that
get smaller have their gzip form beside them. edge.json names the folder, and the files that the page keeps for use
without a network. The networks of the mesh are not among them: the page loads them when somebody asks for details.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.export_edge_models import export  # noqa: E402

EDGE = ROOT / "app" / "web" / "edge"
ENGINE = ("index.js", "worker.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
LICENSE = "LICENSE-onnxruntime"
WORTH_IT = 0.9
"""A gzip form is kept where it has at most this share of the bytes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", type=Path, default=ROOT / "clients/browser/dist", help="the built package")
    build(parser.parse_args().engine)


def build(engine: Path) -> None:
    with tempfile.TemporaryDirectory(dir=EDGE.parent, prefix=".edge-") as temporary:
        whole = Path(temporary) / "edge"
        content = whole / "content"
        content.mkdir(parents=True)
        for name in ENGINE:
            shutil.copyfile(engine / name, content / name)
        shutil.copyfile(engine / LICENSE, content / f"{LICENSE}.txt")
        details = export(content / "models", ROOT / "models", ["default"], details=True)["details"]
        files = sorted(path for path in content.rglob("*") if path.is_file())
        names = [path.relative_to(content).as_posix() for path in files]
        sent = {name: compressed(path) for name, path in zip(names, files, strict=True)}
        folder = digest_of(files, names)
        content.rename(whole / folder)
        later = {f"models/{details[network]['path']}" for network in ("mesh", "blendshapes")}
        kept = [name for name in names if name not in later]
        described = {"folder": f"edge/{folder}/", "bytes": sum(sent[name] for name in kept), "files": kept}
        (whole / "edge.json").write_text(json.dumps(described) + "\n", "utf-8")
        shutil.rmtree(EDGE, ignore_errors=True)
        whole.rename(EDGE)
    more = sum(sent[name] for name in later)
    print(f"{EDGE.relative_to(ROOT)}: {described['bytes']:,} bytes to load, {more:,} more for details")


def digest_of(files: list[Path], names: list[str]) -> str:
    digest = hashlib.sha256()
    for path, name in zip(files, names, strict=True):
        digest.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def compressed(path: Path) -> int:
    """Adds the gzip form if it is worth it. Returns the bytes that a browser loads."""
    data = path.read_bytes()
    small = gzip.compress(data, mtime=0)
    if len(small) > WORTH_IT * len(data):
        return len(data)
    path.with_name(f"{path.name}.gz").write_bytes(small)
    return len(small)


if __name__ == "__main__":
    main()
