"""Our measurement of diameters beside other tools' ways, picture by picture, with exact truth.

Pictures are the virtual lab's, and those of a renderer of its own (:mod:`.cylinders`), of which the
judge has seen nothing, in six groups.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.bench.harness.environment import environment
from engine.bench.harness.results import write_json
from engine.bench.pictures.cylinders import GROUPS, draw, look_of
from engine.bench.pictures.fibre_methods import METHODS
from engine.bench.pictures.micrographs import lab_pictures
from engine.documents import finite
from surrogate.progress import Progress, silent

VIRTUAL = "virtual lab"
Z_90 = 1.645


@dataclass(frozen=True)
class Verdict:
    """What a method said of one picture; relative to the truth of the picture.

    ``z``: how far it is from the *mat's* mean, in the standard errors told (of ours alone).
    """

    group: str
    method: str
    diameter: float
    sd_ratio: float
    z: float
    seconds: float


@dataclass(frozen=True)
class Line:
    """A method in a group: median |error|, shares within 5 and 10 %, median ratio of SDs.

    ``within_interval``: share of the mats within 90 % intervals. What was not measured counts as
    missed.
    """

    group: str
    method: str
    n: int
    median_error: float
    within_5: float
    within_10: float
    sd_ratio: float
    within_interval: float
    seconds: float


def compare_methods(
    n: int, seed: int, *, out: Path | None = None, progress: Progress = silent
) -> dict[str, Any]:
    """Measure ``n`` pictures of each group by each method; return the document.

    Args:
        n: pictures of a group.
        seed: of the first picture.
        out: where the document is written as well.
        progress: hears of each picture.

    Raises:
        ModuleNotFoundError: scikit-image is not installed (extra ``peers``).
    """
    verdicts: list[Verdict] = []
    total = n * (1 + len(GROUPS))
    for number, (group, picture, truth) in enumerate(_pictures(n, seed), 1):
        verdicts += [_verdict(group, method, picture, truth) for method in METHODS]
        progress(group, number, total)
        if out is not None and number < total:  # a run that is stopped keeps what it has
            write_json(out, _document(n, seed, verdicts))
    document = _document(n, seed, verdicts)
    if out is not None:
        write_json(out, document)
    return document


def _document(n: int, seed: int, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    document: dict[str, Any] = finite(
        {
            "kind": "methods",
            "config": {"n": n, "seed": seed},
            "environment": environment(),
            "lines": [asdict(line) for line in lines_of(verdicts)],
            "verdicts": [asdict(verdict) for verdict in verdicts],
        }
    )
    return document


def lines_of(verdicts: Sequence[Verdict]) -> Iterator[Line]:
    """Yield a line for each group and method, in the order in which they come."""
    cells: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        cells.setdefault((verdict.group, verdict.method), []).append(verdict)
    for (group, method), rows in cells.items():
        size = np.array([abs(row.diameter) for row in rows])
        missed = np.where(np.isnan(size), np.inf, size)
        sds, z = (np.array([getattr(row, name) for row in rows]) for name in ("sd_ratio", "z"))
        yield Line(
            group,
            method,
            n=len(rows),
            median_error=float(np.median(missed)),
            within_5=float(np.mean(missed <= 0.05)),
            within_10=float(np.mean(missed <= 0.10)),
            sd_ratio=float(np.nanmedian(sds)) if not np.isnan(sds).all() else float("nan"),
            within_interval=(
                float(np.mean(np.abs(z) <= Z_90)) if not np.isnan(z).all() else float("nan")
            ),
            seconds=float(np.mean([row.seconds for row in rows])),
        )


@dataclass(frozen=True)
class _PictureTruth:
    """Mean and standard deviation in the picture, mean of its mat [px]."""

    diameter: float
    sd: float
    mat: float


def _pictures(n: int, seed: int) -> Iterator[tuple[str, NDArray[np.uint8], _PictureTruth]]:
    for scale, mat, picture, truth in lab_pictures(n, seed, "lab"):
        truth_px = _PictureTruth(
            truth.diameter_nm / scale, truth.diameter_sd_nm / scale, float(mat.diameter_nm) / scale
        )
        yield VIRTUAL, picture, truth_px
    for i in range(n):
        # Group by group within a round, so that an interrupted run has all of them.
        for place, group in enumerate(GROUPS):
            rng = np.random.default_rng([seed, place, i])
            look = look_of(group, rng)
            picture, drawn_truth = draw(look, rng)
            truth_px = _PictureTruth(drawn_truth.diameter, drawn_truth.diameter_sd, look.diameter)
            yield group, picture, truth_px


def _verdict(group: str, method: str, picture: NDArray[np.uint8], truth: _PictureTruth) -> Verdict:
    start = time.process_time()
    diameters = METHODS[method](picture)
    seconds = time.process_time() - start
    return Verdict(
        group,
        method,
        diameter=diameters.mean / truth.diameter - 1.0,
        sd_ratio=diameters.sd / truth.sd if truth.sd > 0 else float("nan"),
        z=(diameters.mean - truth.mat) / diameters.error,
        seconds=seconds,
    )
