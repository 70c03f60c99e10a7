"""A source's runs as training tensors: encoded conditions, standardised outcomes, tiles.

What a head has to learn is the shape of a response, not its level: each outcome is standardised
over its source, in work space (the logarithm where its scatter grows with its value).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import DataError, SpinneretError
from engine.micrographs.databar import find_crop
from engine.micrographs.reading import read_grey
from engine.sources.encoding import encode_axes
from engine.sources.matching import Understood
from engine.sources.reading import SourceData
from engine.sources.runs import Picture, SourceRun
from surrogate.errors import InputError
from surrogate.matmcl.config import MatMCLConfig
from surrogate.matmcl.data import SourceTensors
from surrogate.matmcl.model import MatMCL
from surrogate.matmcl.tiles import cut_tiles
from surrogate.matmcl.vocabulary import Vocabulary
from surrogate.progress import Progress, silent

Array = NDArray[np.float64]

TILES_PER_PICTURE = 4
MOST_TILES = 8192
"""Of one source; beyond that fewer tiles are cut from each picture, then fewer pictures read."""

# 15 % of fewer are no six recipes: too few to say anything.
LEAST_TO_HOLD_OUT = 40
HELD_OUT = 0.15
_LEAST_SPREAD = 1e-6
"""Of logarithms."""
ROUNDING = 1e-12
"""Of the largest value, where it is not the logarithm that is learnt."""


@dataclass(frozen=True)
class SourceRows:
    """One source, split: rows to learn from, and rows held out to say how well it went.

    Shapes: held_table (k, p, 3), held_outcomes (k, m), standardised like the others. ``learnt``:
    the runs that became rows, by their place.
    """

    tensors: SourceTensors
    held_table: Tensor
    held_outcomes: Tensor
    notes: tuple[str, ...] = ()
    learnt: tuple[int, ...] = ()

    @property
    def n_tiles(self) -> int:
        """How many tiles are learnt from."""
        return 0 if self.tensors.tiles is None else len(self.tensors.tiles)


def source_rows(
    data: SourceData,
    understood: Understood,
    vocabulary: Vocabulary,
    config: MatMCLConfig,
    *,
    seed: int,
    max_megapixels: float,
    progress: Progress = silent,
    hold_out: bool = True,
) -> SourceRows:
    """Return a source's rows in a model's words.

    From 40 runs on, 15 % of the recipes are held out (unless ``hold_out`` forbids it); runs of one
    recipe stay together.
    """
    T = encode_axes(understood.axes, vocabulary, [run.conditions for run in data.runs])
    held_out = _held_out(T, seed) if hold_out else np.zeros(len(T), dtype=bool)
    Y = _outcomes(data, understood, len(vocabulary.outcomes), ~held_out)
    is_learnt = ~held_out & (T[..., 2] > 0).any(axis=1)
    learnt = np.flatnonzero(is_learnt)
    if not len(learnt):
        raise DataError(
            f"source '{data.name}': none of its runs tells a parameter that the model knows"
        )
    tiles, owner, notes = _tiles(
        [data.runs[row] for row in learnt],
        config,
        seed,
        max_megapixels,
        partial(progress, f"micrographs of {data.name}"),
    )
    tensors = SourceTensors(
        data.name,
        torch.from_numpy(T[learnt]).float(),
        torch.from_numpy(Y[learnt]).float(),
        torch.zeros(len(learnt), dtype=torch.int64),
        tiles,
        owner,
    )
    return SourceRows(
        tensors,
        torch.from_numpy(T[held_out]).float(),
        torch.from_numpy(Y[held_out]).float(),
        notes,
        tuple(learnt.tolist()),
    )


def scores(model: MatMCL, rows: SourceRows) -> dict[str, float]:
    """Return R² of a source's head on its held-out rows, by outcome with five values or more."""
    if not len(rows.held_table):
        return {}
    with torch.no_grad():
        predicted = model.heads(rows.held_table, rows.tensors.name)[..., 0]
    r2_by_outcome = {}
    for place, outcome in enumerate(model.vocabulary.outcomes):
        true = rows.held_outcomes[:, place]
        is_measured = ~torch.isnan(true)
        if int(is_measured.sum()) < 5:
            continue
        true, guess = true[is_measured], predicted[is_measured, place]
        spread = float(((true - true.mean()) ** 2).sum())
        if spread > 0:
            r2_by_outcome[outcome] = round(1.0 - float(((true - guess) ** 2).sum()) / spread, 4)
    return r2_by_outcome


def _held_out(T: Array, seed: int) -> NDArray[np.bool_]:
    held_out = np.zeros(len(T), dtype=bool)
    if len(T) < LEAST_TO_HOLD_OUT:
        return held_out
    # Rounded: unit conversions leave traces in the last digits.
    _, recipe = np.unique(T.reshape(len(T), -1).round(6), axis=0, return_inverse=True)
    n = int(recipe.max()) + 1
    chosen = np.random.default_rng([seed, 3]).permutation(n)[: round(n * HELD_OUT)]
    return np.isin(recipe, chosen)


def _outcomes(data: SourceData, understood: Understood, m: int, learnt: NDArray[np.bool_]) -> Array:
    """Return (n, m), standardised by the learnt rows; NaN where not measured or not moving."""
    Y = np.full((len(data.runs), m), np.nan)
    for outcome in data.outcomes:
        place = understood.outcomes.get(outcome.name)
        if place is None:
            continue
        measured = [run.outcomes.get(outcome.name, ()) for run in data.runs]
        positive = [value for values in measured for value in values if value > 0]
        # As in the engine's work space.
        floor = min(positive, default=1.0) / 2 if outcome.is_log else None
        values = np.array([_mean(values, floor) for values in measured])
        finite = values[learnt & np.isfinite(values)]
        # Divided by such a spread rounding errors would be taught as results.
        least = _LEAST_SPREAD if outcome.is_log else ROUNDING * np.abs(finite).max(initial=0.0)
        if len(finite) < 2 or finite.std() <= least:
            continue
        Y[:, place] = (values - finite.mean()) / finite.std()
    return Y


def _mean(values: Sequence[float], floor: float | None) -> float:
    """Return the mean, of logarithms where there is a ``floor`` for zeros."""
    if floor is not None:
        values = [float(np.log(max(value, floor))) for value in values if value >= 0]
    return float(np.mean(values)) if values else float("nan")


def _tiles(
    runs: Sequence[SourceRun],
    config: MatMCLConfig,
    seed: int,
    max_megapixels: float,
    progress: Callable[[int, int], None],
) -> tuple[Tensor | None, Tensor | None, tuple[str, ...]]:
    pictures = [
        (row, picture)
        for row, run in enumerate(runs)
        for picture in run.pictures
        if picture.nm_per_pixel is not None
    ]
    generator = torch.Generator().manual_seed(seed)
    if len(pictures) > MOST_TILES:
        order = torch.randperm(len(pictures), generator=generator)[:MOST_TILES].tolist()
        pictures = [pictures[place] for place in sorted(order)]
    n = max(1, min(TILES_PER_PICTURE, MOST_TILES // max(len(pictures), 1)))
    tiles: list[Tensor] = []
    owner: list[int] = []
    failed: dict[str, str] = {}
    for place, (row, picture) in enumerate(pictures):
        try:
            tiles.append(_cut(picture, n, config, generator, max_megapixels))
            owner += [row] * n
        except (SpinneretError, InputError) as error:
            failed[picture.path.name] = str(error)
        progress(place + 1, len(pictures))
    notes = _failures(failed, len(pictures))
    if not tiles:
        return None, None, notes
    return torch.cat(tiles), torch.tensor(owner), notes


def _cut(
    picture: Picture, n: int, config: MatMCLConfig, generator: torch.Generator, limit: float
) -> Tensor:
    if not picture.path.is_file():
        raise DataError(f"{picture.path}: no such micrograph")
    grey = read_grey(picture.path, max_megapixels=limit)
    box = picture.crop or find_crop(grey)
    if box is not None:
        left_px, top_px, right_px, bottom_px = box
        grey = grey[top_px:bottom_px, left_px:right_px]
    # Not the extremes: hot pixels and charging would leave the rest dark.
    low, high = np.percentile(grey, (0.5, 99.5))
    grey = np.clip((grey - low) / max(float(high - low), 1e-6), 0.0, 1.0)
    if picture.rotation_axis == "y":  # the collector's rotation belongs along the width
        grey = grey.T
    size = picture.nm_per_pixel or 1.0
    return cut_tiles(np.ascontiguousarray(grey), size, config=config, n=n, generator=generator)


def _failures(failed: Mapping[str, str], n: int) -> tuple[str, ...]:
    if not failed:
        return ()
    name, reason = next(iter(failed.items()))
    return (f"{len(failed)} of {n} micrographs cannot be learnt from, such as {name}: {reason}",)
