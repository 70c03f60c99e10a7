"""What programs read: errors as documents, one name for one thing, lists in an object."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
import typer

import engine.documents
from engine.cli.app import app
from engine.documents import Document
from engine.documents.problems import problem_document
from engine.terminal.output import print_json


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with the words that name it."""
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*words, name))
    if not hasattr(command, "commands"):
        yield words, command


ROOT = typer.main.get_command(app)
COMMANDS = dict(commands(ROOT))
WITH_JSON = [
    words
    for words, command in COMMANDS.items()
    if any("--json" in parameter.opts for parameter in command.params)
]


def documents() -> list[type[Document]]:
    """Return every model of an answer."""
    for module in pkgutil.iter_modules(engine.documents.__path__, "engine.documents."):
        importlib.import_module(module.name)
    unseen, classes = [Document], []
    while unseen:
        classes += (below := unseen.pop().__subclasses__())
        unseen += below
    return [kind for kind in classes if kind.__module__.startswith("engine.documents")]


def test_most_commands_print_json() -> None:
    assert len(WITH_JSON) > 40


def run(capsys: Any, *words: object) -> tuple[int, str, str]:
    """Run a command in the group that was put together once: quicker than anew for each."""
    with pytest.raises(SystemExit) as ended:
        ROOT.main(list(map(str, words)), prog_name="engine")
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def test_errors_of_usage_are_json_for_every_command(capsys) -> None:
    for words in WITH_JSON:
        exit_code, out, err = run(capsys, *words, "--json", "--frobnicate")
        problem = json.loads(out)
        assert exit_code == 2, words
        assert (problem["title"], problem["field"]) == ("Unprocessable content", "frobnicate")
        assert "--frobnicate" in problem["detail"]
        assert "Usage: " in err  # for people, as without --json


@pytest.mark.parametrize("words", ["status", "models list", "schedule list", "undo", "db check"])
def test_errors_of_the_engine_are_json(capsys, words, tmp_path) -> None:
    missing = tmp_path / "none.toml"
    exit_code, out, err = run(capsys, *words.split(), "--json", "--config", missing)
    problem = json.loads(out)
    assert (exit_code, problem["status"]) == (2, 422)
    assert str(missing) in problem["detail"]
    assert err == f"error: {problem['detail']}\n"


@pytest.mark.parametrize(
    ("words", "exit_code", "expected"),
    [
        (("show", 7), 1, {"status": 404, "title": "Not found"}),
        (("propose", "--n", "x"), 2, {"status": 422, "field": "n"}),
        (("import",), 2, {"status": 422, "field": "file"}),
        (("log", 1, "elongation.longitudinal=88"), 1, {"status": 404}),
        (("frobnicate",), 2, {"status": 422}),
        (("models",), 2, {"status": 422, "field": "json"}),
    ],
)
def test_an_error_is_told_as_the_api_tells_it(engine, words, exit_code, expected) -> None:
    answer = engine(*words, "--json")
    assert answer.exit_code == exit_code
    assert answer.json.items() >= {"type": "about:blank", **expected}.items()
    assert engine(*words).out == ""  # people read one line on standard error


def test_rows_of_a_file_are_told_one_by_one(engine, folder) -> None:
    lines = "flow_rate,concentration,voltage,collector_speed,elongation.longitudinal"
    (folder / "t.csv").write_text(f"{lines}\n0.4,18,18,400,x\n", encoding="utf-8")
    answer = engine("import", "t.csv", "--json")
    assert (answer.exit_code, answer.json["status"]) == (1, 422)
    (problem,) = answer.json["problems"]
    assert (problem["row"], problem["value"]) == (2, "x")
    assert problem["column"].startswith("elongation.longitudinal")


def test_a_second_document_never_spoils_the_first(capsys) -> None:
    from engine.errors import StateError
    from engine.terminal.problems import asked_for_json, print_problem

    with asked_for_json(["--json"]):
        print_json({"experiment": 1})
        print_problem(StateError("no such folder"), "no such folder")
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"experiment": 1}
    assert json.loads(printed.err)["detail"] == "no such folder"


@pytest.mark.parametrize(("words", "asks"), [(["--", "--json"], False), (["--json", "--"], True)])
def test_behind_two_dashes_nothing_is_an_option(capsys, words, asks) -> None:
    from engine.terminal.problems import asked_for_json, print_problem

    with asked_for_json(words):
        print_problem(ValueError("a fault"))
    printed = capsys.readouterr().out
    assert (json.loads(printed) if asks else printed) == (
        problem_document(500, "ValueError: a fault") if asks else ""
    )


def test_one_name_for_one_thing() -> None:
    fields = {(kind.__name__, name) for kind in documents() for name in kind.model_fields}
    assert len(fields) > 200
    # A thing's number goes by the thing's name wherever it stands: experiment, batch, model, job …
    forbidden = {"id", "run", "run_id", "experiment_id", "is_active", "made_at", "made_by"}
    forbidden |= {"rows", "matches", "what", "told"}
    assert {(kind, name) for kind, name in fields if name in forbidden or name.endswith("_id")} == (
        set()
    )


def keys(document: Any) -> Iterator[str]:
    """Yield the keys of a document and of all within, but those that users chose."""
    if isinstance(document, list):
        for item in document:
            yield from keys(item)
    elif isinstance(document, dict):
        for key, value in document.items():
            yield key
            if key not in ("definition", "conditions", "proposed", "actual", "outcomes"):
                yield from keys(value)


LISTS = [
    ("users", "list"), ("users", "tokens"), ("models", "list"), ("campaign", "list"),
    ("source", "list"), ("curve", "list"), ("schedule", "list"), ("micrograph", "measure", "--all"),
]  # fmt: skip


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_a_list_is_an_object_with_items(engine, words) -> None:
    document = engine(*words, "--json").json
    assert isinstance(document["items"], list)


def test_every_command_that_lists_is_among_them() -> None:
    listing = {words for words in WITH_JSON if words[-1] == "list"}
    assert listing <= {words[:2] for words in LISTS}


def test_a_run_goes_by_the_same_name_from_proposal_to_export(engine) -> None:
    proposed = engine("propose", "--strategy", "sobol", "--n", 2, "--json").json
    first = proposed["proposals"][0]["experiment"]
    logged = engine("log", first, "elongation.longitudinal=88", "--json").json
    run = engine("show", first, "--json").json
    batch = engine("show", "--batch", proposed["batch"], "--json").json
    status = engine("status", "--json").json
    exported = json.loads(engine("export", "--format", "json").out)
    assert {
        logged["experiment"],
        run["experiment"],
        batch["proposals"][0]["experiment"],
        status["latest"][0]["experiment"],
        exported["experiments"][0]["experiment"],
    } == {first}
    assert batch["batch"] == proposed["batch"]
    for document in (proposed, logged, run, batch, status, exported):
        assert set(keys(document)).isdisjoint({"id", "experiment_id", "batch_id", "run_id"})
