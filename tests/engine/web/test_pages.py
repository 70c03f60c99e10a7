"""The pages: what they show, and that their forms do what the command line does."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from types import SimpleNamespace

import pytest

from engine.campaign import Campaign
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.jobs.queue import BENCH, submit
from engine.jobs.worker import work
from engine.workspace.revisions import create

STRENGTH, ELONGATION = "fracture_strength.longitudinal", "elongation.longitudinal"


@pytest.fixture
def browser(login):
    return login("anna")


def one(people, id_):
    with people.database.read() as tx:
        return tx.experiments.get(id_)


@pytest.mark.parametrize(
    "path",
    ["/", "/runs", "/runs/new", "/propose", "/explore", "/retrieve", "/models", "/jobs",
     "/account", "/people", "/changes", "/runs?status=running", "/runs?before=1"],
)  # fmt: skip
def test_every_page_of_an_empty_campaign(browser, path) -> None:
    answer = browser.get(path)
    assert answer.status_code == 200
    assert "</html>" in answer.text


@pytest.mark.parametrize("spun", [True, False])
def test_explore_asks_for_mats_only_where_mats_are_spun(browser, monkeypatch, spun) -> None:
    if not spun:
        elsewhere = SimpleNamespace(is_spinning=False)
        monkeypatch.setattr("engine.web.pages.explore.spins", lambda _: elsewhere)
    page = browser.get("/explore").text
    start = re.search(r'id="explore-start">(.*?)</script>', page, re.S)
    assert json.loads(start[1])["draws"] is spun


def test_a_run_is_logged_with_replicates_and_the_room(browser, people, run_id) -> None:
    page = browser.get(f"/runs/{run_id}")
    assert f'name="result:{ELONGATION}"' in page.text
    answer = browser.post(
        f"/runs/{run_id}",
        {
            "what": "results",
            f"result:{ELONGATION}": ["88 91.5", "90"],
            f"result:{STRENGTH}": "12,5",
            "actual:humidity": "61",
            "note": "a good one",
        },
    )
    assert answer.status_code == 303, answer.text
    run = one(people, run_id)
    assert run.replicates() == {ELONGATION: (88.0, 91.5, 90.0), STRENGTH: (12.5,)}
    assert run.actual["humidity"] == 61
    assert "4 results recorded" in browser.get(answer.headers["location"]).text
    assert "4 results recorded" not in browser.get(answer.headers["location"]).text
    front = json.loads(browser.get("/figures/front-0.json").text)
    assert any(trace.get("x") == [12.5] for trace in front["data"])
    assert browser.get("/figures/front-9.json").status_code == 404


def test_what_was_typed_stays_beside_what_is_wrong(browser, people, run_id) -> None:
    answer = browser.post(
        f"/runs/{run_id}", {f"result:{ELONGATION}": "88 nonsense", "note": "mine"}
    )
    assert answer.status_code == 422
    assert "expected elongation [%] to be a number" in answer.text or "number" in answer.text
    assert 'value="88 nonsense"' in answer.text
    assert 'value="mine"' in answer.text
    assert one(people, run_id).measurements == ()


def test_the_second_editor_is_told_and_keeps_what_was_typed(browser, login, run_id) -> None:
    import re

    version = re.search(r'name="version" value="(\d+)"', browser.get(f"/runs/{run_id}").text)[1]
    login("otto").post(f"/runs/{run_id}", {"what": "note", "note": "first"})
    answer = browser.post(f"/runs/{run_id}", {"version": version, f"result:{ELONGATION}": "88"})
    assert answer.status_code == 412
    assert "was changed by otto since you opened it" in answer.text
    assert 'value="88"' in answer.text


def test_failed_taken_up_again_abandoned_and_corrected(browser, people, run_id) -> None:
    path = f"/runs/{run_id}"
    assert browser.post(path, {"what": "failed", "failure": "drips"}).status_code == 303
    assert one(people, run_id).failure == "drips"
    assert "Bring it back" in browser.get(path).text
    assert browser.post(path, {"what": "running"}).status_code == 303
    assert browser.post(path, {f"result:{ELONGATION}": "88"}).status_code == 303
    fixed = {f"was:{ELONGATION}#1": "88", f"value:{ELONGATION}#1": "98", "why": "typo"}
    assert browser.post(path, fixed).status_code == 303
    assert one(people, run_id).replicates() == {ELONGATION: (98.0,)}
    assert "typo" in browser.get(path).text
    assert browser.post(path, {"what": "abandon"}).status_code == 422
    assert browser.post(path, {"what": "abandon", "note": "wrong solution"}).status_code == 303
    assert one(people, run_id).status == "abandoned"


def test_a_value_far_off_is_asked_about_and_kept(browser, people, run_id) -> None:
    for place in range(9):
        entry = Entry(
            conditions={"flow_rate": 0.3, "concentration": 18, "voltage": 18,
                        "collector_speed": 50 * place},
            results={ELONGATION: 80.0 + place},
        )  # fmt: skip
        record(people, entry)
    answer = browser.post(f"/runs/{run_id}", {f"result:{ELONGATION}": "4900"})
    assert answer.status_code == 303
    assert "is far from everything seen so far" in browser.get(answer.headers["location"]).text
    assert one(people, run_id).replicates() == {ELONGATION: (4900.0,)}


def test_a_run_of_ones_own(browser, people) -> None:
    values = {"flow_rate": "0.4", "concentration": "18", "voltage": "18", "collector_speed": "0"}
    form = {f"condition:{name}": value for name, value in values.items()}
    answer = browser.post("/runs/new", {**form, "label": "A7"})
    assert answer.status_code == 303
    assert "A7" in browser.get("/runs").text
    wrong = browser.post("/runs/new", {**form, "condition:voltage": "hot"})
    assert wrong.status_code == 422
    assert 'value="hot"' in wrong.text
    empty = browser.post("/runs/new", {"label": "B"})
    assert empty.status_code == 422
    assert "Collector speed [rpm]" in empty.text
    assert "collector_speed [" not in empty.text, "names of the page, not of files"


def test_a_batch_is_proposed_decided_and_printed(browser, people, app) -> None:
    from engine.jobs.kinds import TASK_HANDLERS

    asked = browser.post("/propose", {"n": "3", "at:humidity": "50", "strategy": "sobol"})
    assert asked.status_code == 303
    app.state.site.crew.stop()
    with people.database.write("x") as tx:  # whatever the worker had begun is begun anew here
        for task in tx.tasks.running():
            tx.tasks.cancel(task.id, task.created_at)
    task = submit(people, "propose", {"n": 3, "strategy": "sobol"}, actor="anna")
    while work(people, BENCH, TASK_HANDLERS):
        pass
    page = browser.get(f"/jobs/{task.id}")
    assert page.status_code == 303
    batch = page.headers["location"]
    html = browser.get(batch).text
    assert html.count("<article") == 3
    assert "Worksheet" in html
    sheet = browser.get(f"{batch}/worksheet").text
    assert sheet.count("<svg") >= 3
    ids = [run.id for run in _proposed(people)][-3:]
    back = {"back": f"{batch}#run-{ids[0]}"}
    accepted = browser.post(f"/runs/{ids[0]}", {"what": "running", **back})
    assert accepted.headers["location"] == back["back"]
    assert (
        browser.post(f"/runs/{ids[1]}", {"what": "edit", "actual:voltage": "17.8"}).status_code
        == 303
    )
    assert one(people, ids[1]).conditions["voltage"] == 17.8
    assert browser.post(f"/runs/{ids[2]}", {"what": "abandon", "note": "no"}).status_code == 303
    assert [one(people, id_).status.value for id_ in ids] == ["running", "running", "abandoned"]
    off = browser.post(f"/runs/{ids[0]}", {"what": "note", "note": "x", "back": "//evil.example"})
    assert off.headers["location"] == f"/campaigns/1/runs/{ids[0]}"
    assert browser.get("/batches/99").status_code == 404


def _proposed(people):
    with people.database.read() as tx:
        record_, _ = people.active_campaign(tx)
        return tx.experiments.find(record_.id)


def test_a_proposal_that_cannot_be_is_told_before_it_is_queued(browser) -> None:
    answer = browser.post("/propose", {"n": "3", "fixed:voltage": "99"})
    assert answer.status_code == 422
    assert "between 16 and 22" in answer.text
    assert browser.post("/propose", {"n": "many"}).status_code == 422


def test_people_come_and_go(browser, login) -> None:
    added = {"what": "add", "name": "ben", "password": "correct horse", "role": "operator"}
    assert browser.post("/people", added).status_code == 303
    assert login("ben").get("/").status_code == 200
    assert browser.post("/people", added).status_code == 409
    role = {"what": "role", "name": "ben", "role": "viewer"}
    assert browser.post("/people", role).status_code == 303
    assert browser.post("/people", {"what": "remove", "name": "ben"}).status_code == 303
    assert browser.post("/people", {"what": "remove", "name": "anna"}).status_code == 422
    made = browser.post("/account/tokens", {"name": "scale", "scope": "viewer", "days": "9"})
    assert 'id="secret">spin_' in made.text
    assert "spin_" not in browser.get("/account").text
    assert browser.post("/account/tokens/1/revoke").status_code == 303


def test_static_files_are_packed_and_known(stranger) -> None:
    script = stranger.get("/static/plotly.min.js", headers={"accept-encoding": "gzip"})
    assert script.headers["content-encoding"] == "gzip"
    assert stranger.get("/static/spinneret.css").headers["content-type"].startswith("text/css")
    assert stranger.get("/static/nothing.js").status_code == 404


@pytest.fixture
def kitchen(people):
    """Record a second campaign, with a constant and a retired choice, and a run of it."""
    create(
        people,
        Campaign(
            name="kitchen",
            parameters=[
                {"name": "heat", "unit": "°C", "low": 20, "high": 80},
                {"name": "distance", "unit": "cm", "low": 15, "high": 15},
                {"name": "solvent", "choices": ["DMF", "water", "ethanol"], "retired": ["DMF"]},
                {"name": "polymer", "choices": ["PAN"]},
            ],
            properties=[{"name": "gloss"}],
            objectives=[{"outcome": "gloss", "threshold": 0}],
        ),
    )
    conditions = {"heat": 95.0, "distance": 20.0, "solvent": "DMF", "polymer": "PAN"}
    return record(people, Entry(None, conditions=conditions, results={"gloss": 1.0})).experiment.id


@pytest.mark.parametrize("path", ["/", "/runs", "/runs/new", "/propose", "/explore", "/changes"])
def test_every_page_of_constants_and_retired_choices(browser, kitchen, path) -> None:
    browser.campaign = 2
    answer = browser.get(path)
    assert answer.status_code == 200
    if path == "/runs/new":
        assert re.search(r'name="condition:distance"[^>]*value="15"', answer.text)
        assert '<option value="PAN" selected>PAN</option>' in answer.text
        assert '<option value="DMF">DMF (retired)</option>' in answer.text


def test_explore_has_no_slider_for_a_constant_and_clips_no_run(browser, kitchen) -> None:
    browser.campaign = 2
    page = browser.get("/explore").text
    assert 'data-slide="distance"' not in page
    assert re.search(r'id="slide-distance"[^>]*disabled', page)
    assert '<option value="water">water</option><option value="ethanol" selected>' in page
    assert 'data-slice="distance"' not in page
    assert 'data-slice="heat"' in page
    assert '<option value="distance">' not in page
    at_run = browser.get(f"/explore?run={kitchen}").text
    assert re.search(r'data-slide="heat" min="20.0" max="95.0"[^>]*value="95.0"', at_run)
    assert re.search(r'data-slide="distance" min="15.0" max="20.0"', at_run)
    assert '<option value="DMF" selected>DMF (retired)</option>' in at_run


def test_a_run_has_one_name_everywhere(browser, people) -> None:
    results = {STRENGTH: 12.0, ELONGATION: 90.0}
    settings = {"flow_rate": 0.4, "concentration": 18, "voltage": 18, "collector_speed": 0}
    for label in ("168", "2", None):
        record(people, Entry(label=label, conditions=dict(settings), results=results))
        settings["collector_speed"] += 50
    front = json.loads(browser.get("/figures/front-0.json").text)
    names = {text for trace in front["data"] for text in trace.get("text", [])}
    assert names == {"run 1 · label 168", "run 2 · label 2", "run 3"}
    progress = json.loads(browser.get("/figures/progress.json").text)
    assert set(progress["data"][0]["text"]) <= {"no run", *names}
    assert ">1 · label 168</a>" in browser.get("/runs").text
    assert "<h1>Run 1 · label 168 " in browser.get("/runs/1").text
    assert "run 1 · label 168</a>" in browser.get("/explore?run=1").text
    noted = browser.post("/runs/1", {"what": "note", "note": "x"})
    assert "run 1 · label 168 is completed" in browser.get(noted.headers["location"]).text
    named = [
        (name, line)
        for name in files("engine.web").joinpath("templates").iterdir()
        for line in name.read_text(encoding="utf-8").splitlines()
        if re.search(r"(?i)\bruns? \{\{ (\w+\.)*(id|label) ", line)
    ]
    assert named == [], "templates say `run.name`"
