"""Two people in two campaigns: each stays in the one that their address names."""

from __future__ import annotations

import re
import threading

import pytest
from starlette.testclient import TestClient

from engine.campaign import Campaign
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.jobs.kinds import TASK_HANDLERS
from engine.jobs.queue import BENCH, submit
from engine.jobs.worker import work
from engine.web.helpers.answering import MOST_CAMPAIGNS, Oracles
from engine.workspace.revisions import create, use

KITCHEN = Campaign(
    name="kitchen",
    parameters=[{"name": "heat", "unit": "°C", "low": 20, "high": 80}],
    properties=[{"name": "gloss"}],
    objectives=[{"outcome": "gloss", "threshold": 0}],
)


@pytest.fixture
def kitchen(people) -> int:
    """Record a second campaign, which the command line is in then; return its number."""
    return create(people, KITCHEN).id


@pytest.fixture
def cake(people, kitchen) -> int:
    """Return a run of the second campaign."""
    entry = Entry(label="cake", conditions={"heat": 60.0}, results={"gloss": 1.0})
    return record(people, entry).experiment.id


@pytest.fixture
def api(app, token) -> TestClient:
    client = TestClient(app, base_url="http://testserver/api/v1")
    client.headers.update(token("anna", "admin"))
    return client


def test_a_proposal_stays_in_its_campaign_whoever_switches_meanwhile(people, kitchen) -> None:
    asked, switched = threading.Event(), threading.Event()

    def slow(workspace, params, progress, should_stop):
        asked.set()
        assert switched.wait(60)
        return TASK_HANDLERS["propose"](workspace, params, progress, should_stop)

    use(people, "nanofibre")
    small = {"n": 2, "strategy": "sobol", "seed": 1}
    task = submit(people.in_campaign(1), "propose", small, actor="anna")
    worker = threading.Thread(target=work, args=(people, BENCH, {"propose": slow}))
    worker.start()
    assert asked.wait(60)
    use(people, "kitchen")
    switched.set()
    worker.join(60)
    with people.database.read() as tx:
        done = tx.tasks.get(task.id)
        assert done.error is None
        assert tx.batches.get(done.result["batch"]).campaign_id == 1
        assert len(tx.experiments.find(1)) == 2
        assert tx.experiments.find(kitchen) == []


def test_two_browsers_in_two_campaigns(login, people, run_id, kitchen, cake) -> None:
    anna, otto = login("anna"), login("otto")
    otto.campaign = kitchen
    for browser, own, other in ((anna, run_id, cake), (otto, cake, run_id)):
        listed = browser.get("/runs").text
        assert f"/campaigns/{browser.campaign}/runs/{own}" in listed
        assert f"/runs/{other}" not in listed
        assert browser.get(f"/runs/{own}").status_code == 200
        strange = browser.get(f"/runs/{other}")
        assert strange.status_code == 404
        assert "belongs to the campaign" in strange.text
        assert browser.post(f"/runs/{other}", {"what": "note", "note": "x"}).status_code == 404
    assert otto.post(f"/runs/{cake}", {"result:gloss": "3"}).status_code == 303
    asked = otto.post("/propose", {"n": "2", "strategy": "sobol"})
    assert asked.headers["location"].startswith(f"/campaigns/{kitchen}/jobs/")
    job = asked.headers["location"].rpartition("/")[2]
    assert anna.get(f"/jobs/{job}").status_code == 404
    assert anna.post(f"/jobs/{job}/cancel").status_code == 404


def test_a_message_waits_in_its_own_campaign(login, kitchen, cake) -> None:
    tab, other_tab = login("otto"), None
    tab.campaign = kitchen
    assert tab.post(f"/runs/{cake}", {"what": "note", "note": "burnt"}).status_code == 303
    other_tab = type(tab)(tab.client, tab.csrf, 1)
    assert "is completed" not in other_tab.get("").text
    assert "is completed" in tab.get("").text


def test_every_link_of_every_page_stays_in_the_campaign(login, kitchen, cake) -> None:
    browser = login("anna")
    browser.campaign = kitchen
    paths = ("", "/runs", "/runs/new", f"/runs/{cake}", "/propose", "/explore", "/retrieve",
             "/models", "/jobs")  # fmt: skip
    for path in paths:
        page = browser.get(path)
        assert page.status_code == 200, path
        for link in re.findall(r'(?:href|action|src|data-plot|hx-get)="(/[^"]*)"', page.text):
            inside = link.startswith(f"/campaigns/{kitchen}")
            assert inside or re.match(r"/(static|account|logout|campaigns$)", link), (path, link)
        assert ">kitchen<" in re.sub(r"\s|</span>|<span[^>]*>Campaign: ", "", page.text), path


def test_the_first_page_leads_to_the_only_campaign_or_to_all(login, people) -> None:
    browser = login("vera")
    first = browser.client.get("/")
    assert (first.status_code, first.headers["location"]) == (303, "/campaigns/1")
    assert "/campaigns/1/runs" in browser.get("/account").text, "the only one: one is in it"
    create(people, KITCHEN)
    assert browser.client.get("/").headers["location"] == "/campaigns"
    listed = browser.get("/campaigns").text
    assert 'href="/campaigns/1"' in listed
    assert 'href="/campaigns/2"' in listed
    assert "/campaigns/1/runs" not in browser.get("/account").text


def test_a_campaign_that_is_not_there(login, api, kitchen) -> None:
    for number in ("7", "0", "+1", "1.0", "01", "x", "99999999999999999999"):
        answer = login("anna").client.get(f"/campaigns/{number}/runs")
        assert answer.status_code in (404, 422), number
        assert api.get(f"/campaigns/{number}/experiments").status_code in (404, 422), number
    detail = api.get("/campaigns/7/experiments").json()["detail"]
    assert detail == "there is no campaign 7; recorded: 1 (nanofibre), 2 (kitchen)"


def test_a_number_written_otherwise_opens_no_other_door(login, token, app) -> None:
    otto, program = login("otto"), token("otto", "operator")
    for number in ("1", "+1", "1.0", "01", "%201", "1%20", "١", "x"):
        form = {"csrf": otto.csrf, "reason": "x"}
        page = otto.client.post(f"/campaigns/{number}/models/rollback", data=form)
        route = TestClient(app).post(f"/api/v1/campaigns/{number}/rollbacks", headers=program)
        assert (page.status_code, route.status_code) == (403, 403), number


def test_an_address_of_before_leads_to_the_campaign_of_what_it_names(
    login, api, run_id, kitchen, cake
) -> None:
    browser = login("otto")
    html = {"accept": "text/html"}
    for id_, campaign in ((run_id, 1), (cake, kitchen)):
        page = browser.client.get(f"/runs/{id_}?x=1", headers=html)
        assert page.status_code == 307
        assert page.headers["location"] == f"/campaigns/{campaign}/runs/{id_}?x=1"
        read = api.get(f"/experiments/{id_}")
        assert read.json()["experiment"] == id_
        assert read.headers["content-location"] == f"/api/v1/campaigns/{campaign}/experiments/{id_}"
        noted = api.patch(f"/experiments/{id_}", json={"note": "by number"})
        assert noted.json()["note"] == "by number"
        form = {"csrf": browser.csrf, "what": "note", "note": "an old page's form"}
        sent = browser.client.post(f"/runs/{id_}", data=form, headers=html)
        assert sent.headers["location"] == f"/campaigns/{campaign}/runs/{id_}"
    assert api.get("/experiments/99").status_code == 404
    assert browser.client.get("/runs/99", headers=html).status_code == 404
    assert browser.client.get("/runs", headers=html).headers["location"] == "/campaigns/2/runs"
    assert [run["experiment"] for run in api.get("/experiments").json()["items"]] == [cake]


@pytest.mark.parametrize(
    ("path", "body"),
    [("/experiments", {"conditions": {"heat": 50}}), ("/proposals", {"n": 2}), ("/undo", None),
     ("/refreshes", {}), ("/rollbacks", None)],
)  # fmt: skip
def test_nothing_is_written_where_an_address_of_before_could_mean_two(
    api, people, kitchen, path, body
) -> None:
    with people.database.read() as tx:
        before = tx.watermark()
    answer = api.post(path, json=body)
    assert answer.status_code == 409
    detail = answer.json()["detail"]
    assert f"/api/v1/campaigns/1{path} (nanofibre), /api/v1/campaigns/2{path} (kitchen)" in detail
    with people.database.read() as tx:
        assert tx.watermark() == before
        assert tx.tasks.find(1) == tx.tasks.find(kitchen) == []


def test_while_there_is_one_campaign_every_address_of_before_is_answered(api, login) -> None:
    settings = {"flow_rate": 0.4, "concentration": 18, "voltage": 18, "collector_speed": 400}
    assert api.post("/experiments", json={"conditions": settings}).status_code == 201
    assert api.get("/overview").status_code == 200
    browser = login("otto")
    form = {"csrf": browser.csrf, "n": "2", "strategy": "sobol"}
    sent = browser.client.post("/propose", data=form)
    assert sent.headers["location"].startswith("/campaigns/1/jobs/")


def test_the_command_lines_own_campaign_is_a_matter_of_its_own(api, login, people, kitchen) -> None:
    browser = login("vera")
    assert api.post("/campaigns/1/use").json()["active"]
    with people.database.read() as tx:
        assert people.active_campaign(tx)[0].id == 1
    browser.campaign = kitchen
    assert browser.get("/runs").status_code == 200
    assert api.get(f"/campaigns/{kitchen}/overview").json()["counts"]["completed"] == 0


def test_each_campaign_has_a_model_of_its_own_and_few_are_held(people, kitchen) -> None:
    oracles = Oracles(people)
    first = oracles.find(1)
    assert oracles.find(kitchen) is not first
    assert first.workspace.campaign_id == 1
    assert oracles.find(1) is first
    for campaign_id in range(10, 10 + MOST_CAMPAIGNS):
        oracles.find(campaign_id)
    assert len(oracles.oracles) == MOST_CAMPAIGNS
    assert oracles.find(1) is not first
