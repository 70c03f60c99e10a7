"""What a person says against what is measured on a picture: areas, false fibres, missed ones.

An excluded area counts for nothing: no edge, no pore, no ground in it. A deleted fibre's edges are
left out of diameters, order and directions; whether there is air at that place is not its matter.
An added fibre is as thick as its two outlines are apart, lies across that line, and counts as one
more of the fibres that were made out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generator.fibres import edges_of_fibre
from generator.reading import Reading

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Corrections:
    """Places are x, y [px of the picture as measured], from its upper left corner.

    Attributes:
        excluded: boxes: left, top, right, bottom.
        deleted: a place on each fibre that is none.
        added: two places on the outlines of each missed fibre, x and y of the one, then the other.
    """

    excluded: tuple[tuple[float, float, float, float], ...] = ()
    deleted: tuple[tuple[float, float], ...] = ()
    added: tuple[tuple[float, float, float, float], ...] = ()

    def countable(self, shape: tuple[int, int], block: int) -> NDArray[np.bool_]:
        """Return the mask of what counts, (height, width), of a picture averaged over blocks."""
        mask = np.ones(shape, dtype=np.bool_)
        for x_from, top, right, bottom in self.excluded:
            first_row, first_column = (max(0, int(n // block)) for n in (top, x_from))
            mask[first_row : -int(-bottom // block), first_column : -int(-right // block)] = False
        return mask

    def applied(self, reading: Reading) -> Reading:
        """Return a reading without the edges that do not count."""
        drop = np.zeros(len(reading.edges), dtype=np.bool_)
        for depth in (0.0, 0.5 * reading.diameter) if self.excluded else ():
            rows, columns = reading.in_picture(*reading.edges.at(depth))
            # Pixels are counted by their middles, corners of boxes by the pixels' corners.
            rows, columns = rows + 0.5, columns + 0.5
            for x_from, top, right, bottom in self.excluded:
                drop |= (columns >= x_from) & (columns < right) & (rows >= top) & (rows < bottom)
        for x, y in self.deleted:
            drop |= edges_of_fibre(reading, x - 0.5, y - 0.5)
        return reading.only(~drop) if drop.any() else reading

    def n_unmatched(self, reading: Reading) -> int:
        """Return how many deleted fibres are not seen."""
        return sum(not edges_of_fibre(reading, x - 0.5, y - 0.5).any() for x, y in self.deleted)

    @property
    def added_fibres(self) -> tuple[Array, Array, Array]:
        """Widths [px] of added fibres, cos 2θ to the picture's width, and θ anticlockwise, (n,)."""
        ends = np.array(self.added, dtype=np.float64).reshape(-1, 4)
        right, down = ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1]
        width = np.hypot(right, down)
        # The line is across the fibre.
        cosine = (down**2 - right**2) / np.maximum(width**2, 1e-12)
        return width, cosine, np.arctan2(-right, down)
