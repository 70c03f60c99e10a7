"""Why each proposal is there, in a sentence, and which finished run it is nearest to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from db.words import run_name
from engine.campaign import Campaign
from engine.campaign.front import undominated
from engine.campaign.history import Run
from engine.campaign.numbers import written
from engine.propose.aims import Folded, law_of
from engine.propose.request import Forecast
from engine.propose.space import Space
from engine.propose.work_space import WorkSpace

Array = NDArray[np.float64]

_MOST_NAMES = 5


def nearest_run(space: Space, setting: Array, runs: Sequence[Run]) -> tuple[Run | None, float]:
    """Return the finished run nearest in the unit cube of controlled parameters, and how far."""
    if not runs:
        return None, float("inf")
    # The room is left out: it is not chosen, and two runs of one setting are as near as can be.
    nowhere = np.zeros((1, len(space.ambient)))
    target = space.cube(setting[None], nowhere)
    settings = space.settings_of([run.conditions for run in runs])
    placed = space.cube(settings, np.repeat(nowhere, len(runs), axis=0))
    distances = np.linalg.norm(placed - target, axis=1)
    place = int(np.argmin(distances))
    return runs[place], float(distances[place])


class Explainer:
    """Says what each proposal is for, measured against what the finished runs are expected to give.

    ``expected``: forecasts at the finished runs' own conditions. They, not the measured values,
    make the front: a lucky specimen is no better mat. ``level``: of their intervals, from which the
    distance to be expected from a target follows; a mean on the target may be far from sure.
    ``work``: where that is worked out.
    """

    def __init__(
        self,
        campaign: Campaign,
        runs: Sequence[Run],
        expected: Sequence[Mapping[str, Forecast]],
        *,
        level: float,
        work: WorkSpace | None = None,
    ) -> None:
        self.campaign = campaign
        self.work = WorkSpace(campaign) if work is None else replace(work, floors={})
        self.objectives = campaign.objectives
        self.level = level
        gains = np.array([self._gains(forecast) for forecast in expected]).reshape(
            len(expected), len(self.objectives)
        )
        allowed = np.array([self._is_allowed(forecast) for forecast in expected], dtype=bool)
        mask = allowed.copy()
        mask[allowed] = undominated(gains[allowed])
        self.front = gains[mask]
        self.front_runs = [run for run, is_on in zip(runs, mask, strict=True) if is_on]

    def _gains(self, forecast: Mapping[str, Forecast]) -> list[float]:
        """Return the expected gain of each objective, a target's in tolerances."""
        gains = []
        for objective in self.objectives:
            outcome = forecast[objective.outcome]
            law = law_of(self.work, objective)
            if isinstance(law, Folded):
                ends = np.array([outcome.lower, outcome.upper])
                low, high = self.work.transform(objective.outcome, ends)
                deviation = (high - low) / (2 * norm.ppf(0.5 + self.level / 2))
                gains.append(float(law.expected((low + high) / 2, deviation**2)[0]))
            else:
                gains.append(float(objective.gains(outcome.mean)))
        return gains

    def _is_allowed(self, forecast: Mapping[str, Forecast]) -> bool:
        """Whether a run is expected to meet the outcome constraints; others make no front."""
        return not self._missed(forecast)

    def _missed(self, forecast: Mapping[str, Forecast]) -> list[str]:
        expected = {name: f.mean for name, f in forecast.items()}
        return [
            f"'{constraint}'"
            for constraint in self.campaign.constraints
            if set(constraint.terms) <= set(expected) and not constraint.is_met(expected)
        ]

    def reason(
        self, forecast: Mapping[str, Forecast], p_success: float, nearest: Run | None, far: float
    ) -> tuple[str, str]:
        """Return the reason's kind and its sentence."""
        point = np.array([forecast[o.outcome].mean for o in self.objectives])
        gains, front = np.array(self._gains(forecast)), self.front
        misses = self._missed(forecast)
        expected = " at ".join(
            self._worded(o.outcome, value) for value, o in zip(point, self.objectives, strict=True)
        )
        # A risk that is no news in this craft is not told with every run.
        caution = f"; {p_success:.0%} chance of success" if p_success < 0.8 else ""
        if misses:
            caution = f"; not expected to meet {' and '.join(misses)}{caution}"
        beaten = (front <= gains).all(axis=1) & (front < gains).any(axis=1)
        dominated = ((front >= gains).all(axis=1) & (front > gains).any(axis=1)).any()
        if dominated or misses or not len(front):
            return "explores", self._exploring(forecast, expected, nearest, far) + caution
        if beaten.any():
            runs = [r for r, is_beaten in zip(self.front_runs, beaten, strict=True) if is_beaten]
            names = ", ".join(map(_name, runs[:_MOST_NAMES]))
            if len(runs) > _MOST_NAMES:
                names += f" and {len(runs) - _MOST_NAMES} further ones"
            return "improves_front", f"expected {expected}: beyond {names}{caution}"
        # Neither beats a run nor is beaten: it lies beside the front's runs. Between two of them,
        # by the first objective, it fills a gap; at an end it makes the front longer.
        higher = [run for run, row in zip(self.front_runs, front, strict=True) if row[0] > gains[0]]
        lower = [run for run, row in zip(self.front_runs, front, strict=True) if row[0] < gains[0]]
        if higher and lower:
            order = np.argsort(front[:, 0])
            place = int(np.searchsorted(front[order, 0], gains[0]))
            pair = [_name(self.front_runs[order[i]]) for i in (place - 1, place)]
            return (
                "fills_gap",
                f"expected {expected}: on the front between {pair[0]} and {pair[1]}{caution}",
            )
        return "improves_front", f"expected {expected}: extends the front{caution}"

    def _worded(self, outcome: str, value: float) -> str:
        """Return a value with its unit; what has none is called by its name."""
        unit = self.campaign.unit_of(outcome)
        return f"{written(value)} {unit}" if unit else f"{outcome} {written(value)}"

    def _exploring(
        self, forecast: Mapping[str, Forecast], expected: str, nearest: Run | None, far: float
    ) -> str:
        # "or", as the ends of the intervals are not to be had together.
        best_case = " or ".join(
            self._worded(
                o.outcome, o.best_within(forecast[o.outcome].lower, forecast[o.outcome].upper)
            )
            for o in self.objectives
        )
        distance = (
            f"; {far:.2f} of the range away from {_name(nearest)}" if nearest is not None else ""
        )
        return f"expected {expected}, could reach {best_case}{distance}"


def _name(run: Run) -> str:
    return f"run {run_name(run.id, run.label)}".strip()
