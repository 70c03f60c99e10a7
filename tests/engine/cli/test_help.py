"""Every command's help ends in an example that the command itself can read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import typer
from typer.testing import CliRunner

from engine.cli.app import app
from engine.cli.examples import EXAMPLES

ROOT = typer.main.get_command(app)


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*words, name))
    if not hasattr(command, "commands"):
        yield " ".join(words), command


def test_every_command_has_an_example_in_its_help() -> None:
    listed = dict(commands(ROOT))
    assert listed.keys() == EXAMPLES.keys()
    for words, command in listed.items():
        assert command.epilog == f"Example: `engine {words} {EXAMPLES[words]}`"
        assert len(command.epilog) <= 76, words  # never broken in the middle


def test_an_example_is_printed_whole() -> None:
    printed = CliRunner().invoke(app, ["propose", "--help"], env={"COLUMNS": "80"}).stdout
    assert "\nExample: `engine propose --n 8 --at temperature=22" in printed.replace("  ", "")


def test_every_example_is_read_by_its_command() -> None:
    for words, command in commands(ROOT):
        context = command.make_context(words, shlex.split(EXAMPLES[words]))
        assert context.args == [], words
