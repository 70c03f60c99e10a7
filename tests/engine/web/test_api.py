"""The API: the engine's words, pages of answers, versions, keys, errors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from engine.workspace import Workspace

SETTINGS = {"flow_rate": 0.4, "concentration": 18, "voltage": 18, "collector_speed": 400}
STRENGTH, ELONGATION = "fracture_strength.longitudinal", "elongation.longitudinal"


@pytest.fixture
def api(app, token) -> TestClient:
    """Return a client with an operator's token."""
    client = TestClient(app, base_url="http://testserver/api/v1/campaigns/1")
    client.headers.update(token("otto", "operator"))
    return client


def new_run(api: TestClient) -> int:
    answer = api.post("/experiments", json={"conditions": SETTINGS})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["experiment"])


def test_a_run_is_made_measured_and_corrected(api) -> None:
    id_ = new_run(api)
    done = api.post(
        f"/experiments/{id_}/results",
        json={"results": {ELONGATION: [88, 91.5], STRENGTH: 12}, "actual": {"humidity": 61}},
    )
    assert done.status_code == 200, done.text
    run = done.json()
    assert (run["status"], run["actual"]["humidity"]) == ("completed", 61)
    values = {(m["outcome"], m["replicate"]): m["value"] for m in run["measurements"]}
    assert values == {(ELONGATION, 1): 88, (ELONGATION, 2): 91.5, (STRENGTH, 1): 12}
    body = {"results": {ELONGATION: 92}, "mode": "correct", "which": 2, "note": "slip"}
    assert api.post(f"/experiments/{id_}/results", json=body).status_code == 200
    trail = api.get(f"/experiments/{id_}/trail").json()["items"]
    last = trail[-1]
    assert (last["value"], last["revision"], last["note"], last["actor"]) == (
        92, 2, "slip", "otto",
    )  # fmt: skip
    assert [one["kind"] for one in trail].count("measurement") == 4


def test_a_result_is_taken_back_and_the_last_change_undone(api) -> None:
    run = new_run(api)
    results = {"elongation.longitudinal": 88.0, "fracture_strength.longitudinal": 12.0}
    assert api.post(f"/experiments/{run}/results", json={"results": results}).status_code == 200
    body = {"outcomes": ["elongation.longitudinal"], "note": "another mat's"}
    answer = api.post(f"/experiments/{run}/retractions", json=body)
    assert answer.status_code == 200, answer.text
    measured = answer.json()["measurements"]
    assert [m["outcome"] for m in measured] == ["fracture_strength.longitudinal"]
    assert api.post(f"/experiments/{run}/retractions", json=body).status_code == 409
    unknown = api.post(f"/experiments/{run}/retractions", json={"outcomes": ["elongatio"]})
    assert unknown.status_code == 422
    key = {"Idempotency-Key": "once"}
    for _ in range(2):
        answer = api.post("/undo", headers=key)
        assert answer.status_code == 200, answer.text
        assert answer.json()["experiments"] == [run]
    measured = api.get(f"/experiments/{run}").json()["measurements"]
    assert {m["outcome"]: m["value"] for m in measured} == results
    trail = api.get(f"/experiments/{run}/trail").json()["items"]
    assert [e["value"] for e in trail if e["name"] == "elongation.longitudinal"] == [88, None, 88]


def test_a_failed_run(api) -> None:
    id_ = new_run(api)
    answer = api.patch(f"/experiments/{id_}", json={"status": "failed", "failure": "beads"})
    assert answer.json()["failure"] == "beads"
    results = api.post(f"/experiments/{id_}/results", json={"results": {ELONGATION: 5}})
    assert results.status_code == 409
    assert results.headers["content-type"] == "application/problem+json"
    assert results.json()["detail"] == (
        f"experiment {id_} is failed (beads): it takes no results. If that was a mistake, take "
        "it up again first"
    )


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"results": {"elongation": 5}}, 422, "measured in several directions"),
        ({"results": {ELONGATION: -5}}, 422, "at least 0"),
        ({"results": {ELONGATION: 1e301}}, 422, "less than or equal"),
        ({"results": {}}, 422, "at least 1"),
        ({"results": {ELONGATION: 5}, "mood": "add"}, 422, "mood"),
        ({"results": {ELONGATION: 5}, "actual": {"voltige": 5}}, 422, "Did you mean 'voltage'"),
        ({"results": {"\ud800": 5}}, 422, "valid string"),
        ({"results": {ELONGATION: 5}, "note": "\u0000"}, 422, "control characters"),
    ],
)
def test_what_cannot_be_is_told(api, body, status, told) -> None:
    import json

    content = json.dumps(body).encode("ascii")
    head = {"content-type": "application/json"}
    answer = api.post(f"/experiments/{new_run(api)}/results", content=content, headers=head)
    assert answer.status_code == status, answer.text
    assert told in answer.json()["detail"]


def test_the_second_of_two_who_edit_a_run_is_told(api) -> None:
    id_ = new_run(api)
    seen = api.get(f"/experiments/{id_}").headers["etag"]
    head = {"if-match": seen}
    first = api.patch(f"/experiments/{id_}", json={"note": "mine"}, headers=head)
    assert first.status_code == 200
    second = api.patch(f"/experiments/{id_}", json={"note": "theirs"}, headers=head)
    assert second.status_code == 412
    assert "was changed by otto since you opened it" in second.json()["detail"]
    assert api.get(f"/experiments/{id_}").json()["note"] == "mine"
    again = api.patch(
        f"/experiments/{id_}", json={"note": "theirs"}, headers={"if-match": first.headers["etag"]}
    )
    assert again.status_code == 200
    assert api.patch(f"/experiments/{id_}", json={}, headers={"if-match": "x"}).status_code == 422


def test_the_same_key_twice_is_carried_out_once(api) -> None:
    head = {"idempotency-key": "bench-7"}
    first = api.post("/experiments", json={"conditions": SETTINGS}, headers=head)
    again = api.post("/experiments", json={"conditions": SETTINGS}, headers=head)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["etag"] == first.headers["etag"]
    assert api.get("/experiments").json()["total"] == 1
    other = api.post("/experiments", json={"conditions": SETTINGS, "note": "x"}, headers=head)
    assert other.status_code == 422
    assert "used for another request" in other.json()["detail"]


def test_a_request_that_fails_leaves_its_key_free(api) -> None:
    head = {"idempotency-key": "bench-8"}
    wrong = {"conditions": {"voltage": 18}}
    assert api.post("/experiments", json=wrong, headers=head).status_code == 422
    right = api.post("/experiments", json={"conditions": SETTINGS}, headers=head)
    assert right.status_code == 201


def test_one_key_sent_ten_times_at_once(api, people: Workspace) -> None:
    head = {"idempotency-key": "storm"}

    def send(_: int) -> int:
        return int(
            api.post("/experiments", json={"conditions": SETTINGS}, headers=head).status_code
        )

    with ThreadPoolExecutor(5) as pool:
        statuses = list(pool.map(send, range(10)))
    assert set(statuses) <= {201, 409}
    assert api.get("/experiments").json()["total"] == 1


def test_pages_of_runs(api) -> None:
    ids = [new_run(api) for _ in range(5)]
    first = api.get("/experiments", params={"limit": 2}).json()
    assert [run["experiment"] for run in first["items"]] == ids[:-3:-1]
    assert first["total"] == 5
    rest = api.get("/experiments", params={"limit": 200, "before": first["next"]}).json()
    assert [run["experiment"] for run in rest["items"]] == ids[2::-1]
    assert rest["next"] is None
    assert api.get("/experiments", params={"status": "failed"}).json()["items"] == []
    assert api.get("/experiments", params={"limit": 0}).status_code == 422


def test_a_picture_is_kept_and_measured_by_a_job(api, png, people) -> None:
    id_ = new_run(api)
    files = {"file": ("mat.png", png(), "image/png")}
    kept = api.post(f"/experiments/{id_}/micrographs", files=files, data={"nm_per_pixel": "20"})
    assert kept.status_code == 201, kept.text
    (shown,) = kept.json()["micrographs"]
    assert shown["original_name"] == "mat.png"
    (job,) = api.get("/jobs").json()["items"]
    assert (job["kind"], job["params"]["micrographs"]) == ("measure", [shown["micrograph"]])
    picture = api.get(f"/micrographs/{shown['micrograph']}/picture", params={"size": 320})
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert (
        api.get(f"/micrographs/{shown['micrograph']}/picture", params={"size": 7}).status_code
        == 422
    )
    assert api.get("/micrographs/99").status_code == 404
    twice = api.post(f"/experiments/{id_}/micrographs", files=files)
    assert twice.status_code == 409
    assert "has this micrograph already" in twice.json()["detail"]
    assert list((people.data_dir / "uploads").iterdir()) == [], "nothing stays behind"


def test_a_sidecar_and_what_is_stated_of_a_picture(api, png) -> None:
    id_ = new_run(api)
    kept = api.post(
        f"/experiments/{id_}/micrographs",
        files={
            "file": ("mat.png", png(), "image/png"),
            "sidecar": ("mat-png.hdr", b"[MAIN]\nPixelSizeX=5.0e-9\nPixelSizeY=5.0e-9\n"),
        },
        data={"crop": "0,0,40,40", "dark_fibres": "true"},
    )
    assert kept.status_code == 201, kept.text
    (picture,) = kept.json()["micrographs"]
    assert picture["nm_per_pixel"] == 5.0
    assert picture["nm_per_pixel_source"] == "mat-png.hdr: PixelSizeX"
    (job,) = api.get("/jobs").json()["items"]
    assert (job["params"]["crop"], job["params"]["dark_fibres"]) == ([0, 0, 40, 40], True)
    wrong = api.post(
        f"/experiments/{id_}/micrographs",
        files={"file": ("mat.png", png(), "image/png")},
        data={"crop": "40,0,0,40"},
    )
    assert wrong.status_code == 422
    assert "crop: expected left, top, right, bottom" in wrong.json()["detail"]


def test_a_proposal_is_a_job(api) -> None:
    body = {"n": 2, "at": {"humidity": 50}, "strategy": "sobol"}
    answer = api.post("/proposals", json=body)
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/api/v1/campaigns/1/jobs/{job['job']}"
    assert (job["status"], job["asked_by"]) == ("queued", "otto")
    cancelled = api.post(f"/jobs/{job['job']}/cancel")
    if cancelled.status_code == 200:
        again = api.post(f"/jobs/{job['job']}/again")
        assert again.status_code in (202, 409)
    wrong = api.post("/proposals", json={"fixed": {"voltage": 17.3}})
    assert wrong.status_code == 422
    assert "on the instrument's settings" in wrong.json()["detail"]


def test_where_the_campaign_stands(api) -> None:
    id_ = new_run(api)
    api.post(f"/experiments/{id_}/results", json={"results": {ELONGATION: 88, STRENGTH: 12}})
    found = api.get("/overview").json()
    assert found["counts"]["completed"] == 1
    assert found["hypervolume"] == pytest.approx((12 - 5) * (88 - 40))
    assert found["front"][0]["experiment"] == id_
    assert api.get("/ledger").json() == {"items": []}
    assert api.get("/models").json() == {"items": []}
    assert api.get("http://testserver/api/v1/campaigns").json()["items"][0]["active"]
    assert api.get("http://testserver/api/v1/campaigns/1").json()["campaign"] == "nanofibre"
    assert api.get("http://testserver/api/v1/campaigns/7").status_code == 404


def test_what_is_not_there_and_not_this_way(api) -> None:
    for path in ("/experiments/9", "/proposals/9", "/jobs/9", "/models/9", "/nothing"):
        answer = api.get(path)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == "application/problem+json"
    wrong = api.delete("/experiments")
    assert wrong.status_code == 405
    assert wrong.headers["allow"]


def test_the_openapi_document_tells_of_every_error(app) -> None:
    document = app.openapi()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            told = operation["responses"]
            for status in ("401", "403", "422"):
                content = told[status]["content"]
                assert list(content) == ["application/problem+json"], (path, method, status)
            assert operation["summary"]
            assert operation.get("description"), (path, method)
