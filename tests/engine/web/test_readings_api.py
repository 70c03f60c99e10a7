"""Pictures read without a run, for programs: sent in parts, read by a job, fetched, removed."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from fastapi.testclient import TestClient
from mat_pictures import uploads
from PIL import Image

from engine.bulk.dropped import all_dropped
from engine.jobs.kinds import TASK_HANDLERS
from engine.jobs.queue import READING
from engine.jobs.worker import work
from engine.workspace import Workspace


@pytest.fixture
def api(app: Any, token, people: Workspace, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """Return an operator's client; no process beside the test takes the jobs."""
    monkeypatch.setattr("engine.bulk.request.usable_cores", lambda: 1)
    monkeypatch.setattr(app.state.site.crew, "wake", lambda: None)
    client = TestClient(app, base_url="http://testserver/api/v1/campaigns/1")
    client.headers.update(token("otto", "operator"))
    return client


def test_sub_folders_are_sent_in_parts_read_fetched_and_removed(api, people, token) -> None:
    kept = api.post("/readings", data={"more": "true"}, files=uploads("PCL/1.png", "PCL/2.png"))
    assert kept.status_code == 201, kept.text
    reading = kept.json()["reading"]
    assert (kept.json()["files"], kept.json()["job"]) == (["PCL/1.png", "PCL/2.png"], None)
    assert api.get("/readings").json()["items"] == []
    sent = {"reading": reading, "nm_per_pixel": "80"}
    begun = api.post("/readings", data=sent, files=uploads("PVA/1.png"))
    assert begun.status_code == 202, begun.text
    assert begun.headers["location"].endswith(f"/campaigns/1/readings/{reading}")
    assert begun.json()["job"]["status"] == "queued"
    assert begun.json()["pictures"] is None
    assert api.delete(f"/readings/{reading}").status_code == 409
    assert api.post("/readings", data=sent, files=uploads("late.png")).status_code == 409

    work(people, READING, TASK_HANDLERS)
    viewer = {"headers": token("vera", "viewer")}
    document = api.get(f"/readings/{reading}", **viewer).json()
    assert document["job"]["status"] == "done"
    assert [p["picture"] for p in document["pictures"]] == ["PCL/1.png", "PCL/2.png", "PVA/1.png"]
    assert [s["sample"] for s in document["samples"]] == ["PCL", "PVA"]
    assert 600 < document["samples"][0]["diameter_nm"]["mean"] < 1300
    assert document["n_histograms"] == 2
    assert str(people.root) not in api.get(f"/readings/{reading}").text
    (listed,) = api.get("/readings", **viewer).json()["items"]
    assert (listed["reading"], listed["pictures"]) == (reading, None)
    for name in document["tables"]:
        table = api.get(f"/readings/{reading}/tables/{name}", **viewer)
        assert list(csv.reader(io.StringIO(table.text)))[1:], name
    assert {"table.csv", "fibres.csv"} <= set(document["tables"])
    for part in ("overlays/3", "histograms/2"):
        drawn = api.get(f"/readings/{reading}/{part}", **viewer).content
        assert Image.open(io.BytesIO(drawn)).format == "PNG"
    for part in ("overlays/4", "histograms/3", "tables/reading.json", "tables/..%2f..%2fx"):
        assert api.get(f"/readings/{reading}/{part}").status_code == 404
    assert api.delete(f"/readings/{reading}", **viewer).status_code == 403
    assert api.delete(f"/readings/{reading}").status_code == 204
    assert api.get(f"/readings/{reading}").status_code == 404
    assert all_dropped(people, 1) == []


def test_a_key_reads_once(api, people) -> None:
    key = {"Idempotency-Key": "one-reading"}
    sent = [api.post("/readings", files=uploads("a_1.png"), headers=key) for _ in range(2)]
    assert [answer.status_code for answer in sent] == [202, 202]
    assert sent[0].json() == sent[1].json()
    assert len(all_dropped(people, 1)) == 1
    other = api.post("/readings", files=uploads("b_1.png"), headers=key)
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("names", "fields", "field", "words"),
    [
        ([], {}, None, "expected pictures, got none"),
        (["a.exe"], {}, None, "expected pictures (.jpg"),
        (["a.txt"], {}, None, "beside its text file"),
        (["x/a.png", "x/a.png"], {}, None, "got x/a.png twice"),
        (["a.png", "a.png/b.png"], {}, None, "got a.png/b.png twice"),
        (["1/2/3/4/5/a.png"], {}, None, "at most 4 folders"),
        (["a.png"], {"sample": "q{sample}"}, "sample", "does not fit a.png"),
        # A table of samples would be read from the server's own files.
        (["a.png"], {"sample": "/etc/names.csv"}, "sample", "expected folder, name, or a pattern"),
        (["a.png"], {"nm_per_pixel": "-3"}, "nm_per_pixel", "greater than 0"),
        (["a.png"], {"crop": "1,2,3"}, "crop", "expected"),
        (["a.png"], {"reading": "0123456789abcdef"}, None, "kept for 7 days"),
        (["a.png"], {"reading": "../../../x"}, None, "kept for 7 days"),
        (["a.png"], {"readng": "0123456789abcdef"}, "readng", "Did you mean 'reading'?"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_stays(
    api, people, state, names, fields, field, words
) -> None:
    before = state()
    answer = api.post("/readings", data=fields, files=uploads(*names))
    assert answer.status_code in (404, 422), answer.text
    assert words in answer.json()["detail"]
    assert answer.json().get("field") == field
    assert state() == before
    assert not [path for path in people.data_dir.rglob("*.png") if "readings" in path.parts]


def test_a_refused_part_takes_nothing_else_along(api, people) -> None:
    reading = api.post("/readings", data={"more": "true"}, files=uploads("a.png")).json()["reading"]
    more = {"reading": reading, "more": "true"}
    assert api.post("/readings", data=more, files=uploads("b.png", "a.png")).status_code == 422
    (dropped,) = all_dropped(people, 1)
    assert dropped.names == ["a.png"]
    assert api.post("/readings", data=more, files=uploads("b.png")).json()["files"] == [
        "a.png",
        "b.png",
    ]


def test_names_leave_no_folder_of_theirs(api, people) -> None:
    odd = ("../../up.png", "/etc/passwd.png", "x\\..\\..\\low.png", "a/./b/~/c.png")
    document = api.post("/readings", data={"more": "true"}, files=uploads(*odd)).json()
    assert document["files"] == ["a/b/_/c.png", "etc/passwd.png", "up.png", "x/low.png"]
    (dropped,) = all_dropped(people, 1)
    assert all(path.is_relative_to(dropped.pictures) for path in dropped.files)
