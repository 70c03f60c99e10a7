"""Which rows and tiles a step of the training sees: a pure function of the seed and the step.

Nothing here remembers anything, so a run that is taken up again at step s sees what it would have
seen. Simulated labs come whole (or as a drawn subset of their rows), because their likelihood is
one of all their rows together; rows of other sources come one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.errors import InputError
from surrogate.matmcl.config import TrainSettings
from surrogate.matmcl.data import SourceTensors
from surrogate.matmcl.model import ENSEMBLE
from surrogate.matmcl.pairs import Pairs, ShownRows
from surrogate.randomness import Passes, drawn_from


@dataclass(frozen=True)
class Rows:
    """Rows of one source: T (n, p, 3), outcomes (n, m), lab 0 … L − 1 (n,)."""

    source: str
    table: Tensor
    outcomes: Tensor
    lab: Tensor

    def to(self, device: torch.device) -> Rows:
        """Return the same rows on a device."""
        return Rows(
            self.source, self.table.to(device), self.outcomes.to(device), self.lab.to(device)
        )


@dataclass(frozen=True)
class Batch:
    """What one step learns from, and the generator that goes on to vary its tiles."""

    rows: tuple[Rows, ...]
    pairs: Pairs | None
    generator: torch.Generator


class _Groups:
    """Members of each group of a label vector: group g is ``order[start[g] : start[g + 1]]``."""

    def __init__(self, labels: Tensor) -> None:
        _, inverse, counts = torch.unique(labels, return_inverse=True, return_counts=True)
        self._order = torch.argsort(inverse, stable=True)
        self._start = [0, *torch.cumsum(counts, dim=0).tolist()]

    def __len__(self) -> int:
        return len(self._start) - 1

    def __getitem__(self, group: int) -> Tensor:
        return self._order[self._start[group] : self._start[group + 1]]


class Plan:
    """Batches and held-out rows of several sources.

    Args:
        sources: checked already.
        settings: sizes, seed, share held out.
        n_directions: in which specimens are pulled, for curves.
        rank, world: which of how many processes this is; each sees other batches.

    Raises:
        InputError: so much is held out that nothing is left.
    """

    def __init__(
        self,
        sources: Sequence[SourceTensors],
        settings: TrainSettings,
        *,
        n_directions: int = 1,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._sources, self._settings = tuple(sources), settings
        self._rank, self._world = rank, world
        self._groups, self._train, self._held_out = [], [], []
        self._passes: list[tuple[Passes, int]] = []
        for source in sources:
            groups = _Groups(source.lab if source.name == ENSEMBLE else _settings_of(source))
            train, held_out = self._split(source, groups)
            self._held_out.append(held_out)
            if source.name != ENSEMBLE:  # rows one by one, replicates on one side of the split
                train = torch.cat([groups[int(group)] for group in train])
            size = settings.labs_per_batch if source.name == ENSEMBLE else settings.rows_per_batch
            self._groups.append(groups)
            self._train.append(train)
            passes = Passes(len(train), settings.seed, source.name)
            self._passes.append((passes, min(size, len(train))))
        trained = [self._training_rows(place) for place in range(len(self._sources))]
        self._depicted = ShownRows(self._sources, trained, n_directions)
        self._n_pairs = min(settings.tiles_per_batch, len(self._depicted))
        self._pairs = Passes(len(self._depicted), settings.seed, "tiles")

    def _split(self, source: SourceTensors, groups: _Groups) -> tuple[Tensor, Tensor]:
        name, count = source.name, len(groups)
        if source.held is not None:
            is_held = torch.tensor([bool(source.held[groups[g]].any()) for g in range(count)])
            if is_held.all():
                raise InputError(f"source '{name}': every row is held out, nothing is left")
            return (~is_held).nonzero().flatten(), is_held.nonzero().flatten()
        order = torch.randperm(count, generator=drawn_from(self._settings.seed, name, "held"))
        n_held = int(count * self._settings.holdout)
        if n_held >= count:
            raise InputError(f"source '{name}': nothing is left to learn from; lower holdout")
        return order[n_held:].sort().values, order[:n_held].sort().values

    def _training_rows(self, place: int) -> Tensor:
        if self._sources[place].name != ENSEMBLE:
            return self._train[place]
        return torch.cat([self._groups[place][int(lab)] for lab in self._train[place]])

    @property
    def has_pairs(self) -> bool:
        """Whether there are two rows at least that tiles or curves show."""
        return len(self._depicted) >= 2

    @property
    def has_held_out(self) -> bool:
        """Whether anything is held out."""
        return any(len(groups) for groups in self._held_out)

    def batch(self, step: int, *, with_pairs: bool) -> Batch:
        """Return the batch of one step; ``with_pairs`` asks for tiles and curves too."""
        # Each process its own turn: together they see what one would see in as many steps.
        turn = step * self._world + self._rank
        generator = drawn_from(self._settings.seed, "step", turn)
        rows = tuple(
            self._rows(place, passes.at(turn, size), generator)
            for place, (passes, size) in enumerate(self._passes)
        )
        pairs = None
        if with_pairs and self.has_pairs:
            # Counted in contrastive steps, or each pass would leave the same pictures out.
            turn = step // self._settings.contrastive_every * self._world + self._rank
            pairs = self._draw_pairs(self._pairs.at(turn, self._n_pairs), generator)
        return Batch(rows, pairs, generator)

    def held_out(self) -> Iterator[Rows]:
        """Yield every held-out row, some labs or rows at a time, nothing hidden."""
        for place, source in enumerate(self._sources):
            # Some at a time, so that the memory stays bounded.
            for part in self._held_out[place].split(64):
                members = [self._groups[place][int(group)] for group in part]
                if members:
                    yield _take(source, members)

    def _rows(self, place: int, chosen: Tensor, generator: torch.Generator) -> Rows:
        source, limit = self._sources[place], self._settings.rows_per_lab
        if source.name != ENSEMBLE:
            rows = self._train[place][chosen]
            return _hide(_take(source, [rows]), self._settings.mask_rate, generator)
        members = [self._groups[place][int(lab)] for lab in self._train[place][chosen]]
        if limit:
            members = [
                lab[torch.randperm(len(lab), generator=generator)[:limit]] for lab in members
            ]
        return _hide(_take(source, members), self._settings.mask_rate, generator)

    def _draw_pairs(self, chosen: Tensor, generator: torch.Generator) -> Pairs:
        tiles, has_tile = self._depicted.draw_tiles(chosen, generator)
        table = self._depicted.table(chosen)
        groups = torch.arange(len(table))  # each row hides parameters of its own
        hidden = _hide_in_groups(table, groups, len(table), self._settings.mask_rate, generator)
        curves = self._depicted.draw_curves(chosen, generator)
        return Pairs(hidden, tiles, None if bool(has_tile.all()) else has_tile, curves)


def _settings_of(source: SourceTensors) -> Tensor:
    """Number the rows by their conditions: replicates of one setting share a number."""
    # What stands where nothing is present may be anything, NaN included, and tells no settings
    # apart.
    table = source.table.nan_to_num() * (source.table[..., 2:] > 0.5)
    return torch.unique(table.flatten(1), dim=0, return_inverse=True)[1]


def _take(source: SourceTensors, members: Sequence[Tensor]) -> Rows:
    rows = torch.cat(list(members))
    lab = torch.repeat_interleave(
        torch.arange(len(members)), torch.tensor([len(member) for member in members])
    )
    return Rows(source.name, source.table[rows], source.outcomes[rows], lab)


def _hide(rows: Rows, rate: float, generator: torch.Generator) -> Rows:
    """Hide some parameters: of a whole lab at once in the ensemble, of single rows elsewhere."""
    by_lab = rows.source == ENSEMBLE
    unit = rows.lab if by_lab else torch.arange(len(rows.lab))
    count = int(rows.lab[-1]) + 1 if by_lab else len(unit)
    return Rows(
        rows.source,
        _hide_in_groups(rows.table, unit, count, rate, generator),
        rows.outcomes,
        rows.lab,
    )


def _hide_in_groups(
    table: Tensor, unit: Tensor, count: int, rate: float, generator: torch.Generator
) -> Tensor:
    if rate == 0:
        return table
    hidden = torch.rand(count, table.shape[1], generator=generator) < rate
    masked = table.clone()
    # The flag alone: where it is 0 the other two are never read.
    masked[..., 2] *= (~hidden[unit]).to(table.dtype)
    return masked
