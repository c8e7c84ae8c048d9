"""What a run was made on: cores and kind of the machine, versions of what matters. No names, no paths."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = (
    "fastapi",
    "uvicorn",
    "uvloop",
    "onnxruntime",
    "mediapipe",
    "opencv-python-headless",
    "pillow",
    "numpy",
    "litserve",
    "bentoml",
)


def machine() -> dict[str, object]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "kind": _processor(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or "unknown"
