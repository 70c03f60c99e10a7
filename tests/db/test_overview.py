"""What the database tells of many experiments together, against the same told one by one."""

from __future__ import annotations

import numpy as np
import pytest

from db.records import Goal, Limit, NewExperiment, Origin, Status
from db.session import Database

GOALS = [Goal("strength", 1, 10.0), Goal("diameter", -1, 300.0)]
LIMITS = [Limit({"modulus": 1.0}, lower=0.5), Limit({"strength": 1.0, "modulus": 2.0}, upper=20.0)]


@pytest.fixture
def filled(database: Database, campaign) -> Database:
    """Runs of all kinds: some without an outcome, replicated, corrected, failed, of others."""
    rng = np.random.default_rng(3)
    new = []
    for _ in range(60):
        outcomes = {
            "strength": tuple(rng.uniform(5, 15, rng.integers(0, 4))),
            "diameter": tuple(rng.uniform(200, 400, rng.integers(0, 3))),
            "modulus": tuple(rng.uniform(0.2, 4, rng.integers(0, 2))),
        }
        status = Status.COMPLETED if rng.random() < 0.8 else Status.RUNNING
        new.append(
            NewExperiment(
                Origin.MANUAL,
                status,
                proposed={"voltage": 18.0, "polymer": "PCL"},
                actual={"voltage": float(rng.uniform(15, 20))},
                outcomes={name: values for name, values in outcomes.items() if values},
            )
        )
    with database.write("log") as tx:
        ids = tx.experiments.add(campaign, new)
        failed = NewExperiment(Origin.MANUAL, Status.FAILED, failure="beads")
        tx.experiments.add(campaign, [failed])
    with database.write("correct") as tx:
        for id_ in ids[::7]:
            for measurement in tx.measurements.all_of(id_)[:1]:
                tx.measurements.correct(
                    id_, measurement.outcome, measurement.replicate, measurement.value * 1.3
                )
    with database.write("other") as tx:
        other = tx.campaigns.create("other", {})
        best = NewExperiment(Origin.MANUAL, Status.COMPLETED, outcomes={"strength": (99.0,)})
        tx.experiments.add(other, [best])
    return database


def mean(record, outcome: str) -> float | None:
    values = record.replicates().get(outcome)
    return None if values is None else sum(values) / len(values)


def test_an_overview_is_what_the_runs_say(filled: Database, campaign) -> None:
    with filled.read() as tx:
        found = tx.overviews.compute(campaign.id, GOALS, LIMITS)
        runs = [e for e in tx.experiments.find(campaign.id) if e.status is Status.COMPLETED]

    def breaks(run) -> bool:
        for limit in LIMITS:
            means = [mean(run, name) for name in limit.terms]
            if any(value is None for value in means):
                continue
            total = sum(w * v for w, v in zip(limit.terms.values(), means, strict=True))
            if (limit.lower is not None and total < limit.lower) or (
                limit.upper is not None and total > limit.upper
            ):
                return True
        return False

    sound = [run for run in runs if not breaks(run)]
    assert found.n_breaking == len(runs) - len(sound) > 0
    beyond = []
    for goal, n_beyond in zip(GOALS, found.n_beyond, strict=True):
        gains = {
            r.id: goal.sign * (m - goal.threshold) for r in sound if (m := mean(r, goal.outcome))
        }
        beyond.append({id_ for id_, gain in gains.items() if gain > 0})
        assert n_beyond == len(beyond[-1]) > 0
    assert found.n_beyond_all == len(beyond[0] & beyond[1]) > 0


def test_a_target_is_hit_by_what_lies_nearest(filled: Database, campaign) -> None:
    goals = [Goal("diameter", 1, 40.0, target=300.0), GOALS[0]]
    with filled.read() as tx:
        summary = tx.overviews.compute(campaign.id, goals, LIMITS[:1])
        runs = [e for e in tx.experiments.find(campaign.id) if e.status is Status.COMPLETED]
    sound = [run for run in runs if (value := mean(run, "modulus")) is None or value >= 0.5]
    off = {run.id: abs(m - 300.0) for run in sound if (m := mean(run, "diameter")) is not None}
    hits = {id_ for id_, distance in off.items() if distance <= 40.0}
    assert summary.n_beyond[0] == len(hits) > 0
    strong = {run.id for run in sound if (m := mean(run, "strength")) is not None and m > 10.0}
    assert summary.n_beyond_all == len(hits & strong) > 0


def test_the_latest_have_the_newest_results(filled: Database, campaign) -> None:
    with filled.read() as tx:
        runs = [e for e in tx.experiments.find(campaign.id) if e.measurements]
        expected = sorted(
            (run for run in runs if run.status is Status.COMPLETED),
            key=lambda run: (max(m.recorded_at for m in run.measurements), run.id),
            reverse=True,
        )
        assert tx.overviews.latest(campaign.id, 5) == [run.id for run in expected[:5]]
        assert tx.overviews.latest(campaign.id, 500) == [run.id for run in expected]


def test_nothing_yet(database: Database, campaign) -> None:
    with database.read() as tx:
        found = tx.overviews.compute(campaign.id, GOALS, LIMITS)
        assert (found.n_breaking, found.n_beyond_all) == (0, 0)
        assert found.n_beyond == (0, 0)
        assert tx.overviews.latest(campaign.id, 5) == []


def test_briefs_are_the_runs_in_short(filled: Database, campaign) -> None:
    with filled.read() as tx:
        for watermark in (None, 2, 3):
            briefs = tx.experiments.briefs(
                campaign.id,
                ["strength", "modulus"],
                status=[Status.COMPLETED, Status.FAILED],
                watermark=watermark,
            )
            whole = tx.experiments.find(
                campaign.id, status=[Status.COMPLETED, Status.FAILED], watermark=watermark
            )
            assert [(b.id, b.status, dict(b.conditions)) for b in briefs] == [
                (e.id, e.status, e.conditions) for e in whole
            ]
            for brief, record in zip(briefs, whole, strict=True):
                for name in ("strength", "modulus"):
                    assert brief.means.get(name) == pytest.approx(mean(record, name))
            assert len(whole) > 40
            ids = [one.id for one in whole[::3]]
            assert list(tx.experiments.get_all(ids, watermark=watermark)) == whole[::3]


def test_newest_values_of_an_outcome(filled: Database, campaign) -> None:
    with filled.read() as tx:
        found = tx.measurements.newest(campaign.id, "strength", 10)
        present = [
            m
            for e in tx.experiments.find(campaign.id)
            for m in e.measurements
            if m.outcome == "strength"
        ]
    expected = sorted(present, key=lambda m: -m.id)[:10]
    assert found == [(m.experiment_id, m.value) for m in expected]


def test_a_label_is_looked_up(database: Database, campaign, experiment_id: int) -> None:
    with database.read() as tx:
        assert tx.experiments.labelled(campaign.id, "M1") == experiment_id
        assert tx.experiments.labelled(campaign.id, "M2") is None
        assert tx.experiments.labelled(campaign.id + 1, "M1") is None


def test_runs_of_equal_settings_are_pooled(database: Database, campaign) -> None:
    """As run where that is recorded, else as planned; what was taken back counts no more."""

    def run(actual: dict, values: tuple[float, ...], **more) -> NewExperiment:
        return NewExperiment(
            Origin.MANUAL,
            Status.COMPLETED,
            actual=actual,
            outcomes={"strength": values} if values else {"modulus": (1.0,)},
            **more,
        )

    new = [
        run({"voltage": 18.0, "polymer": "PCL"}, (9.0, 11.0)),
        run({"voltage": 16.5, "polymer": "PCL"}, (10.5,)),
        run({"polymer": "PCL"}, (1.0,), proposed={"voltage": 18.0, "polymer": "PVA"}),
        run({"voltage": 18.0, "polymer": "PVA"}, (30.0,)),
        run({"voltage": 14.0}, (2.0,), proposed={"voltage": 16.5, "polymer": "PCL"}),
        run({"voltage": 99.0, "polymer": "PCL"}, (77.0,)),
        run({"polymer": "PCL"}, (), proposed={"voltage": 18.0}),
        run({"polymer": "PCL"}, (4.0,)),
    ]
    with database.write("log") as tx:
        ids = tx.experiments.add(campaign, new)
        tx.experiments.unset_actual(ids[4], "voltage")
    wanted = ["strength", "modulus"]
    settings = {"voltage": 16.5, "polymer": None}
    with database.read() as tx:
        designs = tx.designs.pooled(campaign.id, settings, wanted, excluded=[ids[5]])
        goals = [Goal("strength", -1, 0.0), Goal("modulus", 1, 0.0)]
        best, stiff = tx.designs.best(campaign.id, settings, wanted, goals, 2)
        single = tx.designs.pooled(campaign.id, {}, wanted)
    assert [design.runs for design in designs] == [
        (ids[0], ids[2], ids[6]), (ids[1], ids[4], ids[7]), (ids[3],)
    ]  # fmt: skip
    strength = designs[0].means["strength"]
    assert (strength.n, strength.mean, strength.lowest, strength.highest) == (3, 7.0, 1.0, 11.0)
    assert strength.variance == pytest.approx(28.0)
    assert designs[0].means["modulus"].n == 1
    assert "modulus" not in designs[2].means
    assert [design.runs[0] for design in best] == [ids[1], ids[0]]
    assert [design.runs[0] for design in stiff] == [ids[0]]
    assert [design.runs for design in single] == [tuple(ids)]
