"""Statistics of drawn micrographs against what they truly show, over the whole design space.

``python -m engine.bench.micrographs --n 120 --seed 1`` prints one line a picture and a summary.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import astuple, dataclass

import numpy as np

from engine.lab.physics import Drive, structure
from engine.lab.render import render_known
from engine.lab.virtual import VirtualLab
from generator.statistics import measure

SCALES_NM = (30.0, 60.0, 120.0, 60.0, 45.0, 90.0)
SHAPES = ((384, 384), (256, 256), (300, 300), (256, 384))


@dataclass(frozen=True)
class Miss:
    """How far a picture's statistics are from its truth; ``diameter`` relative, the rest not."""

    diameter: float
    order: float
    porosity: float
    bead_fraction: float


def misses(n: int, seed: int) -> Iterator[Miss]:
    """Draw ``n`` mats of random settings, rooms and lots, and measure a picture of each."""
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
        picture, truth = render_known(mat, rng, shape=shape, nm_per_pixel=scale)
        found = measure(picture, scale).statistics
        nan = float("nan")
        yield Miss(
            (found.diameter.mean or nan) / truth.diameter_nm - 1.0,
            (nan if found.order is None else found.order) - truth.order,
            (nan if found.porosity is None else found.porosity) - truth.porosity,
            found.bead_fraction - truth.bead_fraction,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    rows = []
    for i, miss in enumerate(misses(words.n, words.seed)):
        rows.append(astuple(miss))
        print(i, *(f"{value:+.3f}" for value in rows[-1]), flush=True)
    table = np.array(rows)
    for name, column in zip(Miss.__dataclass_fields__, table.T, strict=True):
        rms, within = np.sqrt(np.nanmean(column**2)), np.mean(np.abs(column) <= 0.05)
        print(f"{name}: mean {np.nanmean(column):+.3f}, RMS {rms:.3f}, within 0.05: {within:.0%}")


if __name__ == "__main__":
    main()
