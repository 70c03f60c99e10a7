"""The commands, as typed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.bench.search.latency import virtual_runs, write_table
from engine.cli.app import app

SMALL = ["--seeds", "2", "--start", "4", "--batch", "4", "--budget", "12", "--jobs", "1"]


def engine(*words):
    return CliRunner().invoke(app, ["bench", *map(str, words)])


@pytest.fixture
def table(tmp_path):
    campaign, runs = virtual_runs(30, seed=0)
    path = tmp_path / "runs.csv"
    write_table(path, campaign, runs)
    return path


def test_closed_loop_prints_tables_with_units_seeds_and_versions():
    result = engine("closed-loop", "--strategy", "sobol", *SMALL)
    assert result.exit_code == 0, result.output
    for expected in ("hypervolume fraction [%]", "seeds 0–1", "botorch", "cores", "1 thread"):
        assert expected in result.stdout


def test_closed_loop_json_is_one_document_with_the_raw_numbers(tmp_path):
    out, plot = tmp_path / "out.json", tmp_path / "plot.png"
    result = engine(
        "closed-loop", "--strategy", "sobol,nsga2", *SMALL, "--first-seed", 5,
        "--lab", "older", "--objectives", "elastic_modulus.transverse,elongation.transverse:min",
        "--constraint", "fracture_strength.longitudinal >= 2",
        "--out", out, "--plot", plot, "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document == json.loads(out.read_text())
    assert {(t["strategy"], t["seed"]) for t in document["traces"]} == {
        (name, seed) for name in ("sobol", "nsga2") for seed in (5, 6)
    }
    assert len(document["traces"][0]["curve"]) == 12
    assert document["environment"]["versions"]["botorch"]
    assert [o["goal"] for o in document["campaign"]["objectives"] if "goal" in o] == ["minimize"]
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_lab_of_ones_own(tmp_path, monkeypatch):
    (tmp_path / "my_own_bench_lab.py").write_text(
        "from engine.lab import VirtualLab\nclass Mine(VirtualLab):\n    truth = None\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    result = engine("closed-loop", "--strategy", "sobol", *SMALL, "--lab", "my_own_bench_lab:Mine")
    assert result.exit_code == 0, result.output
    assert "measured hypervolume [MPa·%]" in result.stdout


def test_replay_on_a_table_of_ones_own(table, tmp_path):
    result = engine(
        "replay", "--table", table, "--template", "nanofibre", "--strategy", "random",
        "--strategy", "nsga2", *SMALL, "--out", tmp_path / "out.json",
        "--objectives", "fracture_strength.longitudinal,elongation.longitudinal",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "pool-hypervolume fraction [%]" in result.stdout
    assert json.loads((tmp_path / "out.json").read_text())["pool"]["runs"] == 30


def test_replay_with_a_campaign_file(table, tmp_path):
    from engine.workspace.init import template_text

    campaign = tmp_path / "campaign.toml"
    campaign.write_text(template_text("nanofibre"), encoding="utf-8")
    result = engine("replay", "--table", table, "--campaign", campaign,
                    "--strategy", "random", *SMALL, "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["kind"] == "replay"


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (["closed-loop", "--strategy", "gpp"], "Did you mean 'gp'", 2),
        (["closed-loop", "--lab", "nowhere:Lab"], "ModuleNotFoundError", 2),
        (["closed-loop", "--seeds", "0"], "--seeds: expected 1 or more", 2),
        (["closed-loop", "--budget", "8"], "--budget: expected more", 2),
        (["closed-loop", "--jobs", "-1"], "--jobs", 2),
        (["closed-loop", "--out", "/no/such/folder/out.json"], "expected a folder", 2),
        (["closed-loop", "--out", "."], "expected a file's name", 2),
        (["closed-loop", "--objectives", "strength"], "unknown outcome", 2),
        (["closed-loop", "--constraint", "elongation"], "expected a linear inequality", 2),
        (["closed-loop", "--resume"], "--resume: expected --out", 2),
        (["replay"], "--table FILE", 2),
        (["replay", "--table", "x.csv"], "--campaign FILE.toml", 2),
        (["replay", "--table", "x.csv", "--format", "matmcl"], "no such file", 1),
        (["replay", "--table", "x.csv", "--format", "xls", "--template", "blank"], "--format", 2),
        (["replay", "--table", "x.csv", "--template", "no"], "--template", 2),
        (["latency", "--n", "0"], "--n: expected at least 1", 2),
    ],
)
def test_mistakes_are_told_in_a_line(words, told, code):
    result = engine(*words)
    assert result.exit_code == code, result.output
    assert told in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.skipif(
    not (Path(os.environ.get("SPINNERET_DATA", "../shared/data")) / "matmcl").is_dir(),
    reason="the published table is not here",
)
def test_replay_of_the_published_table():
    path = Path(os.environ.get("SPINNERET_DATA", "../shared/data")) / "matmcl/nanofibre_200.csv"
    result = engine("replay", "--table", path, "--format", "matmcl", "--strategy", "random",
                    *SMALL, "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["pool"]["runs"] == 200


def test_latency_of_ours_alone(monkeypatch, strategies):
    monkeypatch.setattr("engine.bench.search.latency.strategy", lambda name: strategies["sobol"])
    result = engine("latency", "--observations", 10, "--n", 3, "--no-process")
    assert result.exit_code == 0, result.output
    assert "generation" in result.stdout
    assert "× ours" in result.stdout
