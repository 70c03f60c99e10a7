"""The campaign in the browser: shown, edited as a revision that is looked at first, one truth."""

from __future__ import annotations

import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from engine.campaign import Campaign
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.web.definition_form import definition_of_form, fields_of
from engine.web.definition_words import changes_in_words
from engine.workspace.differences import differences_between
from engine.workspace.workspace import definition_of

KEYS = re.compile(r"parameters\.\d|hard_to_change|max_distinct|only_if|retired =|default =|goal =")


@pytest.fixture
def browser(login):
    return login("anna")


def newest(workspace):
    with workspace.database.read() as tx:
        return tx.campaigns.by_id(1)


class Form(HTMLParser):
    """What a browser would send of the form ``definition-form``, as the server filled it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self._inside, self._name, self._select = False, "", ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        self._inside |= given.get("id") == "definition-form"
        if not self._inside:
            return
        name = given.get("name", "")
        if tag == "input" and (given.get("type") != "checkbox" or "checked" in given):
            self.fields.setdefault(name, []).append(given.get("value", ""))
        elif tag == "textarea":
            self._name = name
            self.fields[name] = [""]
        elif tag == "select":
            self._select = name
        elif tag == "option" and (self._select not in self.fields or "selected" in given):
            self.fields[self._select] = [given["value"]]

    def handle_data(self, data: str) -> None:
        if self._name:
            self.fields[self._name][0] += data

    def handle_endtag(self, tag: str) -> None:
        self._name = ""
        self._inside &= tag != "form"


def sent(page: str) -> dict[str, list[str]]:
    return Form(page).fields


def test_the_definition_is_shown_with_units_and_its_revisions(login, people) -> None:
    page = login("vera").get("/definition")
    assert page.status_code == 200
    for words in ("0.2 … 0.6 mL/h in steps of 0.05", "as high as can be, from 5 MPa on",
                  "The first definition", "takes time to change"):  # fmt: skip
        assert words in page.text
    assert "/definition/edit" not in page.text
    assert not KEYS.search(page.text)
    assert login("vera").get("/definition/edit").status_code == 403
    assert login("otto").post("/definition/edit", {"what": "record"}).status_code == 403


@pytest.mark.parametrize("template", ["nanofibre", "mixture", "blank"])
def test_the_form_says_what_the_definition_says(template) -> None:
    from engine.workspace.campaign_text import read_text, section_of
    from engine.workspace.init import template_text

    campaign = read_text(section_of(template_text(template)) or "")
    assert Campaign(**definition_of_form(fields_of(campaign), campaign)) == campaign
    odd = campaign.definition()
    odd["parameters"][0] |= {"low": 0.1234567890123, "high": 0.6234567890123, "step": 0.1}
    odd["parameters"].append({"name": "salt", "choices": ["NaCl", "KCl"], "retired": ["KCl"],
                              "default": "unknown"})  # fmt: skip
    odd["parameters"].append({"name": "nozzle", "choices": [0.4, 0.8], "default": 0.4})
    odd["exclusions"] = [{"when": {"salt": "NaCl", "nozzle": 0.4}, "note": "clogs"}]
    odd["parameter_constraints"] = []
    strange = Campaign(**odd)
    assert Campaign(**definition_of_form(fields_of(strange), strange)) == strange


def test_an_edit_is_looked_at_then_recorded_and_config_follows(browser, people, folder) -> None:
    run = record(people, Entry(conditions={"flow_rate": 0.4, "concentration": 18, "voltage": 22,
                                           "collector_speed": 400},
                               results={"elongation.longitudinal": 80.0}, label="hot"))  # fmt: skip
    fields = sent(browser.get("/definition/edit").text)
    assert fields["high:voltage"] == ["22"]
    fields |= {"high:voltage": ["20"], "aim:elongation.longitudinal": ["45"], "what": ["look"],
               "step:flow_rate": ["0,1"]}  # fmt: skip
    looked = browser.post("/definition/edit", fields)
    assert looked.status_code == 200, looked.text
    assert "Voltage, upper bound: 22 → 20 kV" in looked.text
    assert "Elongation, longitudinal, threshold: 40 → 45 %" in looked.text
    assert "1 run" in looked.text, "what it does to runs outside"
    assert newest(people).revision == 1
    again = sent(looked.text) | {"what": ["record"], "note": ["22 kV drips"]}
    changed = browser.post("/definition/edit", again | {"high:voltage": ["21"]})
    assert "Voltage, upper bound: 22 → 21 kV" in changed.text, "looked at first"
    assert newest(people).revision == 1
    assert browser.post("/definition/edit", again).status_code == 303
    revised = newest(people)
    assert (revised.revision, revised.actor, revised.note) == (2, "anna", "22 kV drips")
    page = browser.get("/definition").text
    assert "Revision 2 is recorded" in page
    assert "config.toml follows it" in page
    assert "Flow rate, step: 0.05 → 0.1 mL/h" in page
    assert "0.2 … 0.6 mL/h in steps of 0.05" in browser.get("/definition?revision=1").text
    assert browser.get("/definition?revision=3").status_code == 404
    text = (folder / "config.toml").read_text(encoding="utf-8")
    assert Campaign(**tomllib.loads(text)["campaign"]) == definition_of(revised)
    assert "# A new solution costs time" in text, "comments stay"
    with people.database.read() as tx:
        assert tx.experiments.get(run.experiment.id).conditions["voltage"] == 22


def test_the_next_command_goes_on_from_the_pages_revision(browser, people, engine, folder) -> None:
    fields = sent(browser.get("/definition/edit").text) | {"high:voltage": ["21"]}
    looked = browser.post("/definition/edit", fields | {"what": ["look"]})
    browser.post("/definition/edit", sent(looked.text) | {"what": ["record"]})
    assert engine("status").err == ""
    assert "says the same" in engine("campaign", "revise").out
    definition = engine("campaign", "show", "--toml").out
    assert tomllib.loads(definition)["campaign"]["parameters"][2]["high"] == 21.0
    path = folder / "config.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("threshold = 40.0", "threshold = 41.0", 1), encoding="utf-8")
    fields = sent(browser.get("/definition/edit").text) | {"high:voltage": ["20.5"]}
    looked = browser.post("/definition/edit", fields | {"what": ["look"]})
    browser.post("/definition/edit", sent(looked.text) | {"what": ["record"]})
    assert "threshold = 41.0" in path.read_text(encoding="utf-8"), "an edit of somebody's stays"
    assert "holds an edit that is not recorded" in browser.get("/definition").text
    assert engine("campaign", "sync").exit_code == 1
    assert engine("campaign", "sync", "--force").exit_code == 0
    assert "high = 20.5" in path.read_text(encoding="utf-8")
    assert "already" in engine("campaign", "sync").out
    path.write_text(text, encoding="utf-8")
    assert "is still revision 2" in engine("status").err
    assert engine("campaign", "sync").exit_code == 0
    path.write_text(text, encoding="utf-8")
    taken_back = engine("campaign", "revise")
    assert "says the same as revision 2: what was changed since is taken back" in taken_back.err


def test_what_is_refused_keeps_what_was_typed(browser, people, run_id) -> None:
    fields = sent(browser.get("/definition/edit").text)
    cases = {
        "high:voltage": ("tall", "Voltage, upper bound: "),
        "step:voltage": ("0.7", "does not divide the range"),
        "unit:voltage": ("V", "unit 'kV' → 'V'"),
        "drop:voltage": ("yes", ""),
        "limits": ("strenth >= 2", "unknown outcome 'strenth'"),
        "new-name": ("gap", "needs a lower and an upper bound"),
    }
    for name, (typed, words) in cases.items():
        answer = browser.post("/definition/edit", fields | {name: [typed], "what": ["look"]})
        assert answer.status_code == (422 if words else 200), (name, answer.text[:3000])
        if words:
            assert words in answer.text.replace("&#39;", "'"), name
            assert not KEYS.search(re.sub(r"<textarea.*?</textarea>", "", answer.text, flags=re.S))
        assert sent(answer.text)[name] == [typed]
    added = fields | {"new-name": ["gap"], "new-low": ["5"], "new-high": ["20"], "what": ["look"]}
    answer = browser.post("/definition/edit", added)
    assert "give it a default (what they had, or that it is unknown)" in answer.text
    answer = browser.post("/definition/edit", added | {"new-default": ["unknown"]})
    assert "Gap is added: 5 … 20" in answer.text
    assert newest(people).revision == 1


def test_two_admins_at_once(browser, login, people) -> None:
    other = login("anna")
    mine = sent(browser.get("/definition/edit").text) | {"high:voltage": ["21"]}
    theirs = sent(other.get("/definition/edit").text) | {"description": ["theirs"]}
    looked = other.post("/definition/edit", theirs | {"what": ["look"]})
    assert (
        other.post("/definition/edit", sent(looked.text) | {"what": ["record"]}).status_code == 303
    )
    answer = browser.post("/definition/edit", mine | {"what": ["look"]})
    assert answer.status_code == 412
    assert "revision 2 is recorded, you edited revision 1" in answer.text
    assert sent(answer.text)["high:voltage"] == ["21"]


def test_the_whole_text(browser, people, folder: Path) -> None:
    page = browser.get("/definition/edit?as=text").text
    text = sent(page)["text"][0]
    assert "# A new solution costs time" in text
    mine = text.replace('name = "voltage"', '# Checked with a probe.\nname = "voltage"')
    mine = mine.replace("max_distinct = 2", "max_distinct = 3")
    fields = sent(page) | {"text": [mine], "what": ["look"]}
    looked = browser.post("/definition/edit", fields)
    assert "different values in a batch at most: 2 → 3" in looked.text
    wrong = browser.post("/definition/edit", fields | {"text": [mine + "\nnonsense"]})
    assert wrong.status_code == 422
    assert sent(wrong.text)["text"][0].replace("\r\n", "\n").endswith("nonsense")
    huge = browser.post("/definition/edit", fields | {"text": ["#" * 300_000]})
    assert huge.status_code == 422
    assert (
        browser.post("/definition/edit", sent(looked.text) | {"what": ["record"]}).status_code
        == 303
    )
    assert "# Checked with a probe." in (folder / "config.toml").read_text(encoding="utf-8")
    form = sent(browser.get("/definition/edit").text) | {"what": ["text"], "high:voltage": ["21"]}
    assert "high = 21.0" in browser.post("/definition/edit", form).text
    answer = browser.get("/definition/campaign.toml")
    assert "# Checked with a probe." in answer.text


def test_every_change_has_words(nanofibre) -> None:
    old = nanofibre.definition()
    new = nanofibre.definition()
    new["parameters"][0] |= {"role": "controlled", "scale": "log", "low": 0.3, "maximum": 9.0}
    new["parameters"][3]["only_if"] = {"flow_rate": {"above": 0.35}}
    new["objectives"][0] = {"outcome": new["objectives"][0]["outcome"], "goal": "target",
                            "target": 9.0, "tolerance": 1.0}  # fmt: skip
    new["exclusions"] = [{"when": {"flow_rate": {"above": 0.5}, "voltage": {"below": 17}}}]
    new["parameter_constraints"] = ["voltage - 20*flow_rate >= 8"]
    campaigns = [Campaign(**definition) for definition in (old, new)]
    words = changes_in_words(differences_between(*campaigns), *campaigns)
    back = changes_in_words(differences_between(*campaigns[::-1]), *campaigns[::-1])
    text = "\n".join([*words, *back])
    assert "Not together: Flow rate > 0.5 mL/h with Voltage < 17 kV" in text
    assert "Fracture strength, longitudinal, wanted: as high as can be → near a target" in text
    assert not KEYS.search(text)
    assert "None" not in text


def test_a_program_reads_and_writes_revisions(app, token, people, folder) -> None:
    from starlette.testclient import TestClient

    client, path = TestClient(app), "/api/v1/campaigns/1/revisions"
    admin = token("anna", "admin")
    first = client.get(path, headers=token("vera", "viewer")).json()["items"]
    assert [(one["revision"], one["note"]) for one in first] == [(1, None)]
    wanted = {**first[0]["definition"], "description": "by a program"}
    assert client.post(path, json={"definition": wanted}, headers=token("otto", "operator")
                       ).status_code == 403  # fmt: skip
    dry = client.post(path, json={"definition": wanted, "dry_run": True}, headers=admin)
    assert dry.json()["differences"] == [
        "description: 'Electrospun nanofibre mats: strength against elongation' → 'by a program'"
    ]
    assert (dry.status_code, newest(people).revision) == (200, 1)
    done = client.post(path, json={"definition": wanted, "note": "x", "based_on": 1}, headers=admin)
    assert (done.status_code, done.json()["revision"]) == (201, 2)
    assert 'description = "by a program"' in (folder / "config.toml").read_text(encoding="utf-8")
    late = client.post(path, json={"definition": wanted, "based_on": 1}, headers=admin)
    assert late.status_code == 412
    for body in ({}, {"definition": {}}, {"toml": "x ="}, {"definition": wanted, "toml": ""}):
        assert client.post(path, json=body, headers=admin).status_code == 422, body
