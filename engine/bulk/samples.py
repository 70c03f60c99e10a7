"""Pictures of one sample summed up: each picture is one view of the same mat."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.bulk.picture import PictureReading


@dataclass(frozen=True)
class Estimate:
    """A mean over pictures and its standard error; ``None``: nothing to tell it by."""

    mean: float | None = None
    error: float | None = None


@dataclass(frozen=True)
class SampleSummary:
    """What all pictures of a sample say.

    ``n_scaled``: pictures with a pixel size, on which the diameters rest [nm]. ``sd_nm`` is that of
    the sample's fibres: within pictures and between them. ``classes_nm`` and ``shares``: the mean
    distribution, see :func:`distribution`.
    """

    name: str
    n_pictures: int
    n_failed: int
    n_scaled: int
    n_fibres: int
    diameter_nm: Estimate
    sd_nm: float | None
    order: Estimate
    porosity: Estimate
    bead_fraction: Estimate


def summarise(pictures: Sequence[PictureReading]) -> tuple[SampleSummary, ...]:
    """Return a summary of each sample, in the order in which they first come.

    A mean is that of the pictures' values, each picture counting alike. Its standard error is the
    larger of what the pictures' scatter says (standard deviation by the root of their number) and
    of what their own errors say: two pictures that happen to agree prove little.
    """
    by_sample: dict[str, list[PictureReading]] = {}
    for picture in pictures:
        by_sample.setdefault(picture.sample, []).append(picture)
    return tuple(_summary(name, group) for name, group in by_sample.items())


def _summary(name: str, group: Sequence[PictureReading]) -> SampleSummary:
    measured = [picture for picture in group if picture.statistics is not None]
    scaled = [picture for picture in measured if picture.nm_per_pixel is not None]

    def estimate(views: Sequence[PictureReading], key: str) -> Estimate:
        return _estimate(views, lambda picture: (picture.statistics or {}).get(key), key)

    def mean_diameter(picture: PictureReading) -> float | None:
        value: float | None = (picture.statistics or {})["diameter"]["mean"]
        return value

    return SampleSummary(
        name,
        n_pictures=len(group),
        n_failed=len(group) - len(measured),
        n_scaled=len(scaled),
        n_fibres=sum(picture.n_fibres or 0 for picture in measured),
        diameter_nm=_estimate(scaled, mean_diameter, "diameter"),
        sd_nm=_pooled_sd(scaled),
        order=estimate(measured, "order"),
        porosity=estimate(measured, "porosity"),
        bead_fraction=estimate(measured, "bead_fraction"),
    )


def _estimate(
    pictures: Sequence[PictureReading],
    value_of: Callable[[PictureReading], float | None],
    key: str,
) -> Estimate:
    rows = [
        (value, (picture.statistics or {})["standard_errors"].get(key))
        for picture in pictures
        if (value := value_of(picture)) is not None
    ]
    if not rows:
        return Estimate()
    n = len(rows)
    mean = math.fsum(value for value, _ in rows) / n
    errors = [error for _, error in rows if error is not None]
    inherent = (
        math.sqrt(math.fsum(error**2 for error in errors) / len(errors) / n) if errors else None
    )
    if n == 1:
        return Estimate(mean, inherent)
    scatter = math.sqrt(math.fsum((value - mean) ** 2 for value, _ in rows) / (n - 1) / n)
    return Estimate(mean, max(scatter, inherent or 0.0))


def _pooled_sd(pictures: Sequence[PictureReading]) -> float | None:
    rows = [
        (diameter["mean"], diameter["sd"])
        for picture in pictures
        if (diameter := (picture.statistics or {})["diameter"])["mean"] is not None
    ]
    if not rows:
        return None
    mean = math.fsum(value for value, _ in rows) / len(rows)
    return math.sqrt(math.fsum(sd**2 + (value - mean) ** 2 for value, sd in rows) / len(rows))
