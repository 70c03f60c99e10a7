"""The simulated ensemble as training tensors: settings, standardised outcomes, tiles.

What a head has to learn is the shape of a lab's response, not its level: each outcome is centred
over the lab's own design, in work space (logarithm). Where the model keeps labs as points, it is in
a unit that all labs share, so that a lab in which strength hardly moves and one in which it moves a
lot stay apart; otherwise it is standardised within the lab.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from engine.campaign import Campaign
from engine.lab.ensemble import SimulatedLab, draw_lab, serving_lab
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

# Root mean square of what moves within a lab, over the first 5,000 labs: ln of what is positive.
UNITS: Mapping[str, float] = {
    "fracture_strength.longitudinal": 0.32, "fracture_strength.transverse": 0.36,
    "yield_strength.longitudinal": 0.37, "yield_strength.transverse": 0.45,
    "elastic_modulus.longitudinal": 0.39, "elastic_modulus.transverse": 0.48,
    "tangent_modulus.longitudinal": 0.41, "tangent_modulus.transverse": 0.52,
    "elongation.longitudinal": 0.28, "elongation.transverse": 0.32,
    "fibre_diameter": 0.33, "order_parameter": 0.15, "porosity": 0.032, "bead_fraction": 0.057,
}  # fmt: skip

# Beyond e^±1.5 a simulated measurement is a flaw, not noise.
_WILD = 1.5


def starter_vocabulary() -> Vocabulary:
    """Return the parameters and outcomes that simulated labs have."""
    return Vocabulary(PARAMETERS, (*nanofibre_campaign().outcomes, *STRUCTURE))


@dataclass(frozen=True)
class EnsembleDesign:
    """How much of the ensemble is looked at.

    ``labs``: seeds; ``settings``: of each lab; ``pictures``: of these, how many show a micrograph;
    ``campaign``: whose ranges the labs have, their own if ``None``.
    """

    labs: Sequence[int]
    settings: int = 48
    pictures: int = 3
    campaign: Campaign | None = None

    def lab(self, seed: int) -> SimulatedLab:
        """Return the lab of a seed."""
        return draw_lab(seed) if self.campaign is None else serving_lab(seed, self.campaign)


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
        lab = design.lab(seed)
        # A stream of its own, beside the one that the lab's laws are drawn from.
        rng = np.random.default_rng([seed, 5])
        columns = _columns(lab, design.settings, rng)
        tables.append(encode_columns(lab, columns, vocabulary))
        outcomes.append(_shapes(lab, columns, vocabulary, is_shared=config.n_labs > 0))
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


def _shapes(
    lab: SimulatedLab, columns: dict[str, Array], vocabulary: Vocabulary, *, is_shared: bool
) -> Array:
    """Return the outcomes (n, m) about their means, in shared units or the lab's own spread."""
    truth = lab.truth_columns(columns)
    Y = _work({**truth, **_structure(lab.microstructure_columns(columns))}, vocabulary)
    centred = Y - Y.mean(axis=0)
    if is_shared:
        return np.asarray(centred / [UNITS[name] for name in vocabulary.outcomes])
    spread = Y.std(axis=0)
    # An outcome that does not move in this lab says nothing of its shape.
    return np.where(spread > 1e-6, centred / np.maximum(spread, 1e-6), np.nan)


def _structure(mat: Microstructure) -> dict[str, Array]:
    return {
        "fibre_diameter": mat.diameter_nm,
        "order_parameter": mat.order,
        "porosity": mat.porosity,
        "bead_fraction": mat.bead_fraction,
    }


def _work(values: Mapping[str, Array], vocabulary: Vocabulary) -> Array:
    """Return (n, m) in work space: the logarithm of what is positive by nature."""
    n = np.shape(values["porosity"])
    return np.stack(
        [
            np.broadcast_to(values[o] if o in STRUCTURE[1:] else np.log(values[o]), n)
            for o in vocabulary.outcomes
        ],
        axis=1,
    )


def specimen_noise(labs: Sequence[SimulatedLab], vocabulary: Vocabulary, n: int = 8) -> Array:
    """Return how a specimen's outcomes scatter together, (m, m) in :data:`UNITS`, mean of ``labs``.

    Lot, specimen and reading, at ``n`` settings of each lab.
    """
    total = np.zeros((len(vocabulary.outcomes), len(vocabulary.outcomes)))
    units = np.array([UNITS[name] for name in vocabulary.outcomes])
    for place, lab in enumerate(labs):
        # A stream of its own, beside those of laws and designs.
        rng = np.random.default_rng([place, 6])
        columns = _columns(lab, n, rng)
        values, mat = lab.observe_columns(columns, rng)
        ideal = {**lab.truth_columns(columns), **_structure(lab.microstructure_columns(columns))}
        seen = _work({**values, **_structure(mat)}, vocabulary)
        error = np.clip(seen - _work(ideal, vocabulary), -_WILD, _WILD) / units
        total += error.T @ error / n
    # A microscope's own error beside the lot's: a tenth of what moves within a lab.
    return total / len(labs) + np.diag(
        [0.01 if o in STRUCTURE else 0.0 for o in vocabulary.outcomes]
    )


def joined(parts: Sequence[SourceTensors]) -> SourceTensors:
    """Return several sets of labs as one, labs and rows counted through."""
    labs, owners, first_row, first_lab = [], [], 0, 0
    for part in parts:
        labs.append(part.lab + first_lab)
        if part.tile_owner is not None:
            owners.append(part.tile_owner + first_row)
        first_lab += int(part.lab.max()) + 1
        first_row += len(part.table)
    tiles = [part.tiles for part in parts if part.tiles is not None]
    return replace(
        parts[0],
        table=torch.cat([part.table for part in parts]),
        outcomes=torch.cat([part.outcomes for part in parts]),
        lab=torch.cat(labs),
        tiles=torch.cat(tiles) if tiles else None,
        tile_owner=torch.cat(owners) if owners else None,
    )


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
