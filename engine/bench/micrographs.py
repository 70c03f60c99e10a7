"""Statistics of drawn micrographs against what they truly show, over the whole design space.

``python -m engine.bench.micrographs --n 120 --seed 1`` draws mats of random settings, rooms and
lots at pixel sizes from 30 to 120 nm, measures a picture of each (``--pictures`` of each), and
prints one line a mat and a summary.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from engine.lab.physics import Drive, structure
from engine.lab.render import PictureTruth, render_known
from engine.lab.virtual import VirtualLab
from generator.statistics import measure

SCALES_NM = (30.0, 60.0, 120.0, 60.0, 45.0, 90.0)
SHAPES = ((384, 384), (256, 256), (300, 300), (256, 384))


@dataclass(frozen=True)
class Miss:
    """How far the statistics of one mat's pictures are from their truth, in the mean.

    ``diameter`` and ``diameter_sd`` are relative to the true mean diameter, the rest are plain
    differences. ``in_errors``: the diameter's miss in its own standard errors.
    """

    diameter: float
    diameter_sd: float
    order: float
    porosity: float
    bead_fraction: float
    true_bead_fraction: float
    in_errors: float
    seconds: float


def misses(n: int, seed: int, pictures: int = 1) -> Iterator[Miss]:
    """Draw ``n`` mats of random settings, rooms and lots, and measure pictures of each."""
    lab = VirtualLab()
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        settings = {
            p.name: float(rng.choice([float(level) for level in p.levels or ()]))
            for p in lab.campaign.controlled
        }
        mat = structure(
            Drive.of({**settings, **lab.room(rng)}), lab.constants, lot=rng.standard_normal(4)
        )
        scale, shape = SCALES_NM[i % len(SCALES_NM)], SHAPES[i % len(SHAPES)]
        drawn = [render_known(mat, rng, shape=shape, nm_per_pixel=scale) for _ in range(pictures)]
        yield _mean([_miss(picture, truth, scale) for picture, truth in drawn])


def _miss(picture: NDArray[np.uint8], truth: PictureTruth, scale: float) -> Miss:
    start = time.perf_counter()
    found = measure(picture, scale).statistics
    seconds = time.perf_counter() - start
    off = _number(found.diameter.mean) - truth.diameter_nm
    return Miss(
        diameter=off / truth.diameter_nm,
        diameter_sd=(_number(found.diameter.sd) - truth.diameter_sd_nm) / truth.diameter_nm,
        order=_number(found.order) - truth.order,
        porosity=_number(found.porosity) - truth.porosity,
        bead_fraction=found.bead_fraction - truth.bead_fraction,
        true_bead_fraction=truth.bead_fraction,
        in_errors=abs(off) / _number(found.standard_errors["diameter"]),
        seconds=seconds,
    )


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _mean(parts: list[Miss]) -> Miss:
    return Miss(*(float(np.mean(column)) for column in zip(*map(astuple, parts), strict=True)))


def summary(rows: list[Miss]) -> list[str]:
    """Return a line for each statistic: bias, RMS, median and 90th percentile of the misses."""
    lines = []
    for name in ("diameter", "diameter_sd", "order", "porosity", "bead_fraction"):
        column = np.array([getattr(row, name) for row in rows])
        size = np.abs(column)
        lines.append(
            f"{name}: bias {np.nanmean(column):+.3f}, RMS {np.sqrt(np.nanmean(column**2)):.3f}, "
            f"median {np.nanmedian(size):.3f}, 90 % below {np.nanquantile(size, 0.9):.3f}, "
            f"within 0.05: {np.mean(size <= 0.05):.0%}, not measured: {np.isnan(column).sum()}"
        )
    true = np.array([row.true_bead_fraction for row in rows])
    found = true + [row.bead_fraction for row in rows]
    if len(rows) > 2:
        lines.append(
            f"bead fraction, found and true: correlation {np.corrcoef(true, found)[0, 1]:.3f}"
        )
    errors = np.array([row.in_errors for row in rows])
    lines.append(f"diameter's miss in standard errors: RMS {np.sqrt(np.nanmean(errors**2)):.2f}")
    lines.append(f"seconds a picture: {np.mean([row.seconds for row in rows]):.2f}")
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pictures", type=int, default=1)
    words = parser.parse_args()
    rows = []
    print("mat", *(field.name for field in fields(Miss)))
    for i, miss in enumerate(misses(words.n, words.seed, words.pictures)):
        rows.append(miss)
        print(i, *(f"{value:+.3f}" for value in astuple(miss)), flush=True)
    print(*summary(rows), sep="\n")


if __name__ == "__main__":
    main()
