"""What a laboratory is to the engine: something that runs settings and tells what came of them.

A lab of your own is a class with no arguments to its constructor and the members of :class:`Lab`::

    class MyLab:
        campaign = read_campaign_file(Path("config.toml"))

        def room(self, rng):
            return {"temperature": 21.0 + rng.normal(), "humidity": 50.0}

        def run(self, conditions, ambient, rng):
            strength = measure(conditions, ambient, rng)
            return LabResult({"fracture_strength.longitudinal": strength})

``engine bench closed-loop --lab mymodule:MyLab`` then runs strategies against it. A lab that knows
its own truth offers :class:`KnownLab` too; benchmarks score by it, strategies never see it.

Randomness is always the ``numpy.random.Generator`` passed in: equal generators give equal results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engine.campaign import Campaign, Value

if TYPE_CHECKING:
    from engine.lab.tensile import StressStrain

Picture = NDArray[np.uint8]
"""A grey micrograph, (height, width); the collector's rotation runs along the width."""


@dataclass(frozen=True)
class LabResult:
    """What came of one run.

    ``outcomes``: a value in the campaign's unit for each outcome measured, empty where the run
    failed. ``failure``: ``None``, or one of the kinds of its campaign. ``micrograph``: given
    (height, width) in pixels, draws the picture of this very mat; the same shape gives the same
    picture. ``nm_per_pixel``: its scale; both are ``None`` where there is no picture. ``curve``:
    given a direction, draws the record of the specimen that was pulled in it, whose properties are
    the outcomes; it says ``None`` where no curve has them, and is ``None`` where none is recorded.

    Raises:
        ValueError: a failure without a word, or a failed run that still has outcomes.
    """

    outcomes: Mapping[str, float] = field(default_factory=dict)
    failure: str | None = None
    micrograph: Callable[[tuple[int, int]], Picture] | None = None
    nm_per_pixel: float | None = None
    curve: Callable[[str], StressStrain | None] | None = None

    def __post_init__(self) -> None:
        if self.failure is not None and not self.failure.strip():
            raise ValueError(
                "expected failure to be None or one of the campaign's kinds, got an empty word"
            )
        if self.failure is not None and self.outcomes:
            raise ValueError(
                f"a run that failed ({self.failure}) has no outcomes, got {dict(self.outcomes)}; "
                "give either"
            )


@runtime_checkable
class Lab(Protocol):
    """Runs settings. ``campaign`` says which parameters it has and which outcomes it measures."""

    @property
    def campaign(self) -> Campaign:
        """The search that this lab serves."""

    def room(self, rng: np.random.Generator) -> dict[str, float]:
        """Return today's value of every ambient parameter (empty where there are none)."""

    def run(
        self,
        conditions: Mapping[str, Value],
        ambient: Mapping[str, float],
        rng: np.random.Generator,
    ) -> LabResult:
        """Run one sample: ``conditions`` has every controlled parameter, ``ambient`` the room's."""


@runtime_checkable
class KnownLab(Lab, Protocol):
    """A lab whose noise-free truth is known: for scores, never for strategies.

    It may also offer ``truth_columns(columns)``, the same for many settings at once: a mapping of
    parameter (ambient ones too) to arrays of one shape, answered by outcome in that shape; and
    ``reference_ambient``, the room in which benchmarks judge (the middle of the ranges otherwise).
    """

    def truth(
        self, conditions: Mapping[str, Value], ambient: Mapping[str, float]
    ) -> dict[str, float]:
        """Return what each outcome would be without noise."""


def reference_ambient(lab: Lab) -> dict[str, float]:
    """Return the room in which a lab's settings are judged: its own word, or mid-range."""
    stated = getattr(lab, "reference_ambient", None)
    if stated is not None:
        return {name: float(value) for name, value in stated.items()}
    return {p.name: sum(p.bounds) / 2 for p in lab.campaign.ambient}
