"""What a log entry came to: the run as it is now, each value, what is odd."""

from __future__ import annotations

from dataclasses import dataclass

from db.records import CurveRecord, ExperimentRecord


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
