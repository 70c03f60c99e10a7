"""How well is a lab known after so many experiments? Models beside one another, as results come.

For one seed every model sees the same experiments: those of the smaller numbers begin those of the
larger ones. It is asked about other settings in other rooms, whose truth is known and which are
run once too. Shapes: n experiments to learn from, t to be tested on, m outcomes.

========  ==============================================================================
R²        1 − Σ(f − μ)² / Σ(f − f̄)², f the truth without noise and μ the centre of the
          prediction, both in work space (logarithms of log-scaled outcomes)
R² noisy  the same with the test runs' measurements for f, in the outcome's unit
NLPD      mean of −log p(y) of the test runs' measurements, per unit of the outcome [nat]
coverage  share of those inside their 90 % intervals
========  ==============================================================================

All are means over outcomes. Differences are paired over seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.bench.harness.labs import SourceRuns, finished_runs, lab_of, truths
from engine.bench.harness.results import ResultFile
from engine.bench.harness.tasks import Task, Trace, seed_by_seed
from engine.bench.models import sources
from engine.bench.models.knowledge import CheckpointKnowledge, KnowledgeProvider
from engine.bench.models.learning_scores import scores, summarise
from engine.bench.models.predictors import MODELS, Predictor, surrogate
from engine.bench.models.rows import SCRATCH, Row
from engine.campaign.history import History, Run
from engine.errors import ModelError, SpinneretError, UsageError, nearest_name
from engine.lab.protocol import KnownLab, LabResult
from surrogate.progress import Progress, silent

Array = NDArray[np.float64]

# Far from the seeds of repetitions: what is tested on is never what was learned from.
TEST_STREAM = 5_000
MIN_SIZE = 3


@dataclass(frozen=True)
class LearningConfig:
    """What is compared: rows, numbers of experiments, seeds, settings to be tested on.

    ``reference``: the model to which a row is compared, on the row's own truth.

    Raises:
        UsageError: numbers that make no benchmark.
    """

    kind: str
    rows: tuple[Row, ...]
    sizes: tuple[int, ...] = (8, 16, 32, 64)
    n_seeds: int = 10
    first_seed: int = 0
    n_test: int = 128
    reference: str = "gp"
    checkpoints: Path | None = None
    level: float = 0.9

    def __post_init__(self) -> None:
        for option, value, least in (
            ("seeds", self.n_seeds, 1),
            ("first_seed", self.first_seed, 0),
            ("test", self.n_test, 8),
            ("sizes", min(self.sizes, default=0), MIN_SIZE),
        ):
            if value < least:
                raise UsageError(f"expected at least {least}, got {value}", field=option)
        if list(self.sizes) != sorted(set(self.sizes)):
            sizes = ", ".join(map(str, self.sizes))
            raise UsageError(f"expected rising numbers of experiments, got {sizes}", field="sizes")

    @property
    def tasks(self) -> list[Task]:
        """Every (row, seed), seed by seed, so that an interrupted run is paired."""
        return seed_by_seed([row.name for row in self.rows], self.first_seed, self.n_seeds)

    def conditions(self) -> dict[str, Any]:
        """Return what must be equal for results to stand in one table."""
        return {"sizes": list(self.sizes), "n_test": self.n_test, "level": self.level}


def learning(
    config: LearningConfig,
    *,
    models: Mapping[str, Predictor] | None = None,
    jobs: int = 1,
    out: Path | None = None,
    resume: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Run the benchmark and return its document.

    Args:
        config: what is compared.
        models: further models by name.
        jobs: processes, one thread each.
        out: a JSON file, written as each (row, seed) finishes.
        resume: go on with the results in ``out``.
        progress: told of the experiments learned from, by (row, seed).

    Raises:
        UsageError: unknown models or labs; a file that holds an unfinished run.
        DataError: a file of another benchmark; a lab that hardly ever gives a mat.
        ModelError: a model fails; the message says which, where.
    """
    custom = dict(models or {})
    check_models({row.model for row in config.rows}, custom)
    for truth in dict.fromkeys(row.truth for row in config.rows):
        _known_lab(truth, config.first_seed)
    results = ResultFile(out, config.kind, config.conditions())
    results.begin(resume=resume)
    with sources.checkpoints(config.checkpoints) as folder:
        work = partial(run_task, replace(config, checkpoints=folder), custom)
        results.fill(config.tasks, work, jobs=jobs, progress=progress)
    chosen = results.traces_of(config.tasks)
    return results.write(
        {
            "complete": True,
            "seeds": [config.first_seed, config.first_seed + config.n_seeds - 1],
            "rows": [vars(row) for row in config.rows],
            "summary": summarise(chosen, config.rows, config.sizes, config.reference),
        }
    )


def check_models(names: Iterable[str], custom: Mapping[str, Predictor]) -> None:
    """Refuse a model that has no name here and is not among the caller's own.

    Raises:
        UsageError: naming those that are.
    """
    offered = tuple(dict.fromkeys((*custom, *MODELS, *sources.names(), SCRATCH)))
    for name in names:
        if name in offered:
            continue
        if sources.is_sourced(name):
            sources.check(name, "model")
            continue
        raise UsageError(
            f"expected one of {', '.join(offered)}, got '{name}'.{nearest_name(name, offered)}",
            field="model",
        )


def run_task(
    config: LearningConfig, custom: Mapping[str, Predictor], task: Task, progress: Progress
) -> Trace:
    """Run one row from one seed: a round holds the scores after so many experiments."""
    row = next(row for row in config.rows if row.name == task.strategy)
    lab = _known_lab(row.truth, task.seed)
    training = finished_runs(lab, config.sizes[-1], task.seed)
    test = _TestSet.drawn(lab, config.n_test, TEST_STREAM + task.seed)
    rounds = []
    for n in config.sizes:
        try:
            predict = _model(config, custom, row, task.seed, training[:n])
            predicted = predict(
                History(lab.campaign, tuple(run for run, _ in training[:n])),
                [run.conditions for run in test.runs],
                lab.campaign.outcomes,
                level=config.level,
                seed=task.seed,
            )
        except SpinneretError as error:
            raise ModelError(f"{row.name}, seed {task.seed}, {n} experiments: {error}") from error
        rounds.append({"n": n, **scores(lab.campaign, predicted, test.truth, test.measured)})
        progress(str(task), n, config.sizes[-1])
    return Trace(task.strategy, task.seed, (), tuple(rounds))


@dataclass(frozen=True)
class _TestSet:
    """What models are tested on: ``truth`` and ``measured`` (t, m) in the outcomes' units."""

    runs: tuple[Run, ...]
    truth: Array
    measured: Array

    @classmethod
    def drawn(cls, lab: KnownLab, n: int, seed: int) -> _TestSet:
        runs = tuple(run for run, _ in finished_runs(lab, n, seed))
        outcomes = lab.campaign.outcomes
        true = truths(lab, [run.conditions for run in runs])
        measured = [[run.outcomes[outcome][0] for outcome in outcomes] for run in runs]
        return cls(runs, np.stack([true[o] for o in outcomes], axis=1), np.array(measured))


def _known_lab(name: str, seed: int) -> KnownLab:
    lab = lab_of(name, seed)
    if not isinstance(lab, KnownLab):
        raise UsageError(f"expected a lab that knows its truth, got '{name}'", field="truth")
    return lab


def _model(
    config: LearningConfig,
    custom: Mapping[str, Predictor],
    row: Row,
    seed: int,
    training: Sequence[tuple[Run, LabResult]],
) -> Predictor:
    """Return the row's model, pretrained here and now where it must be."""
    if row.model in custom:
        return custom[row.model]
    if not sources.is_sourced(row.model):
        return MODELS[row.model].predict
    folder = config.checkpoints or Path()
    if row.model == SCRATCH:
        return surrogate(_from_scratch(folder, row, seed, training))
    return surrogate(sources.provider(row.model, truth=row.truth, seed=seed, folder=folder))


def _from_scratch(
    folder: Path, row: Row, seed: int, training: Sequence[tuple[Run, LabResult]]
) -> KnowledgeProvider:
    name = f"scratch-{Path(row.truth).stem.replace(':', '-')}-{seed}-{len(training)}"
    checkpoint = folder / name
    if not checkpoint.is_dir():
        px = sources.PICTURE_PX
        micrographs = [result.micrograph for _, result in training]
        pictures = tuple(draw((px, px)) for draw in micrographs if draw is not None)
        source = SourceRuns(
            "campaign",
            lab_of(row.truth, seed).campaign,
            tuple(run for run, _ in training),
            pictures if len(pictures) == len(training) else (),
            training[0][1].nm_per_pixel,
        )
        sources.pretrain([source], checkpoint, seed)
    return CheckpointKnowledge(checkpoint)
