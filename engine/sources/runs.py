"""What a source consists of: its runs, with their micrographs, and the columns they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from db.words import run_name
from engine.campaign import Campaign, Value
from engine.sources.axes import Axis
from engine.sources.matching import Outcome


@dataclass(frozen=True)
class Picture:
    """One micrograph of a source's run, where it lies; nothing of it is read yet.

    ``crop``: left, top, right, bottom [px] without the data bar, where that is known.
    ``rotation_axis``: how the collector's rotation lies in it, x where not told.
    """

    path: Path
    nm_per_pixel: float | None = None
    crop: tuple[int, int, int, int] | None = None
    rotation_axis: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class SourceRun:
    """One run. ``lab`` tells the laboratories of one source apart.

    ``label``: the run's, or its ``number`` in its own database where it has none.
    """

    label: str
    conditions: Mapping[str, Value]
    outcomes: Mapping[str, tuple[float, ...]]
    pictures: tuple[Picture, ...] = ()
    lab: int = 0
    number: int | None = None

    @property
    def name(self) -> str:
        """How the run is called."""
        return run_name(self.number, None if self.label == str(self.number) else self.label)


@dataclass(frozen=True)
class SourceContent:
    """What a reader brings from its file, database or lab, before it is fingerprinted."""

    axes: tuple[Axis, ...]
    outcomes: tuple[Outcome, ...]
    runs: tuple[SourceRun, ...]
    notes: tuple[str, ...] = ()
    watermark: int | None = None
    links: Mapping[str, str] | None = None


def outcomes_of(campaign: Campaign) -> tuple[Outcome, ...]:
    """Return a campaign's outcomes, with their units and scales."""
    return tuple(
        Outcome(
            outcome,
            prop.unit,
            prop.scale == "log",
            tuple(word + outcome.removeprefix(prop.name) for word in prop.aliases),
        )
        for prop in campaign.properties
        for outcome in prop.outcomes
    )
