"""The Compose file and the Dockerfile, as far as they can be checked without Docker."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[1]


def services(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return dict(document["services"])


def test_both_services_are_built_on_the_pinned_image_of_visage() -> None:
    whole = services(FOLDER.parents[1] / "docker-compose.yml")["visage"]["build"]["args"]["BASE"]
    ours = services(FOLDER / "docker-compose.yml")
    assert ours.keys() == {"visage", "reviews"}
    assert {each["build"]["args"]["BASE"] for each in ours.values()} == {whole}
    assert all(each["read_only"] and each["cap_drop"] == ["ALL"] for each in ours.values())


def test_visage_is_reached_by_the_program_alone_and_the_program_from_this_machine_alone() -> None:
    ours = services(FOLDER / "docker-compose.yml")
    assert "ports" not in ours["visage"]
    assert ours["reviews"]["ports"] == ["127.0.0.1:8010:8010"]
    assert ours["reviews"]["environment"]["VISAGE_URL"] == "http://visage:8000"


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    text = (FOLDER / "Dockerfile").read_text("utf-8")
    kept = re.findall(r"^!(.+)$", (FOLDER / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    copied = re.findall(r"^COPY (\S+)/ \S+$", text, re.MULTILINE)
    assert sorted(copied) == sorted(kept) == ["requirements", "reviews"]
    client = services(FOLDER / "docker-compose.yml")["reviews"]["build"]["additional_contexts"]["client"]
    (source,) = re.findall(r"^COPY --from=client (\S+) ", text, re.MULTILINE)
    assert (FOLDER / client / source / "__init__.py").is_file()
