"""What errors call a field is an option that there is, or an argument."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from engine.cli.app import app
from engine.terminal.labels import LABELS, labels_of

ENGINE = Path(__file__).resolve().parents[3] / "engine"

# What only Python, pages, the API and the studies (with options of their own) answer.
ELSEWHERE = (
    "notebook",
    "bench",
    "cli/bench",
    "web/api",
    "web/pages",
    "web/forms.py",
    "web/wording.py",
)

# Fields of requests that no command makes; a password is asked for, never an option.
NO_COMMAND = {"size", "variant", "password", "page", "why", "id", "status"}


def commands(command: Any) -> Iterator[Any]:
    for below in getattr(command, "commands", {}).values():
        yield from commands(below)
    if not hasattr(command, "commands"):
        yield command


def fields_named() -> dict[str, set[str]]:
    """Return the fields that errors and notes name, each with the files that do."""
    names: dict[str, set[str]] = {}
    for path in ENGINE.rglob("*.py"):
        place = path.relative_to(ENGINE).as_posix()
        if place.startswith(ELSEWHERE):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            values = [keyword.value for keyword in node.keywords if keyword.arg == "field"]
            if isinstance(node.func, ast.Name) and node.func.id == "field":
                values += node.args[:1]
            for value in values:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    names.setdefault(value.value, set()).add(place)
    return names


def test_every_field_that_an_error_names_is_an_option_or_an_argument() -> None:
    options, taken = set(), set()
    for command in commands(typer.main.get_command(app)):
        labels = labels_of(command)
        options |= {word for p in command.params for word in p.opts if word.startswith("--")}
        taken |= labels.keys() - LABELS.keys()
    named = fields_named()
    assert len(named) > 10
    unknown = {
        name: files
        for name, files in named.items()
        if not (name in taken | LABELS.keys() or f"--{name.replace('_', '-')}" in options)
    }
    assert unknown.keys() <= NO_COMMAND, unknown


def test_arguments_are_named_as_help_writes_them() -> None:
    show = typer.main.get_command(app).commands["show"]  # type: ignore[attr-defined]
    assert labels_of(show)["experiment"] == "ID"


def test_labels_are_options_that_there_are() -> None:
    options = {
        word for command in commands(typer.main.get_command(app)) for p in command.params
        for word in p.opts
    }  # fmt: skip
    assert {word for word in LABELS.values() if word.startswith("--")} <= options


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["users", "token", "otto", "--name", "x", "--days", "0"], "error: --days: "),
        (["users", "token", "otto", "--name", " "], "error: --name: "),
        (["propose", "--fix", "voltage=17.3"], "--fix"),
        (["log", "--new", "voltage=18", "--at", "voltage=3"], "--at"),
    ],
)
def test_a_field_goes_by_the_word_of_its_command(engine, words, message) -> None:
    answer = engine(*words, stdin="correct horse battery\n")
    assert answer.exit_code != 0
    assert message in answer.err
