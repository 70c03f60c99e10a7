"""A batch on its page: accepted at once, replaced run by run, results beside what was expected."""

from __future__ import annotations

import re

from rows import add_batch
from rows import proposal as new_proposal

from engine.experiments.entries import Entry
from engine.experiments.record import record

ACROSS = "elongation.longitudinal"
SETTINGS = {
    "flow_rate": 0.4, "voltage": 18.0, "collector_speed": 400.0, "temperature": 22.0,
    "humidity": 40.0,
}  # fmt: skip


def test_one_drawing_is_shown_the_others_on_demand(login, people) -> None:
    from db.records import NewPreview

    def drawn(order: float) -> NewPreview:
        expected = {
            "order": {"mean": order, "lower": order - 0.1, "upper": order + 0.1},
            "porosity": {"mean": 0.62, "lower": 0.55, "upper": 0.7},
        }
        return NewPreview(
            "ab" * 32, 7, 4, {}, 0.9, {"pictures": [], "expected": expected}, "cd" * 32, "x.png"
        )

    settings = {**SETTINGS, "concentration": 18.0}
    previews = (None, drawn(0.3), drawn(0.5), drawn(0.7))
    with people.database.write("test") as tx:
        add_batch(
            tx,
            people.active_campaign(tx)[0],
            *(
                new_proposal(k + 1, conditions=settings, preview=preview)
                for k, preview in enumerate(previews)
            ),
        )
    page = login("otto").get("/batches/1").text
    assert re.findall(r'<details class="more drawn"( open)?>', page) == [" open", "", ""]
    for order in ("0.30", "0.50", "0.70"):
        assert f"order S {order} (" in page
    assert page.count("porosity 62 % (55 … 70)") == 3


def test_a_batch_from_acceptance_to_results(login, people, token) -> None:
    with people.database.write("test") as tx:
        ids = add_batch(
            tx,
            people.active_campaign(tx)[0],
            *(
                new_proposal(order, conditions={**SETTINGS, "concentration": c})
                for order, c in ((1, 18.0), (2, 20.0), (3, 18.0), (4, 20.0))
            ),
        )
    browser = login("otto")
    page = browser.get("/batches/1").text
    assert "Accept all 4" in page
    changes = re.search(r'id="changes">(.*?)</p>', page)[1]
    assert "Concentration: 3 changes while these runs are made in this order" in changes
    assert f"1 in the order {ids[0]}, {ids[2]}, {ids[1]}, {ids[3]}" in changes
    rejected = browser.post(f"/runs/{ids[3]}", {"what": "abandon", "note": "no such needle"})
    assert rejected.status_code == 303
    assert browser.post("/batches/1/accept").status_code == 303
    page = browser.get("/batches/1").text
    assert "Accepted 3 runs." in page
    assert "Accept all" not in page
    assert browser.post("/batches/1/accept").status_code == 409
    assert f'action="/campaigns/1/runs/{ids[3]}/replacement"' in page
    assert browser.post(f"/runs/{ids[0]}/replacement").status_code == 409
    asked = browser.post(f"/runs/{ids[3]}/replacement")
    job = asked.headers["location"]
    assert 'data-kind="propose"' in browser.client.get(job, headers={"accept": "text/html"}).text
    for id_, value in ((ids[0], 90.0), (ids[1], 120.0)):
        record(people, Entry(experiment=f"id:{id_}", results={ACROSS: value}))
    page = re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", browser.get("/batches/1").text))
    assert "measured 90 inside" in page
    assert "measured 120 above what was expected" in page

    head = token("otto", "operator")
    at = "/api/v1/campaigns/1"
    again = browser.client.post(f"{at}/experiments/{ids[3]}/replacement", headers=head)
    assert (again.status_code, again.json()["params"]) == (202, {"replaces": ids[3]})
    assert browser.client.post(f"{at}/proposals/1/accept", headers=head).status_code == 409
    assert browser.client.post(f"{at}/proposals/9/accept", headers=head).status_code == 404
