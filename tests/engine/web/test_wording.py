"""The same error on a page, with the label of its input, and to a program, with its field."""

from __future__ import annotations

import pytest

from db import errors as db_errors
from engine.errors import UsageError, by_voice, field, place
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.web.helpers.messages import error_document, error_of
from engine.web.wording import LABELS, spelled, worded


def test_a_page_says_the_label_of_the_input_that_is_wrong(login) -> None:
    browser = login("anna")
    page = browser.post("/account/tokens", {"name": "scale", "scope": "boss"})
    assert page.status_code == 422
    assert "Allowed to: expected viewer, operator, admin, got &#39;boss&#39;" in page.text
    page = browser.post("/account/tokens", {"name": "x" * 65})
    assert "What it is for: expected a token&#39;s name" in page.text
    page = browser.post("/propose", {"n": "many"})
    assert "Runs: expected a whole number, got &#39;many&#39;" in page.text
    page = browser.post("/propose", {"n": "3", "distinct:voltage": "few"})
    assert "At most so many values voltage=few: expected a whole number" in page.text


def test_a_program_is_told_the_field(app, token, run_id) -> None:
    from starlette.testclient import TestClient

    api = TestClient(
        app, base_url="http://testserver/api/v1/campaigns/1", headers=token("otto", "operator")
    )
    failed = api.patch(f"/experiments/{run_id}", json={"status": "failed"}).json()
    assert failed["field"] == "failure"
    assert failed["detail"] == "failure: a failed run needs its kind of failure"
    unread = api.post("/experiments", json={"conditions": {}, "note": 7}).json()
    assert unread["field"] == "note"
    assert unread["detail"].startswith("note: ")
    assert "field" not in api.get("/nothing").json()


def test_every_label_stands_on_a_page(login, people, run_id, tmp_path, png) -> None:
    browser = login("anna")
    (tmp_path / "mat.png").write_bytes(png(48))
    record(people, Entry(experiment=f"id:{run_id}", micrographs=(tmp_path / "mat.png",)))
    browser.post(f"/runs/{run_id}", {"result:elongation.longitudinal": "88"})
    with people.database.write("test") as tx:
        campaign, _ = people.active_campaign(tx)
        (fresh,) = tx.experiments.add(campaign, [_proposed()])
    paths = ["/login", "/account", "/people", "/propose", "/models", "/runs/new", "/retrieve"]
    paths += [f"/runs/{run_id}", f"/runs/{fresh}", "/pictures", "/micrographs/1/correct"]
    html = "\n".join(browser.get(path).text for path in paths).casefold()
    # Only who starts a server without users sees the key's field.
    expected = [label for name, label in LABELS.items() if name != "key"]
    assert [label for label in expected if label.casefold() not in html] == []


def _proposed():
    from db.records import NewExperiment, Origin, Status

    settings = {"flow_rate": 0.4, "concentration": 18, "voltage": 18, "collector_speed": 400}
    return NewExperiment(Origin.PROPOSAL, Status.PROPOSED, proposed=settings)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (db_errors.ConflictError("user add: there is one already"), "there is one already"),
        (db_errors.NotADatabaseError("/srv/lab.db is damaged: `engine db check`"), "in its log"),
        (db_errors.DatabaseBusyError("/srv/lab.db is locked"), "Try again"),
        (db_errors.OutcomeUnknownError("/srv/lab.db"), "recorded or not, as a whole"),
    ],
)
def test_errors_of_the_database_name_no_place(error, expected) -> None:
    for voice in ("page", "api"):
        sentence = worded(error, voice)
        assert expected in sentence
        assert "/srv" not in sentence
        assert "engine" not in sentence


def test_notes_are_spelled_wherever_they_stand_in_a_document() -> None:
    note = f"give {field('nm_per_pixel')}, or {by_voice('run `engine log`', 'log it')}"
    document = {"notes": [note, place("/srv/lab/mat.png")], "n": 1.5, "none": None}
    assert spelled(document, "page") == {
        "notes": ["give Pixel size, or log it", "mat.png"], "n": 1.5, "none": None,
    }  # fmt: skip
    assert spelled(document, "api")["notes"][0] == "give nm_per_pixel, or log it"


def test_an_error_keeps_field_and_marks_between_processes() -> None:
    error = UsageError(f"expected 1 or more; see {place('/srv/x')}", field="k")
    other = error_of(error_document(error))
    assert isinstance(other, UsageError)
    assert (other.field, str(other)) == ("k", "k: expected 1 or more; see x")
    assert isinstance(
        error_of(error_document(db_errors.ConflictError("c"))), db_errors.ConflictError
    )
    assert isinstance(error_of(error_document(ValueError("v"))), RuntimeError)
