"""Results as a table that is edited in place: shown, changed, removed with a reason, undone."""

from __future__ import annotations

import html
import re

import pytest

from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.jobs.kinds import TASK_HANDLERS
from engine.jobs.queue import BENCH, newest
from engine.jobs.worker import work
from engine.workspace import Workspace

STRENGTH, ELONGATION = "fracture_strength.longitudinal", "elongation.longitudinal"


@pytest.fixture
def browser(login):
    return login("anna")


@pytest.fixture
def logged(people, run_id) -> int:
    record(people, Entry(experiment=f"id:{run_id}", results={ELONGATION: 88.0}))
    entry = Entry(experiment=f"id:{run_id}", results={ELONGATION: 1050.0}, replicate=True)
    record(people.acting("anna"), entry)
    return run_id


def one(people: Workspace, id_: int):
    with people.database.read() as tx:
        return tx.experiments.get(id_)


def fields(page: str) -> dict[str, str]:
    """Return the inputs of the results' form, as a browser would send them."""
    form = re.search(r'id="results">(.*?)</form>', page, re.S)[1]
    inputs = re.findall(r"<input[^>]*>", form)
    pairs = [
        (re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)) for tag in inputs
    ]
    return {
        html.unescape(name[1]): html.unescape(value[1]) if value else ""
        for name, value in pairs
        if name and name[1] != "csrf"
    }


def save(browser, id_: int, changes: dict[str, str]):
    """Open the run's page, type, and send the form."""
    sent = {**fields(browser.get(f"/runs/{id_}").text), **changes}
    return browser.post(f"/runs/{id_}", sent)


def told(browser, id_: int) -> str:
    return html.unescape(browser.get(f"/runs/{id_}").text)


def test_what_is_recorded_is_shown_and_edited_in_place(browser, people, logged) -> None:
    form = fields(browser.get(f"/runs/{logged}").text)
    assert form[f"value:{ELONGATION}#1"] == "88"
    assert form[f"value:{ELONGATION}#2"] == "1050"
    answer = save(browser, logged, {f"value:{ELONGATION}#2": "10.50", "why": "typing error"})
    assert answer.status_code == 303
    assert one(people, logged).replicates() == {ELONGATION: (88.0, 10.5)}
    page = told(browser, logged)
    assert "Elongation, longitudinal [%] (replicate 2) = 10.5, was 1050" in page
    assert "correction: typing error" in page


def test_a_save_without_a_change_records_nothing(browser, people, logged) -> None:
    before = one(people, logged)
    answer = save(browser, logged, {f"value:{ELONGATION}#1": "88.00"})
    assert answer.status_code == 422
    assert "nothing to record" in answer.text
    assert one(people, logged) == before


def test_a_replicate_is_removed_with_a_reason_and_put_back(browser, people, logged) -> None:
    answer = save(browser, logged, {f"value:{ELONGATION}#2": ""})
    assert answer.status_code == 422
    assert "expected a reason" in answer.text
    assert save(browser, logged, {f"value:{ELONGATION}#2": "", "why": "slipped"}).status_code == 303
    assert one(people, logged).replicates() == {ELONGATION: (88.0,)}
    page = told(browser, logged)
    assert "(replicate 2) retracted, was 1050" in page
    change = re.search(r'name="change" value="(\d+)"', page)[1]
    undone = browser.post(f"/runs/{logged}/undo", {"change": change})
    assert undone.status_code == 303
    assert one(people, logged).replicates() == {ELONGATION: (88.0, 1050.0)}
    assert f"Undone: run {logged}" in told(browser, logged)
    # The page that still shows the old change undoes no other one.
    assert browser.post(f"/runs/{logged}/undo", {"change": change}).status_code == 409


def test_somebody_elses_edit_is_not_reverted(browser, login, people, logged) -> None:
    opened = fields(browser.get(f"/runs/{logged}").text)
    assert save(login("otto"), logged, {f"value:{ELONGATION}#1": "90"}).status_code == 303
    late = browser.post(f"/runs/{logged}", {**opened, f"value:{ELONGATION}#2": "10.5"})
    assert late.status_code == 412
    again = fields(late.text)
    assert again[f"value:{ELONGATION}#1"] == "90"
    assert again[f"value:{ELONGATION}#2"] == "10.5"
    assert browser.post(f"/runs/{logged}", again).status_code == 303
    assert one(people, logged).replicates() == {ELONGATION: (90.0, 10.5)}


@pytest.mark.parametrize("field", [f"result:{ELONGATION}", f"value:{ELONGATION}#1"])
@pytest.mark.parametrize("typed", ["1 050", "1\u00a0050", "1\u202f050", "1'050", "1,050"])
def test_digits_in_groups_are_asked_about(browser, people, logged, field, typed) -> None:
    before = one(people, logged)
    answer = save(browser, logged, {field: typed})
    assert answer.status_code == 422
    assert "is it 1050 or" in answer.text
    assert one(people, logged) == before


@pytest.mark.parametrize("what", ["correct", "delete", "Results"])
def test_an_unknown_step_is_refused(browser, people, logged, what) -> None:
    before = one(people, logged)
    answer = browser.post(f"/runs/{logged}", {"what": what, "note": "x"})
    assert answer.status_code == 422
    assert one(people, logged) == before


def test_a_picture_is_removed_undone_and_comes_again(browser, people, run_id, png) -> None:
    files = {"file": ("mat.png", png(), "image/png")}
    assert browser.post(f"/runs/{run_id}/micrographs", files=files).status_code == 303
    (picture,) = one(people, run_id).micrographs
    path = f"/micrographs/{picture.id}"
    assert browser.post(path, {"what": "remove"}).status_code == 422
    assert browser.post(path, {"what": "remove", "why": "another mat"}).status_code == 303
    assert one(people, run_id).micrographs == ()
    page = told(browser, run_id)
    assert browser.get(f"{path}/picture").status_code == 404
    assert "1 picture removed" in page
    assert "picture mat.png removed: another mat" in page
    change = re.search(r'name="change" value="(\d+)"', page)[1]
    assert browser.post(f"/runs/{run_id}/undo", {"change": change}).status_code == 303
    assert one(people, run_id).micrographs == (picture,)
    browser.post(path, {"what": "remove", "why": "again"})
    files = {"file": ("mat.png", png(), "image/png")}
    assert browser.post(f"/runs/{run_id}/micrographs", files=files).status_code == 303
    assert [kept.id for kept in one(people, run_id).micrographs] == [picture.id]


def test_failed_measuring_is_told_and_tried_again(browser, people, app, run_id, tmp_path) -> None:
    from PIL import Image

    app.state.site.crew.over.set()  # nobody measures but this test
    path = tmp_path / "flat.png"
    Image.new("L", (64, 64), 9).save(path)
    files = {"file": ("flat.png", path.read_bytes(), "image/png")}
    assert browser.post(f"/runs/{run_id}/micrographs", files=files).status_code == 303
    while work(people, BENCH, TASK_HANDLERS):
        pass
    (picture,) = one(people, run_id).micrographs
    page = told(browser, run_id)
    assert "Measuring failed: flat.png shows nothing" in page
    assert "Measure again" in page
    # Mended by stating a size: what is stated reaches the job; what cannot be is refused here.
    answer = browser.post(f"/micrographs/{picture.id}", {"nm_per_pixel": "-2"})
    assert answer.status_code == 422
    assert "Pixel size: expected a size above 0 nm" in answer.text
    assert browser.post(f"/micrographs/{picture.id}", {"nm_per_pixel": "12,5"}).status_code == 303
    assert newest(people, kinds=["measure"], n=1)[0].params["nm_per_pixel"] == 12.5


def test_a_forgotten_pixel_size_is_set_later(browser, people, app, run_id, png) -> None:
    app.state.site.crew.over.set()
    files = {"file": ("mat.png", png(), "image/png")}
    assert browser.post(f"/runs/{run_id}/micrographs", files=files).status_code == 303
    (picture,) = one(people, run_id).micrographs
    assert browser.post(f"/micrographs/{picture.id}", {"nm_per_pixel": "50"}).status_code == 303
    while work(people, BENCH, TASK_HANDLERS):
        pass
    (picture,) = one(people, run_id).micrographs
    assert (picture.nm_per_pixel, picture.nm_per_pixel_source) == (50.0, "stated")
    assert picture.statistics["unit"] == "nm"


def test_the_api_does_the_same(app, people, token, logged, png) -> None:
    from starlette.testclient import TestClient

    client = TestClient(app, headers=token("anna", "operator"))
    runs = f"/api/v1/campaigns/1/experiments/{logged}"
    fixed = client.post(
        f"{runs}/results", json={"results": {ELONGATION: 10.5}, "mode": "correct", "which": 2}
    )
    assert fixed.json()["recorded"] == [
        "elongation.longitudinal [%] (replicate 2) = 10.5, was 1050"
    ]
    files = {"file": ("mat.png", png(), "image/png")}
    added = client.post(f"{runs}/micrographs", files=files).json()
    (picture,) = added["micrographs"]
    body = {"micrographs": [picture["micrograph"]], "note": "another mat"}
    removed = client.post(f"{runs}/retractions", json=body)
    assert removed.json()["recorded"] == ["1 picture removed"]
    assert one(people, logged).replicates() == {ELONGATION: (88.0, 10.5)}
    assert client.post(f"{runs}/retractions", json=body).status_code == 404
    assert client.post("/api/v1/campaigns/1/undo").json()["restored"] == [
        f"experiment {logged}: micrograph mat.png put back"
    ]
    again = client.post(
        f"/api/v1/campaigns/1/micrographs/{picture['micrograph']}/measurements",
        json={"nm_per_pixel": 9},
    )
    assert again.status_code == 202
    assert again.json()["kind"] == "measure"
