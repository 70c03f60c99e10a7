"""The whole loop on a virtual lab: a history, rounds of propose → spin → log, the report.

Everything goes the way it goes at the bench: a campaign made by ``engine init``, results recorded
as ``engine log`` records them, batches proposed as ``engine propose`` proposes them. Only the lab
is played, and only the score looks at its truth.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.campaign import Campaign, Value
from engine.campaign.front import hypervolume
from engine.errors import UsageError, place
from engine.experiments.learning_set import history_from_records
from engine.experiments.record import Entry, record, record_all
from engine.lab import Lab, LabResult, VirtualLab
from engine.lab.physics import DIRECTIONS
from engine.propose.request import ProposeRequest, Suggestion
from engine.workspace import Workspace
from engine.workspace.init import initialise

if TYPE_CHECKING:
    from engine.bench.search.truth import Truth

RUNS_A_DAY = 2
"""Runs of the history that share a room."""

PICTURE_SHAPE = (192, 192)
"""Height and width of a micrograph in pixels."""


@dataclass(frozen=True)
class DemoConfig:
    """What is played: ``history`` runs first, then ``rounds`` batches of ``n``.

    ``curves``: the batches' specimens are logged by their tensile curves, as testers write them,
    and their properties are what is read off those.
    """

    rounds: int = 3
    n: int = 8
    history: int = 24
    seed: int = 0
    curves: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (("rounds", 1, 100), ("n", 1, 100), ("history", 1, 2000)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"--{name}: expected {low} to {high}, got {value}")

    @property
    def n_steps(self) -> int:
        """Steps told while it plays: the history, each batch and each of its runs, the report."""
        return 2 + self.rounds * (1 + self.n)


@dataclass(frozen=True)
class Score:
    """What the campaign has won beyond its thresholds; the unit is the product of the objectives'.

    ``measured`` counts the results as they were measured, noise included; ``true`` what the same
    settings are worth without noise; ``front`` what the lab's true Pareto front wins.
    """

    n_runs: int
    measured: float
    true: float
    front: float

    @property
    def fraction(self) -> float:
        """The share of the true front's hypervolume that has been won."""
        return self.true / self.front if self.front > 0 else 0.0


@dataclass(frozen=True)
class Tried:
    """One proposal and what came of it."""

    experiment_id: int
    suggestion: Suggestion
    result: LabResult


@dataclass(frozen=True)
class Round:
    """One batch, spun in one day's room; ``sheet``: where the mats to expect were drawn."""

    number: int
    batch_id: int
    strategy: str
    ambient: Mapping[str, float]
    tried: tuple[Tried, ...]
    notes: tuple[str, ...]
    score: Score
    sheet: Path | None = None


@dataclass(frozen=True)
class Played:
    """The whole demo."""

    folder: Path
    campaign: Campaign
    report: Path
    start: Score
    rounds: tuple[Round, ...] = field(default_factory=tuple)


@dataclass(frozen=True)
class Audience:
    """Who is told what, while it is played."""

    step: Callable[[str], None] = lambda _: None
    begun: Callable[[Campaign, Score], None] = lambda _campaign, _score: None
    round: Callable[[Campaign, Round], None] = lambda _campaign, _round: None


def play(folder: Path, config: DemoConfig, audience: Audience | None = None) -> Played:
    """Play the demo in ``folder``, which must not hold anything yet.

    Raises:
        UsageError: the folder is not empty.
    """
    from engine.bench.search.truth import Truth
    from engine.report.write import write_report

    audience = audience or Audience()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"expected a new or empty folder, {place(folder)} holds something", field="folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    lab = VirtualLab()
    initialise(folder / "config.toml", template="nanofibre")
    with Workspace.open(folder / "config.toml") as workspace:
        with workspace.database.read() as tx:
            campaign = workspace.active_campaign(tx)[1]
        truth = Truth.from_lab(lab, campaign)
        assert truth is not None  # noqa: S101 -- the virtual lab knows its truth
        stage = _Stage(workspace, campaign, lab, truth, config, audience)
        audience.step(f"a history of {config.history} runs")
        stage.make_history()
        start = stage.score()
        audience.begun(campaign, start)
        rounds = tuple(stage.play_round(number) for number in range(1, config.rounds + 1))
        audience.step("the report")
        report = write_report(workspace, out=folder / "report.html").page
    return Played(folder, campaign, report, start, rounds)


@dataclass(frozen=True)
class _Stage:
    workspace: Workspace
    campaign: Campaign
    lab: Lab
    truth: Truth
    config: DemoConfig
    audience: Audience

    def make_history(self) -> None:
        """Record space-filling runs that nobody proposed, a few a day, without pictures."""
        from engine.propose.sampling import Sampler
        from engine.propose.space import Space

        space = Space(self.campaign)
        settings = space.conditions_of(Sampler(space).sample(self.config.history, self.config.seed))
        entries = []
        for index, conditions in enumerate(settings):
            ambient = self._room(day=index // RUNS_A_DAY)
            result = self.lab.run(conditions, ambient, self._generator(1, index))
            entries.append(_entry(result, conditions={**conditions, **ambient}))
        numbered = list(enumerate(entries, start=1))
        record_all(self.workspace, numbered, source="the demo's history")

    def play_round(self, number: int) -> Round:
        """Propose for today's room, spin in the order proposed, log each run as it is done."""
        from engine.loop import propose, write_batch_sheet

        config, step = self.config, self.audience.step
        step(f"round {number}: choosing {config.n} runs")
        ambient = self._room(day=1000 + number)
        request = ProposeRequest(n=config.n, seed=config.seed + number, at=ambient)
        proposed = propose(self.workspace, request, preview=None)
        sheet = None
        if proposed.previews is not None:
            sheet = write_batch_sheet(self.workspace, proposed)
        tried = []
        for id_, suggestion in proposed.numbered:
            assert id_ is not None  # noqa: S101 -- recorded
            step(f"round {number}: spinning run {id_}")
            result = self.lab.run(suggestion.conditions, ambient, self._generator(2, id_))
            with self._picture(id_, result) as pictures, self._pulled(id_, result) as curves:
                entry = _entry(result, experiment=str(id_), actual=ambient, micrographs=pictures)
                record(self.workspace, _with_curves(entry, curves))
            tried.append(Tried(id_, suggestion, result))
        played = Round(
            number=number,
            batch_id=proposed.batch_id or 0,
            strategy=proposed.batch.strategy,
            ambient=ambient,
            tried=tuple(tried),
            notes=(*proposed.batch.notes, *proposed.remarks),
            score=self.score(),
            sheet=sheet,
        )
        self.audience.round(self.campaign, played)
        return played

    def score(self) -> Score:
        """Return what the campaign has won so far."""
        with self.workspace.database.read() as tx:
            campaign_id = self.workspace.active_campaign(tx)[0].id
            history = history_from_records(self.campaign, tx.experiments.find(campaign_id))
        names = [objective.outcome for objective in self.campaign.objectives]
        measured = [
            [float(np.mean(run.outcomes.get(name, (np.nan,)))) for name in names]
            for run in history.finished
        ]
        true = self.truth.values([run.conditions for run in history.finished])
        return Score(
            n_runs=len(history.finished) + len(history.failed),
            measured=hypervolume(measured, self.campaign.objectives),
            true=hypervolume(true, self.campaign.objectives),
            front=self.truth.hypervolume,
        )

    def _room(self, day: int) -> dict[str, float]:
        return self.lab.room(self._generator(0, day))

    def _generator(self, stream: int, index: int) -> np.random.Generator:
        return np.random.default_rng([self.config.seed, stream, index])

    @contextmanager
    def _picture(self, id_: int, result: LabResult) -> Iterator[tuple[Path, ...]]:
        """Lay the run's micrograph into a file for as long as it takes to log it."""
        if result.micrograph is None:
            yield ()
            return
        from PIL import Image

        path = self.workspace.root / f"run-{id_}.png"
        scale = path.with_suffix(".txt")  # as a microscope lays its notes beside a picture
        try:
            Image.fromarray(result.micrograph(PICTURE_SHAPE)).save(path)
            height, width = PICTURE_SHAPE
            if result.nm_per_pixel is not None:
                notes = f"DataSize={width}x{height}\nPixelSize={result.nm_per_pixel:g}\n"
                scale.write_text(notes, encoding="utf-8")
            yield (path,)
        finally:
            path.unlink(missing_ok=True)
            scale.unlink(missing_ok=True)

    @contextmanager
    def _pulled(self, id_: int, result: LabResult) -> Iterator[dict[str, Path]]:
        """Lay the run's curves into files, by direction, for as long as it takes to log them."""
        paths: dict[str, Path] = {}
        draw = result.curve if self.config.curves else None
        try:
            for direction in DIRECTIONS:
                curve = None if draw is None else draw(direction)
                if curve is not None:
                    path = self.workspace.root / f"run-{id_}-{direction}.csv"
                    path.write_text(curve.as_table(), encoding="utf-8")
                    paths[direction] = path
            yield paths
        finally:
            for path in paths.values():
                path.unlink(missing_ok=True)


def _with_curves(entry: Entry, curves: Mapping[str, Path]) -> Entry:
    """Return an entry whose results in the curves' directions are read off the curves."""
    typed = {
        outcome: value
        for outcome, value in entry.results.items()
        if outcome.rpartition(".")[2] not in curves
    }
    return replace(entry, results=typed, curves=tuple(curves.values()))


def _entry(
    result: LabResult,
    *,
    experiment: str | None = None,
    conditions: Mapping[str, Value] | None = None,
    actual: Mapping[str, float] | None = None,
    micrographs: Sequence[Path] = (),
) -> Entry:
    return Entry(
        experiment=experiment,
        conditions=conditions or {},
        actual=actual or {},
        results=result.outcomes,
        failure=result.failure,
        micrographs=tuple(micrographs),
    )


def new_folder(moment: datetime | None = None) -> Path:
    """Return a folder under ./demo that does not exist yet, named by the time."""
    stamp = f"{moment or datetime.now():%Y-%m-%d-%H%M%S}"
    folder, n = Path("demo") / stamp, 1
    while folder.exists():
        n += 1
        folder = Path("demo") / f"{stamp}-{n}"
    return folder


def remove_unfinished(folder: Path) -> None:
    """Remove what a demo that was stopped has left behind, and ./demo if nothing else is in it."""
    shutil.rmtree(folder, ignore_errors=True)
    parent = folder.parent
    if parent == Path("demo") and parent.is_dir() and not any(parent.iterdir()):
        parent.rmdir()
