"""A whole campaign together: what to compare by, and what the database computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from db.records.conditions import Value
from db.records.experiments import Status


@dataclass(frozen=True)
class MeanRecord:
    """The current replicates of one outcome of one experiment; ``square``: mean of the squares."""

    experiment_id: int
    outcome: str
    mean: float
    square: float
    lowest: float
    highest: float
    n: int

    @property
    def variance(self) -> float | None:
        """The replicates' variance about their mean; ``None`` for a single one."""
        if self.n < 2:
            return None
        return max(0.0, self.square - self.mean**2) * self.n / (self.n - 1)


@dataclass(frozen=True)
class ScoredRecord:
    """A prediction made before a run, and one measurement that came after it."""

    experiment_id: int
    outcome: str
    mean: float
    lower: float
    upper: float
    level: float
    measured: float

    @property
    def is_inside(self) -> bool:
        """Whether the measurement fell into the interval."""
        return self.lower <= self.measured <= self.upper


@dataclass(frozen=True)
class Goal:
    """What to compare experiments by: an outcome's mean.

    The larger the better (``sign`` +1), or the smaller (−1), and beyond ``threshold`` it counts;
    with a ``target``, the nearer to it, and no further off than ``threshold`` it counts.
    """

    outcome: str
    sign: float
    threshold: float
    target: float | None = None


@dataclass(frozen=True)
class Limit:
    """``lower ≤ Σ terms[outcome] · mean ≤ upper``, each bound where given."""

    terms: Mapping[str, float]
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class DesignRecord:
    """One setting with the ids of its runs, ascending, and its outcomes over all specimens."""

    runs: tuple[int, ...]
    means: Mapping[str, MeanRecord]


@dataclass(frozen=True)
class Overview:
    """All completed experiments of a campaign together.

    ``n_beyond`` is by goal; those that break a limit count in ``n_breaking`` and nowhere else.
    """

    n_breaking: int
    n_beyond_all: int
    n_beyond: tuple[int, ...]


@dataclass(frozen=True)
class ExperimentBrief:
    """What it takes to choose among many experiments: conditions as known, means of outcomes."""

    id: int
    status: Status
    conditions: Mapping[str, Value]
    means: Mapping[str, float]
    facts: Mapping[str, str] = field(default_factory=dict)
