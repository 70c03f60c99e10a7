"""Corrections of what was measured on a picture: read, checked, told in words, handed to measuring.

Places are pixels of the file's picture, x from its left, y from its top, whatever was cut away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from db.records import CorrectionKind, CorrectionRecord
from engine.errors import DataError, UsageError
from engine.micrographs.lengths import LEAST_NM, MOST_NM, length_nm

if TYPE_CHECKING:
    from generator.corrections import Corrections
    from generator.statistics import Measured

Box = tuple[int, int, int, int]

LEAST_PX = 2.0
"""Two places nearer to one another mark nothing."""

NOUNS = {
    CorrectionKind.EXCLUDE: ("area excluded", "areas excluded"),
    CorrectionKind.SCALE: ("scale set by hand", "scales set by hand"),
    CorrectionKind.DELETE: ("fibre deleted", "fibres deleted"),
    CorrectionKind.ADD: ("fibre added", "fibres added"),
}
_MEANINGS = {
    CorrectionKind.EXCLUDE: "left,top,right,bottom",
    CorrectionKind.SCALE: "x,y,x,y of the scale bar's two ends",
    CorrectionKind.DELETE: "x,y of a place on the fibre",
    CorrectionKind.ADD: "x,y,x,y of the fibre's two outlines, across it",
}


@dataclass(frozen=True)
class Correction:
    """What a person says of a place on a picture; see :class:`db.records.CorrectionKind`.

    ``length``: what lies between the two places of a scale, with its unit, as ``2 um``.

    Raises:
        UsageError: places or a length that cannot be.
    """

    kind: CorrectionKind
    x: float
    y: float
    x_to: float | None = None
    y_to: float | None = None
    length: str | None = None

    def __post_init__(self) -> None:
        places = [self.x, self.y] + [n for n in (self.x_to, self.y_to) if n is not None]
        n = 2 if self.kind is CorrectionKind.DELETE else 4
        if len(places) != n or not all(map(math.isfinite, places)):
            listed = ",".join(f"{place:g}" for place in places)
            raise UsageError(
                f"expected {_MEANINGS[self.kind]} in pixels, got '{listed}'", field=str(self.kind)
            )
        if n == 4 and self._is_nothing:
            raise UsageError(
                f"expected two places that are {LEAST_PX:g} pixels apart or more",
                field=str(self.kind),
            )
        if (self.length is not None) != (self.kind is CorrectionKind.SCALE):
            problem = "a length is a scale's only"
            if self.length is None:
                problem = "a scale needs the length between its two ends, as '2 um'"
            raise UsageError(problem, field="length")
        if self.length is not None:
            length = length_nm(self.length)
            if length is None or not LEAST_NM <= length / self.distance_px <= MOST_NM:
                raise UsageError(
                    f"expected a length with its unit, as '2 um', got '{self.length}'",
                    field="length",
                )

    @property
    def _is_nothing(self) -> bool:
        assert self.x_to is not None  # noqa: S101 -- asked of two places only
        assert self.y_to is not None  # noqa: S101
        if self.kind is CorrectionKind.EXCLUDE:
            return min(abs(self.x_to - self.x), abs(self.y_to - self.y)) < LEAST_PX
        return self.distance_px < LEAST_PX

    @property
    def distance_px(self) -> float:
        """How far apart its two places are; 0 where there is one."""
        if self.x_to is None or self.y_to is None:
            return 0.0
        return math.hypot(self.x_to - self.x, self.y_to - self.y)

    @property
    def length_nm(self) -> float | None:
        """The length that a scale states [nm]."""
        return None if self.length is None else length_nm(self.length)

    @classmethod
    def read(cls, kind: CorrectionKind, text: str, length: str | None = None) -> Correction:
        """Read its places: ``10,20,300,200``.

        Raises:
            UsageError: they are none.
        """
        try:
            numbers = [float(word) for word in text.replace(";", ",").split(",")]
        except ValueError:
            numbers = []
        if len(numbers) != (2 if kind is CorrectionKind.DELETE else 4):
            raise UsageError(f"expected {_MEANINGS[kind]} in pixels, got '{text}'", field=str(kind))
        return cls.at(kind, numbers, length)

    @classmethod
    def at(cls, kind: CorrectionKind, numbers: Sequence[float], length: str | None) -> Correction:
        """Return a correction at two or four numbers: its places' x and y."""
        x_to, y_to = numbers[2:] if len(numbers) == 4 else (None, None)
        return cls(kind, numbers[0], numbers[1], x_to, y_to, length)

    @classmethod
    def of_record(cls, record: CorrectionRecord) -> Correction:
        """Return what a recorded one says."""
        # All its digits: it is read again.
        length = None if record.length_nm is None else f"{record.length_nm!r} nm"
        return cls(record.kind, record.x, record.y, record.x_to, record.y_to, length)

    @property
    def in_words(self) -> str:
        """What it does, and where.

        >>> Correction(CorrectionKind.DELETE, 3.0, 4.0).in_words
        'fibre deleted at 3,4'
        """
        places = f"{self.x:.4g},{self.y:.4g}"
        if self.x_to is not None and self.y_to is not None:
            places += f" to {self.x_to:.4g},{self.y_to:.4g}"
        stated = f" ({self.distance_px:.4g} px are {self.length})" if self.length else ""
        return f"{NOUNS[self.kind][0]} at {places}{stated}"

    def fields(self) -> dict[str, Any]:
        """Return what the repository's ``add`` takes, but for what was there before."""
        return {
            "kind": self.kind,
            "x": self.x,
            "y": self.y,
            "x_to": self.x_to,
            "y_to": self.y_to,
            "length_nm": self.length_nm,
        }

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON types, as statistics keep them."""
        return {**self.fields(), "kind": str(self.kind)}


def read_all(
    marked: Mapping[str, Sequence[str] | None], length: str | None = None
) -> list[Correction]:
    """Read the places of corrections by their kinds; ``length`` is that of the scale.

    Raises:
        UsageError: places that are none, or a length without a scale.

    >>> [item.kind.value for item in read_all({"delete": ["3,4"], "exclude": ["0,0,9,9"]})]
    ['delete', 'exclude']
    """
    if length is not None and not marked.get("scale"):
        raise UsageError("a length is a scale's only", field="length")
    return [
        Correction.read(kind, text, length if kind is CorrectionKind.SCALE else None)
        for name, texts in marked.items()
        for kind in [CorrectionKind(name)]
        for text in texts or ()
    ]


def check_inside(correction: Correction, width: int, height: int) -> None:
    """Refuse places beside the picture.

    Raises:
        UsageError: one of them is.
    """
    pairs = [(correction.x, correction.y), (correction.x_to, correction.y_to)]
    for x, y in pairs:
        if x is not None and y is not None and not (0 <= x <= width and 0 <= y <= height):
            raise UsageError(
                f"expected places within {width} × {height} pixels, got {x:g},{y:g}",
                field=str(correction.kind),
            )


def as_measured(corrections: Iterable[Correction], crop: Box | None) -> Corrections:
    """Return what measuring takes, in pixels of what is left inside the crop."""
    from generator.corrections import Corrections

    x0, y0 = crop[:2] if crop else (0, 0)
    boxes, places, lines = [], [], []
    for item in corrections:
        if item.kind is CorrectionKind.DELETE:
            places.append((item.x - x0, item.y - y0))
        if item.x_to is None or item.y_to is None:
            continue
        ends = (item.x - x0, item.y - y0, item.x_to - x0, item.y_to - y0)
        if item.kind is CorrectionKind.EXCLUDE:
            columns, rows = sorted(ends[::2]), sorted(ends[1::2])
            boxes.append((columns[0], rows[0], columns[1], rows[1]))
        elif item.kind is CorrectionKind.ADD:
            lines.append(ends)
    return Corrections(tuple(boxes), tuple(places), tuple(lines))


def refuse_unseen(measured: Measured, correction: Correction, crop: Box | None) -> None:
    """Refuse to delete a fibre where none was measured.

    Raises:
        DataError: there is none.
    """
    if correction.kind is not CorrectionKind.DELETE:
        return
    is_inside = crop is None or (
        crop[0] <= correction.x < crop[2] and crop[1] <= correction.y < crop[3]
    )
    if not is_inside or as_measured([correction], crop).n_unmatched(measured.reading):
        raise DataError(
            f"no fibre was measured at {correction.x:g},{correction.y:g}; the overlay shows a bar "
            "across each that was",
            field="delete",
        )


def counts_in_words(corrections: Sequence[Mapping[str, Any]]) -> str:
    """Return how many of each kind there are.

    >>> counts_in_words([{"kind": "delete"}, {"kind": "exclude"}, {"kind": "delete"}])
    '1 area excluded, 2 fibres deleted'
    """
    kinds = [str(item["kind"]) for item in corrections]
    phrases = []
    for kind, (singular, plural) in NOUNS.items():
        n = kinds.count(str(kind))
        if n:
            phrases.append(f"{n} {singular if n == 1 else plural}")
    return ", ".join(phrases)


def corrected_in_words(statistics: Mapping[str, Any] | None) -> str:
    """Return what was corrected by hand of measured statistics; empty: nothing was.

    >>> corrected_in_words({"order": 0.1}), corrected_in_words({"corrections": [{"kind": "add"}]})
    ('', 'corrected by hand: 1 fibre added')
    """
    corrections = (statistics or {}).get("corrections")
    return f"corrected by hand: {counts_in_words(corrections)}" if corrections else ""
