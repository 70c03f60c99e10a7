"""Samples: where they came from and stand, their measurements and micrographs, their trail."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from db.records.conditions import Value
from db.records.proposals import ProposalRecord
from db.records.readings import Bound, details, is_censored
from db.words import run_name


class Origin(StrEnum):
    """Where an experiment came from."""

    PROPOSAL = "proposal"
    MANUAL = "manual"
    IMPORT = "import"


class Status(StrEnum):
    """Where an experiment stands: ``proposed → running → completed | failed | abandoned``."""

    PROPOSED = "proposed"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    ABANDONED = "abandoned"

    @property
    def is_pending(self) -> bool:
        """Whether a result is still awaited."""
        return self in (Status.PROPOSED, Status.RUNNING)


@dataclass(frozen=True)
class MeasurementRecord:
    """One value of one outcome; ``revision`` > 1 is a correction of an earlier row.

    ``value`` may be a :class:`~db.records.readings.Reading`: beyond a limit, or a mean with its
    scatter. NaN takes the earlier row's value back: the run then has none.
    """

    id: int
    experiment_id: int
    outcome: str
    replicate: int
    revision: int
    value: float
    supersedes_id: int | None
    recorded_at: datetime
    recorded_by: str
    note: str | None = None

    @property
    def is_retraction(self) -> bool:
        """Whether it takes a value back and holds none."""
        return math.isnan(self.value)

    @property
    def bound(self) -> Bound | None:
        """Whether the value lies ``below`` or ``above`` the number, which is a limit."""
        return details(self.value)[0]

    @property
    def sd(self) -> float | None:
        """The scatter of the specimens whose mean the value is."""
        return details(self.value)[1]

    @property
    def n(self) -> int | None:
        """How many specimens the value is the mean of."""
        return details(self.value)[2]


@dataclass(frozen=True)
class TouchedRecord:
    """One thing that a change recorded of an experiment, and what was there before.

    ``kind`` as of :class:`TrailRecord`. ``former`` is ``None`` where there was nothing; of a status
    it is ``(status, failure, note)``, of a curve its reading, of a picture whether it was its
    run's, of a correction the one that it took back. ``replicate``: of a picture or correction its
    number. A curve is named ``curve 3``. ``is_current``:
    what the change recorded is what there is now.
    """

    experiment_id: int
    kind: str
    name: str
    replicate: int | None
    former: Any
    is_current: bool


@dataclass(frozen=True)
class MicrographRecord:
    """One picture, kept by content hash under the data folder."""

    id: int
    experiment_id: int
    sha256: str
    path: str
    original_name: str
    width_px: int
    height_px: int
    n_bytes: int
    nm_per_pixel: float | None = None
    nm_per_pixel_source: str | None = None
    rotation_axis: str | None = None
    crop: tuple[int, int, int, int] | None = None
    statistics: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ExperimentRecord:
    """One spun (or still to be spun) sample with everything known of it."""

    id: int
    campaign_id: int
    revision_id: int
    label: str | None
    origin: Origin
    status: Status
    failure: str | None
    note: str | None
    created_at: datetime
    created_by: str
    proposed: Mapping[str, Value] = field(default_factory=dict)
    actual: Mapping[str, Value] = field(default_factory=dict)
    measurements: tuple[MeasurementRecord, ...] = ()
    micrographs: tuple[MicrographRecord, ...] = ()
    proposal: ProposalRecord | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How it is called wherever people read of it: ``140 · label 168``."""
        return run_name(self.id, self.label)

    @property
    def conditions(self) -> dict[str, Value]:
        """Conditions as really run where known, as proposed otherwise."""
        return {**self.proposed, **self.actual}

    def replicates(self, *, with_censored: bool = False) -> dict[str, tuple[float, ...]]:
        """Current values by outcome, replicates in order (``measurements`` holds current rows).

        ``with_censored``: those beyond a limit, whose number is no measurement, too.
        """
        values: dict[str, list[float]] = {}
        for measurement in sorted(self.measurements, key=lambda m: (m.outcome, m.replicate)):
            if is_censored(measurement.value) and not with_censored:
                continue
            values.setdefault(measurement.outcome, []).append(measurement.value)
        return {outcome: tuple(numbers) for outcome, numbers in values.items()}


@dataclass(frozen=True)
class NewExperiment:
    """What is needed to create an experiment; ids and times are given by the database."""

    origin: Origin
    status: Status
    label: str | None = None
    failure: str | None = None
    note: str | None = None
    proposed: Mapping[str, Value] = field(default_factory=dict)
    actual: Mapping[str, Value] = field(default_factory=dict)
    outcomes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrailRecord:
    """One thing that was recorded of an experiment: when, by whom, what.

    ``kind``: ``status``, ``condition``, ``fact``, ``measurement``, ``curve`` (a reading, its note
    the definitions), ``micrograph`` (``replicate`` is its number then) or ``correction`` (of a
    picture: ``name`` is the picture's, ``value`` its kind, ``replicate`` its number); ``revision``
    > 1 is a correction, and without a value takes back what was there.
    """

    at: datetime
    actor: str
    change_id: int
    kind: str
    name: str
    value: Value | None
    revision: int
    replicate: int | None = None
    note: str | None = None
