"""Who, when, with what: on the run's page, in the list, through the API."""

from __future__ import annotations

import re

from engine.experiments.entries import Entry
from engine.experiments.record import record

SETTINGS = {"flow_rate": 0.4, "concentration": 18.0, "voltage": 18.0, "collector_speed": 400.0}


def test_facts_on_pages_and_in_the_list(login, people, token) -> None:
    for label, lot, day in (
        ("a", "A17", "2026-05-30"),
        ("b", "B2", "2026-06-02"),
        ("c", None, None),
    ):
        facts = {} if lot is None else {"lot": lot, "spun": day}
        record(people, Entry(label=label, conditions=SETTINGS, facts=facts))
    browser = login("otto")
    page = browser.get("/runs/1").text
    assert re.search(r'type="date" value="2026-05-30"', page)
    done = browser.post("/runs/1", {"what": "facts", "fact:lot": "A18", "fact:spun": "2026-05-30"})
    assert done.status_code == 303
    page = browser.get("/runs/1").text
    assert "Solution lot: A18" in page
    assert "(replaces an earlier one)" in page
    wrong = browser.post("/runs/1", {"what": "facts", "fact:spun": "soon"})
    assert "expected a day such as 2026-05-31" in wrong.text
    assert (
        'name="fact:spun" maxlength="200" autocomplete="off" type="date" value="soon"' in wrong.text
    )
    made = browser.post(
        "/runs/new",
        {**{f"condition:{n}": v for n, v in SETTINGS.items()}, "fact:lot": "C1", "fact:spun": ""},
    )
    assert made.status_code == 303

    def listed(query: str) -> list[int]:
        text = browser.get(f"/runs?{query}&sort=id").text
        return [int(n) for n in re.findall(r'class="row" href="/campaigns/1/runs/(\d+)"', text)]

    assert listed("is:lot=a18") == [1]
    assert listed("min:spun=2026-06-01") == [2]
    assert listed("q=C1") == [4]
    assert "A18" in browser.get("/runs?column=lot").text

    api = login("otto").client
    head = token("otto", "operator")
    at = "/api/v1/campaigns/1/experiments"
    changed = api.patch(f"{at}/2", json={"facts": {"lot": None, "Needle": "21G"}}, headers=head)
    assert changed.json()["facts"] == {"needle_used": "21G", "spun": "2026-06-02"}
    trail = api.get(f"{at}/2/trail", headers=head).json()["items"]
    assert [e["value"] for e in trail if (e["kind"], e["name"]) == ("fact", "lot")] == ["B2", None]
    query = "?where=spun<2026-06-01&column=lot"
    assert api.get(at + query, headers=head).json()["items"][0]["values"] == {"lot": "A18"}
    wrong = api.patch(f"{at}/2", json={"facts": {"lto": "x"}}, headers=head)
    assert (wrong.status_code, wrong.json()["field"]) == (422, "facts")
    assert "Did you mean 'lot'" in wrong.json()["detail"]
