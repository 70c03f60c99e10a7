"""The Models page: refresh, promote, roll back, as the command line does."""

from __future__ import annotations

import re

from engine.jobs.kinds import TASK_HANDLERS
from engine.jobs.queue import TRAINING, newest
from engine.jobs.worker import work


def told(page) -> list[str]:
    return re.findall(r'class="told good">([^<]*)', page.text)


def test_a_model_is_trained_serves_and_is_rolled_back(people, app, login, token, fill_two) -> None:
    fill_two(people, 56)
    browser = login("anna")
    app.state.site.crew.over.set()  # the training is done here, not by a process of its own
    asked = browser.post("/models/refresh", {"steps": "2", "accept_suspicious": "yes"})
    assert asked.status_code == 303
    assert work(people, TRAINING, TASK_HANDLERS)
    (task,) = newest(people)
    assert task.status == "done", task.error
    page = browser.get("/models")
    assert "Trainings" in page.text
    assert 'id="history"' in page.text
    with people.database.read() as tx:
        assert tx.changes(limit=1)[0].actor == "anna"
    if "Roll back" not in page.text:  # the gate kept the starter: by hand, then
        assert browser.post("/models/1/promote").status_code == 303
    assert browser.post("/models/rollback").status_code == 303
    assert told(browser.get("/models")) == ["the starter serves now; model 1 did before."]
    assert browser.post("/models/1/promote", {"reason": "a look"}).status_code == 303
    assert told(browser.get("/models"))[0].startswith("model 1 serves now")
    program = token("anna", "admin")
    back = browser.client.post("/api/v1/campaigns/1/rollbacks", headers=program)
    assert (back.status_code, back.json()["champion"]) == (200, None)
    nothing = browser.client.post("/api/v1/campaigns/1/rollbacks", headers=program)
    assert nothing.status_code == 409
    assert "nothing to roll back" in nothing.json()["detail"]
    assert browser.post("/models/9/promote").status_code == 404
