"""A batch is recorded whole, with all that it takes to compute it again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from forked_commands import start_command

from db.records import Origin, Status
from engine.campaign import Campaign
from engine.errors import NotFoundError
from engine.loop import propose, replay, score
from engine.propose.request import ProposeRequest
from engine.results.designs import best_designs
from engine.workspace import Workspace
from engine.workspace.revisions import create

SETTINGS = {"flow_rate": 0.4, "concentration": 18.0, "voltage": 18.0, "collector_speed": 400.0}


@pytest.fixture
def filled(workspace: Workspace, fill: Callable[[Workspace, int], None]) -> Workspace:
    """Return a workspace with 16 finished virtual runs."""
    fill(workspace, 16)
    return workspace


def test_everything_about_a_batch_is_recorded(filled: Workspace) -> None:
    request = ProposeRequest(n=3, seed=4, at={"temperature": 22.0, "humidity": 50.0}, explore=True)
    proposed = propose(filled, request)
    assert proposed.batch_id is not None
    with filled.database.read() as tx:
        batch = tx.batches.get(proposed.batch_id)
        assert batch is not None
        assert batch.seed == 4
        assert {"spinneret", "torch", "botorch"} <= set(batch.versions)
        assert batch.watermark < tx.watermark()
        best = best_designs(tx, *filled.active_campaign(tx), n=5)
        for objective in proposed.campaign.objectives:
            for design in best.ranked[objective.outcome]:
                expected = design.expected[objective.outcome]
                assert expected.lower < expected.mean < expected.upper
                assert (expected.batch, expected.level) == (batch.id, 0.9)
        rows = tx.batches.proposals(proposed.batch_id)
        assert [row.experiment_id for row in rows] == list(proposed.experiment_ids)
        for id_, suggestion in proposed.numbered:
            assert id_ is not None
            experiment = tx.experiments.get(id_)
            assert experiment is not None
            assert experiment.status is Status.PROPOSED
            assert experiment.origin is Origin.PROPOSAL
            assert experiment.proposed == {**suggestion.conditions, **suggestion.ambient}
            ledger = {p.outcome: p for p in tx.batches.predictions_of(id_)}
            assert set(ledger) == set(proposed.campaign.outcomes)
            for outcome, forecast in suggestion.outcomes.items():
                assert ledger[outcome].mean == forecast.mean
                assert ledger[outcome].level == 0.9


def test_a_second_call_proposes_others(filled: Workspace) -> None:
    request = ProposeRequest(n=4, seed=4, explore=True)
    first, second = propose(filled, request), propose(filled, request)
    settings = [tuple(s.conditions.values()) for p in (first, second) for s in p.batch.suggestions]
    assert len(set(settings)) == 8


def test_a_dry_run_records_nothing(filled: Workspace, state: Callable[[], object]) -> None:
    before = state()
    proposed = propose(filled, ProposeRequest(n=2, seed=4, explore=True), record=False)
    assert proposed.batch_id is None
    assert proposed.experiment_ids == (None, None)
    assert state() == before


def test_a_batch_comes_out_the_same_after_more_was_learnt(
    filled: Workspace, fill: Callable[[Workspace, int], None]
) -> None:
    proposed = propose(filled, ProposeRequest(n=3, seed=4, explore=True))
    fill(filled, 5)
    again = replay(filled, proposed.batch_id or 0)
    assert again.differences == ()
    assert again.experiment_ids == proposed.experiment_ids


def test_a_batch_that_is_not_there(filled: Workspace) -> None:
    with pytest.raises(NotFoundError, match="there is no batch 7"):
        replay(filled, 7)


def test_what_is_recorded_meanwhile_is_not_proposed(
    filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else proposes the same settings while ours are being computed."""
    from engine import loop

    original, once = loop.compute, []

    def slow(*args, **kwargs):
        batch = original(*args, **kwargs)
        if not once:
            once.append(True)
            propose(filled, ProposeRequest(n=3, seed=4, strategy="sobol"))
        return batch

    monkeypatch.setattr(loop, "compute", slow)
    ours = propose(filled, ProposeRequest(n=3, seed=4, strategy="sobol"))
    with filled.database.read() as tx:
        record, _ = filled.active_campaign(tx)
        pending = tx.experiments.find(record.id, status={Status.PROPOSED})
    assert len({tuple(sorted(e.proposed.items())) for e in pending}) == 6
    assert len(ours.experiment_ids) == 3


def test_ranks_are_a_permutation(filled: Workspace) -> None:
    rows = [{**SETTINGS, "collector_speed": speed} for speed in (0.0, 400.0, 1600.0)]
    scored = score(filled, rows)
    assert sorted(scored.ranks) == [1, 2, 3]
    assert all(set(row) == set(scored.campaign.outcomes) for row in scored.forecasts)


@pytest.mark.skipif(os.name == "nt", reason="forks are POSIX's")
def test_killed_at_any_moment_a_batch_is_there_or_not(
    folder: Path, filled: Workspace, n_kills: int
) -> None:
    words = ("propose", "--n", "3", "--strategy", "sobol")
    start_command(folder, *words).join()  # the first one waits for the libraries
    begun = time.monotonic()
    process = start_command(folder, *words)
    process.join()
    assert process.exitcode == 0
    whole = time.monotonic() - begun
    batches = 2
    for i in range(n_kills):
        process = start_command(folder, *words)
        process.join(whole * (0.55 + 0.6 * i / n_kills))
        process.kill()
        process.join()
        with filled.database.read() as tx:
            record, _ = filled.active_campaign(tx)
            found = tx.batches.all_of(record.id)
            pending = tx.experiments.find(record.id, status={Status.PROPOSED})
            assert len(pending) == 3 * len(found)
            for batch in found:
                assert len(tx.batches.proposals(batch.id)) == 3
            assert len(found) - batches in (0, 1)
            batches = len(found)


def test_a_batch_is_recorded_in_the_campaign_that_it_was_asked_for(filled: Workspace) -> None:
    other = Campaign(
        name="other",
        parameters=[{"name": "heat", "low": 20, "high": 80}],
        properties=[{"name": "gloss"}],
        objectives=[{"outcome": "gloss", "threshold": 0}],
    )

    def switch(stage: str, *_: object) -> None:
        if stage.startswith("choosing"):
            with filled.database.read() as tx:
                is_there = tx.campaigns.get("other") is not None
            if not is_there:
                create(filled, other)

    proposed = propose(filled, ProposeRequest(n=2, seed=1, strategy="sobol"), progress=switch)
    assert proposed.batch_id is not None
    with filled.database.read() as tx:
        assert filled.active_campaign(tx)[0].name == "other"
        batch = tx.batches.get(proposed.batch_id)
        assert batch is not None
        assert batch.campaign_id == 1
