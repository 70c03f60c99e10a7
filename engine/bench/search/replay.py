"""Strategy against a finished table: choose rows, look at their results, choose again.

The pool is the table's completed runs that have every objective. For one seed all strategies start
from the same rows. The score is the hypervolume of the rows chosen so far as a share of the whole
pool's, by the table's own (noisy) measurements; replicates are averaged. The same rows can be
scored once more by a smoothed truth (:mod:`engine.bench.search.smoothed_pool`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from db.records import Status
from engine.bench.harness.results import ResultFile
from engine.bench.harness.tasks import Task, Trace, seed_by_seed, timed_round
from engine.bench.models import sources
from engine.bench.search.closed_loop import check_sizes
from engine.bench.search.objectives import with_objectives, without_limits
from engine.bench.search.scores import Protocol, reference_of, summarise
from engine.bench.search.smoothed_pool import JUDGE, smoothed_runs
from engine.bench.search.strategies import (
    PEERS,
    PoolStrategy,
    check_names,
    pool_strategy,
    sourced,
)
from engine.campaign import Campaign
from engine.campaign.front import hypervolume, hypervolume_so_far
from engine.campaign.history import History, Run
from engine.errors import DataError, UsageError, field
from surrogate.progress import Progress, silent

KIND = "replay"
FORMATS = ("table", "matmcl")


@dataclass(frozen=True)
class ReplayConfig:
    """What is compared, on which table, with how many experiments.

    ``reference``: the strategy whose score after ``read_at`` experiments (the budget, if that is
    less) the others are to reach; ``gp``, if none is named and it runs. ``smoothed``: score by the
    smoothed truth too.

    Raises:
        UsageError: numbers that make no benchmark.
    """

    table: str
    strategies: tuple[str, ...] = ("random", "gp")
    n_seeds: int = 20
    first_seed: int = 0
    start: int = 10
    batch: int = 5
    budget: int = 60
    objectives: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    reference: str = ""
    read_at: int = 40
    smoothed: bool = False

    def __post_init__(self) -> None:
        check_sizes(self.n_seeds, self.first_seed, self.start, self.batch, self.budget)
        if self.read_at < self.start:
            raise UsageError(
                f"expected at least the start's {self.start}, got {self.read_at}", field="read_at"
            )

    @property
    def tasks(self) -> list[Task]:
        """Every (strategy, seed), seed by seed."""
        return seed_by_seed(self.strategies, self.first_seed, self.n_seeds)

    @property
    def protocol(self) -> Protocol:
        """When scores are read."""
        return Protocol(self.start, self.batch, self.budget, min(self.read_at, self.budget))

    def conditions(self) -> dict[str, Any]:
        """Return what must be equal for results to stand in one table."""
        return {
            "table": self.table,
            "start": self.start,
            "batch": self.batch,
            "budget": self.budget,
            "objectives": list(self.objectives),
            "constraints": list(self.constraints),
        }


def read_pool(
    path: Path, campaign: Campaign, *, table_format: str = "table", max_rows: int = 20_000
) -> list[Run]:
    """Return the completed runs of a table, replicates kept.

    Raises:
        UsageError: an unknown format.
        SpinneretError: the file cannot be taken (see ``engine.experiments.importers``).
    """
    if table_format not in FORMATS:
        raise UsageError(f"expected {' or '.join(FORMATS)}, got '{table_format}'", field="format")
    if table_format == "matmcl":
        from engine.experiments.importers import matmcl

        import_ = matmcl.read_runs(path, campaign, max_rows=max_rows)
    else:
        from engine.experiments.importers import table

        import_ = table.read_runs(path, campaign, max_rows=max_rows)
    return [
        Run(
            dict(run.conditions),
            {
                name: tuple(values[k] for k in sorted(values))
                for name, values in run.outcomes.items()
            },
            label=run.label,
        )
        for run in import_.runs
        if run.status is Status.COMPLETED
    ]


def replay(
    config: ReplayConfig,
    campaign: Campaign,
    runs: Sequence[Run],
    *,
    strategies: Mapping[str, PoolStrategy] | None = None,
    jobs: int = 1,
    out: Path | None = None,
    resume: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Run the benchmark on ``runs`` and return its document.

    Raises:
        UsageError: unknown names; a file that holds an unfinished run; more experiments asked for
            than there are.
        DataError: a file of another benchmark; a table in which nothing passes the thresholds.
    """
    custom = dict(strategies or {})
    config = replace(config, strategies=check_names(config.strategies, custom={**PEERS, **custom}))
    trained = [name for name in config.strategies if sources.is_trained(sourced(name) or "")]
    if trained:
        raise UsageError(
            f"expected sources that exist before a replay, got {', '.join(trained)}",
            field="strategy",
        )
    reference = reference_of(config.reference, config.strategies)
    campaign = campaign_of(config, campaign, runs)
    pool = Pool.from_runs(campaign, runs)
    if config.budget > len(pool.runs):
        raise UsageError(
            f"expected at most the table's {len(pool.runs)} completed runs that have every "
            f"objective, got {config.budget}",
            field="budget",
        )
    results = ResultFile(out, KIND, {**config.conditions(), "pool": len(pool.runs)})
    results.begin(resume=resume)

    def score(trace: Trace) -> Trace:
        return pool.scored(trace)

    work = partial(run_task, config, pool, custom)
    results.fill(config.tasks, work, jobs=jobs, progress=progress, score=score)
    traces = results.traces_of(config.tasks)
    return results.write(_findings(config, pool, reference, traces))


def campaign_of(config: ReplayConfig, campaign: Campaign, runs: Sequence[Run]) -> Campaign:
    """Return the campaign with the objectives and constraints asked for.

    An objective without a threshold of its own takes the quartile that three runs in four pass.
    """

    def threshold(outcome: str, goal: str) -> float:
        values = [np.mean(run.outcomes[outcome]) for run in runs if outcome in run.outcomes]
        if not values:
            raise DataError(f"the table has no results of {outcome}")
        return float(f"{np.quantile(values, 0.25 if goal == 'maximize' else 0.75):.3g}")

    return with_objectives(
        without_limits(campaign), config.objectives, config.constraints, threshold
    )


@dataclass(frozen=True)
class Pool:
    """What can be chosen: ``values`` (runs, objectives), NaN where a constraint is broken."""

    campaign: Campaign
    runs: tuple[Run, ...]
    values: np.ndarray[Any, np.dtype[np.float64]]
    hypervolume: float

    @classmethod
    def from_runs(cls, campaign: Campaign, runs: Sequence[Run]) -> Pool:
        """Keep the runs that have every objective.

        Raises:
            DataError: none has, or none passes the thresholds and constraints.
        """
        names = [objective.outcome for objective in campaign.objectives]
        complete = tuple(run for run in runs if all(run.outcomes.get(name) for name in names))
        if not complete:
            raise DataError(f"the table has no completed run with {' and '.join(names)}")
        values = np.array([_values(campaign, run, names) for run in complete], dtype=np.float64)
        volume = hypervolume(values, campaign.objectives)
        if not volume > 0:
            raise DataError(
                "no run of the table is beyond every threshold and within the constraints: every "
                f"strategy would score 0. Lower the thresholds ({field('objectives')} "
                "outcome:max:NUMBER)"
            )
        return cls(campaign, complete, values, volume)

    def scored(self, trace: Trace) -> Trace:
        """Return the trace with its curve: the share of the pool's hypervolume after each run."""
        chosen = self.values[[run["row"] for run in trace.runs]]
        curve = hypervolume_so_far(chosen, self.campaign.objectives) / self.hypervolume
        return replace(trace, curve=tuple(curve.tolist()))


def _values(campaign: Campaign, run: Run, names: Sequence[str]) -> list[float]:
    averages = {name: float(np.mean(values)) for name, values in run.outcomes.items() if values}
    for constraint in campaign.constraints:
        if set(constraint.terms) <= set(averages) and not constraint.is_met(averages):
            return [float("nan")] * len(names)
    return [averages[name] for name in names]


def run_task(
    config: ReplayConfig,
    pool: Pool,
    custom: Mapping[str, PoolStrategy],
    task: Task,
    progress: Progress,
) -> Trace:
    """Choose rows until the budget is spent; the trace has no curve yet."""
    choose = custom.get(task.strategy) or _named(task)
    start = np.random.default_rng([task.seed, 0]).permutation(len(pool.runs))[: config.start]
    chosen = [int(row) for row in start]
    rounds: list[dict[str, Any]] = [
        {"n": len(chosen), "led_by": "start", "seconds": {"total": 0.0}}
    ]
    while len(chosen) < config.budget:
        open_rows = [row for row in range(len(pool.runs)) if row not in set(chosen)]
        n = min(config.batch, config.budget - len(chosen))
        seed = int(np.random.default_rng([task.seed, 1, len(rounds)]).integers(2**31))
        history = History(pool.campaign, tuple(pool.runs[row] for row in chosen))
        with timed_round(task, len(chosen)) as round_:
            picked = choose(history, [pool.runs[row].conditions for row in open_rows], n, seed)
        if len(set(picked)) != n or not all(0 <= index < len(open_rows) for index in picked):
            raise DataError(
                f"{task.strategy}: expected {n} different indices below {len(open_rows)}, "
                f"got {picked}"
            )
        chosen += [open_rows[index] for index in picked]
        rounds.append(round_.record(len(chosen), task.strategy, {}))
        progress(str(task), len(chosen), config.budget)
    runs = tuple({"row": row, "label": pool.runs[row].label} for row in chosen)
    return Trace(task.strategy, task.seed, runs, tuple(rounds))


def _named(task: Task) -> PoolStrategy:
    source = sourced(task.strategy)
    if source is None:
        return pool_strategy(task.strategy)
    # A table is no lab that others could be related to: what needs pretraining is refused before.
    provider = sources.provider(source, truth="standard", seed=task.seed, folder=Path())
    return pool_strategy(task.strategy, provider)


def _findings(
    config: ReplayConfig, pool: Pool, reference: str, traces: Sequence[Trace]
) -> dict[str, Any]:
    findings = {
        "complete": True,
        "score": "pool-hypervolume fraction",
        "seeds": [config.first_seed, config.first_seed + config.n_seeds - 1],
        "campaign": pool.campaign.definition(),
        "summary": summarise(traces, config.strategies, config.protocol, reference),
        "pool": {"runs": len(pool.runs), "hypervolume": pool.hypervolume},
    }
    if config.smoothed:
        smooth = Pool.from_runs(pool.campaign, smoothed_runs(pool.campaign, pool.runs))
        smoothed = [smooth.scored(trace) for trace in traces]
        findings["smoothed"] = {
            "judge": JUDGE,
            "summary": summarise(smoothed, config.strategies, config.protocol, reference),
            "hypervolume": smooth.hypervolume,
        }
    return findings
