"""A campaign with a target, from config.toml to report, export and back, in words and JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.workspace import Workspace

AT = ("--at", "temperature=22", "--at", "humidity=50")
STRAIGHT = 'outcome = "elongation.longitudinal"\ngoal = "maximize"\nthreshold = 40.0'
TARGET = 'outcome = "elongation.longitudinal"\ngoal = "target"\ntarget = {}\ntolerance = {}'


def revise(folder: Path, target: float, tolerance: float) -> None:
    config = folder / "config.toml"
    text = config.read_text(encoding="utf-8")
    assert STRAIGHT in text
    config.write_text(text.replace(STRAIGHT, TARGET.format(target, tolerance)), encoding="utf-8")


@pytest.fixture
def filled(folder: Path, engine, fill: Callable[[Workspace, int], None]) -> Path:
    """Return the folder of 16 finished virtual runs whose elongation is to be 150 ± 60 %."""
    with Workspace.open(folder / "config.toml") as workspace:
        fill(workspace, 16)
    revise(folder, 150, 60)
    assert engine("campaign", "revise").exit_code == 0
    return folder


def elongations(folder: Path) -> dict[int, float]:
    with Workspace.open(folder / "config.toml") as workspace, workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        runs = [(e.id, e.replicates()) for e in tx.experiments.find(record.id)]
    name = "elongation.longitudinal"
    return {id_: sum(r[name]) / len(r[name]) for id_, r in runs if name in r}


def test_status_tells_the_nearest(filled: Path, engine) -> None:
    values = elongations(filled)
    best = engine("status", "--json").json["best"][1]
    nearest = min(values, key=lambda id_: abs(values[id_] - 150))
    assert (best["goal"], best["target"], best["tolerance"], best["threshold"]) == (
        "target",
        150.0,
        60.0,
        None,
    )
    assert (best["experiment"], best["value"]) == (nearest, pytest.approx(values[nearest]))
    assert best["beyond_threshold"] == sum(abs(v - 150) <= 60 for v in values.values()) > 0
    for words in (("status",), ("campaign", "show")):
        answer = engine(*words)
        assert answer.exit_code == 0
        assert "150 ± 60" in answer.out
        assert "elongation.longitudinal [%]" in answer.out


def test_propose_score_report_and_page(filled: Path, engine) -> None:
    batch = engine("propose", "--n", 2, *AT, "--strategy", "gp", "--no-preview", "--json")
    assert batch.exit_code == 0
    assert len(batch.json["proposals"]) == 2
    assert engine("replay", batch.json["batch"], "--json").json["same"] is True
    Path("candidates.csv").write_text("f,c,v,r\n0.4,18,18,400\n0.6,22,16,0\n", encoding="utf-8")
    assert engine("score", "candidates.csv").exit_code == 0
    assert engine("report", "--out", "page.html").exit_code == 0
    assert "elongation.longitudinal [%] 150 ± 60" in Path("page.html").read_text(encoding="utf-8")


def test_a_target_out_of_reach_is_gone_for_and_told(filled: Path, engine) -> None:
    revise_from = "target = 150"
    config = filled / "config.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(revise_from, "target = 4000"), encoding="utf-8")
    assert engine("campaign", "revise").exit_code == 0
    answer = engine("propose", "--n", 2, *AT, "--strategy", "nsga2", "--no-preview", "--json")
    assert answer.exit_code == 0
    (note,) = [n for n in answer.json["notes"] if "no run comes within" in n]
    nearest = max(elongations(filled).values())
    assert f"expected 4000 ± 60, the nearest of 16 is {nearest:.4g}" in note
    assert "`engine campaign revise`" in note
    assert "no run comes within the tolerance" in " ".join(answer.err.split())


@pytest.mark.parametrize(
    ("target", "tolerance", "words"),
    [
        (150, 0, "expected a tolerance above 0"),
        (-4, 1, "can never be measured: expected elongation [%] to be at least 0"),
        (9000, 1, "can never be measured: expected elongation [%] to be at most 5000"),
    ],
)
def test_a_target_that_cannot_be_is_refused(folder: Path, engine, target, tolerance, words) -> None:
    revise(folder, target, tolerance)
    answer = engine("campaign", "revise")
    assert answer.exit_code == 2
    assert words in " ".join(answer.err.split())
    assert "config.toml" in answer.err


def test_export_and_import_bring_the_target_along(filled: Path, engine) -> None:
    assert engine("export", "--out", "all.json").exit_code == 0
    before = engine("status", "--json").json
    config = (filled / "config.toml").read_text(encoding="utf-8")
    (filled / "copy").mkdir()
    (filled / "copy" / "config.toml").write_text(config, encoding="utf-8")
    place = ("--config", filled / "copy" / "config.toml")
    assert engine("init", *place).exit_code in (0, 2)
    assert engine("import", "all.json", *place).exit_code == 0
    after = engine("status", "--json", *place).json
    assert [b["value"] for b in after["best"]] == [b["value"] for b in before["best"]]
    assert [b["target"] for b in after["best"]] == [None, 150.0]
    assert after["beyond_all_thresholds"] == before["beyond_all_thresholds"]
