"""What the shell offers behind Tab."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from engine.cli.app import app

SETTINGS = ("flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400")


@pytest.fixture
def offered(folder):
    """Return a function that completes the last of the words that were typed."""
    assert folder.is_dir()

    def complete(*words: str) -> list[str]:
        typed = ["engine", *words]
        shell = {
            "_ENGINE_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(typed),
            "COMP_CWORD": str(len(typed) - 1),
        }
        return CliRunner().invoke(app, prog_name="engine", env=shell).stdout.split()

    return complete


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("propose", "--strategy", "s"), ["sobol"]),
        (("propose", "--fix", "vol"), ["voltage="]),
        (("init", "--template", "mi"), ["mixture"]),
        (("campaign", "use", "nano"), ["nanofibre"]),
        (("show", "B"), ["B7"]),
        (("show", ""), ["1", "B7"]),
        (("log", "1", "elongation.l"), ["elongation.longitudinal="]),
        (("log", "B"), ["B7"]),
        (("log", "1", "--failed", "no"), ["no_jet"]),
        (("show", "x"), []),
    ],
)
def test_what_is_recorded_is_offered(engine, offered, words, expected) -> None:
    assert engine("log", "--new", "--label", "B7", *SETTINGS).exit_code == 0
    assert offered(*words) == expected


def test_without_a_database_nothing_is_offered_and_nothing_said(tmp_path, monkeypatch, offered):
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    assert offered("show", "") == []


def test_the_shell_does_not_wait_for_torch() -> None:
    code = "import sys; from engine.cli.completion import complete_strategy as complete\n"
    code += "complete(''); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
