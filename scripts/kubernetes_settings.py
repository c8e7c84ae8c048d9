"""Generates what Kubernetes gets from other files: the source of the ConfigMap from the service's settings, and the
PrometheusRule from Prometheus' alerts.

    python scripts/kubernetes_settings.py [--check]

``--check`` writes nothing and fails if a file is out of date.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app.config import Settings

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
SETTINGS = DEPLOY / "kubernetes/base/settings.env"
RULES = DEPLOY / "kubernetes/components/monitoring/prometheus-rule.yaml"

IN_A_CLUSTER = {
    "rate_limit_storage": "redis://visage-redis:6379",
    "require_api_keys": "true",
}
"""Settings whose value in a cluster is not the default."""

ELSEWHERE = {"host", "port", "models_dir", "api_keys", "stream_secret"}
"""Settings that the image, its architecture or the Deployment sets, or that belong in a Secret."""


RULES_HEAD = """# Made by scripts/kubernetes_settings.py from deploy/prometheus/alerts.yml.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: visage
  labels:
    app.kubernetes.io/name: visage
    # The Helm release whose Prometheus takes it.
    release: kube-prometheus-stack
spec:
"""


def rules() -> str:
    lines = (DEPLOY / "prometheus/alerts.yml").read_text().splitlines()
    return RULES_HEAD + "".join(f"  {line}".rstrip() + "\n" for line in lines if not line.startswith("#"))


def settings() -> str:
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
    check = parser.parse_args().check
    for target, text in ((SETTINGS, settings()), (RULES, rules())):
        if not check:
            target.write_text(text)
        elif not target.exists() or target.read_text() != text:
            raise SystemExit(f"{target} is out of date; run scripts/kubernetes_settings.py")


if __name__ == "__main__":
    main()
