"""A new campaign in the browser and by program: from a template, from a table that is looked at."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from db.records import Status
from engine.workspace.workspace import definition_of

TABLE = "Voltage (kV),distance [cm],humidity,strength [MPa],stable,micrograph\n" + "".join(
    f"{12 + 2 * (i % 4)},{10 + 5 * (i % 3)},{40 + i},{5 + 1.3 * i:.2f},yes,\n" for i in range(12)
)


@pytest.fixture
def browser(login):
    return login("anna")


def campaigns(workspace):
    with workspace.database.read() as tx:
        return tx.campaigns.all()


def held(page: str) -> str:
    match = re.search(r'name="held" value="([^"]+)"', page)
    assert match is not None, page[:3000]
    return match[1]


def look(browser, content: str = TABLE, name: str = "my inks.csv"):
    return browser.post("/new-campaign/table", files={"file": (name, content.encode(), "text/csv")})


def test_from_a_template_nobody_is_taken_along(browser, login, people) -> None:
    assert "New campaign" in browser.get("/campaigns").text
    assert "New campaign" not in login("otto").get("/campaigns").text
    assert (
        login("otto").post("/new-campaign", {"name": "x", "template": "blank"}).status_code == 403
    )
    answer = browser.post("/new-campaign", {"name": "gels", "template": "mixture"})
    assert answer.headers["location"] == "/campaigns/2/definition"
    assert browser.get("/campaigns/2/definition").status_code == 200
    assert [(c.name, c.is_active) for c in campaigns(people)] == [
        ("nanofibre", True), ("gels", False),
    ]  # fmt: skip
    for name in ("gels", "", "a/b"):
        again = browser.post("/new-campaign", {"name": name, "template": "mixture"})
        assert again.status_code in (409, 422)
        assert f'value="{name}"' in again.text
    assert len(campaigns(people)) == 2


def test_from_a_table_looked_at_corrected_and_made(browser, people) -> None:
    page = look(browser)
    assert page.status_code == 200, page.text
    assert "12 runs with 12 results" in page.text
    assert "is a guess" in page.text
    assert "12 … 18 kV" in page.text or "12, 14, 16, 18 kV" in page.text
    assert len(campaigns(people)) == 1
    fields = {"held": held(page.text), "name": "inks", "what": "look"}
    fields |= {"role:distance": "leave_out", "role:strength": "outcome"}
    fields |= {"goal:strength": "minimize", "aim:strength": "9"}
    again = browser.post("/new-campaign/draft", fields)
    assert "as low as can be, up to 9 MPa" in again.text
    assert 'value="inks"' in again.text
    wrong = browser.post("/new-campaign/draft", {**fields, "aim:strength": "many"})
    assert (wrong.status_code, 'value="many"' in wrong.text) == (422, True)
    none = browser.post("/new-campaign/draft", {**fields, "goal:strength": ""})
    assert "at least one result" in none.text
    assert len(campaigns(people)) == 1
    made = browser.post("/new-campaign/draft", {**fields, "what": "record"})
    assert made.headers["location"] == "/campaigns/2", made.text
    record = campaigns(people)[1]
    campaign = definition_of(record)
    assert (record.name, campaign.objectives[0].goal, record.is_active) == (
        "inks",
        "minimize",
        False,
    )
    assert [p.name for p in campaign.controlled] == ["voltage"]
    with people.database.read() as tx:
        assert tx.experiments.count(2)[Status.COMPLETED] == 12
        change = tx.changes(limit=1)[0]
        runs = tx.experiments.find(2)
    assert (change.action, change.actor, change.detail) == ("create", "anna", "campaign inks")
    assert {run.created_at for run in runs} == {record.created_at}, "one transaction"
    assert "12 runs and 12 results of my inks.csv" in browser.get("/campaigns/2").text
    assert browser.post("/new-campaign/draft", {**fields, "what": "record"}).status_code == 404


def test_a_table_that_cannot_be_taken_makes_nothing(browser, people, folder) -> None:
    for name, content, words in (
        ("x.csv", "", "empty"),
        ("x.png", "a,b\n1,2\n", "expected"),
        ("x.csv", "a,b\nyes,no\n", "expected columns of settings and of results"),
    ):
        answer = look(browser, content, name)
        assert answer.status_code in (400, 404, 409, 422), answer.text
        assert words in answer.text
    page = look(browser, TABLE, "nanofibre.csv")
    answer = browser.post("/new-campaign/draft", {"held": held(page.text), "what": "record"})
    assert answer.status_code == 409
    assert "there is a campaign &#39;nanofibre&#39; already" in answer.text
    assert len(campaigns(people)) == 1
    for word in ("../..", "table-", "table-x/../..", ""):
        assert browser.post("/new-campaign/draft", {"held": word}).status_code == 404


def test_by_program(app, token, people) -> None:
    client, admin = TestClient(app), token("anna", "admin")
    body = {"template": "blank", "name": "trial"}
    assert client.post("/api/v1/campaigns", json=body, headers=token("otto", "operator")
                       ).status_code == 403  # fmt: skip
    done = client.post("/api/v1/campaigns", json=body, headers=admin)
    assert (done.status_code, done.json()["number"], done.json()["active"]) == (201, 2, False)
    definition = {**done.json()["definition"], "name": "copy"}
    assert client.post("/api/v1/campaigns", json={"definition": definition}, headers=admin
                       ).status_code == 201  # fmt: skip
    assert client.post("/api/v1/campaigns", json=body, headers=admin).status_code == 409
    for bad in ({}, {"template": "x", "name": "y"}, {"template": "blank"}):
        assert client.post("/api/v1/campaigns", json=bad, headers=admin).status_code == 422
    files = {"file": ("inks.csv", TABLE.encode(), "text/csv")}
    form = {"objective": ["strength:min:9"], "leave_out": ["distance"], "dry_run": "true"}
    dry = client.post("/api/v1/drafts", data=form, files=files, headers=admin)
    assert (dry.status_code, dry.json()["runs"], dry.json()["number"]) == (200, 12, None), dry.text
    made = client.post(
        "/api/v1/drafts", data={**form, "dry_run": "false"}, files=files, headers=admin
    )
    assert (made.status_code, made.json()["number"]) == (201, 4)
    assert made.json()["definition"]["objectives"][0]["threshold"] == 9.0
    wrong = client.post(
        "/api/v1/drafts", data={"objective": ["nothing"]}, files=files, headers=admin
    )
    assert (wrong.status_code, wrong.json()["field"]) == (422, "objective")
