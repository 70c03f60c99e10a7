"""The first page's numbers: front, hypervolume, what is awaited and due; and when to stop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from db.records import PredictionRecord
from engine.campaign.front import front_mask, hypervolume
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.results.advice import advise
from engine.results.overview import overview
from engine.results.status import campaign_status
from engine.workspace import Workspace

STRENGTH, ELONGATION = "fracture_strength.longitudinal", "elongation.longitudinal"
SETTINGS = {"flow_rate": 0.4, "concentration": 18, "voltage": 18}


def run(workspace, speed: float, strength: float, elongation: float) -> int:
    entry = Entry(
        conditions={**SETTINGS, "collector_speed": speed},
        results={STRENGTH: strength, ELONGATION: elongation},
    )
    return record(workspace, entry).experiment.id


def test_agrees_with_what_the_command_line_says(workspace) -> None:
    points = [(6, 120), (9, 100), (8, 90), (14, 60), (4, 50)]
    ids = [run(workspace, 50.0 * i, *point) for i, point in enumerate(points)]
    again = Entry(experiment=str(ids[2]), results={STRENGTH: 10.0}, replicate=True)
    record(workspace, again)
    found, told = overview(workspace), campaign_status(workspace)
    assert found.counts == told.counts
    values = [[mean.mean for mean in point.means] for point in found.points]
    assert values[2] == [9.0, 90.0]
    assert (found.points[2].means[0].lowest, found.points[2].means[0].highest) == (8.0, 10.0)
    assert [p.on_front for p in found.points] == list(front_mask(values, found.campaign.objectives))
    assert found.volume == pytest.approx(hypervolume(values, found.campaign.objectives))
    assert [id_ for id_, _ in found.volumes] == ids
    assert found.due.n_unlearnt == 5
    assert found.unit == "MPa · %"


def test_an_empty_campaign(workspace) -> None:
    found = overview(workspace)
    assert (found.points, found.volume, found.advice) == ((), 0.0, None)


CONSTRAINED = """
[campaign]
name = "inks"
constraints = ["price <= 5"]
parameters = [{ name = "x", low = 0, high = 1 }]
properties = [{ name = "colour" }, { name = "price" }]
objectives = [{ outcome = "colour", threshold = 1 }]
"""


def test_a_run_that_breaks_a_constraint_counts_whatever_else_was_measured(
    tmp_path, monkeypatch, engine
) -> None:
    monkeypatch.chdir(tmp_path)
    engine("init", "--template", "blank")
    Path("inks.toml").write_text(CONSTRAINED, encoding="utf-8")
    assert engine("campaign", "create", "--file", "inks.toml").exit_code == 0
    rows = ["label,x,colour,price", "a,0.1,3,4", "b,0.2,,9", "c,0.3,4,7", "d,0.4,5,"]
    Path("runs.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert engine("import", "runs.csv").exit_code == 0
    with Workspace.open(tmp_path / "config.toml") as workspace:
        assert overview(workspace).n_breaking == campaign_status(workspace).n_breaking == 2


def said(outcome: str, mean: float, half: float) -> PredictionRecord:
    return PredictionRecord(1, outcome, mean, mean - half, mean + half, 0.9)


@pytest.mark.parametrize(("mean", "is_near"), [((30.0, 200.0), False), ((6.0, 45.0), True)])
def test_what_may_still_be_won_is_weighed_against_noise(workspace, mean, is_near) -> None:
    for place, (strength, elongation) in enumerate([(10, 120), (12, 100), (15, 80)]):
        id_ = run(workspace, 50.0 * place, strength, elongation)
        results = {STRENGTH: strength * 1.15, ELONGATION: elongation * 1.1}
        record(workspace, Entry(experiment=str(id_), results=results, replicate=True))
    found = overview(workspace)
    with workspace.database.read() as tx:
        means = tx.measurements.means(found.record.id, [STRENGTH, ELONGATION])
    values = np.array([[m.mean for m in p.means] for p in found.points])
    awaited = [{STRENGTH: said(STRENGTH, mean[0], 0.5), ELONGATION: said(ELONGATION, mean[1], 3)}]
    advice = advise(found.campaign, values, means, awaited)
    assert advice is not None
    assert advice.is_near_the_end is is_near
    assert advice.noise > 0
    assert advise(found.campaign, values, [], awaited) is None, "no replicates, no advice"
    assert advise(found.campaign, values, means, []) is None
