"""Strategies whose surrogate is trained on as results come.

``refresh:scheduled`` is ``matmcl`` as a lab with a scheduler has it: whenever eight results came
since the last training, the surrogate is trained on incrementally and serves if the gate lets it.
``refresh:full`` trains in full from the starter before every batch, and what it makes serves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engine.bench.models.trainings import keep, knowledge_of, material_of, train
from engine.bench.search.strategies import FULL, SCHEDULED, Choice, Strategy, strategy
from engine.campaign.history import History, Run
from engine.errors import StateError
from surrogate.progress import silent

if TYPE_CHECKING:
    from engine.sources.knowledge import Knowledge

MIN_NEW_RESULTS = 8


@dataclass
class Refresher:
    """What serves one campaign of a benchmark, and when it is trained on."""

    name: str
    seed: int
    folder: Path
    champion: Path | None = None
    serving: Knowledge | None = None
    n_trained: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)

    def serve(self, history: History) -> Knowledge:
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
            self._count("disbelieved")
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
                progress=silent,
            )
        except StateError:
            return
        self._count("promoted" if verdict.passes else "rejected")
        if verdict.passes:
            self.serving = candidate
            self.champion = keep(trained, self.folder / f"{self.seed}-{len(runs)}")

    def _count(self, verdict: str) -> None:
        self.verdicts[verdict] = self.verdicts.get(verdict, 0) + 1


def refreshed(name: str, seed: int, folder: Path) -> Strategy:
    """Return the strategy ``refresh:scheduled`` or ``refresh:full`` for repetition ``seed``."""
    refresher = Refresher(name, seed, folder / name.replace(":", "-"))

    def choose(history: History, n: int, seed: int, at: Mapping[str, float]) -> Choice:
        knowledge = refresher.serve(history)
        return strategy("matmcl", lambda _: knowledge)(history, n, seed, at)

    return choose
