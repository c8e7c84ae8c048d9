"""The table of ``sample_images/README.md`` holds for the service as it ships."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.process import ROOT, ServerProcess

FOLDER = ROOT / "sample_images"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (FOLDER / "README.md").read_text("utf-8").splitlines()
    if line.startswith("| `")
]


def test_the_table_lists_every_sample() -> None:
    assert {row[0].strip("`") for row in ROWS} == {file.name for file in FOLDER.glob("*.jpg")}


@pytest.mark.e2e
@pytest.mark.parametrize(("file", "result", "faces"), [(row[0].strip("`"), row[3], int(row[4])) for row in ROWS])
def test_a_sample_has_the_result_of_the_table(shared_server: ServerProcess, file: str, result: str, faces: int) -> None:
    def send(query: str = "") -> httpx.Response:
        files = {"file": (FOLDER / file).read_bytes()}
        return httpx.post(f"{shared_server.url}/predict{query}", files=files, timeout=60, trust_env=False)

    response, every = send("?faces=one"), send("?faces=all")
    assert response.status_code == int(result[:3])
    names = set(re.findall(r"`(\w+)`", result))
    if every.status_code == 200:
        read = every.json()["faces"]
        assert len(read) == faces
        found = {face["emotion"] for face in read} | {each["code"] for face in read for each in face["warnings"]}
        assert names <= found | {"multiple_faces"}
        assert all(not face["is_uncertain"] for face in read) or "certain" not in result
    else:
        assert {every.json()["error"]} == names
