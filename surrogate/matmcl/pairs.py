"""Rows whose mats are shown by tiles or curves, and which of these a contrastive step sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from surrogate.matmcl.data import SourceTensors


@dataclass(frozen=True)
class CurveRows:
    """The curves of n rows: C (n, d, g + 2) and P (n, d), and what was measured there.

    ``outcomes``: (n, m) as the source has them. ``source``: (n,), its place among the sources.
    """

    curves: Tensor
    present: Tensor
    outcomes: Tensor
    source: Tensor

    def to(self, device: torch.device) -> CurveRows:
        """Return the same rows on a device."""
        parts = (self.curves, self.present, self.outcomes, self.source)
        return CurveRows(*(part.to(device) for part in parts))


@dataclass(frozen=True)
class Pairs:
    """Conditions T (n, p, 3) with what else shows the same mats.

    ``tiles``: (k, s, s), one of each row, or of the k rows for which ``has_tile`` (n,) says so;
    uint8 as drawn. ``curves``: of the rows; ``None`` where no row of any source has one.
    """

    table: Tensor
    tiles: Tensor | None
    has_tile: Tensor | None = None
    curves: CurveRows | None = None


@dataclass(frozen=True)
class _Row:
    """One training row: its source and place, its tiles, and its curves by direction."""

    source: int
    row: int
    tiles: Tensor | None = None
    curves: dict[int, list[int]] = field(default_factory=dict)


class ShownRows:
    """The training rows of several sources that tiles or curves show.

    Args:
        sources: checked already.
        trained: of each source the rows that are trained on.
        n_directions: d.
    """

    def __init__(
        self, sources: Sequence[SourceTensors], trained: Sequence[Tensor], n_directions: int
    ) -> None:
        self._sources, self._n_directions = tuple(sources), n_directions
        self._rows: list[_Row] = []
        for place, (source, rows) in enumerate(zip(sources, trained, strict=True)):
            tiles, curves = _tiles_by_row(source), _curves_by_row(source)
            self._rows += [
                _Row(place, row, tiles.get(row), curves.get(row, {}))
                for row in sorted(set(rows.tolist()) & (tiles.keys() | curves.keys()))
            ]
        self.has_curves = any(row.curves for row in self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def table(self, chosen: Tensor) -> Tensor:
        """Return the conditions of rows, (n, p, 3)."""
        rows = [self._rows[index] for index in chosen.tolist()]
        return torch.stack([self._sources[row.source].table[row.row] for row in rows])

    def draw_tiles(
        self, chosen: Tensor, generator: torch.Generator
    ) -> tuple[Tensor | None, Tensor]:
        """Draw a tile of each row that has some, (k, s, s), and say which rows these are, (n,)."""
        luck = torch.rand(len(chosen), generator=generator).tolist()
        tiles: list[Tensor] = []
        has_tile = torch.zeros(len(chosen), dtype=torch.bool)
        for place, (index, fraction) in enumerate(zip(chosen.tolist(), luck, strict=True)):
            row = self._rows[index]
            pictures = self._sources[row.source].tiles
            if row.tiles is not None and pictures is not None:
                tiles.append(pictures[int(row.tiles[int(fraction * len(row.tiles))])])
                has_tile[place] = True
        return (torch.stack(tiles) if tiles else None), has_tile

    def draw_curves(self, chosen: Tensor, generator: torch.Generator) -> CurveRows | None:
        """Draw a curve of each row and direction that has some; none where no row at all has."""
        if not self.has_curves:
            return None
        luck = torch.rand(len(chosen), self._n_directions, generator=generator)
        rows = [self._rows[index] for index in chosen.tolist()]
        width = next(s.curves.shape[1] for s in self._sources if s.curves is not None)
        curves = torch.zeros(len(rows), self._n_directions, width)
        present = torch.zeros(len(rows), self._n_directions, dtype=torch.bool)
        for place, row in enumerate(rows):
            samples = self._sources[row.source].curves
            for direction, members in row.curves.items():
                assert samples is not None  # noqa: S101 -- the row has curves
                member = members[int(float(luck[place, direction]) * len(members))]
                curves[place, direction] = samples[member]
                present[place, direction] = True
        outcomes = torch.stack([self._sources[row.source].outcomes[row.row] for row in rows])
        source = torch.tensor([row.source for row in rows])
        return CurveRows(curves, present, outcomes, source)


def _tiles_by_row(source: SourceTensors) -> dict[int, Tensor]:
    if source.tile_owner is None or not len(source.tile_owner):
        return {}
    rows, inverse, counts = torch.unique(source.tile_owner, return_inverse=True, return_counts=True)
    members = torch.argsort(inverse, stable=True).split(counts.tolist())
    return dict(zip(rows.tolist(), members, strict=True))


def _curves_by_row(source: SourceTensors) -> dict[int, dict[int, list[int]]]:
    by_row: dict[int, dict[int, list[int]]] = {}
    if source.curve_owner is None or source.curve_direction is None:
        return by_row
    pairs = zip(source.curve_owner.tolist(), source.curve_direction.tolist(), strict=True)
    for member, (row, direction) in enumerate(pairs):
        by_row.setdefault(row, {}).setdefault(direction, []).append(member)
    return by_row
