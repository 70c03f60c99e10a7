"""Every finished campaign replayed: does the engine hold where nobody tuned it?

Each table is a replay of its own (:mod:`engine.bench.search.replay`): for one seed all strategies
start from the same rows; the score is the hypervolume of the rows chosen so far, by the means of
their replicates, as a share of the whole table's. The suite puts the tables side by side: scores
after 20, 30 and 40 runs, and how many runs it takes to have what the peer has in the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.bench.search.finished_tables import FinishedTable, read_finished
from engine.bench.search.plain_loop import NAME as PEER
from engine.bench.search.replay import ReplayConfig, replay
from engine.errors import UsageError
from surrogate.progress import Progress, silent

_READ_AT = (20, 30, 40)


@dataclass(frozen=True)
class SuiteConfig:
    """What is compared, on which tables, over which seeds.

    A table with fewer runs than ``budget`` is replayed to nine tenths of its runs.

    Raises:
        UsageError: numbers that make no benchmark.
    """

    strategies: tuple[str, ...] = ("random", PEER, "gp", "matmcl")
    n_seeds: int = 20
    first_seed: int = 0
    start: int = 10
    batch: int = 5
    budget: int = 40
    reference: str = PEER

    def __post_init__(self) -> None:
        if self.reference not in self.strategies:
            raise UsageError(
                f"expected one of {', '.join(self.strategies)}, got '{self.reference}'",
                field="reference",
            )

    @property
    def read_at(self) -> tuple[int, ...]:
        """After how many runs scores are told: the budget, and what comes before it.

        >>> SuiteConfig().read_at, SuiteConfig(budget=15).read_at
        ((20, 30, 40), (15,))
        """
        return (*(n for n in _READ_AT if n < self.budget), self.budget)

    def of(self, name: str, n_runs: int) -> ReplayConfig:
        """Return the replay of one table of ``n_runs`` runs."""
        budget = min(self.budget, int(0.9 * n_runs))
        return ReplayConfig(
            table=name,
            strategies=self.strategies,
            n_seeds=self.n_seeds,
            first_seed=self.first_seed,
            start=min(self.start, budget),
            batch=self.batch,
            budget=budget,
            reference=self.reference,
            read_at=budget,
        )


def suite(
    config: SuiteConfig,
    folder: Path,
    tables: Mapping[str, FinishedTable],
    *,
    jobs: int = 1,
    out: Path | None = None,
    resume: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Replay every table and return the suite's document.

    Args:
        config: strategies, seeds and sizes.
        folder: where the tables lie.
        tables: by name.
        jobs: processes at once.
        out: a folder that keeps each table's replay as ``NAME.json``.
        resume: take up what ``out`` holds.
        progress: hears of every experiment of every table.

    Raises:
        NotFoundError, DataError: a table is not there, or not as described.
        UsageError: unknown strategies.
    """
    documents = {}
    for place, (name, table) in enumerate(tables.items()):
        campaign, runs = read_finished(folder, name, table)

        def hear(
            stage: str,
            completed: int = 0,
            total: int = 0,
            numbers: Mapping[str, float] | None = None,
            *,
            name: str = name,
        ) -> None:
            progress(f"{name}: {stage}", completed, total, numbers)

        progress(name, place, len(tables))
        documents[name] = replay(
            config.of(name, len(runs)),
            campaign,
            runs,
            jobs=jobs,
            out=None if out is None else out / f"{name}.json",
            resume=resume and out is not None and (out / f"{name}.json").exists(),
            progress=hear,
        )
    first = next(iter(documents.values()))
    return {
        "kind": "suite",
        "score": "pool-hypervolume fraction",
        "reference": config.reference,
        "seeds": [config.first_seed, config.first_seed + config.n_seeds - 1],
        "environment": first["environment"],
        "tables": {name: document["summary"] for name, document in documents.items()},
        "read_at": list(config.read_at),
        "mean": mean_over_tables(
            {name: document["summary"] for name, document in documents.items()},
            config.strategies,
            config.read_at,
        ),
    }


def score_after(summary: Mapping[str, Any], strategy: str, n: int) -> float | None:
    """Return a strategy's mean score after ``n`` runs of one table; ``None`` beyond its budget.

    >>> summary = {"checkpoints": [10, 15, 20], "strategies": {"gp": {"mean": [0.2, 0.5, 0.7]}}}
    >>> score_after(summary, "gp", 20)
    0.7
    """
    if n not in summary["checkpoints"]:
        return None
    score: float = summary["strategies"][strategy]["mean"][summary["checkpoints"].index(n)]
    return score


def mean_over_tables(
    summaries: Mapping[str, Mapping[str, Any]], strategies: Sequence[str], read_at: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Return each strategy's mean score over the tables, after so many runs."""
    mean_scores: dict[str, dict[str, float]] = {}
    for strategy in strategies:
        mean_scores[strategy] = {}
        for n in read_at:
            scores = [score_after(summary, strategy, n) for summary in summaries.values()]
            values = [score for score in scores if score is not None]
            if values:
                mean_scores[strategy][str(n)] = float(np.mean(values))
    return mean_scores
