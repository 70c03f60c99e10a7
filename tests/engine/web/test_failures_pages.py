"""Kinds of failure: on the run's page, on the definition's, through the API."""

from __future__ import annotations

import re

from engine.campaign import Campaign
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.workspace.revisions import revise

SETTINGS = {"flow_rate": 0.4, "concentration": 18.0, "voltage": 18.0, "collector_speed": 400.0}
KINDS = ["beads", {"name": "stuck", "label": "It stuck"}, {"name": "drips", "retired": True}]


def test_failures_on_pages_and_through_the_api(login, people, token) -> None:
    with people.database.read() as tx:
        _, campaign = people.active_campaign(tx)
    revise(people, Campaign(**{**campaign.definition(), "failures": KINDS}))
    for label in ("a", "b"):
        record(people, Entry(label=label, conditions=SETTINGS))
    browser = login("otto")
    page = browser.get("/runs/1").text
    offered = re.findall(r'<option value="(\w+)"[^>]*>([^<]+)</option>', page)
    assert {("beads", "Beads"), ("stuck", "It stuck"), ("other", "Other")} <= set(offered)
    assert "drips" not in dict(offered)
    wrong = browser.post("/runs/1", {"what": "failed", "failure": "stuc"})
    assert "Did you mean" in wrong.text
    assert browser.post("/runs/1", {"what": "failed", "failure": "stuck"}).status_code == 303
    assert "failed: It stuck" in browser.get("/runs/1").text
    page = browser.get("/definition").text
    assert "It stuck" in page
    assert "(stuck in files)" in page
    assert "no longer offered" in page
    assert "added: a kind of failure" in page

    api = login("otto").client
    head = token("otto", "operator")
    at = "/api/v1/campaigns/1/experiments/2"
    refused = api.patch(at, json={"status": "failed", "failure": "no_jet"}, headers=head)
    assert (refused.status_code, refused.json()["field"]) == (422, "failure")
    assert "expected a kind of failure (beads, stuck, other)" in refused.json()["detail"]
    done = api.patch(at, json={"status": "failed", "failure": "IT STUCK"}, headers=head)
    assert done.json()["failure"] == "stuck"
