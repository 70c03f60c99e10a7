"""Virtual mats for the retrieval benchmark: conditions, pictures, tiles, and what is true of each.

Notation
--------
==========  ====================================================================  ==============
symbol      meaning                                                               shape
==========  ====================================================================  ==============
T           conditions as a MatMCL table encoder reads them                       (n, p, 3)
tiles       of each mat's one picture, uint8                                      (n, k, s, s)
visible     what each picture truly shows: diameter [nm], order, areal porosity,  (n, 5)
            the diameters' coefficient of variation, share in beads
promised    the same of the mean lot at these conditions: what they promise       (n, 5)
==========  ====================================================================  ==============
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.campaign import Campaign, Value
from engine.lab.constants import LabConstants
from engine.lab.physics import Drive, Microstructure, measurement_factors, properties, structure
from engine.lab.render import LAYERS_PER_SOLIDITY, render_known
from engine.lab.spinning import NM_PER_PIXEL
from engine.lab.virtual import VirtualLab
from engine.retrieval.expected import row
from engine.retrieval.gallery import Statistics
from engine.sources.encoding import encode_conditions
from generator.statistics import measure
from surrogate.matmcl.config import MatMCLConfig
from surrogate.matmcl.tiles import cut_tiles
from surrogate.matmcl.vocabulary import ParameterSpec, Vocabulary

Array = NDArray[np.float64]
_LOGARITHMIC = ("flow_rate", "concentration", "voltage")


@dataclass(frozen=True)
class Mats:
    """n mats; see the notation. ``measured``: (n, 5) :data:`~engine.retrieval.expected.LOOKS`."""

    conditions: tuple[dict[str, Value], ...]
    T: torch.Tensor
    outcomes: Array
    tiles: torch.Tensor
    measured: Array
    visible: Array
    promised: Array

    def part(self, rows: slice) -> Mats:
        """Return some of them."""
        arrays = {name: value[rows] for name, value in vars(self).items()}
        return Mats(**arrays)


def vocabulary(campaign: Campaign) -> Vocabulary:
    """Return words for the campaign's parameters, scaled to its ranges, and for its outcomes."""
    specs = []
    for parameter in campaign.parameters:
        is_log = parameter.name in _LOGARITHMIC
        low, high = (math.log(x) if is_log else x for x in parameter.bounds)
        specs.append(
            ParameterSpec(
                parameter.name, parameter.unit, is_log, (low + high) / 2, (high - low) / 4
            )
        )
    return Vocabulary(tuple(specs), campaign.outcomes)


def spin(
    n: int,
    seed: int,
    *,
    picture_px: int,
    n_tiles: int,
    config: MatMCLConfig,
    advance: Callable[[int], None] | None = None,
) -> Mats:
    """Spin ``n`` mats of the virtual lab at distinct settings, and take one picture of each.

    Settings are drawn from the instrument's own, the room as it comes; runs without a mat are
    drawn again. Everything follows from ``seed``.
    """
    lab, rng = VirtualLab(), np.random.default_rng([seed, 6])
    cutting = torch.Generator().manual_seed(seed)
    columns: dict[str, list[Any]] = {name: [] for name in Mats.__annotations__}
    used: set[tuple[float, ...]] = set()
    while len(used) < n:
        drawn = _draw(lab, rng, used)
        drive = Drive.of({k: float(v) for k, v in drawn.items()})
        mean = structure(drive, lab.constants)
        mat = structure(drive, lab.constants, lot=rng.standard_normal(4))
        picture, truth = render_known(
            mat, rng, shape=(picture_px, picture_px), nm_per_pixel=NM_PER_PIXEL
        )
        tiles = cut_tiles(picture, NM_PER_PIXEL, config=config, n=n_tiles, generator=cutting)
        columns["conditions"].append(drawn)
        columns["outcomes"].append(_results(drive, mat, lab.constants, rng))
        columns["tiles"].append(tiles)
        columns["measured"].append(hand_made(picture))
        spread = truth.diameter_sd_nm / truth.diameter_nm
        columns["visible"].append(
            (truth.diameter_nm, truth.order, truth.porosity, spread, truth.bead_fraction)
        )
        columns["promised"].append(_promise(mean))
        if advance is not None:
            advance(len(used))
    campaign = lab.campaign
    table = encode_conditions(campaign, vocabulary(campaign), columns["conditions"])
    return Mats(
        conditions=tuple(columns["conditions"]),
        T=torch.as_tensor(np.asarray(table), dtype=torch.float32),
        tiles=torch.stack(columns["tiles"]),
        **{
            name: np.array(columns[name], dtype=float)
            for name in ("outcomes", "measured", "visible", "promised")
        },
    )


def _draw(
    lab: VirtualLab, rng: np.random.Generator, used: set[tuple[float, ...]]
) -> dict[str, Value]:
    while True:
        settings: dict[str, Value] = {
            p.name: float(rng.choice(np.asarray(p.levels, dtype=float)))
            for p in lab.campaign.controlled
        }
        room = lab.room(rng)
        key = tuple(float(v) for v in settings.values())
        is_mat = rng.random() >= lab.failure_probability(settings, room)
        if is_mat and key not in used:
            used.add(key)
            return {**settings, **room}


def _results(
    drive: Drive, mat: Microstructure, constants: LabConstants, rng: np.random.Generator
) -> list[float]:
    factors = measurement_factors(constants, rng)
    ideal = properties(drive, mat, constants)
    return [math.log(float(ideal[name]) * factors[name]) for name in ideal]


def _promise(mat: Microstructure) -> tuple[float, ...]:
    areal = math.exp(-LAYERS_PER_SOLIDITY * (1.0 - float(mat.porosity)))
    return (
        float(mat.diameter_nm),
        float(mat.order),
        areal,
        float(mat.diameter_cv),
        float(mat.bead_fraction),
    )


def hand_made(picture: NDArray[np.uint8]) -> Array:
    """Return what the statistics' module measures, as `engine retrieve` compares it."""
    return row(Statistics.from_document(measure(picture, NM_PER_PIXEL).statistics.as_json()))


def looks(truth: Array) -> Array:
    """Return ``visible`` or ``promised`` (n, 5) on the scales of what is measured."""
    return np.stack([row(Statistics(*map(float, mat))) for mat in truth])


def standardised(values: Array, like: Array) -> Array:
    """Return ``values`` in units of the mean and spread of ``like``; NaN becomes 0, the mean."""
    centre = np.nanmean(like, axis=0)
    spread = np.nanstd(like, axis=0)
    return np.nan_to_num((values - centre) / np.where(spread > 1e-12, spread, 1.0))


def settings_of(mats: Mats) -> Array:
    """Return the conditions (n, p) as the table encoder reads them."""
    return np.asarray(mats.T[..., 0].double().numpy())
