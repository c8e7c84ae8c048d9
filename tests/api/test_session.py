"""``POST /analyze/session``: posted series of predictions."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.sessions.summary import Session, SessionFace
from tests.api.conftest import Start

HAPPY, SAD = {"happy": 0.8, "neutral": 0.2, "sad": 0.0}, {"happy": 0.0, "neutral": 0.1, "sad": 0.9}
JSON = {"Content-Type": "application/json"}


def frame(t: float, probabilities: dict[str, float] | None = HAPPY, **more: Any) -> dict[str, Any]:
    return {"t": t, "probabilities": probabilities, "face_detected": probabilities is not None, **more}


def summarise(client: TestClient, frames: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    response = client.post("/analyze/session", json={"frames": frames, **more})
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


def test_a_series_gets_the_summary_of_a_session(client: TestClient) -> None:
    unsure = {"happy": 0.4, "neutral": 0.35, "sad": 0.25}
    summary = summarise(
        client,
        [
            frame(0, HAPPY, face_box=[1, 2, 3, 4]),
            frame(0.5, unsure, warnings=["blurred", "too_dark"]),
            frame(1.0, SAD),
            frame(1.5, None, face_box=None),
        ],
        profile=None,
    )
    assert summary["frames"] == {"received": 4, "read": 4, "failed": 0, "skipped": {}, "without_face": 1}
    (track,) = summary["tracks"]
    assert (track["track"], track["from"], track["to"], track["frames"]) == (1, 0.0, 1.0, 3)
    # 0.5 + 0.5 s happy of 1.5 s.
    assert track["share"] == {"happy": 0.6667, "neutral": 0.0, "sad": 0.3333}
    assert track["uncertain_share"] == 0.3333
    assert track["warnings"] == {"blurred": 1, "too_dark": 1}
    assert summary["changes"] == [{"t": 1.0, "track": 1, "from": "happy", "to": "sad"}]
    assert (summary["reason"], summary["profile"], summary["duration"]) == ("end", None, 1.5)


def test_frames_may_carry_the_intensities_of_action_units(client: TestClient) -> None:
    frames = [frame(0, HAPPY, action_units={"AU12": 0.9, "AU6": 0.0}), frame(0.5, SAD, action_units={"AU12": 0.1})]
    (track,) = summarise(client, [*frames, frame(1.0, SAD, action_units=None)])["tracks"]
    assert track["action_units"]["AU12"] == {"name": "lip corner puller", "mean_intensity": 0.5, "active_share": 0.5}
    assert track["action_units"]["AU6"]["mean_intensity"] == 0.0
    assert "action_units" not in summarise(client, [frame(0)])["tracks"][0]


@pytest.mark.parametrize(
    ("units", "fault"),
    [
        ({"AU3": 0.5}, "AU3"),
        ({"AU12": 1.5}, "frames[0].action_units.AU12"),
        ({"AU12": "much"}, "frames[0].action_units.AU12"),
        ([0.5], "frames[0].action_units"),
    ],
)
def test_action_units_of_a_frame_are_checked(client: TestClient, units: Any, fault: str) -> None:
    response = client.post("/analyze/session", json={"frames": [frame(0, HAPPY, action_units=units)]})
    assert (response.status_code, response.json()["error"]) == (422, "invalid_request")
    assert fault in response.json()["message"]


def test_a_face_that_was_assumed_is_none(client: TestClient) -> None:
    summary = summarise(client, [{"t": 0, "probabilities": HAPPY, "face_detected": False}])
    assert summary["frames"]["without_face"] == 1
    assert summary["tracks"] == []


@pytest.mark.parametrize("frames", [[], [frame(0, None)]], ids=["no frame", "no face"])
def test_a_series_without_a_face_is_summarised_too(client: TestClient, frames: list[dict[str, Any]]) -> None:
    assert summarise(client, frames)["tracks"] == []


def test_many_frames_are_added_up_in_several_jobs(client: TestClient) -> None:
    frames = [frame(number / 30, HAPPY if number % 3 else SAD) for number in range(4500)]
    summary = summarise(client, frames)
    assert summary["frames"]["read"] == 4500
    assert summary["tracks"][0]["mean_probabilities"] == {"happy": 0.5333, "neutral": 0.1667, "sad": 0.3}
    session = Session(("happy", "neutral", "sad"), None)
    for each in frames:
        session.add(each["t"], [SessionFace(1, each["probabilities"], False, (), None)])
    assert summary == session.summary("end")


def test_a_series_may_be_spaced_and_escaped_as_json_allows(client: TestClient) -> None:
    body = ' {\n "frames" : [ \n {"t":1e0,"probabilities":{"h\\u0061ppy":1}} ,{"t":2, "face_box":[ 1,2,3,4 ]}\n]\t} \n'
    response = client.post("/analyze/session", content=body, headers=JSON)
    assert response.status_code == 200, response.text
    assert response.json()["tracks"][0]["mean_probabilities"] == {"happy": 1.0}


def test_a_profile_is_there_where_the_operator_allows_it(start: Start) -> None:
    client = start(session_profiles="interview_practice")
    assert client.get("/info").json()["session_profiles"] == ["interview_practice"]
    frames = [frame(number / 10, {"happy": 1.0, "fear": 0.0}) for number in range(10)]
    frames.append(frame(1.0, {"happy": 0.0, "fear": 1.0}))
    profile = summarise(client, frames, profile="interview_practice")["profile"]
    # (10 × 1 + 0) / 11
    assert profile["mean_confidence"] == pytest.approx(0.909091)
    assert profile["spikes"] == [{"t": 1.0, "magnitude": 1.0}]
    assert "judge anybody" in profile["notice"]


def test_a_profile_is_refused_where_the_operator_does_not_allow_it(client: TestClient) -> None:
    response = client.post("/analyze/session", json={"profile": "interview_practice", "frames": []})
    assert (response.status_code, response.json()["error"]) == (422, "invalid_request")
    assert "SESSION_PROFILES" in response.json()["message"]


def rows(client: TestClient, body: dict[str, Any]) -> list[dict[str, str]]:
    response = client.post("/analyze/session", json=body, headers={"Accept": "text/csv"})
    assert response.status_code == 200, response.text
    assert response.headers["content-disposition"] == 'attachment; filename="session.csv"'
    return list(csv.DictReader(io.StringIO(response.text)))


def test_csv_has_every_frame(client: TestClient) -> None:
    frames = [frame(number / 10, HAPPY, warnings=["blurred", "too_dark"]) for number in range(700)]
    table = rows(client, {"frames": [*frames, frame(80.0, None)]})
    assert len(table) == 701
    assert table[1] == {
        **{"t": "0.1", "track": "1", "emotion": "happy", "confidence": "0.8", "is_uncertain": "false"},
        **{"p_happy": "0.8", "p_neutral": "0.2", "p_sad": "0.0", "warnings": "blurred too_dark"},
    }
    assert {*table[-1].values()} == {"80.0", ""}


def test_a_profile_is_refused_for_labels_of_which_it_rates_none(start: Start) -> None:
    client = start(session_profiles="interview_practice")
    for label, status in (("awake", 422), ("Happiness", 200)):
        frames = [{"t": 0, "probabilities": {label: 0.9, "asleep": 0.1}}]
        response = client.post("/analyze/session", json={"profile": "interview_practice", "frames": frames})
        assert response.status_code == status
    body = client.post("/analyze/session", json={"profile": "interview_practice", "frames": []})
    assert body.status_code == 200


def test_csv_has_the_figures_of_the_profile(start: Start) -> None:
    client = start(session_profiles="interview_practice")
    frames = [
        frame(0, {"=happy": 0.0, "happy": 1.0, "fear": 0.0}),
        frame(1, {"=happy": 0.0, "happy": 0.0, "fear": 1.0}),
    ]
    table = rows(client, {"profile": "interview_practice", "frames": frames})
    assert [(row["practice_confidence"], row["practice_smoothed"], row["practice_level"]) for row in table] == [
        ("1.0", "1.0", "excellent"),
        ("0.0", "0.5", "moderate"),
    ]


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ("", "The body has to be"),
        ("[]", "The body has to be"),
        ("{}", "The body has to be"),
        ('{"frames": []', "The body has to be"),
        ('{"frames": []}}', "The body has to be"),
        ('{"frames": []}' + " " * 9000, "The body has to be"),
        ('{"frames": [{"t": 0}' + " " * 20000 + "]}", "frames[1]"),
        ('{"frames": [], "frames": []}', "frames: the body has it twice"),
        ('{"frames": [], "profile": 3}', "profile"),
        ('{"frames": [], "profile": ["a"]}', "profile"),
        ('{"frames": [], "profile": nul}', "The body has to be"),
        ('{"frames": [], "profile": "nobody"}', "profile"),
        ('{"frames": [], "purpose": "fun"}', "There is no field 'purpose'"),
        ('{"frames": {}}', "frames: is no list"),
        ('{"frames": null}', "frames: is no list"),
        ('{"frames": [{"t": 0},]}', "frames[1]"),
        ('{"frames": [{"t": 0} {"t": 1}]}', "frames[1]"),
        ('{"frames": [1]}', "frames[0]"),
        ('{"frames": [{"t": 0}, {"t": 0}', "frames[2]"),
        ('{"frames": [{"t": 0, "probabilities": {"happy": {"x": 1}}}]}', "frames[0]"),
        ('{"frames": [{"t": 0, "probabilities": {"happy": 1}, "warnings": "' + "x" * 9000 + '"}]}', "frames[0]"),
        ('{"frames": [{}]}', "frames[0].t"),
        ('{"frames": [{"t": 01}]}', "frames[0]: is not valid JSON"),
        ('{"frames": [{"t": NaN}]}', "frames[0]: is not valid JSON"),
        ('{"frames": [{"t": 1e999}]}', "frames[0]"),
        ('{"frames": [{"t": "0"}]}', "frames[0].t"),
        ('{"frames": [{"t": true}]}', "frames[0].t"),
        ('{"frames": [{"t": -1}]}', "frames[0].t"),
        ('{"frames": [{"t": 1}, {"t": 0.9}]}', "frames[1].t: is less than"),
        ('{"frames": [{"t": 0, "face": 1}]}', "There is no field of frames[0] 'face'"),
        ('{"frames": [{"t": 0, "probabilities": {}}]}', "frames[0].probabilities"),
        ('{"frames": [{"t": 0, "probabilities": []}]}', "frames[0].probabilities"),
        ('{"frames": [{"t": 0, "probabilities": {"happy": 1.01}}]}', "frames[0].probabilities.happy"),
        ('{"frames": [{"t": 0, "probabilities": {"happy": null}}]}', "frames[0].probabilities.happy"),
        ('{"frames": [{"t": 0, "probabilities": {"": 1}}]}', "frames[0].probabilities"),
        ('{"frames": [{"t": 0, "probabilities": {"a\\nb": 1}}]}', "frames[0].probabilities"),
        ('{"frames": [{"t": 0, "face_detected": true}]}', "frames[0].probabilities: is missing"),
        ('{"frames": [{"t": 0, "face_detected": 1}]}', "frames[0].face_detected"),
        ('{"frames": [{"t": 0, "face_box": [1, 2, 3]}]}', "frames[0].face_box"),
        ('{"frames": [{"t": 0, "warnings": ["ugly"]}]}', "frames[0].warnings"),
        ('{"frames": [{"t": 0, "warnings": [["a"]]}]}', "frames[0]"),
        (
            '{"frames": [{"t": 0, "probabilities": {"a": 1}}, {"t": 0, "probabilities": {"b": 1}}]}',
            "frames[1].probabilities: has other labels",
        ),
    ],
)
def test_a_wrong_series_is_one_error_that_names_the_field(client: TestClient, body: str, part: str) -> None:
    response = client.post("/analyze/session", content=body, headers=JSON)
    assert (response.status_code, response.json()["error"]) == (422, "invalid_request")
    assert part in response.json()["message"]


def test_more_than_100000_frames_are_refused(client: TestClient) -> None:
    body = '{"frames": [' + ",".join(['{"t":0}'] * 100_001) + "]}"
    response = client.post("/analyze/session", content=body, headers=JSON)
    assert (response.status_code, response.json()["error"]) == (422, "invalid_request")
    assert "more than 100,000" in response.json()["message"]


def test_a_body_beyond_40_mb_is_refused(client: TestClient) -> None:
    headers = {**JSON, "Content-Length": "40100000"}
    response = client.post("/analyze/session", content=b"{}", headers=headers)
    assert (response.status_code, response.json()["error"]) == (413, "file_too_large")


@pytest.mark.parametrize("step", [5e-324, 1e-300])
def test_a_pause_after_frames_in_no_time_is_no_defect(start: Start, step: float) -> None:
    client = start(session_profiles=("interview_practice",))
    times = [*(number * step for number in range(700)), 1e9]
    frames = [{"t": t, "probabilities": {"happy": 1, "neutral": 0}} for t in times]
    response = client.post("/analyze/session", json={"profile": "interview_practice", "frames": frames})
    assert response.status_code == 200
    assert [point["t"] for point in response.json()["series"]] == [0, 1e9]


def test_a_profile_in_the_address_is_refused(client: TestClient) -> None:
    response = client.post("/analyze/session?profile=interview_practice", json={"frames": []})
    assert (response.status_code, response.json()["error"]) == (422, "invalid_request")
    assert "into the body" in response.json()["message"]


def test_a_form_is_refused(client: TestClient) -> None:
    response = client.post("/analyze/session", files={"frames": ("a.json", json.dumps([frame(0)]))})
    assert (response.status_code, response.json()["error"]) == (415, "unsupported_media_type")
