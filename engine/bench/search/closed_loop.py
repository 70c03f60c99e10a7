"""Strategy against lab: start, propose a batch, run it, and again, until the budget is spent.

Everything but the strategy is paired: for one seed all strategies have the same start design, the
same room on the same day, and the same noise for the experiment of the same number. A score is the
hypervolume that the *true* outcomes of the settings run so far win in the lab's reference room, as
a share of the lab's true front; a failed run costs an experiment and wins nothing. A lab without a
known truth is scored by what it measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from engine.bench.harness.labs import changes_with_seed, lab_of
from engine.bench.harness.results import ResultFile
from engine.bench.harness.tasks import Task, Trace, seed_by_seed, timed_round
from engine.bench.models import sources
from engine.bench.search.lab_bench import START_STREAM, STRATEGY_STREAM, Bench, generator
from engine.bench.search.objectives import with_objectives, without_limits
from engine.bench.search.scores import Protocol, reference_of, summarise
from engine.bench.search.strategies import REFRESHED, Strategy, check_names, sourced, strategy
from engine.bench.search.truth import Truth
from engine.campaign import Campaign
from engine.campaign.front import hypervolume_so_far
from engine.errors import DataError, UsageError, field, nearest_name
from engine.lab import Lab
from surrogate.progress import Progress, silent

KIND = "closed-loop"
MAX_BATCH = 100
"""The largest batch that strategies are asked for."""
STARTS = ("sobol", "source")


@dataclass(frozen=True)
class ClosedLoopConfig:
    """What is compared, on which lab, with how many experiments.

    ``keep_limits`` keeps the campaign's hard-to-change parameters and their ``max_distinct``;
    without it strategies that cannot keep to such limits are compared on the same terms.
    ``start_by``: ``sobol``, the same first experiments for all strategies, or ``source``: each
    strategy chooses its own, which only differs where it knows something beforehand.
    ``reference``: the strategy whose final score the others are to reach (``gp``, if none is named
    and it runs). ``checkpoints``: where pretrained sources are kept.

    Raises:
        UsageError: numbers that make no benchmark, or an unknown way to start.
    """

    strategies: tuple[str, ...] = ("sobol", "gp")
    n_seeds: int = 5
    first_seed: int = 0
    start: int = 8
    batch: int = 8
    budget: int = 56
    lab: str = "virtual"
    objectives: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    keep_limits: bool = False
    start_by: str = "sobol"
    reference: str = ""
    checkpoints: Path | None = None

    def __post_init__(self) -> None:
        check_sizes(self.n_seeds, self.first_seed, self.start, self.batch, self.budget)
        if self.start_by not in STARTS:
            raise UsageError(
                f"expected {' or '.join(STARTS)}, got '{self.start_by}'."
                f"{nearest_name(self.start_by, STARTS)}",
                field="start_by",
            )

    @property
    def tasks(self) -> list[Task]:
        """Every (strategy, seed), seed by seed, so that an interrupted run is paired."""
        return seed_by_seed(self.strategies, self.first_seed, self.n_seeds)

    @property
    def protocol(self) -> Protocol:
        """When scores are read."""
        return Protocol(self.start, self.batch, self.budget)

    def conditions(self) -> dict[str, Any]:
        """Return what must be equal for results to stand in one table."""
        return {
            "lab": self.lab,
            "start": self.start,
            "start_by": self.start_by,
            "batch": self.batch,
            "budget": self.budget,
            "objectives": list(self.objectives),
            "constraints": list(self.constraints),
            "keep_limits": self.keep_limits,
        }


def check_sizes(n_seeds: int, first_seed: int, start: int, batch: int, budget: int) -> None:
    """Refuse numbers that make no benchmark.

    Raises:
        UsageError: naming the option.
    """
    for option, value, low, high in (
        ("seeds", n_seeds, 1, None),
        ("first_seed", first_seed, 0, None),
        ("start", start, 1, MAX_BATCH),
        ("batch", batch, 1, MAX_BATCH),
    ):
        if value < low or (high is not None and value > high):
            range_ = f"{low} or more" if high is None else f"{low} to {high}"
            raise UsageError(f"expected {range_}, got {value}", field=option)
    if budget <= start:
        raise UsageError(
            f"expected more experiments than the start's {start}, got {budget}", field="budget"
        )


def closed_loop(
    config: ClosedLoopConfig,
    *,
    lab: Lab | None = None,
    strategies: Mapping[str, Strategy] | None = None,
    jobs: int = 1,
    ray: str | None = None,
    out: Path | None = None,
    resume: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Run the benchmark and return its document.

    Args:
        config: what is compared.
        lab, strategies: objects in place of names; with more than one job they must be picklable.
        jobs: processes, one thread each.
        ray: the address of a cluster (see :mod:`engine.bench.harness.fleet`).
        out: a JSON file, written as each (strategy, seed) finishes.
        resume: go on with the results in ``out``.
        progress: told of the experiments run, by (strategy, seed).

    >>> config = ClosedLoopConfig(("sobol",), n_seeds=1, start=4, batch=4, budget=8)
    >>> closed_loop(config)["summary"]["checkpoints"]
    [4, 8]

    Raises:
        UsageError: unknown names; a file that holds an unfinished run.
        DataError: a file of another benchmark; a lab whose true front is beyond no threshold.
    """
    custom = Custom(lab, dict(strategies or {}))
    config = replace(config, strategies=check_names(config.strategies, custom=custom.strategies))
    reference = reference_of(config.reference, config.strategies)
    results = ResultFile(out, KIND, config.conditions())
    arenas = Arenas(config, lab)
    arenas.truth(config.first_seed)
    results.begin(resume=resume)

    def score(trace: Trace) -> Trace:
        campaign, truth = arenas.campaign(trace.seed), arenas.truth(trace.seed)
        return replace(trace, curve=_curve(trace, campaign, truth))

    with sources.checkpoints(config.checkpoints) as folder:
        work = partial(run_task, replace(config, checkpoints=folder), custom)
        results.fill(config.tasks, work, jobs=jobs, progress=progress, ray=ray, score=score)
    traces = results.traces_of(config.tasks)
    return results.write(_findings(config, arenas, reference, traces))


@dataclass
class Arenas:
    """Lab, campaign and truth of each seed, each worked out once."""

    config: ClosedLoopConfig
    custom: Lab | None
    _truths: dict[int, Truth | None] = attribute(default_factory=dict)

    def lab(self, seed: int) -> Lab:
        """Return the lab of repetition ``seed``."""
        return self.custom if self.custom is not None else lab_of(self.config.lab, seed)

    def campaign(self, seed: int) -> Campaign:
        """Return the campaign of repetition ``seed``."""
        return campaign_of(self.config, self.lab(seed))

    def truth(self, seed: int) -> Truth | None:
        """Return the truth of repetition ``seed``, or ``None`` where the lab knows none."""
        key = seed if self.custom is None and changes_with_seed(self.config.lab) else 0
        if key not in self._truths:
            self._truths[key] = known_truth(self.lab(seed), self.campaign(seed))
        return self._truths[key]


def campaign_of(config: ClosedLoopConfig, lab: Lab) -> Campaign:
    """Return the lab's campaign with the objectives, constraints and limits asked for."""
    plain = lab.campaign if config.keep_limits else without_limits(lab.campaign)

    def threshold(outcome: str, goal: str) -> float:
        truth = Truth.from_lab(lab, plain)
        if truth is None:
            raise UsageError(
                f"expected a threshold, {outcome}:{goal[:3]}:NUMBER: neither the campaign nor the "
                "lab tells one",
                field="objectives",
            )
        # Three digits, so that the threshold can be read off the document and typed again.
        return float(f"{truth.quantile(outcome, 0.25 if goal == 'maximize' else 0.75):.3g}")

    return with_objectives(plain, config.objectives, config.constraints, threshold)


def known_truth(lab: Lab, campaign: Campaign) -> Truth | None:
    """Return the lab's truth, or ``None`` where it knows none.

    Raises:
        DataError: nothing the lab can do passes the thresholds and constraints.
    """
    truth = Truth.from_lab(lab, campaign)
    if truth is not None and not truth.hypervolume > 0:
        raise DataError(
            "no setting of the lab is beyond every threshold and within the constraints: "
            f"every strategy would score 0. Lower the thresholds ({field('objectives')} "
            "outcome:max:NUMBER)"
        )
    return truth


@dataclass(frozen=True)
class Custom:
    """Objects in place of names."""

    lab: Lab | None
    strategies: Mapping[str, Strategy]


def run_task(config: ClosedLoopConfig, custom: Custom, task: Task, progress: Progress) -> Trace:
    """Run one strategy from one seed; the trace has no curve yet."""
    arenas = Arenas(config, custom.lab)
    bench = Bench(arenas.lab(task.seed), arenas.campaign(task.seed), task.seed, [])
    choose = custom.strategies.get(task.strategy) or _named(config, task)
    begin = custom.strategies.get("sobol") or strategy("sobol")
    begin = choose if config.start_by == "source" else begin
    rounds: list[dict[str, Any]] = []
    while len(bench.runs) < config.budget:
        is_start = not bench.runs
        n = config.start if is_start else min(config.batch, config.budget - len(bench.runs))
        # The start's seed knows nothing of the strategy: without a source all start alike.
        stream = START_STREAM if is_start else STRATEGY_STREAM
        seed = int(generator(task.seed, stream, len(rounds)).integers(2**31))
        with timed_round(task, len(bench.runs)) as round_:
            choice = (begin if is_start else choose)(bench.history, n, seed, bench.today())
        if not choice.settings:
            break
        bench.run(choice.settings[:n], config.batch)
        rounds.append(round_.record(len(bench.runs), choice.led_by, choice.seconds))
        progress(str(task), len(bench.runs), config.budget)
    return Trace(task.strategy, task.seed, tuple(bench.runs), tuple(rounds))


def _named(config: ClosedLoopConfig, task: Task) -> Strategy:
    """Return a strategy by name, with its knowledge: pretrained here and now where it must be."""
    folder = config.checkpoints or Path()
    if task.strategy in REFRESHED:
        from engine.bench.search.refreshing import refreshed

        return refreshed(task.strategy, task.seed, folder)
    source = sourced(task.strategy)
    if source is None:
        return strategy(task.strategy)
    provider = sources.provider(source, truth=config.lab, seed=task.seed, folder=folder)
    return strategy(task.strategy, provider)


def _curve(trace: Trace, campaign: Campaign, truth: Truth | None) -> tuple[float, ...]:
    """Return the score after each experiment: true fraction, or measured hypervolume."""
    if truth is not None:
        values = truth.values([run["conditions"] for run in trace.runs])
        values[[run["failure"] is not None for run in trace.runs]] = np.nan
        scale = truth.hypervolume
    else:
        values, scale = _measured(trace, campaign), 1.0
    return tuple((hypervolume_so_far(values, campaign.objectives) / scale).tolist())


def _measured(trace: Trace, campaign: Campaign) -> np.ndarray[Any, Any]:
    """Return the measured objectives, (runs, objectives): NaN for failed and inadmissible runs."""
    rows = []
    for run in trace.runs:
        outcomes = run["outcomes"]
        is_allowed = all(
            constraint.is_met(outcomes)
            for constraint in campaign.constraints
            if set(constraint.terms) <= set(outcomes)
        )
        rows.append(
            [outcomes.get(o.outcome, np.nan) if is_allowed else np.nan for o in campaign.objectives]
        )
    return np.array(rows, dtype=np.float64)


def _findings(
    config: ClosedLoopConfig, arenas: Arenas, reference: str, traces: Sequence[Trace]
) -> dict[str, Any]:
    truth = arenas.truth(config.first_seed)
    seeds = sorted({trace.seed for trace in traces})
    findings: dict[str, Any] = {
        "complete": True,
        "score": "hypervolume fraction" if truth is not None else "measured hypervolume",
        "seeds": [config.first_seed, config.first_seed + config.n_seeds - 1],
        "campaign": arenas.campaign(config.first_seed).definition(),
        "summary": summarise(traces, config.strategies, config.protocol, reference),
        "truth": None,
    }
    if truth is not None:
        findings["truth"] = {
            "ambient": dict(truth.ambient),
            "hypervolume": truth.hypervolume,
            "front": truth.front[1].tolist(),
            "hypervolumes": {
                str(seed): own_truth.hypervolume
                for seed in seeds
                if (own_truth := arenas.truth(seed)) is not None
            },
        }
    return findings
