"""Wherever a request takes ``name=value``: names in any spelling, the same words for what is wrong.

Each place is found by walking the commands, the templates and the API's bodies. A new one without a
case in the tables below fails.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from starlette.testclient import TestClient

from engine.cli.app import app as commands

ROOT = Path(__file__).resolve().parents[3]
ACROSS = "elongation.longitudinal"

NO_VOLTAGE = "V=fast: expected voltage [kV] to be a finite number"
NO_HUMIDITY = "W=damp: expected humidity [%] to be a finite number"
NO_STRENGTH = "Fracture.longitudinal=long: expected fracture_strength [MPa] to be a finite number"
NO_DAY = "Date spun=soon: expected a day such as 2026-05-31, got 'soon'"
NO_COUNT = "C=0: expected a whole number, 1 or more, got '0'"

# Options: the words that come before, and what is wrong with which alias. An option with None takes
# names that are not the campaign's.
COMMANDS: dict[tuple[str, str], list[tuple[tuple[str, ...], str]] | None] = {
    ("campaign revise", "--past"): None,
    ("curve add", "--direction"): None,
    ("import", "--column"): None,
    ("log", "--direction"): None,
    ("log", "--with"): None,  # test_facts.py
    ("log", "arguments"): [(("log", "1"), NO_STRENGTH)],
    ("log", "--new"): [(("log", "--new"), NO_VOLTAGE), (("log", "--new"), NO_STRENGTH)],
    ("log", "--actual"): [(("log", "1", "--actual"), NO_VOLTAGE)],
    ("log", "--at"): [(("log", "1", "--at"), NO_HUMIDITY)],
    ("propose", "--at"): [(("propose", "--at"), NO_HUMIDITY)],
    ("propose", "--fix"): [(("propose", "--fix"), NO_VOLTAGE)],
    ("propose", "--max-distinct"): [(("propose", "--max-distinct"), NO_COUNT)],
    ("preview", "--set"): [(("preview", "--set"), NO_VOLTAGE)],
    ("predict", "--set"): [(("predict", "--set"), NO_VOLTAGE)],
    ("predict", "--at"): [(("predict", "--set", "v=18", "--at"), NO_HUMIDITY)],
    ("retrieve", "--conditions"): [(("retrieve", "--conditions"), NO_VOLTAGE)],
    ("retrieve", "--set"): [(("retrieve", "--set"), NO_VOLTAGE)],
    ("source add", "--map"): [],  # test_a_source_is_mapped_by_alias
    ("source add", "--range"): None,
    ("source add", "--unit"): None,
}

# Forms: the template and the field's prefix, where it is sent to, and what is wrong. A field with
# None is named by the page alone: a cell of results, an end of a filter (test_runs_pages.py).
FORMS: dict[tuple[str, str], tuple[str, str] | None] = {
    ("batch.html", "actual"): ("/runs/{run}", NO_VOLTAGE),
    ("login.html", "kept"): None,
    ("macros.html", "fact"): None,  # test_facts_pages.py
    ("propose.html", "at"): ("/propose", NO_HUMIDITY),
    ("propose.html", "fixed"): ("/propose", NO_VOLTAGE),
    ("propose.html", "distinct"): ("/propose", NO_COUNT),
    ("results_table.html", "result"): ("/runs/{run}", NO_STRENGTH),
    ("results_table.html", "value"): None,
    ("results_table.html", "was"): None,
    ("retrieve.html", "condition"): ("/retrieve", NO_VOLTAGE),
    ("run.html", "actual"): ("/runs/{run}", NO_HUMIDITY),
    ("run_new.html", "condition"): ("/runs/new", NO_VOLTAGE),
    ("runs.html", "is"): None,
    ("runs.html", "max"): None,
    ("runs.html", "min"): None,
}
WITH_IT = {"/propose": {"n": "3"}, "/retrieve": {"by": "conditions"}, "/runs/{run}": {}}

# Requests: the path and the part of its body; what else the body needs.
REQUESTS: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("post /experiments", "conditions"): (NO_VOLTAGE, {}),
    ("post /experiments", "facts"): (NO_DAY, {"conditions": {"v": 18}}),
    ("patch /experiments/{id}", "actual"): (NO_HUMIDITY, {}),
    ("patch /experiments/{id}", "facts"): (NO_DAY, {}),
    ("post /experiments/{id}/results", "results"): (NO_STRENGTH, {}),
    ("post /experiments/{id}/results", "actual"): (NO_VOLTAGE, {"results": {ACROSS: 88}}),
    ("post /proposals", "at"): (NO_HUMIDITY, {}),
    ("post /proposals", "fixed"): (NO_VOLTAGE, {}),
    ("post /proposals", "max_distinct"): (NO_COUNT, {}),
    ("post /predictions", "conditions"): (NO_VOLTAGE, {}),
    ("post /predictions/slices", "conditions"): (NO_VOLTAGE, {"outcome": ACROSS}),
    ("post /predictions/map", "conditions"): (NO_VOLTAGE, {"outcome": ACROSS, "x": "v", "y": "r"}),
    ("post /previews", "conditions"): (NO_VOLTAGE, {}),
    ("post /retrieval", "conditions"): (NO_VOLTAGE, {}),
}


def options() -> Iterator[tuple[str, str]]:
    """Give each option and argument that is given as ``name=value``."""

    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, (*path, name))
        for option in [] if hasattr(command, "commands") else command.params:
            help_ = f"{option.metavar or ''} {getattr(option, 'help', None) or ''}"
            if re.search(r"[\w.]+=[\w.]", help_):
                yield " ".join(path), option.opts[0]

    yield from walk(typer.main.get_command(commands), ())


def fields() -> Iterator[tuple[str, str]]:
    """Give each template and prefix of a field that is named after a parameter or outcome."""
    for path in sorted((ROOT / "engine" / "web" / "templates").glob("*.html")):
        text = path.read_text(encoding="utf-8")
        for found in re.finditer(r'condition_field\(p, "(\w+)"|name="(\w+):\{\{', text):
            yield path.name, found[1] or found[2]


def bodies(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Give each request and part of its body that maps names to values."""
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            body = told.get("requestBody", {}).get("content", {}).get("application/json")
            if body is None:
                continue
            name = body["schema"]["$ref"].rpartition("/")[2]
            for key, schema in document["components"]["schemas"][name]["properties"].items():
                if "additionalProperties" in schema.get("items", schema):
                    yield f"{method} {path.removeprefix('/api/v1/campaigns/{campaign}')}", key


def pair(problem: str) -> tuple[str, str]:
    """Return the name and value that a problem is about."""
    name, _, value = problem.partition(":")[0].partition("=")
    return name, value


@pytest.fixture
def run(engine) -> str:
    settings = ["flow_rate=0.4", "C=18", "Voltage (kV)=18", "r=400"]
    answer = engine("log", "--new", *settings, "--json")
    assert answer.exit_code == 0, answer.err
    return str(answer.json["experiment"])


class TestCommands:
    def test_every_option_has_a_case(self) -> None:
        assert set(options()) == set(COMMANDS)

    @pytest.mark.parametrize(
        ("option", "words", "problem"),
        [
            (option, words, problem)
            for (_, option), cases in COMMANDS.items()
            for words, problem in cases or ()
        ],
    )
    def test_an_alias_and_what_is_wrong(self, engine, run, option, words, problem) -> None:
        assert run == "1"
        name, value = pair(problem)
        answer = engine(*words, f"{name}={value}")
        field = f"{option} " if option.startswith("--") and option != "--new" else ""
        assert answer.err == f"error: {field}{problem}\n"

    def test_a_source_is_mapped_by_alias(self, engine, folder: Path) -> None:
        (folder / "old.csv").write_text(f"volts,{ACROSS}\n16000,1\n18000,2\n", encoding="utf-8")
        words = ("source", "add", "old", "--table", "old.csv", "--unit", "volts=V")
        answer = engine(*words, "--map", "V=volts", "--map", "voltage=volts")
        assert answer.err == (
            "error: --map voltage=volts: voltage is given twice, as V=volts too; keep one\n"
        )
        answer = engine(*words, "--map", "V=volts", "--json")
        assert answer.exit_code == 0, answer.err
        assert answer.json["definition"]["names"] == {"voltage": "volts"}

    def test_spellings_are_understood(self, engine, run) -> None:
        answer = engine(
            "log", run, "Fracture.longitudinal=12", "--actual", "V=17.8", "--at", "W=61"
        )
        assert answer.exit_code == 0, answer.err
        assert "fracture_strength.longitudinal [MPa] = 12" in answer.out
        shown = engine("show", run, "--json").json
        assert (shown["actual"]["voltage"], shown["actual"]["humidity"]) == (17.8, 61.0)
        words = ("--fix", "VOLTAGE [kV]=18", "--max-distinct", "c=1", "--at", "T=22", "--strategy")
        batch = engine("propose", "--n", 2, *words, "sobol", "--dry-run", "--json")
        assert batch.exit_code == 0, batch.err
        rows = batch.json["proposals"]
        assert {row["conditions"]["voltage"] for row in rows} == {18.0}
        assert len({row["conditions"]["concentration"] for row in rows}) == 1

    @pytest.mark.parametrize(
        ("words", "problem"),
        [
            (("--fix", "voltag=18"), "Did you mean 'voltage'?"),
            (("--fix", "v=18", "--fix", "Voltage=19"), "voltage is given twice, as v=18 too"),
            (("--fix", "voltage (V)=18000"), "voltage is in kV in this campaign, got V"),
            (("--fix", "humidity=50"), "state it with --at humidity=50"),
            (("--at", "v=18"), "state it with --fix v=18"),
            (("--fix", "elongation.longitudinal=18"), "is measured, not a condition"),
        ],
    )
    def test_names_that_are_off(self, engine, words, problem) -> None:
        answer = engine("propose", *words)
        assert answer.exit_code == 2
        assert answer.err.startswith(f"error: {words[0]} {words[-1]}: ")
        assert problem in answer.err


class TestPages:
    @pytest.fixture
    def browser(self, login) -> Any:
        return login("otto")

    def test_every_field_has_a_case(self) -> None:
        assert set(fields()) == set(FORMS)

    @pytest.mark.parametrize(
        ("prefix", "path", "problem"),
        [(prefix, *case) for (_, prefix), case in FORMS.items() if case is not None],
    )
    def test_an_alias_and_what_is_wrong(self, browser, run_id, prefix, path, problem) -> None:
        name, value = pair(problem)
        form = {**WITH_IT.get(path, {}), f"{prefix}:{name}": value}
        answer = browser.post(path.format(run=run_id), form)
        assert answer.status_code == 422
        assert f" {problem}<" in html.unescape(answer.text)

    def test_one_name_twice(self, browser, run_id) -> None:
        form = {"what": "edit", "actual:V": "18", "actual:voltage": "19"}
        answer = browser.post(f"/runs/{run_id}", form)
        assert "voltage=19: voltage is given twice, as V=18 too" in html.unescape(answer.text)

    def test_spellings_are_understood(self, browser, people, run_id) -> None:
        form = {"result:Fracture.longitudinal": "12,5 13", "actual:W": "61", "actual:V": "17,5"}
        assert browser.post(f"/runs/{run_id}", form).status_code == 303
        with people.database.read() as tx:
            recorded = tx.experiments.get(run_id)
        assert recorded.replicates() == {"fracture_strength.longitudinal": (12.5, 13.0)}
        assert (recorded.actual["humidity"], recorded.actual["voltage"]) == (61.0, 17.5)


class TestRequests:
    @pytest.fixture
    def api(self, app, token) -> TestClient:
        client = TestClient(app, base_url="http://testserver/api/v1/campaigns/1")
        client.headers.update(token("otto", "operator"))
        return client

    def test_every_part_of_a_body_has_a_case(self, app) -> None:
        assert set(bodies(app.openapi())) == set(REQUESTS)

    @pytest.mark.parametrize(("request_", "key"), REQUESTS)
    def test_an_alias_and_what_is_wrong(self, api, run_id, request_, key) -> None:
        problem, body = REQUESTS[request_, key]
        method, path = request_.split()
        name, value = pair(problem)
        pairs: Any = {name: value}
        body = {**body, key: [pairs] if path == "/predictions" else pairs}
        answer = api.request(method, path.format(id=run_id), json=body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["detail"] == f"{key} {problem}"

    def test_names_of_slices_and_maps(self, api) -> None:
        body = {"conditions": {"v": 18}, "outcome": "elongaton.longitudinal"}
        answer = api.post("/predictions/slices", json=body)
        assert f"Did you mean '{ACROSS}'?" in answer.json()["detail"]
        body = {"conditions": {"v": 18}, "outcome": ACROSS, "x": "voltag", "y": "r"}
        answer = api.post("/predictions/map", json=body)
        assert answer.json()["detail"].startswith("x voltag: 'voltag' is no parameter")

    def test_spellings_are_understood(self, api, run_id) -> None:
        body = {"results": {"Fracture.longitudinal": [12, "13"]}, "actual": {"W": 61}}
        answer = api.post(f"/experiments/{run_id}/results", json=body)
        assert answer.status_code == 200, answer.text
        run = answer.json()
        assert run["actual"]["humidity"] == 61
        assert [m["outcome"] for m in run["measurements"]] == ["fracture_strength.longitudinal"] * 2
        body = {"results": {"Fracture.transverse": 1, "fracture_strength.transverse": 2}}
        answer = api.post(f"/experiments/{run_id}/results", json=body)
        assert "is given twice, as Fracture.transverse=1 too" in answer.json()["detail"]
