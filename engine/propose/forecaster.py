"""What to expect of conditions: calibrated means and intervals of new measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from botorch.models.model import Model
from numpy.typing import NDArray
from scipy.stats import norm

from engine.campaign import Value
from engine.campaign.applicability import lacking
from engine.campaign.history import History
from engine.compute import device_of
from engine.errors import DataError, ModelError
from engine.propose.learnable import is_constant
from engine.propose.request import Forecast, SourceShare
from engine.propose.room import Room
from engine.propose.space import Space
from engine.propose.training_data import CORRECT_IT, TrainingData, training_data
from engine.sources.spinning import spins
from surrogate.averaged_gp import AveragedGP
from surrogate.beliefs import PlainInputs
from surrogate.errors import SurrogateError
from surrogate.feasibility import Feasibility
from surrogate.gp import marginal_moments, outcomes_of
from surrogate.labs.gate import fit_among_labs, is_too_ragged

if TYPE_CHECKING:
    from engine.sources.knowledge import Knowledge
    from engine.workspace.settings import ProposeSettings

Array = NDArray[np.float64]

_FEW_CONDITIONS = 24
"""Up to so many a search goes by all that hyperparameters might be (docs/notes/surrogate.md)."""
_TOO_RAGGED = (
    "some outcomes were not measured on every run, and there are too many results for simulated "
    "labs to be weighed by them: they are left aside."
)


class Forecaster:
    """The surrogate fitted to a history, asked in the campaign's own words and units.

    >>> from engine.campaign import Campaign
    >>> from engine.campaign.history import Run
    >>> from engine.workspace.settings import ProposeSettings
    >>> campaign = Campaign(
    ...     name="toy",
    ...     parameters=[{"name": "voltage", "unit": "kV", "low": 10, "high": 20}],
    ...     properties=[{"name": "strength", "unit": "MPa"}],
    ...     objectives=[{"outcome": "strength", "threshold": 0}],
    ... )
    >>> runs = [Run({"voltage": 10.0 + x}, {"strength": (2.0 * x,)}, id=x + 1) for x in range(8)]
    >>> forecaster = Forecaster.fit(History(campaign, tuple(runs)), ProposeSettings())
    >>> forecast = forecaster.predict([{"voltage": 13.5}])[0]["strength"]
    >>> forecast.lower < 7.0 < forecast.upper, round(forecast.mean)
    (True, 7)
    """

    def __init__(
        self,
        space: Space,
        model: Model,
        data: TrainingData,
        feasibility: Feasibility,
        level: float,
        *,
        sources: Sequence[SourceShare] = (),
    ) -> None:
        """Take a model that was fitted to ``data`` in its work space."""
        self.space = space
        self.model = model
        self.data = data
        self.feasibility = feasibility
        self.level = level
        self.sources = tuple(sources)

    @classmethod
    def fit(
        cls,
        history: History,
        settings: ProposeSettings,
        *,
        outcomes: Sequence[str] | None = None,
        knowledge: Knowledge | None = None,
    ) -> Forecaster:
        """Fit one Gaussian process to each outcome (those with data, if ``outcomes`` is ``None``).

        With ``knowledge`` simulated labs and the heads of other sources count, as far as the data
        trust them.

        Raises:
            ModelError: too few results, an outcome that never varies, or a fit that fails.
        """
        space = Space.of(history)
        if knowledge is not None:
            knowledge = knowledge.within(history.campaign, space.reaches)
        names = tuple(outcomes) if outcomes is not None else outcomes_with_data(history)
        data = training_data(history, space, names)
        heads = knowledge.heads(names) if knowledge is not None else None
        try:
            device = device_of(settings.device)
            X, Y = (torch.from_numpy(part).to(device) for part in (data.X, data.Y / data.units))
            labs = knowledge.labs(names) if knowledge is not None else None
            model, use = fit_among_labs(X, Y, labs, heads, inputs=plain_inputs(space))
            if labs is not None and is_too_ragged(Y):
                data = replace(data, notes=(*data.notes, _TOO_RAGGED))
        except SurrogateError as error:
            raise ModelError(f"the surrogate could not be fitted: {error}") from error
        shares = [
            SourceShare(s.name, s.trust, s.used, dict(zip(names, s.weights, strict=True)))
            for s in use
        ]
        return cls(
            space, model, data, fit_feasibility(space, history), settings.level, sources=shares
        )

    @classmethod
    def fit_wanted(
        cls, history: History, settings: ProposeSettings, knowledge: Knowledge | None = None
    ) -> tuple[Forecaster, Forecaster]:
        """Fit for a search: the wanted outcomes, and everything that was fitted for them.

        Whether sources are believed is asked of all outcomes that have data: a property that is not
        wanted still tells whether a source knows this lab. The plain model needs no witnesses, so
        without ``knowledge`` only the wanted outcomes are fitted.

        Raises:
            ModelError: as of :meth:`fit`.
        """
        searched = history.campaign.wanted_outcomes
        if knowledge is None:
            focused = cls.fit(history, settings, outcomes=searched)
            return focused.for_search(), focused
        witnesses = [name for name in outcomes_with_data(history) if name not in searched]
        full = cls.fit(history, settings, outcomes=(*searched, *witnesses), knowledge=knowledge)
        return full.restricted_to(searched).for_search(), full

    def for_search(self) -> Forecaster:
        """Return the forecaster that a search goes by: this one while runs are few.

        Later the plain model's hyperparameters are taken to be the most likely ones: what they
        might be besides keeps intervals honest, and a search exploring when it should close in.
        """
        model = self.model
        if not isinstance(model, AveragedGP) or len(model.merged.X) <= _FEW_CONDITIONS:
            return self
        return Forecaster(
            self.space,
            model.at_maxima(),
            self.data,
            self.feasibility,
            self.level,
            sources=self.sources,
        )

    @property
    def beliefs(self) -> dict[str, dict[str, float]]:
        """By outcome, the weights of the plain model's beliefs about noise and lengthscales.

        Empty where another model leads, which has one.
        """
        if not isinstance(self.model, AveragedGP):
            return {}
        return dict(zip(self.outcomes, self.model.weights, strict=True))

    def restricted_to(self, outcomes: Sequence[str]) -> Forecaster:
        """Return the forecaster of some of its outcomes."""
        places = [self.outcomes.index(name) for name in outcomes]
        data = replace(self.data, Y=self.data.Y[:, places], outcomes=tuple(outcomes))
        model = outcomes_of(self.model, places)
        shares = [
            replace(share, weights={name: share.weights[name] for name in outcomes})
            for share in self.sources
        ]
        return Forecaster(self.space, model, data, self.feasibility, self.level, sources=shares)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The outcomes that it can forecast."""
        return self.data.outcomes

    def predict(
        self, conditions: Sequence[Mapping[str, Value]], level: float | None = None
    ) -> list[dict[str, Forecast]]:
        """Forecast a new measurement at each of ``conditions`` (every controlled parameter given).

        A missing ambient value is taken to be the mean of the readings so far.

        Raises:
            DataError: a controlled parameter is missing.
        """
        if not len(conditions):
            return []
        for place, row in enumerate(conditions):
            missing = [p.name for p in lacking(self.space.controlled, row)]
            if missing:
                raise DataError(
                    f"conditions {place + 1}: expected a value for {', '.join(missing)}"
                )
        return self._forecasts(self.space.encode(conditions, self.data.fill), 1, level)

    def predict_in_room(
        self, settings: Array, room: Room, level: float | None = None
    ) -> list[dict[str, Forecast]]:
        """Forecast settings (n, c) over a room's readings, equally likely: a mixture's moments."""
        r = len(room.readings)
        X = self.space.cube(
            np.repeat(settings, r, axis=0), np.tile(room.readings, (len(settings), 1))
        )
        return self._forecasts(X, r, level)

    def moments(self, X: Array, *, with_noise: bool = True) -> tuple[Array, Array]:
        """Return means and variances, (n, m) each, at X (n, d): of logarithms, or in units."""
        mean, variance = self.work_moments(X, with_noise=with_noise)
        units = self.data.units
        return mean * units, variance * units**2

    def work_moments(self, X: Array, *, with_noise: bool = True) -> tuple[Array, Array]:
        """Return means and variances in work space, (n, m) each, at X (n, d)."""
        mean, variance = marginal_moments(
            self.model, torch.from_numpy(X), observation_noise=with_noise
        )
        return mean.numpy(), variance.numpy()

    def p_success(self, conditions: Sequence[Mapping[str, Value]]) -> list[float]:
        """Return the probability that each of ``conditions`` gives a mat."""
        X = self.space.encode(conditions, self.data.fill)
        return [float(p) for p in self.feasibility.probability(X)]

    def _forecasts(self, X: Array, r: int, level: float | None) -> list[dict[str, Forecast]]:
        mean, variance = self.work_moments(X)
        mean = mean.reshape(-1, r, mean.shape[-1])
        variance = variance.reshape(mean.shape).mean(axis=1) + mean.var(axis=1)
        mean = mean.mean(axis=1)
        width = norm.ppf(0.5 + (level or self.level) / 2) * np.sqrt(variance)
        return [
            {
                outcome: self._forecast(outcome, mean[row, i], variance[row, i], width[row, i])
                for i, outcome in enumerate(self.outcomes)
            }
            for row in range(len(mean))
        ]

    def _forecast(self, outcome: str, mean: float, variance: float, width: float) -> Forecast:
        work, prop = self.data.work, self.space.campaign.property_of(outcome)
        # A log-normal's mean; where the surrogate knows next to nothing, not beyond its interval.
        centre = mean + variance / 2 if work.is_log(outcome) else mean
        value, lower, upper = (
            float(work.untransform(outcome, np.array(x)))
            for x in (centre, mean - width, mean + width)
        )
        low = prop.minimum if prop.minimum is not None else -np.inf
        high = prop.maximum if prop.maximum is not None else np.inf
        lower, upper = float(np.clip(lower, low, high)), float(np.clip(upper, low, high))
        return Forecast(float(np.clip(value, lower, upper)), lower, upper)


def outcomes_with_data(history: History) -> tuple[str, ...]:
    """Return the outcomes that at least two finished runs have and that are not constant."""
    outcomes = []
    for outcome in history.campaign.outcomes:
        values = [v for run in history.finished for v in run.outcomes.get(outcome, ())]
        if len(values) >= 2 and not is_constant(values):
            outcomes.append(outcome)
    if not outcomes:
        if history.n_finished >= 2:
            raise ModelError(
                f"every outcome has the same value in all of {history.n_finished} finished runs: "
                f"there is nothing to learn from. {CORRECT_IT}."
            )
        raise ModelError(
            "expected at least 2 finished runs with results to learn from, got "
            f"{history.n_finished}: log or import more."
        )
    return tuple(outcomes)


def plain_inputs(space: Space) -> PlainInputs:
    """Return what the plain surrogate is told of a campaign: its choices, and whether it spins.

    Mats are tested by the specimen, and specimens scatter; elsewhere noise has to prove itself.
    """
    return PlainInputs(space.choices, spins(space.campaign).is_spinning)


def fit_feasibility(space: Space, history: History) -> Feasibility:
    """Learn from finished and failed runs, in the order in which they were recorded."""
    runs = [(run, True) for run in history.finished] + [(run, False) for run in history.failed]
    # Of very many runs the classifier keeps the last, so that their order matters.
    runs.sort(key=lambda pair: pair[0].id or 0)
    if not runs:
        return Feasibility(np.zeros((0, space.d)), np.zeros(0, dtype=bool))
    from engine.propose.training_data import typical_ambient

    fill = typical_ambient(space, [run for run, _ in runs])
    X = space.encode([run.conditions for run, _ in runs], fill)
    return Feasibility(X, np.array([good for _, good in runs], dtype=bool))
