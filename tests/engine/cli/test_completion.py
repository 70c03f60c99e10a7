"""What the shell offers behind Tab."""

from __future__ import annotations

import subprocess
import sys

import pytest
from rows import add_batch, add_picture, proposal
from tensile_files import Made, bluehill_en
from typer.testing import CliRunner

from db.records import ModelKind
from engine.cli.app import app
from engine.workspace import Workspace

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
        (("predict", "--set", "vol"), ["voltage="]),
        (("predict", "--at", "t"), ["temperature="]),
        (("preview", "--set", "conc"), ["concentration="]),
        (("retrieve", "--set", "coll"), ["collector_speed="]),
        (("log", "1", "--at", "h"), ["humidity="]),
        (("curve", "add", "a.csv", "--experiment", "B"), ["B7"]),
        (("micrograph", "add", "a.tif", "--experiment", "B"), ["B7"]),
        (("models", "list", "--kind", "g"), ["generator"]),
        (("schedule", "pause", "b"), ["backup"]),
        (("propose", "--replace", "B"), ["B7"]),
    ],
)
def test_what_is_recorded_is_offered(engine, offered, words, expected) -> None:
    assert engine("log", "--new", "--label", "B7", *SETTINGS).exit_code == 0
    assert offered(*words) == expected


def test_numbers_of_all_that_has_one_are_offered(engine, folder, offered) -> None:
    (folder / "a.txt").write_bytes(bluehill_en([Made()]))
    assert engine("log", "--new", "--label", "B7", *SETTINGS).exit_code == 0
    sizes = ("--direction", "longitudinal", "--width", "5 mm", "--thickness", "80 µm")
    added = engine("curve", "add", "a.txt", "--experiment", "B7", *sizes, "--gauge-length", "20 mm")
    assert added.exit_code == 0, added.err
    with Workspace.open(folder / "config.toml") as workspace, workspace.database.write("t") as tx:
        record, _ = workspace.active_campaign(tx)
        add_picture(tx, 1)
        add_batch(tx, record, proposal(1, conditions={"voltage": 18.0}, predictions={}))
        for place in range(2):
            tx.models.add(
                record.id, kind=ModelKind.SURROGATE, artifact_path=f"m{place}", sha256="b" * 64,
                watermark=0, metrics={},
            )  # fmt: skip
    for words in (
        ("curve", "show"), ("curve", "fit"), ("curve", "remove"), ("micrograph", "show"),
        ("micrograph", "measure"), ("micrograph", "remove"), ("replay",), ("show", "--batch"),
    ):  # fmt: skip
        assert offered(*words, "") == ["1"], words
    for command in ("show", "compare", "promote", "rebuild"):
        assert offered("models", command, "") == ["2", "1"]


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
