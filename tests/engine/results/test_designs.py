"""The best so far is the best setting, by all its specimens, beside what a model expects of it."""

from __future__ import annotations

import pytest
from lucky_specimen import ELONGATION, STRENGTH, record_lucky

from db.records import NewProposal
from engine.results.designs import best_designs
from engine.results.status import campaign_status


def test_runs_of_one_setting_count_together(workspace) -> None:
    batch = record_lucky(workspace)
    with workspace.database.read() as tx:
        best = best_designs(tx, *workspace.active_campaign(tx), n=5)
    first, second = best.ranked[STRENGTH]
    assert (first.runs, first.means[STRENGTH].mean, first.means[STRENGTH].n) == ((3, 4), 21.0, 2)
    assert (second.runs, second.means[STRENGTH].mean) == ((1, 2, 5), pytest.approx(17.0))
    assert second.means[STRENGTH].variance == pytest.approx(127.0)
    expected = first.expected[STRENGTH]
    assert (expected.mean, expected.lower, expected.upper) == (19.5, 15.25, 24.0)
    assert (expected.level, expected.batch) == (0.9, batch)
    assert second.expected == {}
    assert {design.runs for design in best.front} == {(3, 4), (1, 2, 5)}
    assert [design.runs for design in best.ranked[ELONGATION]] == [(1, 2, 5), (3, 4)]


def test_status_tells_the_best_setting_with_what_is_expected(workspace, engine) -> None:
    batch = record_lucky(workspace)
    row = next(b for b in engine("status", "--json").json["best"] if b["outcome"] == STRENGTH)
    assert (row["value"], row["specimens"], row["experiments"]) == (21.0, 2, [3, 4])
    assert (row["lowest"], row["highest"]) == (20.0, 22.0)
    assert row["conditions"]["voltage"] == 16.0
    assert row["expected"] == {
        "mean": 19.5, "lower": 15.25, "upper": 24.0, "level": 0.9, "batch": batch
    }  # fmt: skip
    status = engine("status").out
    assert "expected, 90% interval" in " ".join(status.split())
    (line,) = [line for line in status.splitlines() if "19.5 (15.25 … 24)" in line]
    assert "2: 20 … 22" in line


def test_what_was_said_beforehand_stands_where_no_later_model_tells(workspace) -> None:
    record_lucky(workspace)
    settings = {"flow_rate": 0.4, "concentration": 18, "collector_speed": 400, "voltage": 20}
    proposal = NewProposal(
        conditions=settings,
        order=1,
        p_success=0.9,
        reason_kind="gain",
        reason="promises",
        nearest_experiment_id=None,
        acquisition_value=None,
        predictions={STRENGTH: (25.0, 20.0, 31.0)},
        level=0.8,
    )
    with workspace.database.write("test") as tx:
        record, _ = workspace.active_campaign(tx)
        more = {"strategy": "gp", "seed": 1, "watermark": 1, "versions": {}}
        batch, (id_,) = tx.batches.add(record, request={}, proposals=[proposal], **more)
    from engine.experiments.entries import Entry
    from engine.experiments.record import record as log

    log(workspace, Entry(experiment=str(id_), results={STRENGTH: 33.0}))
    best = campaign_status(workspace).best[0]
    assert (best.value, best.experiment) == (33.0, id_)
    assert (best.expected.mean, best.expected.level) == (25.0, 0.8)
    assert best.expected.batch == batch.id


def test_a_setting_whose_mean_breaks_a_rule_is_no_best(workspace, folder, engine) -> None:
    record_lucky(workspace)
    config = folder / "config.toml"
    text = config.read_text(encoding="utf-8")
    rule = f'\nconstraints = ["{ELONGATION} >= 43"]'
    config.write_text(text.replace("\nconstraints = []", rule), encoding="utf-8")
    assert engine("campaign", "revise").exit_code == 0
    # Of the two specimens at 16 kV one keeps the rule, with 44 %.
    best = {row["outcome"]: row for row in engine("status", "--json").json["best"]}
    assert best[STRENGTH]["experiments"] == [4]
    assert best[STRENGTH]["value"] == 22.0


def test_report_and_status_say_the_same(workspace) -> None:
    from engine.report.tables import best_table
    from engine.results.material import gather

    record_lucky(workspace)
    table = best_table(gather(workspace))
    rows = {row[0]: dict(zip(table.headings, row, strict=True)) for row in table.rows}
    assert list(rows) == ["1, 2, 5", "3, 4"]
    row = rows["3, 4"]
    assert row["why it is here"] == f"front, 1. {STRENGTH}, 2. {ELONGATION}"
    assert (row["voltage [kV]"], row["collector_speed [rpm]"]) == ("16", "400")
    assert row[f"{STRENGTH} [MPa]: mean, specimens"] == "21 × 2: 20 … 22"
    assert row[f"{STRENGTH} [MPa]: expected, 90% interval"] == "19.5 (15.25 … 24)"
