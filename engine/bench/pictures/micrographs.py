"""Statistics of drawn micrographs against what they truly show, over the whole design space.

Of kind ``lab`` are pictures as a lab takes them, 640 × 480 to 1280 × 960 pixels of 20 to 60 nm, so
that the mat of thinnest fibres in the space, 260 nm, still shows them four pixels wide; of kind
``small`` tiles of 256 to 384 pixels a side, of 30 to 120 nm, where fibres may be two pixels wide.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.bench.harness.environment import environment
from engine.bench.harness.results import write_json
from engine.documents import finite
from engine.errors import UsageError
from engine.lab.physics import Drive, Microstructure, structure
from engine.lab.render import LAYERS_PER_SOLIDITY, PictureTruth, render_known
from engine.lab.virtual import VirtualLab
from generator.statistics import measure
from surrogate.progress import Progress, silent

KINDS: dict[str, tuple[tuple[float, ...], tuple[tuple[int, int], ...]]] = {
    "lab": ((30.0, 60.0, 45.0, 20.0), ((480, 640), (768, 1024), (960, 1280))),
    "small": (
        (30.0, 60.0, 120.0, 60.0, 45.0, 90.0),
        ((384, 384), (256, 256), (300, 300), (256, 384)),
    ),
}
"""Pixel sizes [nm] and shapes (height, width), taken in turns."""

LIMIT = 0.05


@dataclass(frozen=True)
class Miss:
    """How far the statistics of one picture are from their truth.

    ``diameter`` and ``diameter_sd`` are relative to the true mean diameter, the rest are plain
    differences, all from what this very picture shows. ``z_…``: how far off the *mat* they are, in
    the standard errors told, for those are of the mat.
    """

    nm_per_pixel: float
    true_diameter_px: float
    diameter: float
    diameter_sd: float
    order: float
    porosity: float
    bead_fraction: float
    true_bead_fraction: float
    z_diameter: float
    z_order: float
    z_porosity: float
    seconds: float


def misses(n: int, seed: int, kind: str = "lab") -> Iterator[Miss]:
    """Draw ``n`` mats of random settings, rooms and lots, and measure a picture of each."""
    for scale, mat, picture, truth in lab_pictures(n, seed, kind):
        yield _miss(mat, picture, truth, scale)


def lab_pictures(
    n: int, seed: int, kind: str = "lab"
) -> Iterator[tuple[float, Microstructure, NDArray[np.uint8], PictureTruth]]:
    """Yield ``n`` pixel sizes [nm], mats of random settings, rooms and lots, pictures, truths."""
    lab = VirtualLab()
    scales, shapes = KINDS[kind]
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        settings = {
            p.name: float(rng.choice([float(level) for level in p.levels or ()]))
            for p in lab.campaign.controlled
        }
        mat = structure(
            Drive.of({**settings, **lab.room(rng)}), lab.constants, lot=rng.standard_normal(4)
        )
        scale, shape = scales[i % len(scales)], shapes[i % len(shapes)]
        picture, truth = render_known(mat, rng, shape=shape, nm_per_pixel=scale)
        yield scale, mat, picture, truth


def _miss(
    mat: Microstructure, picture: NDArray[np.uint8], truth: PictureTruth, scale: float
) -> Miss:
    start = time.process_time()
    statistics = measure(picture, scale).statistics
    seconds = time.process_time() - start
    diameter, order, porosity = map(
        _number, (statistics.diameter.mean, statistics.order, statistics.porosity)
    )
    errors = {name: _number(value) for name, value in statistics.standard_errors.items()}
    air = math.exp(-LAYERS_PER_SOLIDITY * (1.0 - float(mat.porosity)))
    return Miss(
        nm_per_pixel=scale,
        true_diameter_px=truth.diameter_nm / scale,
        diameter=diameter / truth.diameter_nm - 1.0,
        diameter_sd=(_number(statistics.diameter.sd) - truth.diameter_sd_nm) / truth.diameter_nm,
        order=order - truth.order,
        porosity=porosity - truth.porosity,
        bead_fraction=statistics.bead_fraction - truth.bead_fraction,
        true_bead_fraction=truth.bead_fraction,
        z_diameter=(diameter - float(mat.diameter_nm)) / errors["diameter"],
        z_order=(order - float(mat.order)) / errors["order"],
        z_porosity=(porosity - air) / errors["porosity"],
        seconds=seconds,
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def summary(rows: list[Miss]) -> list[str]:
    """Return a line for each statistic: bias, RMS, median and 90th percentile of the misses."""
    lines = []
    for name in ("diameter", "diameter_sd", "order", "porosity", "bead_fraction"):
        column = np.array([getattr(row, name) for row in rows])
        size = np.abs(column)
        lines.append(
            f"{name}: bias {np.nanmean(column):+.3f}, RMS {np.sqrt(np.nanmean(column**2)):.3f}, "
            f"median {np.nanmedian(size):.3f}, 90 % below {np.nanquantile(size, 0.9):.3f}, "
            f"worst {np.nanmax(size):.3f}, "
            f"within {LIMIT}: {np.mean(size <= LIMIT):.1%}, not measured: {np.isnan(column).sum()}"
        )
    true = np.array([row.true_bead_fraction for row in rows])
    measured = true + [row.bead_fraction for row in rows]
    if len(rows) > 2:
        lines.append(
            f"bead fraction, found and true: correlation {np.corrcoef(true, measured)[0, 1]:.3f}"
        )
    three = np.array([[row.diameter, row.order, row.porosity] for row in rows])
    lines.append(f"all three within {LIMIT}: {np.mean((np.abs(three) <= LIMIT).all(axis=1)):.1%}")
    for name in ("diameter", "order", "porosity"):
        z = np.array([getattr(row, f"z_{name}") for row in rows])
        lines.append(f"{name} of the mat, in standard errors: RMS {np.sqrt(np.nanmean(z**2)):.2f}")
    lines.append(f"processor seconds a picture: {np.mean([row.seconds for row in rows]):.2f}")
    return lines


def bench_micrographs(
    n: int, seed: int, kind: str, *, out: Path | None = None, progress: Progress = silent
) -> dict[str, Any]:
    """Measure ``n`` mats; return the document, written to ``out`` as well.

    Raises:
        UsageError: no such kind.
    """
    if kind not in KINDS:
        raise UsageError(f"expected {' or '.join(KINDS)}, got '{kind}'", field="kind")
    rows = []
    for miss in misses(n, seed, kind):
        rows.append(miss)
        progress(f"mat {len(rows)}", len(rows), n)
    document: dict[str, Any] = finite(
        {
            "kind": "micrographs",
            "config": {"n": n, "seed": seed, "kind": kind},
            "environment": environment(),
            "misses": [asdict(row) for row in rows],
            "summary": summary(rows),
        }
    )
    if out is not None:
        write_json(out, document)
    return document
