"""Distributions of diameters: a table for every picture and sample, a drawing for every sample."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.bulk.picture import PictureReading
from engine.bulk.read import FolderReading
from engine.bulk.request import make_output_folder
from engine.bulk.tables import Cell
from engine.campaign.numbers import written
from engine.errors import StateError, place
from engine.experiments.export import render_table
from engine.workspace.files import write_aside
from surrogate.files import whole_file

TABLE = "diameters.csv"
HEADINGS = ["sample", "picture", "from [nm]", "to [nm]", "share of the length [–]"]
CLASSES_PER_DECADE = 20
_LEAST_SHARE = 5e-4
Shares = NDArray[np.float64]


def write_histograms(folder: Path, reading: FolderReading) -> list[Path]:
    """Write the table and the drawings into a folder; pictures without a pixel size are left out.

    Raises:
        StateError: the folder cannot be written.
    """
    make_output_folder(folder)
    edges = _edges(reading.pictures)
    write_aside(folder / TABLE, render_table("csv", HEADINGS, list(_rows(reading, edges))))
    paths = [folder / TABLE]
    names: set[str] = set()
    for sample in reading.samples:
        shares = _sample_shares(reading.pictures, sample.name, edges)
        if shares is None:
            continue
        name = re.sub(r"[^\w.+-]+", "-", sample.name).strip("-.") or "sample"
        while name.casefold() in names:
            name += "-"
        names.add(name.casefold())
        mean, sd = sample.diameter_nm.mean, sample.sd_nm
        title = f"{sample.name}: {written(mean or 0, 4)} ± {written(sd or 0, 3)} nm (mean ± SD)"
        n, n_fibres = sample.n_scaled, sample.n_fibres
        subtitle = f"{n} picture{'s' * (n != 1)}, {n_fibres} fibre{'s' * (n_fibres != 1)}"
        try:
            _draw(folder / f"{name}.png", edges, shares, f"{title}\n{subtitle}")
        except OSError as error:
            raise StateError(f"{place(folder)} cannot be written: {error.strerror}") from error
        paths.append(folder / f"{name}.png")
    return paths


def regrouped(classes: Sequence[float], shares: Sequence[float], edges: Shares) -> Shares:
    """Return the shares between other edges; a class is even over its width in ln diameter.

    >>> regrouped([10.0, 20.0], [0.5, 0.5], np.array([5.0, 14.142135, 30.0])).round(3).tolist()
    [0.5, 0.5]
    """
    middles = np.log(np.asarray(classes, dtype=np.float64))
    half = 0.5 * (middles[1] - middles[0])
    borders = np.append(middles - half, middles[-1] + half)
    running = np.append(0.0, np.cumsum(np.asarray(shares, dtype=np.float64)))
    return np.diff(np.interp(np.log(edges), borders, running))


def _edges(pictures: Sequence[PictureReading]) -> Shares:
    """Return the borders [nm] of classes that hold the distributions of all pictures."""
    diameters = [
        diameter
        for picture in pictures
        if picture.nm_per_pixel is not None
        for diameter, share in zip(picture.classes, picture.shares, strict=True)
        if share > _LEAST_SHARE
    ]
    if not diameters:
        return np.zeros(0)
    first, last = (CLASSES_PER_DECADE * math.log10(d) for d in (min(diameters), max(diameters)))
    steps = np.arange(math.floor(first) - 1, math.ceil(last) + 2)
    return np.asarray(10.0 ** (steps / CLASSES_PER_DECADE))


def _sample_shares(pictures: Sequence[PictureReading], sample: str, edges: Shares) -> Shares | None:
    groups = [
        regrouped(picture.classes, picture.shares, edges)
        for picture in pictures
        if picture.sample == sample and picture.nm_per_pixel is not None and picture.classes
    ]
    return np.asarray(np.mean(groups, axis=0)) if groups else None


def _rows(reading: FolderReading, edges: Shares) -> Iterator[list[Cell]]:
    for sample in reading.samples:
        shares = _sample_shares(reading.pictures, sample.name, edges)
        if shares is not None:
            yield from _classes(sample.name, "all", edges, shares)
        for picture in reading.pictures:
            if picture.sample == sample.name and picture.nm_per_pixel and picture.classes:
                single = regrouped(picture.classes, picture.shares, edges)
                yield from _classes(sample.name, picture.name, edges, single)


def _classes(sample: str, picture: str, edges: Shares, shares: Shares) -> Iterator[list[Cell]]:
    for low, high, share in zip(edges[:-1], edges[1:], shares, strict=True):
        if share > _LEAST_SHARE:
            numbers = (float(f"{number:.5g}") for number in (low, high, share))
            yield [sample, picture, *numbers]


def _draw(path: Path, edges: Shares, shares: Shares, title: str) -> None:
    from matplotlib.figure import Figure

    visible = np.flatnonzero(shares > _LEAST_SHARE)
    first, last = int(visible.min()), int(visible.max()) + 1
    figure = Figure(figsize=(5.0, 3.4), layout="constrained")
    axes = figure.add_subplot()
    axes.stairs(100.0 * shares[first:last], edges[first : last + 1], fill=True, color="#1b959c")
    axes.set_xscale("log")
    axes.set_xlabel("fibre diameter [nm]")
    axes.set_ylabel("share of the fibres' length [%]")
    # A name is text: a dollar sign in it begins no formula.
    axes.set_title(title, fontsize="medium", parse_math=False)
    ticks = [t for k in range(1, 6) for t in (10**k, 2 * 10**k, 5 * 10**k)]
    inside = [t for t in ticks if edges[first] <= t <= edges[last]]
    axes.set_xticks(inside, labels=[str(t) for t in inside])
    axes.tick_params(which="minor", labelbottom=False)
    with whole_file(path) as draft:
        figure.savefig(draft, format="png", dpi=150)
