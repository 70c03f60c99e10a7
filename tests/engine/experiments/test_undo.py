"""Taking back what was recorded by mistake: the model forgets it, the trail does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.records import ExperimentRecord, Status
from engine.errors import NotFoundError, StateError
from engine.experiments.entries import Entry
from engine.experiments.learning_set import history_from_records
from engine.experiments.record import record
from engine.experiments.undo import undo
from engine.workspace import Workspace

Engine = Callable[..., Any]
SETTINGS = {"flow_rate": 0.4, "concentration": 18.0, "voltage": 18.0, "collector_speed": 400.0}
E, F = "elongation.longitudinal", "fracture_strength.longitudinal"


def new(workspace: Workspace, **results: float) -> int:
    named = {name.replace("__", "."): value for name, value in results.items()}
    return record(workspace, Entry(conditions=SETTINGS, results=named)).experiment.id


def run(workspace: Workspace, id_: int = 1) -> ExperimentRecord:
    with workspace.database.read() as tx:
        found = tx.experiments.get(id_)
    assert found is not None
    return found


def log(workspace: Workspace, id_: int = 1, actor: str | None = None, **fields: Any) -> None:
    there = workspace if actor is None else workspace.acting(actor)
    record(there, Entry(experiment=str(id_), **fields))


def me(workspace: Workspace) -> str:
    with workspace.database.read() as tx:
        return tx.changes(limit=1)[0].actor


class TestRetraction:
    def test_one_outcome_and_then_all(self, workspace: Workspace) -> None:
        id_ = new(workspace, elongation__longitudinal=88, fracture_strength__longitudinal=12)
        log(workspace, retract=(E,))
        assert run(workspace).replicates() == {F: (12.0,)}
        assert run(workspace).status is Status.COMPLETED
        log(workspace, retract=())
        assert run(workspace).replicates() == {}
        # Spun it was: what is awaited is a result.
        assert run(workspace).status is Status.RUNNING
        with workspace.database.read() as tx:
            rows = tx.measurements.all_of(id_)
            trail = [e for e in tx.experiments.trail(id_) if e.kind == "measurement"]
            assert tx.measurements.count(1) == 0
            assert tx.measurements.newest(1, E, 9) == []
            assert tx.measurements.means(1, [E, F], status=Status.RUNNING) == []
        assert [(row.outcome, row.revision, row.is_retraction) for row in rows] == [
            (E, 1, False), (E, 2, True), (F, 1, False), (F, 2, True),
        ]  # fmt: skip
        assert [event.value for event in trail] == [88, 12, None, None] or [
            event.value for event in trail
        ] == [12, 88, None, None]

    def test_the_model_forgets_at_once_and_remembers_what_it_knew(
        self, workspace: Workspace
    ) -> None:
        new(workspace, elongation__longitudinal=88)
        other = new(workspace, elongation__longitudinal=70)
        with workspace.database.read() as tx:
            before = tx.watermark()
        log(workspace, other, retract=())
        with workspace.database.read() as tx:
            _, campaign = workspace.active_campaign(tx)
            now = history_from_records(campaign, tx.experiments.find(1))
            then = history_from_records(campaign, tx.experiments.find(1, watermark=before))
            briefs = tx.experiments.briefs(1, [E], status=list(Status))
        assert len(now.finished) == 1
        assert len(then.finished) == 2
        assert [brief.means for brief in briefs] == [{E: 88.0}, {}]

    def test_one_replicate_whose_number_is_given_again(self, workspace: Workspace) -> None:
        new(workspace, elongation__longitudinal=88)
        log(workspace, results={E: 90.0}, replicate=True)
        log(workspace, results={E: 92.0}, replicate=True)
        log(workspace, retract=(E,), which=2)
        assert run(workspace).replicates() == {E: (88.0, 92.0)}
        log(workspace, results={E: 94.0}, replicate=True)
        assert [(m.replicate, m.value) for m in run(workspace).measurements] == [
            (1, 88.0), (3, 92.0), (4, 94.0),
        ]  # fmt: skip
        log(workspace, retract=())
        log(workspace, results={E: 91.0})
        assert [(m.replicate, m.revision, m.value) for m in run(workspace).measurements] == [
            (1, 3, 91.0)
        ]
        assert run(workspace).status is Status.COMPLETED

    def test_what_cannot_be_taken_back(self, workspace: Workspace) -> None:
        new(workspace, elongation__longitudinal=88)
        with pytest.raises(StateError, match=r"no fracture_strength\.longitudinal"):
            log(workspace, retract=(F,))
        with pytest.raises(StateError, match="no replicate 2 of elongation"):
            log(workspace, retract=(E,), which=2)
        log(workspace, retract=())
        with pytest.raises(StateError, match="no result to take back"):
            log(workspace, retract=())
        with pytest.raises(StateError, match=r"has no elongation\.longitudinal .* to correct"):
            log(workspace, results={E: 3.0}, correct=True)

    def test_at_the_command_line(self, engine: Engine, workspace: Workspace) -> None:
        new(workspace, elongation__longitudinal=88, fracture_strength__longitudinal=12)
        answer = engine("log", 1, "--retract", E)
        assert answer.exit_code == 0
        assert f"{E} [%] retracted, was 88" in answer.out
        assert "retraction" in engine("show", 1).out
        shown = engine("show", 1, "--json").json
        assert shown["outcomes"] == {F: [12.0]}
        assert [m["value"] for m in shown["measurements"] if m["outcome"] == E] == [88.0, None]
        assert engine("log", 1, "--retract", f"{E}=3").exit_code == 2
        assert engine("log", 1, "--retract", "elongatio").exit_code == 2
        assert engine("log", "--retract").exit_code == 2
        assert engine("log", 1, "--retract", "--abandon").exit_code == 2
        assert engine("status", "--json").exit_code == 0
        assert engine("db", "check").exit_code == 0

    def test_it_comes_out_and_in_again(self, engine: Engine, workspace: Workspace) -> None:
        results = {E: 88.0, F: 12.0}
        record(workspace, Entry(conditions=SETTINGS, results=results, label="S1"))
        log(workspace, retract=(E,))
        for name in ("a.csv", "a.json"):
            assert engine("export", "--out", name).exit_code == 0
            assert "1 unchanged" in engine("import", name).out
        assert "88" not in Path("a.csv").read_text(encoding="utf-8")
        # A file that still has the value brings it back, as a further revision.
        text = Path("a.csv").read_text(encoding="utf-8").splitlines()
        place = text[0].split(",").index(f"{E} [%]")
        cells = text[1].split(",")
        cells[place] = "89"
        Path("b.csv").write_text("\n".join([text[0], ",".join(cells)]), encoding="utf-8")
        assert engine("import", "b.csv").exit_code == 0
        assert run(workspace).replicates() == {E: (89.0,), F: (12.0,)}


class TestUndo:
    def test_a_result_of_the_wrong_run(self, workspace: Workspace) -> None:
        new(workspace)
        log(workspace, results={E: 88.0}, note="oops", actual={"humidity": 61.0})
        undone = undo(workspace, me(workspace))
        assert undone.experiments == (1,)
        back = run(workspace)
        assert back.replicates() == {}
        assert (back.status, back.note) == (Status.RUNNING, None)
        assert "humidity" not in back.conditions
        log(workspace, actual={"humidity": 55.0})
        assert run(workspace).conditions["humidity"] == 55.0

    def test_further_back_with_each_call(self, workspace: Workspace) -> None:
        new(workspace, elongation__longitudinal=88)
        log(workspace, results={E: 80.0}, correct=True)
        log(workspace, retract=())
        values = []
        for _ in range(3):
            undo(workspace, me(workspace))
            values.append(run(workspace).replicates().get(E))
        assert values == [(80.0,), (88.0,), None]
        assert run(workspace).status is Status.ABANDONED
        with pytest.raises(NotFoundError, match="left to be undone"):
            undo(workspace, me(workspace))
        with workspace.database.read() as tx:
            assert [change.action for change in tx.changes(limit=3)] == ["undo"] * 3

    def test_only_ones_own_and_only_what_stands(self, workspace: Workspace) -> None:
        new(workspace)
        log(workspace, actor="anna", results={E: 88.0})
        log(workspace, actor="bo", results={E: 80.0}, correct=True)
        with pytest.raises(StateError, match="more was recorded since"):
            undo(workspace, "anna")
        with pytest.raises(NotFoundError):
            undo(workspace, "nobody")
        undo(workspace, "bo")
        assert run(workspace).replicates() == {E: (88.0,)}
        # Anna's value stands again, and may be undone.
        undo(workspace, "anna")
        assert run(workspace).replicates() == {}

    def test_a_batch_and_an_import(self, engine: Engine, workspace: Workspace) -> None:
        engine("propose", "--n", 2, "--strategy", "sobol")
        assert engine("undo", "--dry-run").exit_code == 0
        assert run(workspace).status is Status.PROPOSED
        answer = engine("undo", "--json").json
        assert answer["experiments"] == [1, 2]
        assert {run(workspace, id_).status for id_ in (1, 2)} == {Status.ABANDONED}
        head = "id," + ",".join(SETTINGS) + f",{E}"
        Path("t.csv").write_text(f"{head}\na,0.4,18,18,400,88\nb,0.5,18,18,400,90\n", "utf-8")
        assert engine("import", "t.csv").exit_code == 0
        answer = engine("undo")
        assert f"experiment 3 · label a: {E} [%] retracted" in answer.out
        assert {run(workspace, id_).status for id_ in (3, 4)} == {Status.ABANDONED}
        assert engine("db", "check").exit_code == 0
        assert engine("undo").exit_code == 1


STEPS = st.sampled_from(
    [
        {"results": {E: 81.0}}, {"results": {E: 82.0}, "replicate": True},
        {"results": {E: 83.0}, "correct": True}, {"retract": ()}, {"retract": (E,), "which": 2},
        {"actual": {"humidity": 50.0}}, {"actual": {"voltage": 17.5}}, {"abandon": True},
        {"running": True}, {"note": "a word"}, {"results": {F: 4.0}, "note": "b"},
    ]
)  # fmt: skip


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEPS, min_size=1, max_size=8))
def test_undoing_walks_back_through_every_state(workspace: Workspace, steps: list[Any]) -> None:
    id_ = new(workspace)

    def state() -> Any:
        now = run(workspace, id_)
        return now.status, now.failure, now.note, now.conditions, now.replicates()

    states = [state()]
    with workspace.database.read() as tx:
        watermarks = [tx.watermark()]
    for step in steps:
        try:
            log(workspace, id_, **step)
        except StateError:
            continue
        with workspace.database.read() as tx:
            if tx.watermark() == watermarks[-1]:
                continue  # it wrote nothing
            watermarks.append(tx.watermark())
        states.append(state())
    for earlier in reversed(states[:-1]):
        undo(workspace, me(workspace))
        assert state() == earlier
    # What was known then is known still.
    with workspace.database.read() as tx:
        for watermark, known in zip(watermarks, states, strict=True):
            (then,) = tx.experiments.get_all([id_], watermark=watermark)
            assert (then.status, then.replicates()) == (known[0], known[4])
