"""Generates what the documentation and Kubernetes have of the code. ``--check`` compares them only."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.api import asyncapi
from app.config import Settings
from app.errors import CATALOGUE, RetryableError
from app.main import create_app
from scripts import manifest_tables, python_types

ROOT = Path(__file__).resolve().parents[1]

IN_A_CLUSTER = {
    "rate_limit_storage": "redis://visage-redis:6379",
    "require_api_keys": "true",
}
"""Settings whose value in a cluster is not the default."""

ELSEWHERE = {"host", "port", "models_dir", "api_keys", "stream_secret"}
"""Settings that the image, its architecture or the Deployment sets, or that belong in a Secret."""

RULES_HEAD = """# Made by scripts/generate_docs.py from deploy/prometheus/alerts.yml.
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    stale = {path: text for path, text in documents() if not path.exists() or path.read_text("utf-8") != text}
    if check:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date: run `python scripts/generate_docs.py`.")
        return 1 if stale else 0
    for path, text in stale.items():
        path.write_text(text, "utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


def documents() -> Iterator[tuple[Path, str]]:
    """Every file that is generated, wholly or in part, with its content."""
    docs, kubernetes = ROOT / "docs", ROOT / "deploy/kubernetes"
    openapi = create_app(Settings()).openapi()
    yield docs / "openapi.json", json.dumps(openapi, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    yield docs / "asyncapi.json", json.dumps(asyncapi.document(), indent=2, ensure_ascii=False) + "\n"
    yield ROOT / "clients/python/src/visage_client/types.py", python_types.render(openapi, asyncapi.document())
    yield ROOT / ".env.example", environment()
    yield filled(docs / "configuration.md", settings=settings_table())
    yield filled(docs / "errors.md", errors=errors_table())
    yield filled(docs / "api.md", routes=routes_table(openapi))
    yield filled(docs / "models.md", **manifest_tables.tables())
    yield kubernetes / "base/settings.env", cluster_settings()
    yield kubernetes / "components/monitoring/prometheus-rule.yaml", cluster_rules()


def filled(path: Path, **parts: str) -> tuple[Path, str]:
    """A document with the text between its markers ``<!-- name -->`` and ``<!-- /name -->`` replaced."""
    text = path.read_text("utf-8")
    for name, part in parts.items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, found, rest = text.partition(start)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise SystemExit(f"{path.relative_to(ROOT)} has no markers for {name}.")
        text = f"{before}{start}\n{part}\n{end}{after}"
    return path, text


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def settings_table() -> str:
    return table(
        ("setting", "default", "what it is"),
        (
            (f"`{name.upper()}`", f"`{default}`" if (default := default_of(field)) else "", described(field))
            for name, field in Settings.model_fields.items()
        ),
    )


def environment() -> str:
    """An example of the environment: every setting, with its default."""
    parts = [
        "# Copy to .env and uncomment the settings to change; each line has the default.\n"
        "# Only Docker Compose reads .env. Elsewhere, set them in the environment: RATE_LIMIT=10/minute make run"
    ]
    parts += [
        f"# {described(field)} {bounds_of(field)}".strip().replace("`", "") + f"\n# {name.upper()}={default_of(field)}"
        for name, field in Settings.model_fields.items()
    ]
    return "\n\n".join(parts) + "\n"


def cluster_settings() -> str:
    """The source of the ConfigMap."""
    lines = ["# Made by scripts/generate_docs.py from app/config.py. Change a value in an overlay, not here."]
    for name, field in Settings.model_fields.items():
        if name not in ELSEWHERE:
            lines += ["", *textwrap.wrap(f"# {field.description}", 118, subsequent_indent="# ", break_on_hyphens=False)]
            lines.append(f"{name.upper()}={IN_A_CLUSTER.get(name, default_of(field))}")
    return "\n".join(lines) + "\n"


def cluster_rules() -> str:
    """Prometheus' alerts as a PrometheusRule."""
    lines = (ROOT / "deploy/prometheus/alerts.yml").read_text("utf-8").splitlines()
    return RULES_HEAD + "".join(f"  {line}".rstrip() + "\n" for line in lines if not line.startswith("#"))


def described(field: FieldInfo) -> str:
    """What the setting is, and the words that it takes. The bounds of numbers are in the example of the environment."""
    return f"{field.description} {choices_of(field)}".strip()


def default_of(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def choices_of(field: FieldInfo) -> str:
    """The allowed words, as a sentence, unless the description names them."""
    if get_origin(field.annotation) is not Literal:
        return ""
    choices = [f"`{choice}`" for choice in get_args(field.annotation)]
    if all(choice in str(field.description) for choice in choices):
        return ""
    return f"One of {', '.join(choices)}."


def bounds_of(field: FieldInfo) -> str:
    """The bounds of a number, as a sentence."""
    low, above, high = (bound(field, name) for name in ("ge", "gt", "le"))
    if high:
        return f"From {low} to {high}." if low else f"More than {above}, at most {high}."
    # "More than 0" is obvious for a duration.
    return f"At least {low}." if low else ""


def bound(field: FieldInfo, name: str) -> str:
    return next((number(rule) for rule in (getattr(m, name, None) for m in field.metadata) if rule is not None), "")


def number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def errors_table() -> str:
    """Each error with the first sentence of its message: the others say what to do."""
    return table(
        ("code", "status", "meaning"),
        (
            (
                f"`{error.code}`",
                f"{error.status}{' + `Retry-After`' if issubclass(error, RetryableError) else ''}",
                f"{error.default_message.partition('. ')[0].removesuffix('.')}.",
            )
            for error in CATALOGUE
        ),
    )


def operations(openapi: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            yield f"`{method.upper()} {path}`", operation


def routes_table(openapi: dict[str, Any]) -> str:
    """What each POST does, and in one line what can be read."""
    routes = {route: operation["summary"] for route, operation in operations(openapi)}
    posts = [(route, summary) for route, summary in routes.items() if route.startswith("`POST ")]
    reads = ", ".join(route for route in routes if route.startswith("`GET ")).replace("`GET ", "`")
    return table(("route", "what"), [*posts, (f"`GET` {reads}", "About the service")])


if __name__ == "__main__":
    sys.exit(main())
