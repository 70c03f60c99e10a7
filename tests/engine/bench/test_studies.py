"""The studies, as run: one parser, one-line errors, help with an example; and the small ones."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module

import pytest
from typer.testing import CliRunner

from engine.bench import growth, micrographs
from engine.cli.app import app as engine

STUDIES = (
    "ablation", "accuracies", "calibration", "composite", "curves", "generator", "growth",
    "micrographs", "refresh", "retrieval",
)  # fmt: skip


@pytest.mark.parametrize("name", STUDIES)
def test_help_ends_with_an_example_and_shares_the_options(name):
    result = CliRunner().invoke(import_module(f"engine.bench.{name}").app, ["--help"])
    assert result.exit_code == 0, result.output
    for expected in (f"python -m engine.bench.{name} ", "--json", "--out", "--seed"):
        assert expected in result.stdout


@pytest.mark.parametrize("name", STUDIES)
def test_no_study_is_a_command(name):
    result = CliRunner().invoke(engine, ["bench", name])
    assert result.exit_code == 2
    assert "No such command" in result.stderr


@pytest.mark.parametrize(
    ("name", "words", "line"),
    [
        ("generator", ["--n", "2"], "error: --n: expected 3 to 1000, got 2\n"),
        (
            "micrographs",
            ["--kind", "big"],
            "error: --kind: expected methods, lab or small, got 'big'\n",
        ),
        ("retrieval", ["--runs", "3"], "error: --runs: expected at least 30, got 3\n"),
        ("ablation", ["--sizes", "8,many"], "error: --sizes: expected whole numbers"),
    ],
)
def test_mistakes_are_told_in_a_line(name, words, line):
    result = CliRunner().invoke(import_module(f"engine.bench.{name}").app, words)
    assert result.exit_code == 2, result.output
    assert result.stderr.splitlines()[-1].startswith(line.rstrip("\n"))
    assert "Traceback" not in result.output


def test_run_as_a_module_a_mistake_is_one_line(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "engine.bench.growth", "time", "--config", "nowhere.toml"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode in (1, 2)
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_micrographs_are_measured_printed_and_kept(tmp_path):
    out = tmp_path / "out.json"
    words = ["--n", "1", "--seed", "1", "--kind", "small", "--out", str(out)]
    result = CliRunner().invoke(micrographs.app, words)
    assert result.exit_code == 0, result.output
    for expected in ("true_diameter_px", "RMS", "processor seconds", "seed 1", "numpy", "1 thread"):
        assert expected in result.stdout
    document = json.loads(out.read_text())
    assert len(document["misses"]) == document["config"]["n"] == 1


def test_a_campaign_is_filled_and_timed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(engine, ["init", "--template", "nanofibre"]).exit_code == 0
    result = CliRunner().invoke(growth.app, ["fill", "--measurements", "200", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["runs"] >= 20
    result = CliRunner().invoke(growth.app, ["time", "--repeats", "1"])
    assert result.exit_code == 0, result.output
    for expected in ("sqlite", "log", "status", "[s]", "cores"):
        assert expected in result.stdout
