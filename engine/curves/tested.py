"""What a person says of a tester's file and its specimens.

Light, as ``engine log`` always reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.campaign.curves import read_length
from engine.errors import UsageError

if TYPE_CHECKING:
    from engine.curves.reading.records import Specimen

STATED = "stated"
FACT_OF = {"width": "width_mm", "thickness": "thickness_mm", "gauge_length": "gauge_mm"}


@dataclass(frozen=True)
class HowTested:
    """What the user says of a file and its specimens; what is not said is found in the file.

    Lengths are texts with their unit, ``direction`` holds one for all or ``SPECIMEN=DIRECTION``,
    ``units`` ``QUANTITY=UNIT``, ``columns`` the headings of a table that has none, by commas.
    """

    width: str | None = None
    thickness: str | None = None
    gauge_length: str | None = None
    direction: tuple[str, ...] = ()
    encoding: str | None = None
    units: tuple[str, ...] = ()
    columns: str | None = None

    @property
    def specimen(self) -> Specimen:
        """The geometry that is stated.

        Raises:
            UsageError: what is no length.
        """
        from engine.curves.reading.records import Specimen  # brings numpy

        texts = {name: getattr(self, name) for name in FACT_OF}
        values = {
            FACT_OF[name]: read_length(text, name)
            for name, text in texts.items()
            if text is not None
        }
        return Specimen(**values, sources=dict.fromkeys(values, STATED))

    @property
    def unit_of(self) -> dict[str, str]:
        """The stated units by quantity.

        Raises:
            UsageError: what is no pair.
        """
        pairs = {}
        for text in self.units:
            quantity, mark, unit = text.partition("=")
            if not (mark and quantity.strip() and unit.strip()):
                raise UsageError(f"expected a pair such as strain=%; got '{text}'", field="units")
            pairs[quantity.strip()] = unit.strip()
        return pairs

    @property
    def headings(self) -> list[str] | None:
        """The stated headings of columns."""
        return None if self.columns is None else [part.strip() for part in self.columns.split(",")]
