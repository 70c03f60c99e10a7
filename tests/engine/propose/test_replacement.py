"""A rejected run gives way to another: chosen as its batch was, and never the same again."""

from __future__ import annotations

import pytest

from engine.errors import StateError
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.loop import propose, replay
from engine.propose.replacement import accept, family_of, replacement_request
from engine.propose.request import ProposeRequest
from engine.results.batch_outcome import measured_beside_expected, solution_changes

ACROSS = "elongation.longitudinal"


def test_a_rejected_run_is_replaced(engine, workspace) -> None:
    # Four settings are left at all: what was rejected may not come again.
    fixed = {"concentration": 18.0, "voltage": 18.0, "collector_speed": 400.0}
    batch = propose(workspace, ProposeRequest(n=3, seed=1, strategy="sobol", fixed=fixed))
    first, second, third = batch.experiment_ids
    with pytest.raises(StateError, match="once it is rejected"):
        replacement_request(workspace, first, seed=2)
    record(workspace, Entry(experiment=f"id:{second}", abandon=True, note="no such needle"))
    answer = engine("propose", "--replace", second, "--seed", 2, "--no-preview", "--json")
    assert answer.exit_code == 0, answer.err
    (proposal,) = answer.json["proposals"]
    with pytest.raises(StateError, match=f"already, by run {proposal['experiment']}"):
        replacement_request(workspace, second, seed=2)
    assert engine("propose", "--replace", second, "-n", 4).exit_code == 2
    with workspace.database.read() as tx:
        recorded = tx.batches.get(batch.batch_id)
        family = family_of(tx, recorded)
        runs = tx.experiments.get_all([p.experiment_id for p in family.proposals])
    assert [p.experiment_id for p in family.proposals] == [
        id_
        for p in sorted(batch.experiment_ids, key=list(batch.experiment_ids).index)
        for id_ in ([p, proposal["experiment"]] if p == second else [p])
    ]
    assert family.replaced == {second: proposal["experiment"]}
    flow_rates = [run.proposed["flow_rate"] for run in runs]
    assert len(set(flow_rates)) == 4
    assert all(run.proposed["voltage"] == 18 for run in runs)
    assert replay(workspace, answer.json["batch"]).differences == ()
    assert replay(workspace, batch.batch_id).differences == ()
    assert set(accept(workspace, batch.batch_id)) == {first, third, proposal["experiment"]}
    with pytest.raises(StateError, match="nothing to accept"):
        accept(workspace, batch.batch_id)


def test_changes_of_solution_and_what_came_of_it(nanofibre, workspace) -> None:
    from rows import add_batch
    from rows import proposal as new_proposal

    room = {"temperature": 22.0, "humidity": 40.0}
    settings = {"flow_rate": 0.4, "voltage": 18.0, "collector_speed": 400.0, **room}
    proposals = [
        new_proposal(order, conditions={**settings, "concentration": c})
        for order, c in ((1, 18.0), (2, 20.0), (3, 18.0), (4, 20.0))
    ]
    with workspace.database.write("test") as tx:
        ids = add_batch(tx, workspace.active_campaign(tx)[0], *proposals)
    record(workspace, Entry(experiment=f"id:{ids[0]}", results={ACROSS: 90.0}))
    record(workspace, Entry(experiment=f"id:{ids[1]}", results={ACROSS: 120.0}))
    with workspace.database.read() as tx:
        runs = tx.experiments.get_all(ids)
        expected = {p.outcome: p for p in tx.batches.predictions_of(ids[0])}
    changes = solution_changes(nanofibre, runs)
    assert changes is not None
    assert (changes.names, changes.as_listed, changes.fewest) == (("concentration",), 3, 1)
    assert changes.order == (ids[0], ids[2], ids[1], ids[3])
    listed = solution_changes(nanofibre, [runs[0], runs[2], runs[1], runs[3]])
    assert listed is not None
    assert (listed.as_listed, listed.as_numbered) == (1, 3)
    assert solution_changes(nanofibre, runs[:1]) is None
    inside = measured_beside_expected(runs[0], expected)[ACROSS]
    above = measured_beside_expected(runs[1], expected)[ACROSS]
    assert (inside.mean, inside.is_inside, above.is_inside) == (90, True, False)
    assert measured_beside_expected(runs[2], expected) == {}
