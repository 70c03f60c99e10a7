"""What a model is to the benchmarks: finished runs in, predictions of others out.

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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Campaign, Value
from engine.campaign.history import History

if TYPE_CHECKING:
    from engine.propose.forecaster import Forecaster

Array = NDArray[np.float64]


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
        parts = (self.mean, self.lower, self.upper, self.centre, self.variance)
        return [part for part in parts if part is not None]


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


def forecast(
    forecaster: Forecaster, conditions: Sequence[Mapping[str, Value]], level: float
) -> Predicted:
    """Return what a fitted forecaster says of new measurements at ``conditions``."""
    rows = forecaster.predict(conditions, level)
    mean, lower, upper = (
        np.array([[getattr(row[outcome], part) for outcome in forecaster.outcomes] for row in rows])
        for part in ("mean", "lower", "upper")
    )
    centre, variance = forecaster.moments(forecaster.space.encode(conditions, forecaster.data.fill))
    return Predicted(mean, lower, upper, centre, variance)


def to_units(campaign: Campaign, outcomes: Sequence[str], Y: Array) -> Array:
    """Return (…, m) work-space values in the outcomes' units."""
    from engine.propose.work_space import WorkSpace

    work = WorkSpace(campaign)
    columns = [work.untransform(outcome, Y[..., i]) for i, outcome in enumerate(outcomes)]
    return np.stack(columns, axis=-1)
