"""The list of runs for programs: the same address, the same answers as the page's."""

from __future__ import annotations

import io

import openpyxl
import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from db.records import NewExperiment, NewProposal, Origin, Status
from engine.experiments.entries import Entry
from engine.experiments.record import record

STRENGTH, ELONGATION = "fracture_strength.longitudinal", "elongation.longitudinal"
SETTINGS = {"flow_rate": 0.4, "concentration": 18.0, "voltage": 18.0, "collector_speed": 400.0}


@pytest.fixture
def api(app, token) -> TestClient:
    """Return a client with an operator's token."""
    client = TestClient(app, base_url="http://testserver/api/v1/campaigns/1")
    client.headers.update(token("otto", "operator"))
    return client


@pytest.fixture
def filled(people):
    """Record six runs: label, voltage, strength, elongation."""
    rows = [
        ("9", 12, 10, 80), ("10", 14, 30, 40), ("mat A", 16, 20, 60),
        ("mat B", 18, 5, 20), ("mat C", 18, 25, 50), ("x", 20, None, None),
    ]  # fmt: skip
    for label, voltage, strength, elongation in rows:
        results = {} if strength is None else {STRENGTH: strength, ELONGATION: elongation}
        conditions = {**SETTINGS, "voltage": voltage}
        record(people, Entry(label=label, conditions=conditions, results=results))
    return people


def listed(answer) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [run["experiment"] for run in answer.json()["items"]]


QUERIES = [
        ("", [6, 5, 4, 3, 2, 1]),
        ("?sort=label", [1, 2, 3, 4, 5, 6]),
        (f"?sort=-{STRENGTH}", [2, 5, 3, 1, 4, 6]),
        ("?q=mat&sort=id", [3, 4, 5]),
        ("?min:voltage=16&max:voltage=18&sort=id", [3, 4, 5]),
        ("?where=Voltage (kV)>=16&where=v<=18&sort=id", [3, 4, 5]),
        (f"?where={STRENGTH}>=20&sort=id", [2, 3, 5]),
        ("?status=running&status=completed&sort=id", [1, 2, 3, 4, 5, 6]),
        ("?front=true&sort=id", [1, 2, 3, 5]),
        ("?since=2999-01-01", []),
        ("?until=2999-01-01&sort=-voltage&limit=2&page=2", [4, 3]),
        ("?before=4&limit=2", [3, 2]),
]  # fmt: skip


def test_the_address_says_which_runs(api, filled) -> None:
    for query, ids in QUERIES:
        assert listed(api.get(f"/experiments{query}")) == ids, query


def test_pages_columns_and_units(api, filled) -> None:
    columns = f"column=voltage&column={STRENGTH}"
    page = api.get(f"/experiments?{columns}&limit=4&min:voltage=14").json()
    assert (page["total"], page["pages"], page["page"], page["next"]) == (5, 2, 1, 3)
    assert page["units"] == {"voltage": "kV", STRENGTH: "MPa"}
    by_id = {run["experiment"]: run for run in page["items"]}
    assert by_id[6]["values"] == {"voltage": 20, STRENGTH: None}
    assert by_id[5]["values"] == {"voltage": 18, STRENGTH: 25}
    assert (by_id[5]["on_front"], by_id[4]["on_front"]) == (True, False)
    assert api.get(f"/experiments?{columns}&before=3&min:voltage=14").json()["next"] is None


def test_what_was_just_recorded_is_listed(api, filled) -> None:
    assert len(listed(api.get("/experiments"))) == 6
    done = api.post("/experiments", json={"conditions": SETTINGS})
    assert listed(api.get("/experiments"))[0] == done.json()["experiment"]


PROBLEMS = [
        ("?stauts=failed", "stauts", "Did you mean 'status'?"),
        ("?sort=volts", "sort", "Did you mean 'voltage'?"),
        ("?sort=lable", "sort", "Did you mean 'label'?"),
        ("?min:volts=3", "min:volts", "Did you mean 'voltage'?"),
        ("?column=fracture_strength.across", "column", "unknown name"),
        ("?where=voltage", "where", "expected a bound such as voltage>=18"),
        ("?max:voltage=hot", "max:voltage", "expected a number"),
        ("?status=done", "status.0", "proposed"),
        ("?since=soon", "since", ""),
        ("?page=0", "page", ""),
        ("?before=4&sort=label", "before", "-id"),
]  # fmt: skip


def test_what_is_wrong_is_a_problem_that_names_it(api) -> None:
    for query, field, words in PROBLEMS:
        answer = api.get(f"/experiments{query}")
        assert answer.status_code == 422, query
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["field"] == field
        assert words in answer.json()["detail"]


def test_runs_side_by_side_and_the_best(api, filled) -> None:
    beside = api.get("/comparison?id=3&id=1").json()
    assert [run["experiment"] for run in beside["items"]] == [3, 1]
    assert beside["differing"] == ["voltage"]
    assert beside["units"]["voltage"] == "kV"
    assert api.get("/comparison?id=1").status_code == 422
    assert api.get("/comparison?id=1&id=99").status_code == 404
    best = api.get("/best").json()
    assert {design["experiments"][0] for design in best["front"]} == {1, 2, 3}
    by_outcome = {one["outcome"]: one["designs"] for one in best["best"]}
    ranked = by_outcome[STRENGTH]
    assert [design["experiments"] for design in ranked] == [[2], [3], [4, 5], [1]]
    assert ranked[0]["conditions"]["voltage"] == 14
    assert ranked[2]["means"][STRENGTH] == {"mean": 15, "n": 2, "lowest": 5, "highest": 25}
    assert best["units"][STRENGTH] == "MPa"


def test_a_table_goes_down_and_comes_back(api, filled, people) -> None:
    text = api.get("/table.csv?min:voltage=18&sort=id").text
    assert [line.split(",")[1] for line in text.splitlines()[1:]] == ["mat B", "mat C", "x"]
    sheet = openpyxl.load_workbook(io.BytesIO(api.get("/table.xlsx?q=mat").content)).active
    assert {row[1].value for row in sheet.iter_rows(min_row=2)} == {"mat A", "mat B", "mat C"}
    assert api.get("/table.csv?wher=voltage>1").status_code == 422
    new = f"label,flow rate,concentration,voltage,collector speed,{STRENGTH}\nnew,0.4,18,15,400,11"
    dry = api.post("/table", files={"file": ("old.csv", new)}, data={"dry_run": "true"})
    assert dry.status_code == 200, dry.text
    assert (dry.json()["does_something"], dry.json()["lines"][0]) == (True, "1 run added")
    assert api.get("/experiments").json()["total"] == 6
    key = {"Idempotency-Key": "once"}
    for _ in range(2):
        done = api.post("/table", files={"file": ("old.csv", new)}, headers=key)
        assert (done.status_code, done.json()["lines"][0]) == (200, "1 run added")
    assert listed(api.get("/experiments?q=new")) == [7]
    wrong = new.replace(",15,", ",fast,").replace("new,", "other,")
    dry = api.post("/table", files={"file": ("x.csv", wrong)}, data={"dry_run": "true"}).json()
    assert not dry["does_something"]
    assert any("voltage" in problem["expected"] for problem in dry["problems"])
    assert api.post("/table", files={"file": ("x.csv", wrong)}).status_code == 422


def test_a_worksheet_of_a_batch(api, people) -> None:
    settings = {**SETTINGS, "temperature": 22.0, "humidity": 40.0}
    proposal = NewProposal(settings, 1, 1.0, "space-filling", "far from all", None, None, {}, 0.95)
    with people.database.write("test") as tx:
        batch, _ = tx.batches.add(
            people.active_campaign(tx)[0],
            strategy="sobol",
            seed=3,
            request={"n": 1},
            watermark=0,
            versions={},
            proposals=[proposal],
        )
    lines = api.get(f"/proposals/{batch.id}/worksheet.csv").text.splitlines()
    assert [line.split(",")[0].lstrip("\ufeff") for line in lines] == ["experiment", "1"]
    assert api.get("/proposals/99/worksheet.csv").status_code == 404


def test_how_often_the_database_is_asked_does_not_grow_with_the_runs(api, app, people) -> None:
    def add(n: int) -> None:
        new = [
            NewExperiment(
                Origin.IMPORT, Status.COMPLETED, actual=SETTINGS, outcomes={STRENGTH: (1.0 + k,)}
            )
            for k in range(n)
        ]
        with people.database.write("test") as tx:
            tx.experiments.add(people.active_campaign(tx)[0], new)

    statements: list[str] = []

    def count(query: str) -> int:
        app.state.site.forget_people()  # they are remembered for two seconds
        statements.clear()
        assert api.get(query).status_code == 200
        return len(statements)

    query = f"/experiments?sort=-{STRENGTH}&min:voltage=18&limit=20"
    add(30)
    api.get(query)
    event.listen(
        people.database._engine,
        "before_cursor_execute",
        lambda *arguments: statements.append(arguments[2]),
    )
    warm = count(query)
    add(300)
    cold = count(query)
    add(3)
    assert count(query) == cold
    assert count(query) == warm < cold
    assert warm <= 16
    assert cold <= 50
