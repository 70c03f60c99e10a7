"""What tensile curves add to MatMCL on the virtual lab: with a curve encoder and without.

A model is trained from scratch on runs of the lab with their curves, either all ten outcomes logged
or, of a share of the runs, the strengths alone. It is judged on further runs, in units of the
training's spread (logarithms), on the eight outcomes that are no strength:

==================  ============================================================================
``conditions``      f_t's heads; no curve of these runs is seen
``strength given``  the same, moved by what its own strengths say: a ridge regression of what was
                    left over on the runs with all outcomes; needs no curve
``curve given``     f_m's reading of conditions and the run's curves
==================  ============================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.bench.harness.intervals import mean_interval
from engine.bench.harness.labs import finished_runs, lab_of
from engine.bench.harness.results import ResultFile
from engine.bench.harness.tasks import Task, Trace, one_thread, seed_by_seed
from engine.campaign import Campaign
from engine.campaign.history import Run
from engine.curves.outcomes import curve_directions
from engine.curves.properties.evaluate import evaluate
from engine.errors import UsageError
from engine.lab.protocol import LabResult
from engine.propose.work_space import WorkSpace
from engine.sources.axes import outcome_places
from engine.sources.curves import (
    CurveTensors,
    RunCurve,
    curve_tensors,
    direction_places,
    learnable_curve,
)
from engine.sources.encoding import encode_conditions
from engine.sources.ensemble_data import starter_vocabulary
from surrogate.matmcl.config import MatMCLConfig, TrainSettings
from surrogate.matmcl.curves import CURVE_POINTS
from surrogate.matmcl.data import SourceTensors
from surrogate.matmcl.model import MatMCL
from surrogate.matmcl.train import train
from surrogate.matmcl.vocabulary import Vocabulary
from surrogate.progress import Progress, silent

Array = NDArray[np.float64]

SOURCE = "own runs"
STRENGTH = "fracture_strength"
PLAIN, CURVED = "without curves", "with curves"
_RIDGE = 1.0
_LEAST_VARIANCE = 1e-4


@dataclass(frozen=True)
class CurveConfig:
    """``shares``: of the training runs all of whose outcomes are logged; a study for each."""

    runs: int = 80
    test: int = 80
    n_seeds: int = 5
    first_seed: int = 0
    steps: int = 200
    shares: tuple[float, ...] = (1.0, 0.25)
    truth: str = "standard"

    def __post_init__(self) -> None:
        for name, low in (("runs", 20), ("test", 10), ("n_seeds", 1), ("steps", 1)):
            if getattr(self, name) < low:
                option = "seeds" if name == "n_seeds" else name
                raise UsageError(
                    f"expected at least {low}, got {getattr(self, name)}", field=option
                )
        if not self.shares or not all(0 < share <= 1 for share in self.shares):
            shares = ", ".join(f"{share:g}" for share in self.shares)
            raise UsageError(f"expected shares above 0 and at most 1, got {shares}", field="shares")

    @property
    def strategies(self) -> list[str]:
        """The models and shares that are compared, as tasks name them."""
        return [f"{kind}, {share:g}" for share in self.shares for kind in (PLAIN, CURVED)]


def bench_curves(
    config: CurveConfig,
    *,
    jobs: int = 1,
    out: Path | None = None,
    resume: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train and judge every model from every seed; return the document.

    Raises:
        UsageError, DataError: as of :class:`~engine.bench.harness.results.ResultFile`.
    """
    results = ResultFile(out, "curves", asdict(config))
    results.begin(resume=resume)
    tasks = seed_by_seed(config.strategies, config.first_seed, config.n_seeds)
    results.fill(tasks, partial(judge, config), jobs=jobs, progress=progress)
    return results.write({"complete": True, "summary": summary(results.traces_of(tasks))})


def judge(config: CurveConfig, task: Task, progress: Progress) -> Trace:
    """Train one model from one seed, and score what it says of further runs."""
    kind, _, text = task.strategy.rpartition(", ")
    with one_thread():
        drawn = _drawn(config.truth, config.runs + config.test, task.seed)
        data = _Data.from_runs(drawn, config.runs, float(text), task.seed)
        model = _trained(data, config, task.seed, has_curves=kind == CURVED)
        progress(str(task), config.steps, config.steps)
        scores = _scores(model, data, has_curves=kind == CURVED)
    return Trace(task.strategy, task.seed, tuple(scores), ())


@dataclass(frozen=True)
class _Drawn:
    """A lab's runs in order, and of each its curves as a model reads them."""

    campaign: Campaign
    runs: tuple[Run, ...]
    curves: tuple[tuple[RunCurve, ...], ...]


@lru_cache(maxsize=2)
def _drawn(truth: str, n: int, seed: int) -> _Drawn:
    lab = lab_of(truth, seed)
    finished = finished_runs(lab, n, seed)
    directions = curve_directions(lab.campaign) or ()
    return _Drawn(
        lab.campaign,
        tuple(run for run, _ in finished),
        tuple(_curves_of(result, directions) for _, result in finished),
    )


def _curves_of(result: LabResult, directions: Sequence[str]) -> tuple[RunCurve, ...]:
    curves = []
    for direction in directions:
        record = None if result.curve is None else result.curve(direction)
        samples = None if record is None else learnable_curve(evaluate(record.as_curve()))
        if samples is not None:
            curves.append(RunCurve(direction, samples))
    return tuple(curves)


@dataclass(frozen=True)
class _Data:
    """Runs in a model's words: the first ``n`` are learnt from.

    Y (runs, m) in standardised logarithms, ``is_logged`` (n, m) what the training sees of it.
    ``places``: of the lab's outcomes among the m.
    """

    vocabulary: Vocabulary
    places: Mapping[str, int]
    T: Array
    Y: Array
    n: int
    is_logged: NDArray[np.bool_]
    curves: CurveTensors

    @classmethod
    def from_runs(cls, drawn: _Drawn, n: int, share: float, seed: int) -> _Data:
        campaign, runs, vocabulary = drawn.campaign, drawn.runs, starter_vocabulary()
        T = encode_conditions(campaign, vocabulary, [run.conditions for run in runs])
        places = outcome_places(campaign, vocabulary)
        is_logged = np.ones((n, len(vocabulary.outcomes)), dtype=bool)
        order = np.random.default_rng([seed, 17]).permutation(n)
        is_sparse = np.isin(np.arange(n), order[max(2, round(share * n)) :])
        Y = np.full((len(runs), len(vocabulary.outcomes)), np.nan)
        for outcome, place in places.items():
            if not outcome.startswith(STRENGTH):
                is_logged[is_sparse, place] = False
            values = np.array([run.outcomes[outcome][0] for run in runs])
            work = WorkSpace(campaign).transform(outcome, values)
            logged = work[:n][is_logged[:, place]]
            Y[:, place] = (work - logged.mean()) / logged.std()
        tensors = curve_tensors(drawn.curves, direction_places(campaign, places, vocabulary))
        if tensors is None:
            raise UsageError("expected a lab that draws tensile curves", field="truth")
        return cls(vocabulary, places, T, Y, n, is_logged, tensors)

    def conditions(self, rows: slice) -> torch.Tensor:
        """Return T of rows as the model reads it."""
        return torch.from_numpy(self.T[rows]).float()

    def curves_at(self, rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the curves of rows, (k, d, g + 2), and whether each is there, (k, d)."""
        start, stop, _ = rows.indices(len(self.T))
        k, d = stop - start, len(self.vocabulary.directions)
        curves = torch.zeros(k, d, self.curves.curves.shape[1])
        present = torch.zeros(k, d, dtype=torch.bool)
        parts = (self.curves.owner.tolist(), self.curves.direction.tolist(), self.curves.curves)
        for row, direction, samples in zip(*parts, strict=True):
            if start <= row < stop:
                curves[row - start, direction] = samples
                present[row - start, direction] = True
        return curves, present


def _trained(data: _Data, config: CurveConfig, seed: int, *, has_curves: bool) -> MatMCL:
    shape = MatMCLConfig(
        width=64,
        depth=2,
        latent_dim=32,
        projection_dim=32,
        n_deviations=0,
        curve_points=CURVE_POINTS if has_curves else 0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MatMCL(shape, data.vocabulary, (SOURCE,))
    outcomes = np.where(data.is_logged, data.Y[: data.n], np.nan)
    source = SourceTensors(
        SOURCE,
        data.conditions(slice(0, data.n)),
        torch.from_numpy(outcomes).float(),
        torch.zeros(data.n, dtype=torch.int64),
    )
    if has_curves:
        mine = data.curves.owner < data.n
        source = SourceTensors(
            SOURCE, source.table, source.outcomes, source.lab,
            curves=data.curves.curves[mine],
            curve_owner=data.curves.owner[mine],
            curve_direction=data.curves.direction[mine],
        )  # fmt: skip
    settings = TrainSettings(
        steps=config.steps,
        learning_rate=1e-3,
        weight_decay=0.05,
        rows_per_batch=64,
        seed=seed,
        device="cpu",
    )
    train(model, [source], settings)
    return model


def _scores(model: MatMCL, data: _Data, *, has_curves: bool) -> list[dict[str, Any]]:
    """Return R² and NLPD of each way, means over the outcomes that are no strength."""
    rows = slice(data.n, len(data.T))
    T, true = data.conditions(rows), data.Y[rows]
    curves, present = data.curves_at(rows)
    # Judged alike: where a curve is given in the outcome's direction.
    place_of = [
        data.vocabulary.directions.index(name.partition(".")[2])
        for name in data.vocabulary.outcomes
    ]
    is_judged = present.numpy()[:, place_of]
    with torch.no_grad():
        mean = model.heads(T, SOURCE)[..., 0].double().numpy()
        variance = np.broadcast_to(model.log_noise[0].double().exp().numpy(), mean.shape)
        ways = {"conditions": (mean, variance)}
        if has_curves:
            rows_with = present.any(dim=1)
            informed, log_noise = model.heads_with_curves(
                T[rows_with], curves[rows_with], present[rows_with], SOURCE
            )
            mean_given, spread = mean.copy(), variance.copy()
            mean_given[rows_with.numpy()] = informed.double().numpy()
            spread[rows_with.numpy()] = log_noise.double().exp().numpy()
            ways["curve given"] = (mean_given, spread)
        else:
            training = data.conditions(slice(0, data.n))
            fitted = model.heads(training, SOURCE)[..., 0].double().numpy()
            ways["strength given"] = _moved_by_strength(data, fitted, mean, variance, true)
    judged = [place for name, place in data.places.items() if not name.startswith(STRENGTH)]
    return [
        {"way": way, **_score(mean, variance, true, is_judged, judged)}
        for way, (mean, variance) in ways.items()
    ]


def _moved_by_strength(
    data: _Data, fitted: Array, mean: Array, variance: Array, true: Array
) -> tuple[Array, Array]:
    """Return means and variances once the runs' own strengths are known."""
    columns = list(data.places.values())
    strengths = [place for name, place in data.places.items() if name.startswith(STRENGTH)]
    is_complete = data.is_logged[:, columns].all(axis=1)
    left_over = np.zeros((int(is_complete.sum()), data.Y.shape[1]))
    left_over[:, columns] = (data.Y[: data.n][is_complete] - fitted[is_complete])[:, columns]
    x, x_new = left_over[:, strengths], (true - mean)[:, strengths]
    weights = np.linalg.solve(x.T @ x + _RIDGE * np.eye(len(strengths)), x.T @ left_over)
    # What is explained of the training's residuals goes from the noise.
    unexplained = (left_over - x @ weights).var(axis=0) / np.maximum(left_over.var(axis=0), 1e-12)
    return mean + x_new @ weights, variance * np.clip(unexplained, _LEAST_VARIANCE, 1.0)


def _score(
    mean: Array, variance: Array, true: Array, is_judged: NDArray[np.bool_], outcomes: list[int]
) -> dict[str, float]:
    r2, nlpd = [], []
    for place in outcomes:
        chosen = is_judged[:, place]
        y, error = true[chosen, place], (true - mean)[chosen, place]
        noise = np.maximum(variance[chosen, place], _LEAST_VARIANCE)
        r2.append(1.0 - float((error**2).sum() / ((y - y.mean()) ** 2).sum()))
        nlpd.append(float(np.mean(0.5 * (np.log(2 * np.pi * noise) + error**2 / noise))))
    return {"r2": float(np.mean(r2)), "nlpd": float(np.mean(nlpd))}


def summary(traces: Sequence[Trace]) -> list[dict[str, Any]]:
    """Return for each model and way the mean over seeds, and the least and greatest seed."""
    scores: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for trace in traces:
        for score in trace.runs:
            scores.setdefault((trace.strategy, score["way"]), []).append(score)
    rows = []
    for (strategy, way), of_seeds in scores.items():
        kind, _, share = strategy.rpartition(", ")
        row: dict[str, Any] = {"model": kind, "share": float(share), "way": way}
        for name in ("r2", "nlpd"):
            values = np.array([score[name] for score in of_seeds])
            interval = mean_interval(values)
            row[name] = {
                "mean": float(values.mean()),
                "least": float(values.min()),
                "greatest": float(values.max()),
                "interval": None if interval is None else [float(bound) for bound in interval],
            }
        rows.append(row)
    return rows
