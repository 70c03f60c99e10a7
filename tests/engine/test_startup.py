"""What the commands of the bench load: start-up is their whole cost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ["torch", "pandas", "numpy", "alembic", "openpyxl", "scipy", "ax", "plotly", "PIL"]
SETTINGS = ["flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400"]
CODE = """
import atexit, sys
heavy = {heavy!r}
loaded = lambda: "loaded:" + ",".join(name for name in heavy if name in sys.modules)
atexit.register(lambda: sys.stderr.write(loaded()))
sys.argv = ["engine", *{words!r}]
from engine.cli.app import main
main()
"""


def run(folder: Path, words: list[str], heavy: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CODE.format(heavy=heavy, words=words)],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [
        ["log", "--new", *SETTINGS, "elongation.longitudinal=88", "--at", "humidity=61"],
        ["status"],
        ["show", "1"],
        ["campaign", "show"],
        ["export"],
    ],
    ids=lambda words: words[0],
)
def test_the_bench_commands_load_nothing_heavy(engine, folder, words) -> None:
    engine("log", "--new", *SETTINGS, "elongation.longitudinal=80")
    done = run(folder, words, [*HEAVY, "sqlalchemy.orm"])
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("loaded:")


def test_help_loads_neither_the_database_nor_the_settings(folder) -> None:
    done = run(folder, ["--help"], [*HEAVY, "sqlalchemy", "pydantic", "pydantic_settings"])
    assert done.returncode == 0
    assert done.stderr.endswith("loaded:")


def test_import_of_text_needs_no_table_library(folder) -> None:
    path = folder / "t.csv"
    path.write_text("flow_rate,concentration,voltage,collector_speed\n0.4,18,18,0\n")
    done = run(folder, ["import", "t.csv"], HEAVY)
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("loaded:")


NOT_FOR_A_PROPOSAL = [
    "accelerate", "ax", "diffusers", "matplotlib", "pandas", "plotly", "pymoo", "sklearn",
    "torch._dynamo", "torch._inductor", "transformers",
]  # fmt: skip


@pytest.mark.matrix(1)
@pytest.mark.parametrize("preview", ["--preview", "--no-preview"])
def test_a_proposal_loads_only_what_it_computes_with(engine, folder, preview) -> None:
    for words in (["elongation.longitudinal=80"], ["--failed", "beads"]):
        logged = engine("log", "--new", *SETTINGS, *words)
        assert logged.exit_code == 0, logged.err
    words = ["propose", "--n", "1", "--seed", "1", "--dry-run", preview]
    done = run(folder, words, NOT_FOR_A_PROPOSAL)
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("loaded:"), done.stderr[-300:]
    assert ("what the mats should look like" in done.stdout) == (preview == "--preview")
