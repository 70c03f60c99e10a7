"""What was read from a file: channels in canonical units, the specimen's facts, notes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from engine.curves.reading.quantities import Quantity

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Specimen:
    """Geometry of one specimen; ``sources`` tells where each fact came from."""

    width_mm: float | None = None
    thickness_mm: float | None = None
    gauge_mm: float | None = None
    area_mm2: float | None = None
    sources: dict[str, str] = field(default_factory=dict)

    def or_else(self, fallback: Specimen) -> Specimen:
        """Return this specimen, what it lacks taken from another one.

        An area of its own stands before another's width and thickness.
        """
        values, sources = {}, dict(self.sources)
        sized = self.cross_section_mm2 is not None
        for name in FACTS:
            value, theirs = getattr(self, name), getattr(fallback, name)
            if value is None and theirs is not None and not (sized and name != "gauge_mm"):
                value = theirs
                sources[name] = fallback.sources.get(name, "")
            values[name] = value
        # Whoever stated width or thickness meant them, and not the other's area.
        has_one = self.cross_section_mm2 is None and (self.width_mm or self.thickness_mm)
        if has_one and values["width_mm"] and values["thickness_mm"]:
            values["area_mm2"] = None
            sources.pop("area_mm2", None)
        return Specimen(**values, sources=sources)

    @property
    def cross_section_mm2(self) -> float | None:
        """The area that force is divided by, if it is known."""
        if self.area_mm2 is not None:
            return self.area_mm2
        if self.width_mm is not None and self.thickness_mm is not None:
            return self.width_mm * self.thickness_mm
        return None


FACTS = ("width_mm", "thickness_mm", "gauge_mm", "area_mm2")


@dataclass(frozen=True)
class Channel:
    """One column of one specimen, in the canonical unit of its quantity (N, mm, MPa, s, ratio)."""

    quantity: Quantity
    heading: str
    unit: str | None
    """As the file writes it; none where it says nothing and the usual unit was assumed."""

    values: Array


@dataclass(frozen=True)
class RawCurve:
    """One specimen of a file, as it was recorded."""

    name: str
    channels: tuple[Channel, ...]
    specimen: Specimen = field(default_factory=Specimen)
    notes: tuple[str, ...] = ()

    def channel(self, quantity: Quantity) -> Channel | None:
        """Return the first channel of a quantity, if there is one."""
        return next((c for c in self.channels if c.quantity == quantity), None)

    def with_notes(self, *notes: str) -> RawCurve:
        """Return the curve with further notes, each once."""
        added = [note for note in notes if note not in self.notes]
        return replace(self, notes=(*self.notes, *added))


@dataclass(frozen=True)
class CurveFile:
    """All curves of a file, and how the file was read."""

    name: str
    program: str
    encoding: str
    separator: str
    decimal: str
    language: str | None
    curves: tuple[RawCurve, ...]
    notes: tuple[str, ...] = ()

    def description(self) -> str:
        """Return in one line how the file was read."""
        decimal = {".": "decimal point", ",": "decimal comma"}[self.decimal]
        language = f", {self.language}" if self.language else ""
        return f"{self.program}{language}, {self.encoding}, {self.separator}, {decimal}"
