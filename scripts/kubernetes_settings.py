"""Generates deploy/kubernetes/base/settings.env, the source of the ConfigMap, from the service's settings.

    python scripts/kubernetes_settings.py [--check]

``--check`` writes nothing and fails if the file is out of date.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.config import Settings

TARGET = Path(__file__).resolve().parent.parent / "deploy/kubernetes/base/settings.env"

IN_A_CLUSTER = {
    "rate_limit_storage": "redis://visage-redis:6379",
    "require_api_keys": "true",
}
"""Settings whose value in a cluster is not the default."""

ELSEWHERE = {"host", "port", "models_dir", "face_detector", "api_keys", "stream_secret"}
"""Settings that the image, its architecture or the Deployment sets, or that belong in a Secret."""


def render() -> str:
    lines = ["# Made by scripts/kubernetes_settings.py from app/config.py. Change a value in an overlay, not here."]
    for name, field in Settings.model_fields.items():
        if name in ELSEWHERE:
            continue
        lines += ["", *textwrap.wrap(f"# {field.description}", 118, subsequent_indent="# ", break_on_hyphens=False)]
        lines.append(f"{name.upper()}={IN_A_CLUSTER.get(name, written(field.default))}")
    return "\n".join(lines) + "\n"


def written(value: Any) -> str:
    """A value in the form of an environment variable."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        if TARGET.read_text() != render():
            raise SystemExit(f"{TARGET} is out of date; run scripts/kubernetes_settings.py")
    else:
        TARGET.write_text(render())


if __name__ == "__main__":
    main()
