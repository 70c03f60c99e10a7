"""Whatever is written, and in whatever order: a watermark gives back just what was known then."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from db.records import (
    ExperimentRecord,
    NewExperiment,
    NewProposal,
    Origin,
    Status,
    Value,
)
from db.schema import check, create
from db.session import Database

OUTCOMES = ("strength", "elongation")
PARAMETERS = ("voltage", "polymer", "humidity")

numbers = st.floats(allow_nan=False, allow_infinity=False)
values: st.SearchStrategy[Value] = st.one_of(numbers, st.text(max_size=5))
conditions = st.dictionaries(st.sampled_from(PARAMETERS), values)
outcomes = st.dictionaries(
    st.sampled_from(OUTCOMES), st.lists(numbers, max_size=3).map(tuple), max_size=2
)
notes = st.none() | st.text(max_size=5)
states = st.sampled_from(
    [(status, None) for status in Status if status is not Status.FAILED]
    + [(Status.FAILED, kind) for kind in ("beads", "drips", "no_jet", "other")]
)


@st.composite
def new_experiments(draw: st.DrawFn) -> NewExperiment:
    status, failure = draw(states)
    return NewExperiment(
        draw(st.sampled_from(Origin)),
        status,
        failure=failure,
        note=draw(notes),
        proposed=draw(conditions),
        actual=draw(conditions),
        outcomes=draw(outcomes),
    )


@dataclass
class Expected:
    """What the database should tell of one experiment, kept by hand."""

    status: Status
    failure: str | None
    note: str | None
    proposed: dict[str, Value]
    actual: dict[str, Value]
    outcomes: dict[str, list[float]] = field(default_factory=dict)
    n_pictures: int = 0

    @classmethod
    def of(cls, new: NewExperiment) -> Expected:
        measured = {name: list(found) for name, found in new.outcomes.items() if found}
        return cls(new.status, new.failure, new.note, {**new.proposed}, {**new.actual}, measured)

    def agrees_with(self, record: ExperimentRecord) -> bool:
        measured = {name: list(found) for name, found in record.replicates().items()}
        return (
            (self.status, self.failure, self.note) == (record.status, record.failure, record.note)
            and self.proposed == record.proposed
            and self.actual == record.actual
            and self.outcomes == measured
            and self.n_pictures == len(record.micrographs)
        )


@cache
def template() -> Path:
    path = Path(tempfile.mkdtemp(prefix="spinneret-test-")) / "empty.db"
    create(f"sqlite:///{path}")
    return path


class Recording(RuleBasedStateMachine):
    """Writes at random; remembers what was known at each watermark."""

    experiments = Bundle("experiments")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="spinneret-test-"))
        self.url = f"sqlite:///{shutil.copy(template(), self.folder / 'spinneret.db')}"
        self.database = Database.open(self.url)
        self.expected: dict[int, Expected] = {}
        self.known: dict[int, list[ExperimentRecord]] = {}

    def teardown(self) -> None:
        assert check(self.url) == []
        self.database.close()
        shutil.rmtree(self.folder)

    @initialize()
    def begin(self) -> None:
        with self.database.write("init") as tx:
            self.campaign = tx.campaigns.create("mats", {})
            other = tx.campaigns.create("others", {})
            tx.experiments.add(other, [NewExperiment(Origin.MANUAL, Status.RUNNING)])

    @rule(target=experiments, new=st.lists(new_experiments(), min_size=1, max_size=3))
    def add(self, new: list[NewExperiment]) -> Iterator[int]:
        with self.database.write("import") as tx:
            ids = tx.experiments.add(self.campaign, new)
        for id_, item in zip(ids, new, strict=True):
            self.expected[id_] = Expected.of(item)
        return multiple(*ids)  # type: ignore[return-value]

    @rule(target=experiments, settings=conditions)
    def propose(self, settings: dict[str, Value]) -> int:
        new = NewProposal(settings, 1, 0.5, "explores", "", None, None, {}, 0.9)
        with self.database.write("propose") as tx:
            _, (id_,) = tx.batches.add(
                self.campaign,
                strategy="sobol",
                seed=0,
                request={},
                watermark=tx.watermark(),
                versions={},
                proposals=[new],
            )
        self.expected[id_] = Expected(Status.PROPOSED, None, None, {**settings}, {})
        return id_

    @rule(id_=experiments, state=states, note=notes)
    def set_status(self, id_: int, state: tuple[Status, str | None], note: str | None) -> None:
        status, failure = state
        with self.database.write("log") as tx:
            tx.experiments.set_status(id_, status, failure=failure, note=note)
        expected = self.expected[id_]
        expected.status, expected.failure = status, failure
        expected.note = expected.note if note is None else note

    @rule(id_=experiments, note=notes)
    def set_note(self, id_: int, note: str | None) -> None:
        with self.database.write("note") as tx:
            tx.experiments.set_note(id_, note)
        self.expected[id_].note = note

    @rule(id_=experiments, settings=conditions)
    def set_actual(self, id_: int, settings: dict[str, Value]) -> None:
        with self.database.write("log") as tx:
            tx.experiments.set_actual(id_, settings)
        self.expected[id_].actual.update(settings)

    @rule(
        id_=experiments,
        outcome=st.sampled_from(OUTCOMES),
        measured=st.lists(numbers, min_size=1, max_size=2),
    )
    def measure(self, id_: int, outcome: str, measured: list[float]) -> None:
        with self.database.write("log") as tx:
            tx.measurements.add(id_, outcome, measured)
        self.expected[id_].outcomes.setdefault(outcome, []).extend(measured)

    @rule(id_=experiments, data=st.data(), value=numbers)
    def correct(self, id_: int, data: st.DataObject, value: float) -> None:
        measured = self.expected[id_].outcomes
        if not measured:
            return
        outcome = data.draw(st.sampled_from(sorted(measured)))
        replicate = data.draw(st.integers(1, len(measured[outcome])))
        with self.database.write("correct") as tx:
            tx.measurements.correct(id_, outcome, replicate, value)
        measured[outcome][replicate - 1] = value

    @rule(id_=experiments)
    def picture(self, id_: int) -> None:
        expected = self.expected[id_]
        with self.database.write("log") as tx:
            tx.micrographs.add(
                id_,
                sha256=f"{expected.n_pictures:064d}",
                path="a",
                original_name="a",
                width_px=1,
                height_px=1,
                n_bytes=1,
            )
        expected.n_pictures += 1

    @invariant()
    def now_is_as_expected(self) -> None:
        if not hasattr(self, "campaign"):
            return
        with self.database.read() as tx:
            now = tx.experiments.find(self.campaign.id)
            self.known[tx.watermark()] = now
            assert now == tx.experiments.find(self.campaign.id, watermark=tx.watermark())
        assert [record.id for record in now] == sorted(self.expected)
        assert all(self.expected[record.id].agrees_with(record) for record in now)

    @rule(data=st.data(), status=st.sets(st.sampled_from(Status)), newest=st.integers(1, 3))
    def then_is_as_it_was(self, data: st.DataObject, status: set[Status], newest: int) -> None:
        watermark = data.draw(st.sampled_from(sorted(self.known)))
        then = self.known[watermark]
        with_status = [record for record in then if record.status in status]
        with self.database.read() as tx:
            found = tx.experiments

            assert found.find(self.campaign.id, watermark=watermark) == then
            assert found.find(self.campaign.id, watermark=watermark, status=status) == with_status
            assert (
                found.find(self.campaign.id, watermark=watermark, status=status, newest=newest)
                == with_status[-newest:]
            )
            assert found.find(self.campaign.id, watermark=0) == []


TestRecording = Recording.TestCase
TestRecording.settings = settings(
    max_examples=6,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # shrinking would outlast the test's time limit
    suppress_health_check=[HealthCheck.too_slow],
)
