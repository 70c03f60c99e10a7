"""Refresh in benchmarks: trainings of the engine on runs in memory, and strategies that refresh.

``refresh:scheduled`` is ``matmcl`` as a lab with a scheduler has it: whenever eight results came
since the last training, the surrogate is trained on incrementally and serves if the gate lets it.
``refresh:full`` trains in full from the starter before every batch, and what it makes serves.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.bench.search.strategies import REFRESHED, Choice, Strategy, strategy
from engine.campaign import Campaign
from engine.campaign.history import History, Run
from engine.errors import StateError, UsageError, nearest_name

if TYPE_CHECKING:
    from engine.refresh.request import Mode
    from engine.refresh.training import Material, Trained
    from engine.sources.knowledge import Knowledge

SCHEDULED, FULL = f"{REFRESHED}scheduled", f"{REFRESHED}full"
NAMES = (SCHEDULED, FULL)
MIN_NEW_RESULTS = 8


def check(name: str) -> None:
    """Refuse a name that is no strategy of this module.

    Raises:
        UsageError: naming those that are.
    """
    if name not in NAMES:
        raise UsageError(
            f"--strategy: expected one of {', '.join(NAMES)}, got '{name}'."
            f"{nearest_name(name, NAMES)}"
        )


def material_of(campaign: Campaign, runs: Sequence[Run]) -> Material:
    """Return finished runs as a training reads them from the database."""
    from db.records import ExperimentRecord, MeasurementRecord, Origin, Status
    from engine.refresh.training import Material

    moment = datetime(2026, 1, 1, tzinfo=UTC)

    def record(place: int, run: Run) -> ExperimentRecord:
        measurements = [
            MeasurementRecord(0, place, outcome, k + 1, 1, value, None, moment, "bench")
            for outcome, values in run.outcomes.items()
            for k, value in enumerate(values)
        ]
        return ExperimentRecord(
            place, 1, 1, None, Origin.MANUAL, Status.COMPLETED, None, None, moment, "bench",
            actual=dict(run.conditions), measurements=tuple(measurements),
        )  # fmt: skip

    records = tuple(record(place + 1, run) for place, run in enumerate(runs))
    return Material(campaign, Path(), records, (), watermark=len(runs))


def train(material: Material, mode: Mode, champion: Path | None, *, seed: int) -> Trained:
    """Train as ``engine refresh`` does, on the CPU."""
    from engine.refresh.request import RefreshRequest
    from engine.refresh.training import train_candidate

    request = RefreshRequest(full=mode == "full", seed=seed, device="cpu")
    with tempfile.TemporaryDirectory(prefix="spinneret-bench-") as folder:
        return train_candidate(
            material,
            request,
            champion,
            state=Path(folder) / "state",
            tell=lambda what, n, total, numbers: None,
            should_stop=lambda: False,
        )


def knowledge_of(campaign: Campaign, trained: Trained) -> Knowledge:
    """Return what a candidate knows of a campaign."""
    import copy

    from engine.sources.knowledge import Knowledge

    frozen = copy.deepcopy(trained.model).double().eval()
    frozen.requires_grad_(requires_grad=False)
    return Knowledge(campaign, frozen, "the candidate", names=trained.names)


def keep(trained: Trained, folder: Path) -> Path:
    """Write a candidate's checkpoint, to be trained on from later."""
    from surrogate.matmcl.checkpoint import save_checkpoint

    save_checkpoint(folder, trained.model, extra=trained.extra)
    return folder


@dataclass
class Refresher:
    """What serves one campaign of a benchmark, and when it is trained on."""

    name: str
    seed: int
    folder: Path
    champion: Path | None = None
    serving: Knowledge | None = None
    n_trained: int = 0
    told: dict[str, float] = field(default_factory=dict)

    def look(self, history: History) -> Knowledge:
        """Train if it is time to, and return what serves then."""
        from engine.sources.knowledge import starter_knowledge

        runs = [run for run in history.finished if run.outcomes]
        n_new = len(runs) - self.n_trained
        if self.name == FULL and n_new:
            self._full(history, runs)
        elif self.name == SCHEDULED and n_new >= MIN_NEW_RESULTS:
            self._scheduled(history, runs)
        if self.serving is None:
            self.serving = starter_knowledge(history.campaign)
        return self.serving

    def _full(self, history: History, runs: Sequence[Run]) -> None:
        trained = train(material_of(history.campaign, runs), "full", None, seed=self.seed)
        self.serving = knowledge_of(history.campaign, trained)
        self.n_trained = len(runs)

    def _scheduled(self, history: History, runs: Sequence[Run]) -> None:
        from engine.refresh import gate
        from engine.refresh.suspicion import examine
        from engine.sources.knowledge import starter_knowledge
        from engine.workspace.settings import ProposeSettings, RefreshSettings

        campaign = history.campaign
        if gate.n_judged(campaign, runs) < gate.LEAST_JUDGED:
            return
        old = History(campaign, tuple(runs[: self.n_trained]))
        doubt = examine(old, runs[self.n_trained :], ProposeSettings())
        self.n_trained = len(runs)
        if doubt.disbelief is not None:
            self.told["disbelieved"] = self.told.get("disbelieved", 0) + 1
            return
        trained = train(material_of(campaign, runs), "incremental", self.champion, seed=self.seed)
        candidate = knowledge_of(campaign, trained)
        try:
            verdict = gate.judge(
                History(campaign, tuple(runs)),
                {
                    gate.CANDIDATE: candidate,
                    gate.CHAMPION: self.serving or starter_knowledge(campaign),
                },
                tolerance=RefreshSettings().tolerance,
                settings=ProposeSettings(),
                tell=lambda what, n, total, numbers: None,
            )
        except StateError:
            return
        key = "promoted" if verdict.passes else "rejected"
        self.told[key] = self.told.get(key, 0) + 1
        if verdict.passes:
            self.serving = candidate
            self.champion = keep(trained, self.folder / f"{self.seed}-{len(runs)}")


def refreshed(name: str, seed: int, folder: Path) -> Strategy:
    """Return a strategy of this module for repetition ``seed``.

    Raises:
        UsageError: see :func:`check`.
    """
    check(name)
    refresher = Refresher(name, seed, folder / name.replace(":", "-"))

    def choose(history: History, n: int, seed: int, at: Mapping[str, float]) -> Choice:
        served = refresher.look(history)
        return strategy("matmcl", lambda _: served)(history, n, seed, at)

    return choose
