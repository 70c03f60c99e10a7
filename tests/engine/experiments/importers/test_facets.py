"""Limits, means with their scatter, and replicates in columns of their own."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from db.records import Reading
from engine.campaign import Campaign
from engine.errors import ImportRefusedError
from engine.experiments.export import export_headings, export_rows, render
from engine.experiments.importers.importing import import_file
from engine.experiments.importers.table import read_runs
from engine.experiments.learning_set import history_from_records

INKS = {
    "name": "inks",
    "parameters": [{"name": "flow", "unit": "mL/h", "low": 0, "high": 10}],
    "properties": [
        {"name": "strength", "unit": "MPa", "minimum": 0},
        {"name": "haze", "unit": "%", "censored": "limit"},
    ],
    "objectives": [{"outcome": "strength", "goal": "maximize", "threshold": 5}],
}


@pytest.fixture
def inks() -> Campaign:
    return Campaign(**INKS)


def table(path: Path, *rows: list[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def read(path: Path, campaign: Campaign):
    return read_runs(path, campaign, max_rows=100)


@pytest.mark.parametrize(
    ("headings", "cells"),
    [
        (("strength", "strength_sd", "n"), ("12", "0.5", "4")),
        (("strength [MPa]", "strength SD (MPa)", "number of specimens"), ("12", "0.5", "4")),
        (("strength [kPa]", "strength_std", "strength_n"), ("12000", "500", "4")),
        (("mean strength (MPa)", "SD", "N"), ("12", "0.5", "4")),
        (("strength (mean)", "strength (SD)", "n"), ("12", "0.5", "4.0")),
        (("strength", "±", "n"), ("12", "± 0,5", "4")),
        (("strength", "sd of strength [kPa]", "count"), ("12", "500", "4")),
        (("strength", "strength sem", "n"), ("12", "0.25", "4")),
        (("strength_MPa", "strength_variation_MPa", "n"), ("12", "0.5", "4")),
        (("strength",), ("12 ± 0.5 (n = 4)",)),
        (("strength [kPa]",), ("12000 +/- 500 kPa (n=4)",)),
    ],
)
def test_a_mean_with_its_scatter(tmp_path, inks, headings, cells) -> None:
    result = read(table(tmp_path / "t.csv", ["flow", *headings], ["1", *cells]), inks)
    (value,) = result.runs[0].outcomes["strength"].values()
    assert (float(value), value.sd, value.n) == (12.0, pytest.approx(0.5), 4)
    assert not any("left aside" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    "headings",
    [
        ("strength_1", "strength_2", "strength_3"),
        ("Strength 1 [MPa]", "Strength 2 [MPa]", "Strength 3 [MPa]"),
        ("strength [MPa] 1", "strength [MPa] 2", "strength [MPa] 3"),
        ("strength #1", "strength #2", "strength #3"),
        ("strength rep1", "strength rep2", "strength rep3"),
        ("strength_mpa_1", "strength_mpa_2", "strength_mpa_3"),
    ],
)
def test_a_column_for_each_replicate(tmp_path, inks, headings) -> None:
    path = table(tmp_path / "t.csv", ["flow", *headings], ["1", "3", "4", "5"], ["2", "6", "", "7"])
    result = read(path, inks)
    assert [run.outcomes["strength"] for run in result.runs] == [{1: 3, 2: 4, 3: 5}, {1: 6, 3: 7}]
    assert any("are replicates of strength" in warning for warning in result.warnings)


def test_a_mean_beside_its_replicates_is_no_further_one(tmp_path, inks) -> None:
    path = table(
        tmp_path / "t.csv", ["flow", "strength_1", "strength_2", "strength"], ["1", "3", "5", "4"]
    )
    result = read(path, inks)
    assert result.runs[0].outcomes["strength"] == {1: 3, 2: 5}
    assert any("'strength' left aside" in warning for warning in result.warnings)


def test_a_parameter_called_n_stays_one(tmp_path) -> None:
    parameters = [{"name": "n", "low": 1, "high": 9}, {"name": "mat_1", "low": 0, "high": 1}]
    campaign = Campaign(**{**INKS, "parameters": parameters})
    path = table(tmp_path / "t.csv", ["n", "mat_1", "strength", "SD"], ["3", "1", "12", "2"])
    result = read(path, campaign)
    assert result.runs[0].conditions == {"n": 3.0, "mat_1": 1.0}
    assert result.runs[0].outcomes["strength"][1].sd == 2.0
    assert any("says nothing to models without" in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("headings", "cells", "problem"),
    [
        (["strength", "strength sem"], ["12", "0.5"], "number of specimens; add a column 'n'"),
        (["strength", "SD"], ["12", "-0.5"], "0 or more"),
        (["strength", "SD", "n"], ["12", "0.5", "2.5"], "how many specimens"),
        (["strength"], ["<12 ± 0.5"], "got both"),
        (["strength"], ["<"], "finite number"),
        (["strength"], ["<-3"], "at least 0"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, inks, headings, cells, problem) -> None:
    with pytest.raises(ImportRefusedError, match=problem):
        read(table(tmp_path / "t.csv", ["flow", *headings], ["1", *cells]), inks)


@pytest.mark.parametrize(
    ("text", "number", "bound"),
    [
        ("<0.5", 0.5, "below"),
        ("< 0.5 MPa", 0.5, "below"),
        (">1000", 1000, "above"),
        ("≤ 2", 2, "below"),
    ],
)
def test_a_result_beyond_a_limit(tmp_path, inks, text, number, bound) -> None:
    result = read(table(tmp_path / "t.csv", ["flow", "strength"], ["1", text], ["2", "7"]), inks)
    value = result.runs[0].outcomes["strength"][1]
    assert (float(value), value.bound) == (number, bound)
    (note,) = [warning for warning in result.warnings if "beyond a limit" in warning]
    assert "1 result lies" in note
    assert "no model learns from it" in note


def test_decimal_commas_of_limits_and_scatter(tmp_path, inks) -> None:
    path = tmp_path / "t.csv"
    path.write_text("flow;strength\n1,5;<0,5\n2,5;7,25 ± 0,5\n", encoding="utf-8")
    first, second = (run.outcomes["strength"][1] for run in read(path, inks).runs)
    assert (str(first), str(second)) == ("<0.5", "7.25 ± 0.5")


def test_limits_and_scatter_are_kept_learnt_and_exported(tmp_path, workspace) -> None:
    campaign_path = table(
        tmp_path / "t.csv",
        ["f", "c", "v", "r", "elongation.longitudinal", "fracture.longitudinal", "label"],
        ["0.4", "18", "18", "400", "88 ± 4 (n = 5)", "<0.5", "A"],
        ["0.4", "18", "20", "400", "80", "6", "B"],
    )
    import_file(workspace, campaign_path)
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        runs = tx.experiments.find(record.id)
        means = tx.measurements.means(record.id, campaign.outcomes)
    assert [(mean.outcome, mean.mean) for mean in means if mean.experiment_id == runs[0].id] == [
        ("elongation.longitudinal", 88.0)
    ]
    history = history_from_records(campaign, runs)
    assert len(history.finished[0].outcomes["elongation.longitudinal"]) == 5
    assert "fracture_strength.longitudinal" not in history.finished[0].outcomes
    rows = [
        dict(zip(export_headings(campaign), row, strict=True))
        for row in export_rows(campaign, runs)
    ]
    assert str(rows[0]["fracture_strength.longitudinal [MPa]"]) == "<0.5"
    for name in ("csv", "json", "xlsx"):
        path = tmp_path / f"again.{name}"
        path.write_bytes(render(name, record, campaign, runs))
        report = import_file(workspace, path)
        assert (report.n_unchanged, report.n_added, report.n_changed) == (2, 0, 0)


def test_a_limit_counts_where_the_property_says_so(tmp_path, inks) -> None:
    result = read(table(tmp_path / "t.csv", ["flow", "haze"], ["1", "<2"]), inks)
    assert any("models learn the limit" in warning for warning in result.warnings)
    assert isinstance(result.runs[0].outcomes["haze"][1], Reading)
