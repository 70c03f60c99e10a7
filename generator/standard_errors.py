"""How far a measurement may be off the mat's own value: standard errors.

They have two parts. How much another picture of the same mat would differ: from leaving out one of
up to nine parts of the picture after another (the jackknife; Efron and Stein, Annals of Statistics
9, 586 (1981)), times what fibres that run through several parts make of it, and for diameters from
how many fibres the picture shows and how unlike they are. And how far the method
is off, which is more where it is weak: few pixels a fibre, blur, looks at two scales that disagree,
unlike fibres (thick ones hide thin ones), a ground that is hardly told from deep fibres.

What the method's part is made of was found on virtual mats and on those of a second renderer, of
which the judge has seen nothing; neither are those on which benchmarks report.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generator.estimates import bead_fraction_of, order_of
from generator.ground import Ground
from generator.reading import Reading

N_PARTS = 3
"""So many parts a side for the standard errors, where the picture allows."""

LEAST_PART_PX = 20
PARTS_ALIKE = {"diameter": 1.25, "order": 2.2, "porosity": 1.7, "bead_fraction": 1.7}
METHOD_ERROR = {"diameter": 0.018, "order": 0.02, "porosity": 0.003, "bead_fraction": 0.01}
"""Of the diameter: relative to it, of sharp fibres of many pixels that are all alike."""

COARSE_PX = 5.0
HAZY, UNLIKE = 0.06, 0.15
"""Blur (of the diameter) and disagreement (of logarithms) from which on they are spoken of."""

USUAL_DISAGREEMENT = -0.035
"""Of the second look, where both are right."""

PER_DISAGREEMENT, PER_BLUR, PER_SQUARED_SPREAD, PER_COARSENESS = 0.3, 0.4, 0.4, 0.026

FIBRES_SHOWN, PER_SAMPLE = 2.4, 1.2
"""So many fibres a picture holds for each time that their visible length spans it, as others cover
most of each; and times the standard error of so many drawn at random."""

POROSITY_SHARE, POROSITY_PER_PX, POROSITY_PER_BLUR = 0.04, 0.12, 0.3
"""Standard error of porosity: of itself, over the fibres' pixels (edges are lost where they are
thin), of the blur."""


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
        return math.hypot(
            METHOD_ERROR["diameter"],
            PER_COARSENESS * (COARSE_PX / max(self.diameter, 1.0)) ** 2,
            PER_BLUR * max(self.blur, 0.0),
            PER_DISAGREEMENT * self.disagreement,
            PER_SQUARED_SPREAD * self.spread**2,
        )


def standard_errors(
    readings: tuple[Reading, Reading],
    ground: Ground,
    countable: NDArray[np.bool_],
    pixel: float,
    weakness: Weakness,
) -> dict[str, float | None]:
    """Return the standard errors by name; ``None`` where the picture is too small to tell.

    Args:
        readings: for diameters, and for directions.
        ground: the air, (height, width).
        countable: of what is not left out by hand.
        pixel: size of the first reading's pixels.
        weakness: of the picture.
    """
    void = ground.mask
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
    mean_diameter = pixel * (readings[0].mean_diameter or 0.0)
    sampling = PER_SAMPLE * weakness.spread / math.sqrt(_fibres_shown(readings[0]))
    own = METHOD_ERROR | {
        "diameter": mean_diameter * math.hypot(sampling, weakness.method_error),
        "porosity": math.hypot(
            METHOD_ERROR["porosity"],
            POROSITY_SHARE * float(void[countable].mean()) if countable.any() else 0.0,
            POROSITY_PER_PX / max(weakness.diameter, 1.0),
            POROSITY_PER_BLUR * max(weakness.blur, 0.0),
            ground.error,
        ),
    }
    errors = {
        name: math.hypot(PARTS_ALIKE[name] * one, own[name])
        for name, one in zip(METHOD_ERROR, spread, strict=True)
    }
    return {name: error if math.isfinite(error) else None for name, error in errors.items()}


def _fibres_shown(reading: Reading) -> float:
    """Return how many fibres the picture's visible length is made of."""
    height, width = reading.grey.shape
    # Mean length of the lines through a rectangle (Cauchy): π times its area over its perimeter.
    chord = math.pi * height * width / (2.0 * (height + width))
    length = 0.5 * float(reading.edges.length @ reading.fibre)
    return max(FIBRES_SHOWN * length / chord, 1.0)


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
