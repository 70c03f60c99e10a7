"""What a log entry came to: the run as it is now, each value, what is odd."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from db.records import CurveRecord, ExperimentRecord, Value


@dataclass(frozen=True)
class RecordedValue:
    """One measurement as it was recorded; ``superseded`` is the value it corrects.

    Without a value it takes that one back.
    """

    outcome: str
    replicate: int
    value: float | None
    superseded: float | None = None


@dataclass(frozen=True)
class Recorded:
    """What became of one run."""

    experiment: ExperimentRecord
    is_new: bool
    values: tuple[RecordedValue, ...]
    n_micrographs: int
    warnings: tuple[str, ...]
    curves: tuple[CurveRecord, ...] = ()
    n_removed: int = 0
    """Pictures that are the run's no longer."""
    actual: Mapping[str, Value] = field(default_factory=dict)
    """Conditions as really run."""
    facts: Mapping[str, str | None] = field(default_factory=dict)
    """Who, when, with what; ``None``: taken back."""
