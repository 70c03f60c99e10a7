"""What does a refresh cost and bring? Incremental beside full training, and poisoned updates.

For each seed: a surrogate is trained in full on the first runs of a lab; then further runs come,
and it is trained on incrementally and, in the same process, trained in full. Both are timed, and
both predict held-out runs with the Gaussian processes on top fitted to all runs. Then the newest
runs are poisoned, and are shown to what doubts new results.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from engine.bench.harness.intervals import mean_interval
from engine.bench.harness.labs import finished_runs, lab_of, truths
from engine.bench.harness.results import ResultFile
from engine.bench.harness.tasks import Task, Trace, seed_by_seed
from engine.bench.models.learning_scores import scores
from engine.bench.models.prediction import forecast
from engine.bench.models.trainings import keep, knowledge_of, material_of, train
from engine.campaign.history import History, Run
from engine.errors import UsageError
from engine.lab.protocol import KnownLab
from surrogate.progress import Progress, silent

if TYPE_CHECKING:
    from engine.propose.forecaster import Forecaster

KIND = "refresh"
STRATEGY = "refresh"
# Far from all other seeds, those of families of labs too.
TEST_STREAM = 9_000_000
STEPS = 6
MODELS = ("starter", "champion", "incremental", "full")
PROMISING = "none, promising runs"
POISONS = ("none", PROMISING, "labels shuffled", "unit error ×1000")
_T = TypeVar("_T")


@dataclass(frozen=True)
class RefreshConfig:
    """``n_old`` results are known to the champion, ``n_new`` come on top; ``n_test`` are held out.

    ``n_poisoned``: of the newest results, to be poisoned. ``doubts_only``: train nothing.

    Raises:
        UsageError: numbers that make no benchmark.
    """

    n_seeds: int = 10
    first_seed: int = 0
    n_old: int = 200
    n_new: int = 8
    n_test: int = 100
    n_poisoned: int = 20
    lab: str = "standard"
    doubts_only: bool = False

    def __post_init__(self) -> None:
        for option, value, least in (
            ("seeds", self.n_seeds, 1),
            ("first_seed", self.first_seed, 0),
            ("old", self.n_old, 24),
            ("new", self.n_new, 1),
            ("test", self.n_test, 10),
        ):
            if value < least:
                raise UsageError(f"expected {least} or more, got {value}", field=option)
        if not 4 <= self.n_poisoned <= self.n_old:
            raise UsageError(f"expected 4 to {self.n_old}, got {self.n_poisoned}", field="poisoned")

    @property
    def tasks(self) -> list[Task]:
        """One for each seed."""
        return seed_by_seed([STRATEGY], self.first_seed, self.n_seeds)

    def conditions(self) -> dict[str, Any]:
        """Return what must be equal for results to stand in one table."""
        keys = ("n_old", "n_new", "n_test", "n_poisoned", "lab", "doubts_only")
        return {key: getattr(self, key) for key in keys}


def refresh(
    config: RefreshConfig,
    *,
    jobs: int = 1,
    out: Path | None = None,
    resume: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Run the benchmark and return its document.

    Raises:
        UsageError: a lab without a known truth; a file that holds an unfinished run.
        DataError: a file of another benchmark.
    """
    results = ResultFile(out, KIND, config.conditions())
    results.begin(resume=resume)
    results.fill(config.tasks, partial(run_task, config), jobs=jobs, progress=progress)
    summary = summarise(results.traces_of(config.tasks))
    return results.write({"complete": True, "summary": summary})


def run_task(config: RefreshConfig, task: Task, progress: Progress) -> Trace:
    """Run one seed: one round, with seconds, scores and what was doubted."""
    lab = lab_of(config.lab, task.seed)
    if not isinstance(lab, KnownLab):
        raise UsageError(f"expected a lab that knows its truth, got '{config.lab}'", field="truth")
    campaign = lab.campaign
    runs = [run for run, _ in finished_runs(lab, config.n_old + config.n_new, task.seed)]
    if config.doubts_only:
        doubts = doubted(runs, config.n_poisoned, lab, task.seed)
        progress(str(task), STEPS, STEPS)
        return Trace(task.strategy, task.seed, (), ({"doubted": doubts},))
    test = [run for run, _ in finished_runs(lab, config.n_test, TEST_STREAM + task.seed)]
    steps = iter(range(1, STEPS + 1))

    def advance() -> None:
        progress(str(task), next(steps), STEPS)

    old, extended = material_of(campaign, runs[: config.n_old]), material_of(campaign, runs)
    with TemporaryDirectory(prefix="spinneret-bench-") as folder:
        champion = train(old, "full", None, seed=task.seed)
        checkpoint = keep(champion, Path(folder) / "champion")
        advance()
        full, full_s = timed(lambda: train(extended, "full", None, seed=task.seed))
        advance()
        candidate, incremental_s = timed(
            lambda: train(extended, "incremental", checkpoint, seed=task.seed)
        )
        advance()
    from engine.sources.knowledge import starter_knowledge

    knowledge = {
        "starter": starter_knowledge(campaign),
        "champion": knowledge_of(campaign, champion),
        "incremental": knowledge_of(campaign, candidate),
        "full": knowledge_of(campaign, full),
    }
    history = History(campaign, tuple(runs))
    true = truths(lab, [run.conditions for run in test])
    truth = np.stack([true[o] for o in campaign.outcomes], axis=1)
    measured = np.array([[run.outcomes[o][0] for o in campaign.outcomes] for run in test])
    r2: dict[str, dict[str, float]] = {}
    fit_s: dict[str, float] = {}
    from engine.propose import Forecaster
    from engine.workspace.settings import ProposeSettings

    for name in MODELS:
        fit = partial(
            Forecaster.fit, history, ProposeSettings(), outcomes=campaign.outcomes,
            knowledge=knowledge[name],
        )  # fmt: skip
        forecaster, (wall, _) = timed(fit)
        fit_s[name] = wall
        score = scores(
            campaign, forecast(forecaster, [run.conditions for run in test], 0.9), truth, measured
        )
        r2[name] = {"r2": score["r2"], "r2_noisy": score["r2_noisy"]}
    advance()
    doubts = doubted(runs, config.n_poisoned, lab, task.seed)
    advance()
    round_ = {
        "seconds": {"full": full_s[0], "incremental": incremental_s[0], "fit": fit_s},
        "cpu_seconds": {"full": full_s[1], "incremental": incremental_s[1]},
        "steps": {"full": full.metrics["steps"], "incremental": candidate.metrics["steps"]},
        "r2": r2,
        "doubted": doubts,
    }
    advance()
    return Trace(task.strategy, task.seed, (), (round_,))


def timed(work: Callable[[], _T]) -> tuple[_T, tuple[float, float]]:
    """Return what a function gives, and its wall-clock and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, (time.perf_counter() - wall, time.process_time() - cpu)


def doubted(runs: Sequence[Run], n_poisoned: int, lab: KnownLab, seed: int) -> dict[str, bool]:
    """Whether the newest results are not believed, for each poison."""
    from engine.refresh.suspicion import Expectation
    from engine.workspace.settings import ProposeSettings

    n = len(runs) - n_poisoned
    expectation = Expectation.fit(History(lab.campaign, tuple(runs[:n])), ProposeSettings())
    doubts = {}
    for poison in POISONS:
        newest = runs[n:]
        if expectation is not None and poison == PROMISING:
            newest = promising(expectation.forecaster, lab, n_poisoned, seed)
        newest = poisoned(newest, poison, lab.campaign.objectives[0].outcome, seed)
        disbelief = None if expectation is None else expectation.examine(newest).disbelief
        doubts[poison] = disbelief is not None
    return doubts


def promising(forecaster: Forecaster, lab: KnownLab, n: int, seed: int) -> list[Run]:
    """Return the n of 200 further runs that promise most of the first objective: honest results.

    They lie where the model knows least of, as those of a search do.
    """
    from engine.propose.work_space import WorkSpace

    objective = lab.campaign.objectives[0]
    pool = [run for run, _ in finished_runs(lab, 200, TEST_STREAM + 500_000 + seed)]
    X = forecaster.space.encode([run.conditions for run in pool], forecaster.data.fill)
    mean, _ = forecaster.moments(X)
    column = mean[:, forecaster.outcomes.index(objective.outcome)]
    promised = objective.gains(WorkSpace(lab.campaign).untransform(objective.outcome, column))
    best = np.argsort(-promised, kind="stable")[:n]
    return [pool[int(i)] for i in best]


def poisoned(runs: Sequence[Run], poison: str, outcome: str, seed: int) -> list[Run]:
    """Return the runs with their results exchanged, or with a unit error in one outcome."""
    if poison == "labels shuffled":
        order = np.random.default_rng([seed, 11]).permutation(len(runs))
        return [
            Run(run.conditions, runs[int(i)].outcomes, label=run.label)
            for run, i in zip(runs, order, strict=True)
        ]
    if poison == "unit error ×1000":
        return [
            Run(
                run.conditions,
                {**run.outcomes, outcome: tuple(1000 * v for v in run.outcomes[outcome])},
                label=run.label,
            )
            for run in runs
        ]
    return list(runs)


def summarise(traces: Sequence[Trace]) -> dict[str, Any]:
    """Return means over seeds with 95 % intervals, the paired difference, and the doubts."""
    rounds = [trace.rounds[0] for trace in sorted(traces, key=lambda trace: trace.seed)]

    def spread(values: Sequence[float]) -> dict[str, float | None]:
        interval = mean_interval(np.array(values))
        low, high = (None, None) if interval is None else map(float, interval)
        return {"mean": float(np.mean(values)), "low": low, "high": high}

    doubts = {poison: sum(bool(r["doubted"][poison]) for r in rounds) for poison in POISONS}
    if any("seconds" not in r for r in rounds):
        return {"n_seeds": len(rounds), "doubted": doubts}
    ratio = [r["seconds"]["incremental"] / r["seconds"]["full"] for r in rounds]
    cpu = [r["cpu_seconds"]["incremental"] / r["cpu_seconds"]["full"] for r in rounds]
    return {
        "n_seeds": len(rounds),
        "ratio": {**spread(ratio), "worst": float(max(ratio))},
        "cpu_ratio": {**spread(cpu), "worst": float(max(cpu))},
        "seconds": {
            name: spread([r["seconds"][name] for r in rounds]) for name in ("full", "incremental")
        },
        "steps": {
            name: spread([r["steps"][name] for r in rounds]) for name in ("full", "incremental")
        },
        "r2": {name: spread([r["r2"][name]["r2"] for r in rounds]) for name in MODELS},
        "r2_noisy": {name: spread([r["r2"][name]["r2_noisy"] for r in rounds]) for name in MODELS},
        "incremental_minus_full": {
            score: spread([r["r2"]["incremental"][score] - r["r2"]["full"][score] for r in rounds])
            for score in ("r2", "r2_noisy")
        },
        "doubted": doubts,
    }
