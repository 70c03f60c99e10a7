"""Models by name, as the accuracy benchmark asks them: finished runs in, predictions of others out.

Everything is learnt from the conditions alone, on the same unit cube (``engine.propose.space``). A
further model is one more entry of :data:`MODELS`, or is brought along by the caller.

Notation
--------
======  ==========================================================  =======
symbol  meaning                                                     shape
======  ==========================================================  =======
X       conditions in the unit cube                                 (n, d)
μ, v    mean and variance of a new measurement in work space, where (n, m)
        a log-scaled outcome stands as its logarithm
======  ==========================================================  =======
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Campaign, Value
from engine.errors import ModelError, UsageError, nearest_name
from engine.history import History

if TYPE_CHECKING:
    from engine.propose.forecaster import Forecaster

Array = NDArray[np.float64]

N_TREES = 500


@dataclass(frozen=True)
class Predicted:
    """New measurements at ``n`` conditions of ``m`` outcomes.

    ``mean``: (n, m) in the outcomes' units. ``lower``, ``upper``: (n, m), the interval of the level
    asked for, in the same units. ``centre``, ``variance``: (n, m), the normal density in work
    space. The last four are ``None`` for a model that knows no spread.
    """

    mean: Array
    lower: Array | None = None
    upper: Array | None = None
    centre: Array | None = None
    variance: Array | None = None

    def parts(self) -> list[Array]:
        """Return the arrays that are there."""
        every = (self.mean, self.lower, self.upper, self.centre, self.variance)
        return [part for part in every if part is not None]


class Predictor(Protocol):
    """Learn from ``history.finished``, then predict ``conditions`` (n), for ``outcomes`` (m).

    ``level`` is that of the intervals; ``seed`` belongs to this fold alone. A model that learns
    from micrographs finds them by the labels of the runs; of what it predicts it sees conditions.
    """

    def __call__(
        self,
        history: History,
        conditions: Sequence[Mapping[str, Value]],
        outcomes: Sequence[str],
        *,
        level: float,
        seed: int,
    ) -> Predicted:
        """Return the predictions, in the order of ``conditions`` and ``outcomes``."""
        ...


@dataclass(frozen=True)
class Entry:
    """A model by name, and what it is in a line."""

    predict: Predictor
    about: str


def engine_gp(
    history: History,
    conditions: Sequence[Mapping[str, Value]],
    outcomes: Sequence[str],
    *,
    level: float,
    seed: int,
) -> Predicted:
    """Predict as ``engine score`` does: the forecaster with its default settings."""
    from engine.propose import Forecaster
    from engine.settings import ProposeSettings

    forecaster = Forecaster.fit(history, ProposeSettings(), outcomes=outcomes)
    return _forecast(forecaster, conditions, level)


def botorch_default(
    history: History,
    conditions: Sequence[Mapping[str, Value]],
    outcomes: Sequence[str],
    *,
    level: float,
    seed: int,
) -> Predicted:
    """Predict with one ``SingleTaskGP`` for each outcome, everything at BoTorch's defaults."""
    import torch
    from botorch.models import ModelListGP

    from engine.propose import Forecaster
    from engine.propose.space import Space
    from engine.propose.training import training_data
    from surrogate.feasibility import Feasibility

    space = Space(history.campaign)
    data = training_data(history, space, outcomes)
    members = []
    for i, outcome in enumerate(outcomes):
        seen = ~np.isnan(data.Y[:, i])
        X, y = torch.from_numpy(data.X[seen]), torch.from_numpy(data.Y[seen, i : i + 1])
        members.append(_single_task_gp(X, y, outcome))
    nothing_failed = Feasibility(np.zeros((0, space.d)), np.zeros(0, dtype=bool))
    forecaster = Forecaster(space, ModelListGP(*members), data, nothing_failed, level)
    return _forecast(forecaster, conditions, level)


def _single_task_gp(X: Any, y: Any, outcome: str) -> Any:
    from botorch.exceptions.errors import BotorchError, ModelFittingError
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from gpytorch.mlls import ExactMarginalLogLikelihood
    from linear_operator.utils.errors import NanError, NotPSDError

    with warnings.catch_warnings():
        # A difficult start is tried again by BoTorch itself; replicates need jitter.
        warnings.simplefilter("ignore")
        model = SingleTaskGP(X, y)
        try:
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        except (ModelFittingError, BotorchError, NanError, NotPSDError, RuntimeError) as error:
            raise ModelError(
                f"no hyperparameters could be found for {len(y)} values of {outcome}: {error}"
            ) from error
    return model.eval()


def _forecast(
    forecaster: Forecaster, conditions: Sequence[Mapping[str, Value]], level: float
) -> Predicted:
    told = forecaster.predict(conditions, level)
    mean, lower, upper = (
        np.array([[getattr(row[outcome], part) for outcome in forecaster.outcomes] for row in told])
        for part in ("mean", "lower", "upper")
    )
    centre, variance = forecaster.moments(forecaster.space.encode(conditions, forecaster.data.fill))
    return Predicted(mean, lower, upper, centre, variance)


def constant(
    history: History,
    conditions: Sequence[Mapping[str, Value]],
    outcomes: Sequence[str],
    *,
    level: float,
    seed: int,
) -> Predicted:
    """Predict the mean of the runs, with their spread in work space; what learning must beat."""
    from scipy.stats import norm

    from engine.propose.space import Space
    from engine.propose.training import training_data

    campaign = history.campaign
    Y = training_data(history, Space(campaign), outcomes).Y
    counts = (~np.isnan(Y)).sum(axis=0)
    raw = _from_work(campaign, outcomes, Y)
    centre = np.nanmean(Y, axis=0)
    variance = np.nanvar(Y, axis=0, ddof=1) * (1 + 1 / counts)
    width = norm.ppf(0.5 + level / 2) * np.sqrt(variance)
    rows = (
        np.nanmean(raw, axis=0),
        *_from_work(campaign, outcomes, np.stack([centre - width, centre + width])),
        centre,
        variance,
    )
    return Predicted(*(np.tile(row, (len(conditions), 1)) for row in rows))


def regressor(make: Callable[[int], Any]) -> Predictor:
    """Return a predictor from scikit-learn's regressors: one for each outcome, in its own unit.

    ``make`` takes a seed. Trees minimise squared errors; learning logarithms would spoil R².
    """

    def predict(
        history: History,
        conditions: Sequence[Mapping[str, Value]],
        outcomes: Sequence[str],
        *,
        level: float,
        seed: int,
    ) -> Predicted:
        from engine.propose.space import Space
        from engine.propose.training import training_data

        space = Space(history.campaign)
        data = training_data(history, space, outcomes)
        raw = _from_work(history.campaign, outcomes, data.Y)
        X = space.encode(conditions, data.fill)
        columns = []
        for y in raw.T:
            seen = ~np.isnan(y)
            columns.append(make(seed).fit(data.X[seen], y[seen]).predict(X))
        return Predicted(np.stack(columns, axis=1))

    return predict


def _random_forest(seed: int) -> Any:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(n_estimators=N_TREES, random_state=seed)


def _gradient_boosting(seed: int) -> Any:
    from sklearn.ensemble import GradientBoostingRegressor

    return GradientBoostingRegressor(random_state=seed)


def _from_work(campaign: Campaign, outcomes: Sequence[str], Y: Array) -> Array:
    """Return (…, m) work-space values in the outcomes' units."""
    from engine.propose.training import from_work

    columns = [from_work(campaign, outcome, Y[..., i]) for i, outcome in enumerate(outcomes)]
    return np.stack(columns, axis=-1)


BASELINE = "random_forest"
MODELS: Mapping[str, Entry] = {
    "gp": Entry(engine_gp, "the engine's own Gaussian processes, as `engine score` uses them"),
    "botorch": Entry(botorch_default, "BoTorch's SingleTaskGP at its defaults, on the same inputs"),
    "random_forest": Entry(
        regressor(_random_forest), f"scikit-learn's RandomForestRegressor, {N_TREES} trees"
    ),
    "gradient_boosting": Entry(
        regressor(_gradient_boosting), "scikit-learn's GradientBoostingRegressor at its defaults"
    ),
    "mean": Entry(constant, "the mean of the runs, whatever the conditions"),
}


def check_models(names: Iterable[str], *, brought: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the names, each once, in order.

    Raises:
        UsageError: none, or a name that is neither known nor brought along.
    """
    known = (*MODELS, *brought)
    chosen = tuple(dict.fromkeys(names))
    for name in chosen:
        if name not in known:
            raise UsageError(
                f"--model: expected one of {', '.join(known)}, got '{name}'."
                f"{nearest_name(name, known)}"
            )
    if not chosen:
        raise UsageError(f"--model: expected at least one of {', '.join(known)}")
    return chosen
