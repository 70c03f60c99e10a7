"""How far a measurement may be off the mat's own value: standard errors.

They have two parts. How much another picture of the same mat would differ: from leaving out one of
up to nine parts of the picture after another (the jackknife; Efron and Stein, Annals of Statistics
9, 586 (1981)), times what fibres that run through several parts make of it. And how far the method
is off, which is more where it is weak: few pixels a fibre, blur, looks at two scales that disagree,
unlike fibres (thick ones hide thin ones).

What the method's part is made of was found on virtual mats and on those of a second renderer, of
which the judge has seen nothing; neither are those on which benchmarks report.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generator.estimates import bead_fraction_of, order_of
from generator.reading import Reading

N_PARTS = 3
"""So many parts a side for the standard errors, where the picture allows."""

LEAST_PART_PX = 20
PARTS_ALIKE = {"diameter": 1.7, "order": 2.2, "porosity": 1.7, "bead_fraction": 1.7}
METHOD_ERROR = {"diameter": 0.022, "order": 0.02, "porosity": 0.003, "bead_fraction": 0.01}
"""Of the diameter: relative to it, of sharp fibres of many pixels that are all alike."""

COARSE_PX = 5.0
HAZY, UNLIKE = 0.06, 0.15
"""Blur (of the diameter) and disagreement (of logarithms) from which on they are spoken of."""

USUAL_DISAGREEMENT = -0.035
"""Of the second look, where both are right."""

PER_DISAGREEMENT, PER_BLUR, PER_SQUARED_SPREAD = 0.5, 0.6, 0.3


@dataclass(frozen=True)
class Weakness:
    """What makes a picture's diameters uncertain beside the choice of its place.

    Attributes:
        diameter: mean, of the picture [px].
        spread: standard deviation of the diameters, of their mean.
        blur: of the picture, of the mean diameter (:func:`generator.sharpness.blur_of`).
        disagreement: logarithm of the second look's mean diameter over the first's, less what is
            usual.
    """

    diameter: float
    spread: float
    blur: float
    disagreement: float

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences on what makes the diameters doubtful."""
        sentences = []
        if self.blur > HAZY:
            sentences.append(
                f"the picture is blurred by {self.blur:.0%} of its fibres' width, which is taken "
                "off but makes them uncertain: a sharper picture tells more"
            )
        if abs(self.disagreement) > UNLIKE:
            sentences.append(
                f"looked at smaller its fibres measure {math.expm1(self.disagreement):+.0%}: the "
                "picture is too weak to tell their diameter well"
            )
        return tuple(sentences)

    @property
    def method_error(self) -> float:
        """Standard error of the method, of the mean diameter."""
        base = METHOD_ERROR["diameter"]
        return math.hypot(
            base,
            base * (COARSE_PX / max(self.diameter, 1.0)) ** 2,
            PER_BLUR * max(self.blur, 0.0),
            PER_DISAGREEMENT * self.disagreement,
            PER_SQUARED_SPREAD * self.spread**2,
        )


def standard_errors(
    readings: tuple[Reading, Reading],
    void: NDArray[np.bool_],
    countable: NDArray[np.bool_],
    pixel: float,
    weakness: Weakness,
) -> dict[str, float | None]:
    """Return the standard errors by name; ``None`` where the picture is too small to tell.

    Args:
        readings: for diameters, and for directions.
        void: (height, width) mask of the air.
        countable: of what is not left out by hand.
        pixel: size of the first reading's pixels.
        weakness: of the picture.
    """
    rows, columns = (min(N_PARTS, n // LEAST_PART_PX) for n in void.shape)
    n = rows * columns
    if n < N_PARTS:
        return dict.fromkeys(METHOD_ERROR)
    parts = [_parts(one, rows, columns) for one in readings]
    values = []
    for part in range(n):
        i, j = divmod(part, columns)
        remaining, finer = (
            one.only(part_numbers != part, steps=8)
            for one, part_numbers in zip(readings, parts, strict=True)
        )
        is_kept = countable.copy()
        is_kept[_share(i, rows, void.shape[0]), _share(j, columns, void.shape[1])] = False
        middle = remaining.mean_diameter
        porosity = float(void[is_kept].mean()) if is_kept.any() else math.nan
        values.append(
            (math.nan if middle is None else pixel * middle, order_of(finer),
             porosity, bead_fraction_of(remaining))
        )  # fmt: skip
    # The jackknife's own factor: n − 1 times the variance over what is left after each.
    spread = np.sqrt((n - 1) * np.var(np.array(values), axis=0))
    mean_diameter = readings[0].mean_diameter or 0.0
    own = METHOD_ERROR | {"diameter": pixel * mean_diameter * weakness.method_error}
    errors = {
        name: math.hypot(PARTS_ALIKE[name] * one, own[name])
        for name, one in zip(METHOD_ERROR, spread, strict=True)
    }
    return {name: error if math.isfinite(error) else None for name, error in errors.items()}


def no_errors() -> dict[str, float | None]:
    """Return the same where there is nothing to tell them by."""
    return dict.fromkeys(METHOD_ERROR)


def _parts(reading: Reading, rows: int, columns: int) -> NDArray[np.intp]:
    """Return in which part of the picture each edge lies."""
    height, width = reading.grey.shape
    down = np.clip(reading.edges.y * rows // height, 0, rows - 1)
    right = np.clip(reading.edges.x * columns // width, 0, columns - 1)
    return np.asarray(down * columns + right, dtype=np.intp)


def _share(index: int, n: int, side: int) -> slice:
    return slice(index * side // n, (index + 1) * side // n)
