"""The simulated ensemble as training tensors: settings, standardised outcomes, tiles.

What a head has to learn is the shape of a lab's response, not its level: each outcome is
standardised over the lab's own design, in work space (logarithm).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.lab.ensemble import SimulatedLab, draw_lab
from engine.lab.physics import Microstructure
from engine.lab.render import render
from engine.lab.virtual import nanofibre_campaign
from surrogate.matmcl.config import MatMCLConfig
from surrogate.matmcl.data import SourceTensors
from surrogate.matmcl.model import ENSEMBLE
from surrogate.matmcl.vocabulary import ParameterSpec, Vocabulary
from surrogate.progress import Progress, silent

Array = NDArray[np.float64]

# The middle and the spread of what labs report (`engine.lab.ensemble.campaigns`); where the
# logarithm is taken: 0.5 mL/h, 15 %, 17 kV, 13 cm.
PARAMETERS = (
    ParameterSpec("flow_rate", "mL/h", True, -0.7, 0.8),
    ParameterSpec("concentration", "%", True, 2.7, 0.45),
    ParameterSpec("voltage", "kV", True, 2.85, 0.3),
    ParameterSpec("distance", "cm", True, 2.6, 0.3),
    ParameterSpec("collector_speed", "rpm", False, 800.0, 800.0),
    ParameterSpec("temperature", "°C", False, 22.5, 3.0),
    ParameterSpec("humidity", "%", False, 45.0, 15.0),
)
STRUCTURE = ("fibre_diameter", "order_parameter", "porosity", "bead_fraction")
"""Statistics of the mat, learnt beside the properties: ln of the first, the rest as they are."""


def starter_vocabulary() -> Vocabulary:
    """Return the parameters and outcomes that simulated labs have."""
    return Vocabulary(PARAMETERS, (*nanofibre_campaign().outcomes, *STRUCTURE))


@dataclass(frozen=True)
class EnsembleDesign:
    """How much of the ensemble is looked at.

    ``labs``: seeds; ``settings``: of each lab; ``pictures``: of these, how many show a micrograph.
    """

    labs: Sequence[int]
    settings: int = 48
    pictures: int = 3


def ensemble_tensors(
    design: EnsembleDesign,
    vocabulary: Vocabulary,
    config: MatMCLConfig,
    progress: Progress = silent,
) -> SourceTensors:
    """Run every lab of ``design`` without noise and encode what came of it.

    Lots differ from picture to picture: what a micrograph shows is the mat as spun.
    """
    tables, outcomes, tiles, owners = [], [], [], []
    for place, seed in enumerate(design.labs):
        lab = draw_lab(seed)
        # A stream of its own, beside the one that the lab's laws are drawn from.
        rng = np.random.default_rng([seed, 5])
        columns = _columns(lab, design.settings, rng)
        tables.append(encode_columns(lab, columns, vocabulary))
        outcomes.append(_standardised(lab, columns, vocabulary))
        first = place * design.settings
        mats = lab.microstructure_columns(columns, rng.standard_normal((4, design.settings)))
        for row in rng.permutation(design.settings)[: design.pictures]:
            tiles.append(_tile(mats, int(row), config, rng))
            owners.append(first + int(row))
        progress("simulated labs", place + 1, len(design.labs))
    lab_index = np.repeat(np.arange(len(design.labs)), design.settings)
    return SourceTensors(
        ENSEMBLE,
        torch.from_numpy(np.concatenate(tables)).float(),
        torch.from_numpy(np.concatenate(outcomes)).float(),
        torch.from_numpy(lab_index),
        torch.from_numpy(np.stack(tiles)) if tiles else None,
        torch.tensor(owners) if tiles else None,
    )


def _columns(lab: SimulatedLab, n: int, rng: np.random.Generator) -> dict[str, Array]:
    # The next power of two, then the first n: Sobol points are balanced at powers of two only.
    # https://docs.scipy.org/doc/scipy/reference/generated/scipy.stats.qmc.Sobol.html
    balanced = lab.design(1 << (n - 1).bit_length(), seed=int(rng.integers(2**31)))
    columns = {name: values[:n] for name, values in balanced.items()}
    columns.update(lab.rooms(rng, n))
    return columns


def encode_columns(lab: SimulatedLab, columns: dict[str, Array], vocabulary: Vocabulary) -> Array:
    """Return T (n, p, 3) of a lab's settings, as any campaign's conditions are encoded."""
    n = len(next(iter(columns.values())))
    bounds = {p.name: p.bounds for p in lab.campaign.parameters}
    T = np.zeros((n, len(vocabulary.parameters), 3))
    for place, spec in enumerate(vocabulary.parameters):
        if spec.name not in columns or spec.name not in bounds:
            continue
        values = columns[spec.name]
        low, high = bounds[spec.name]
        raw = np.log(np.maximum(values, 1e-6)) if spec.log else values
        T[:, place, 0] = (raw - spec.centre) / spec.scale
        T[:, place, 1] = 2.0 * (values - low) / (high - low) - 1.0
        T[:, place, 2] = 1.0
    return T


def _standardised(lab: SimulatedLab, columns: dict[str, Array], vocabulary: Vocabulary) -> Array:
    truth = lab.truth_columns(columns)
    mat = lab.microstructure_columns(columns)
    values = {name: np.log(value) for name, value in truth.items()}
    values |= {
        "fibre_diameter": np.log(mat.diameter_nm),
        "order_parameter": mat.order,
        "porosity": mat.porosity,
        "bead_fraction": mat.bead_fraction,
    }
    Y = np.stack(
        [np.broadcast_to(values[o], values["porosity"].shape) for o in vocabulary.outcomes], 1
    )
    spread = Y.std(axis=0)
    # An outcome that does not move in this lab says nothing of its shape.
    return np.where(spread > 1e-6, (Y - Y.mean(axis=0)) / np.maximum(spread, 1e-6), np.nan)


def _tile(
    mats: Microstructure, row: int, config: MatMCLConfig, rng: np.random.Generator
) -> NDArray[np.uint8]:
    mat = Microstructure(
        **{
            field: np.broadcast_to(getattr(mats, field), np.shape(mats.order))[row]
            for field in Microstructure.__dataclass_fields__
        }
    )
    side = config.tile_px
    return render(mat, rng, shape=(side, side), nm_per_pixel=config.nm_per_pixel)
