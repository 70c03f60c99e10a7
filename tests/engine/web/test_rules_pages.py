"""Exclusions and conditional parameters on the page and in the API."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from engine.campaign import Campaign
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.workspace import Workspace
from engine.workspace.revisions import create

MATS = Campaign(
    name="mats",
    parameters=[
        {"name": "collector", "choices": ["plate", "drum"]},
        {"name": "speed", "unit": "rpm", "low": 100, "high": 900, "only_if": {"collector": "drum"}},
        {"name": "voltage", "unit": "kV", "low": 10, "high": 20},
    ],
    properties=[{"name": "strength", "unit": "MPa"}],
    objectives=[{"outcome": "strength", "threshold": 0}],
    exclusions=[
        {"when": {"collector": "plate", "voltage": {"at_least": 15}}, "note": "it arcs over"}
    ],
)
ARCS = "'collector = plate and voltage >= 15' is excluded (it arcs over)"
ONLY = "only if collector = drum"


@pytest.fixture
def mats(people: Workspace) -> Workspace:
    """Return the workspace with the campaign ``mats`` active."""
    create(people, MATS)
    return people


def test_pages_say_what_is_excluded_and_when_there_is_a_value(
    mats: Workspace, login: Callable[[str], Any]
) -> None:
    browser = login("anna")
    browser.campaign = 2
    explore = browser.get("/explore").text
    assert ONLY in explore
    assert "it arcs over" in explore
    start = re.search(r'id="explore-start">(.*?)</script>', explore, re.S)
    assert start is not None
    assert not MATS.exclusions_of(json.loads(start[1])["values"])
    for page in ("/propose", "/runs/new"):
        assert ONLY in browser.get(page).text


def test_runs_without_a_value_are_logged_and_listed(
    mats: Workspace, login: Callable[[str], Any]
) -> None:
    browser = login("anna")
    browser.campaign = 2
    made = record(mats, Entry(conditions={"collector": "drum", "speed": 300.0, "voltage": 12.0}))
    plate = {"condition:collector": "plate", "condition:voltage": "18"}
    sent = browser.post("/runs/new", plate)
    assert sent.status_code == 303, sent.text
    refused = browser.post("/runs/new", {**plate, "condition:speed": "300"})
    assert refused.status_code >= 400
    assert ONLY in refused.text
    # Really spun on the plate: the drum's speed is none of this run.
    record(mats, Entry(experiment=made.experiment.id, actual={"collector": "plate"}))
    listed = browser.get("/runs").text
    assert (
        "300" not in re.sub(r"<script.*?</script>", "", listed, flags=re.S).partition("<tbody")[2]
    )
    assert browser.get(f"/runs/{made.experiment.id}").status_code == 200


def test_held_values_are_refused_with_the_reason(
    mats: Workspace, login: Callable[[str], Any]
) -> None:
    browser = login("anna")
    browser.campaign = 2
    held = {"n": "2", "strategy": "sobol", "fixed:collector": "plate", "fixed:voltage": "18"}
    refused = browser.post("/propose", held)
    assert refused.status_code >= 400
    assert "it arcs over" in refused.text
    assert ARCS.replace("'", "&#39;").replace(">", "&gt;") in refused.text
