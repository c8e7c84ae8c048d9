"""``details`` on every route that takes pictures."""

from __future__ import annotations

import base64
import csv
import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.expression.details import DETAILS
from app.vision.mesh import BLENDSHAPES
from tests.api.conftest import PICTURE, Start, until, upload
from tests.api.fakes import FakeModel, FakeRegistry, Script, manifest
from tests.api.meshes import meshed, with_closed_eyes
from tests.api.streams import refusal, started, stream
from tests.api.test_sockets import serving

ROOT = Path(__file__).parents[2]
ALL = ",".join(DETAILS)
MEASURED = ("action_units", "blendshapes", "head_pose", "mesh")


@pytest.fixture(autouse=True)
def _mesh(script: Script) -> None:
    script.meshed = meshed()


def predict(client: TestClient, query: str = "", **headers: str) -> dict[str, Any]:
    response = client.post(f"/predict{query}", **upload(), headers=headers)
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


def check(face: dict[str, Any]) -> None:
    """Fails where a face lacks one of the details, or has one of another form."""
    units = face["action_units"]
    assert [int(code[2:]) for code in units] == sorted(int(code[2:]) for code in units)
    assert units["AU12"]["name"] == "lip corner puller"
    assert units["AU12"]["active"]
    assert {"left", "right"} < units["AU12"].keys()
    assert "left" not in units["AU26"]
    assert list(face["blendshapes"]) == list(BLENDSHAPES)
    assert face["head_pose"].keys() == {"yaw", "pitch", "roll"}
    assert (len(face["mesh"]), len(face["mesh"][0])) == (478, 3)


def test_without_being_asked_there_are_no_details(client: TestClient) -> None:
    result = predict(client)
    assert not set(DETAILS) & result.keys()
    assert "mesh" not in result["timings_ms"]


@pytest.mark.parametrize("name", DETAILS)
def test_each_name_adds_its_field_alone(client: TestClient, name: str) -> None:
    result = predict(client, f"?details={name}")
    assert set(DETAILS) & result.keys() == {name}
    assert ("mesh" in result["timings_ms"]) == (name != "emotion_vector")


def test_every_face_has_its_details(client: TestClient, script: Script) -> None:
    script.faces = 2
    result = predict(client, f"?faces=all&details={ALL}")
    for face in [result, *result["faces"]]:
        check(face)
        assert face["emotion_vector"]["happiness"] == 0.92
        assert face["description"].startswith("Apparent expression: clearly happy (92 %).")


def test_a_face_without_a_mesh_has_null_fields(client: TestClient, script: Script) -> None:
    script.meshed = None
    result = predict(client, f"?details={ALL}")
    assert [result[name] for name in MEASURED] == [None] * 4
    assert result["emotion_vector"]["happiness"] == 0.92
    assert "cannot be measured" in result["description"]


def test_an_unknown_name_is_refused_with_those_that_there_are(client: TestClient) -> None:
    response = client.post("/predict?details=head_pose,head_pos", **upload())
    assert response.status_code == 422
    assert response.json()["error"] == "invalid_request"
    message = response.json()["message"]
    assert message.startswith("There is no detail 'head_pos'. Did you mean 'head_pose'?")
    assert all(name in message for name in DETAILS)


@pytest.mark.parametrize("names", ["", ",", "%20,%20"])
def test_no_name_is_refused(client: TestClient, names: str) -> None:
    response = client.post(f"/predict?details={names}", **upload())
    assert response.status_code == 422
    assert "name at least one of action_units" in response.json()["message"]


def test_the_description_is_in_the_language_of_the_client(client: TestClient) -> None:
    response = client.post("/predict?details=description", **upload(), headers={"Accept-Language": "de-CH, en;q=0.5"})
    assert response.json()["description"].startswith("Erkennbarer Ausdruck: deutlich fröhlich (92 %).")
    assert response.headers["content-language"] == "de"
    assert "Accept-Language" in response.headers["vary"]
    assert "content-language" not in client.post("/predict", **upload()).headers


def test_a_comparison_measures_once_and_describes_each_model(start: Start) -> None:
    client = start(registry=FakeRegistry(FakeModel(), FakeModel(manifest("other"))))
    result = client.post(f"/predict/compare?details={ALL}", **upload()).json()
    check(result)
    assert "description" not in result
    assert all(each["description"] and each["emotion_vector"] for each in result["models"])


def test_analyze_facial_has_them_too(client: TestClient) -> None:
    body = {"image": base64.b64encode(PICTURE).decode()}
    result = client.post(f"/analyze/facial?details={ALL}", json=body).json()
    check(result)
    assert result["description"]


def test_the_items_of_a_batch_have_them(client: TestClient) -> None:
    files = [("files", ("a.jpg", PICTURE, "image/jpeg"))] * 2
    result = client.post(f"/predict/batch?details={ALL}", files=files).json()
    for item in result["results"]:
        check(item)


def test_a_table_has_a_column_for_each(client: TestClient, script: Script) -> None:
    files = [("files", ("a.jpg", PICTURE, "image/jpeg"))]
    url, accept = f"/predict/batch?details={ALL}", {"Accept": "text/csv"}
    (row,) = csv.DictReader(io.StringIO(client.post(url, files=files, headers=accept).text))
    assert float(row["AU12"]) > 0.5
    assert "AU12" in row["active_units"].split()
    assert float(row["blendshape_mouthSmileLeft"]) > 0.4
    assert float(row["vector_happiness"]) == 0.92
    assert row["description"].startswith("Apparent")
    assert float(row["yaw"]) == pytest.approx(meshed().pose.yaw, abs=0.1)
    script.meshed = None
    (row,) = csv.DictReader(io.StringIO(client.post(url, files=files, headers=accept).text))
    assert row["AU12"] == row["yaw"] == row["active_units"] == ""
    (plain,) = csv.DictReader(io.StringIO(client.post("/predict/batch", files=files, headers=accept).text))
    assert not {"AU12", "yaw", "description"} & plain.keys()


def test_off_leaves_only_what_needs_no_mesh(start: Start) -> None:
    client = start(details="off")
    response = client.post("/predict?details=head_pose", **upload())
    assert (response.status_code, response.json()["error"]) == (503, "details_unavailable")
    assert int(response.headers["retry-after"]) == 60
    assert predict(client, "?details=emotion_vector")["emotion_vector"]["happiness"] == 0.92
    assert client.get("/health").json()["details"] == "off"


@pytest.mark.parametrize("mode", ["auto", "preload"])
def test_a_damaged_mesh_makes_only_details_unavailable(start: Start, tmp_path: Path, mode: str) -> None:
    shutil.copytree(ROOT / "models" / "face_mesh", tmp_path / "face_mesh")
    (tmp_path / "face_mesh" / "face_mesh.onnx").write_bytes(b"not a network")
    client = start(details=mode, models_dir=tmp_path)
    until(lambda: client.get("/health").json()["details"] == "unavailable")
    health = client.get("/health")
    assert health.status_code == 200
    assert "face_mesh.onnx" in health.json()["details_reason"]
    for path in ("/predict", "/predict/batch", "/predict/compare"):
        field = "files" if path.endswith("batch") else "file"
        response = client.post(f"{path}?details=mesh", files={field: ("a.jpg", PICTURE, "image/jpeg")})
        assert (response.status_code, response.json()["error"]) == (503, "details_unavailable")
    assert predict(client)["emotion"] == "happy"


def test_preload_loads_at_the_start(start: Start) -> None:
    assert start(details="preload").get("/health").json()["details"] == "loaded"


def test_auto_loads_with_the_first_request_that_needs_it(client: TestClient) -> None:
    predict(client, "?details=emotion_vector")
    assert client.get("/health").json()["details"] == "not_loaded"
    predict(client, "?details=head_pose")
    assert client.get("/health").json()["details"] == "loaded"


def test_info_lists_the_units_and_their_method(client: TestClient) -> None:
    details = client.get("/info").json()["details"]
    assert details["names"] == list(DETAILS)
    assert details["action_units"]["AU12"] == {
        "name": "lip corner puller",
        "threshold": details["action_units"]["AU12"]["threshold"],
        "experimental": False,
    }
    assert details["action_units"].keys() == predict(client, "?details=action_units")["action_units"].keys()
    assert "AU45" not in details["action_units"]


async def test_the_faces_of_a_stream_have_them(script: Script) -> None:
    async with serving(script) as port, stream(port, details=ALL) as client:
        begun = await client.receive("started")
        read = await client.read(PICTURE)
        script.faces = 0
        empty = await client.read(PICTURE)
    assert begun["details"] == list(DETAILS)
    (face,) = read["faces"]
    check(face)
    assert [*face["action_units"]][-1] == "AU45", "the blink, which only a stream shows"
    assert not face["action_units"]["AU45"]["active"]
    assert face["description"].startswith("Apparent")
    assert empty["faces"] == []


async def test_a_blink_is_told_in_the_frame_that_ends_it(script: Script) -> None:
    async with serving(script) as port, started(port, details="action_units") as client:
        active = []
        for t, closed in ((0.0, False), (0.1, True), (0.2, False), (0.3, False)):
            script.meshed = with_closed_eyes() if closed else meshed()
            await client.send({"type": "time", "t": t})
            (face,) = (await client.read(PICTURE))["faces"]
            active.append((face["action_units"]["AU43"]["active"], face["action_units"]["AU45"]["active"]))
    assert active == [(False, False), (True, False), (False, True), (False, False)]


async def test_the_summary_of_a_stream_has_the_units_of_each_track(script: Script) -> None:
    async with serving(script) as port, started(port, details="action_units") as client:
        (face,) = (await client.read(PICTURE))["faces"]
        await client.read(PICTURE)
        await client.send({"type": "end"})
        (track,) = (await client.receive("summary"))["tracks"]
    assert [*track["action_units"]] == [*face["action_units"]]
    smile = face["action_units"]["AU12"]["intensity"]
    assert track["action_units"]["AU12"] == {
        "name": "lip corner puller",
        "mean_intensity": pytest.approx(smile, abs=1e-4),
        "active_share": 1.0,
    }


async def test_a_stream_refuses_details_that_cannot_be_had(script: Script) -> None:
    async with serving(script, details="off") as port:
        assert await refusal(port, details="mesh") == ("details_unavailable", 1013)
