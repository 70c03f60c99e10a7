"""One quantity, one forecast: where a campaign measures fibre diameter, its model has the say.

A mat has no size of its own: magnified, it is a mat of thicker fibres with the same directions and
the same share of air. So a preview is drawn as the conditions have it and shown at the scale at
which its fibres are as thick as forecast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from engine.campaign import Campaign
from engine.campaign.synonyms import canonical_outcome
from engine.campaign.units import UnitError, affine
from engine.previews.expected_statistics import Interval

FIBRE_DIAMETER, NM = "fibre_diameter", "nm"


class Forecast(Protocol):
    """Mean and interval of an outcome, in its own unit."""

    @property
    def mean(self) -> float:
        """The expected value."""

    @property
    def lower(self) -> float:
        """The interval's lower end."""

    @property
    def upper(self) -> float:
        """The interval's upper end."""


@dataclass(frozen=True)
class MeasuredDiameter:
    """A campaign's outcome that is fibre diameter; ``nm``: so many are one of its unit."""

    outcome: str
    nm: float

    def expected(self, forecasts: Mapping[str, Forecast]) -> Interval | None:
        """Return the forecast in nm; ``None`` where there is none, or one that no fibre can have.

        >>> from engine.propose.request import Forecast
        >>> MeasuredDiameter("diameter", 1000.0).expected({"diameter": Forecast(0.2, 0.1, 0.3)})
        Interval(mean=200.0, lower=100.0, upper=300.0)
        """
        forecast = forecasts.get(self.outcome)
        if forecast is None or not forecast.mean > 0.0:
            return None
        low, high = max(forecast.lower, 0.0), forecast.upper
        return Interval(forecast.mean * self.nm, low * self.nm, high * self.nm)


def measured_diameter(campaign: Campaign) -> MeasuredDiameter | None:
    """Return which of a campaign's outcomes is fibre diameter, by name or alias and by unit."""
    for prop in campaign.properties:
        names = {canonical_outcome(word) for word in (prop.name, *prop.aliases)}
        # Without directions: a thickness across the mat is another thing.
        if (
            canonical_outcome(FIBRE_DIAMETER) not in names
            or prop.outcomes != (prop.name,)
            or not prop.unit.strip()
        ):
            continue
        try:
            nm, offset = affine(prop.unit, NM)
        except UnitError:
            continue
        if offset == 0.0:
            return MeasuredDiameter(prop.name, nm)
    return None


def scale_factor(preview: Interval | None, forecast: Interval | None) -> float:
    """Return by how much a preview is magnified so that its fibres are as thick as forecast.

    1 without a forecast, or where no fibre is shown.
    """
    if forecast is None or preview is None or not preview.mean > 0.0:
        return 1.0
    return forecast.mean / preview.mean


def scaled(row: Mapping[str, float | None], factor: float) -> dict[str, float | None]:
    """Return a picture's statistics at another scale: the diameter alone depends on it."""
    value = row.get("diameter")
    return {**row, "diameter": None if value is None else value * factor}


def note_of(diameter: MeasuredDiameter) -> str:
    """Return what people are told of previews whose diameters are forecasts."""
    return (
        f"diameters are what is forecast of {diameter.outcome}: each preview is shown at the scale "
        "at which its fibres are that thick"
    )
