"""Models that others use, at their defaults: BoTorch's GP, trees, the published network, the mean.

Everything is learnt from the conditions alone, on the same unit cube (``engine.propose.space``).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from engine.bench.models.prediction import Predicted, Predictor, forecast, to_units
from engine.campaign import Value
from engine.campaign.history import History
from engine.errors import ModelError

N_TREES = 500


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
    from engine.propose.training_data import training_data
    from surrogate.feasibility import Feasibility

    space = Space(history.campaign)
    data = training_data(history, space, outcomes).unscaled
    members = []
    for i, outcome in enumerate(outcomes):
        is_measured = ~np.isnan(data.Y[:, i])
        X = torch.from_numpy(data.X[is_measured])
        y = torch.from_numpy(data.Y[is_measured, i : i + 1])
        members.append(_single_task_gp(X, y, outcome))
    feasibility = Feasibility(np.zeros((0, space.d)), np.zeros(0, dtype=bool))
    forecaster = Forecaster(space, ModelListGP(*members), data, feasibility, level)
    return forecast(forecaster, conditions, level)


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
    from engine.propose.training_data import training_data

    campaign = history.campaign
    Y = training_data(history, Space(campaign), outcomes).Y
    counts = (~np.isnan(Y)).sum(axis=0)
    raw = to_units(campaign, outcomes, Y)
    centre = np.nanmean(Y, axis=0)
    variance = np.nanvar(Y, axis=0, ddof=1) * (1 + 1 / counts)
    width = norm.ppf(0.5 + level / 2) * np.sqrt(variance)
    rows = (
        np.nanmean(raw, axis=0),
        *to_units(campaign, outcomes, np.stack([centre - width, centre + width])),
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
        from engine.propose.training_data import training_data

        space = Space(history.campaign)
        data = training_data(history, space, outcomes)
        raw = to_units(history.campaign, outcomes, data.Y)
        X = space.encode(conditions, data.fill)
        columns = []
        for y in raw.T:
            is_measured = ~np.isnan(y)
            columns.append(make(seed).fit(data.X[is_measured], y[is_measured]).predict(X))
        return Predicted(np.stack(columns, axis=1))

    return predict


def random_forest(seed: int) -> Any:
    """Return scikit-learn's forest of :data:`N_TREES` trees, otherwise at its defaults."""
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(n_estimators=N_TREES, random_state=seed)


def extra_trees(seed: int) -> Any:
    """Return scikit-learn's extremely randomised trees, :data:`N_TREES` of them."""
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(n_estimators=N_TREES, random_state=seed)


def gradient_boosting(seed: int) -> Any:
    """Return scikit-learn's gradient boosting at its defaults."""
    from sklearn.ensemble import GradientBoostingRegressor

    return GradientBoostingRegressor(random_state=seed)
