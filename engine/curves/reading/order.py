"""Is a curve in the order in which it was recorded? Shuffled rows are put back, or refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.curves.reading.quantities import Quantity
from engine.curves.reading.records import Array, RawCurve
from engine.errors import DataError

_HOLE = 5
_SPIKE = 0.005
_SPIKE_SHARE = 0.01
_JUMP = 0.25
"""No machine goes a quarter of the way between two samples, and the other way again."""


def in_order(curve: RawCurve) -> RawCurve:
    """Return the curve as recorded: sorted by its time where that says more than the rows do.

    Single samples that stand far off both of their neighbours, which agree, are left out.

    Raises:
        DataError: the rows are not in an order in which a specimen can have been pulled.
    """
    n_back = _count_steps_back(curve)
    ordered = _without_spikes(_sorted_by_time(curve)) if n_back else _without_spikes(curve)
    pull = _pull(ordered)
    if not _is_smooth(pull):
        raise DataError(
            f"the rows of '{curve.name}' are not in the order in which they were recorded: the "
            "specimen's strain jumps to and fro; export the curve again"
        )
    if n_back:
        _refuse_hole(curve.name, pull)
        return ordered.with_notes(
            f"the rows were out of order in {n_back} places: put in the order of time"
        )
    return ordered


def _pull(curve: RawCurve) -> Array:
    names: tuple[Quantity, ...] = ("extension", "strain", "true strain", "position")
    return next(c.values for name in names if (c := curve.channel(name)) is not None)


def _count_steps_back(curve: RawCurve) -> int:
    """Return how often time goes back, if putting the rows in its order straightens the curve."""
    time = curve.channel("time")
    if time is None or not np.isfinite(time.values).all():
        return 0
    n_back = int((np.diff(time.values) < 0).sum())
    pull = _pull(curve)
    order = np.argsort(time.values, kind="stable")
    return n_back if n_back and _path(pull[order]) < _path(pull) else 0


def _sorted_by_time(curve: RawCurve) -> RawCurve:
    time = curve.channel("time")
    assert time is not None  # noqa: S101 -- counted before
    order = np.argsort(time.values, kind="stable")
    return replace(
        curve, channels=tuple(replace(c, values=c.values[order]) for c in curve.channels)
    )


def _refuse_hole(name: str, values: Array) -> None:
    """Refuse rows of which a part is missing: whoever shuffled them may have lost some."""
    steps = np.abs(np.diff(values))
    if float(steps.max()) > _HOLE * float(np.median(steps)):
        raise DataError(
            f"the rows of '{name}' are out of order, and a part of them is missing; export the "
            "curve again"
        )


def _without_spikes(curve: RawCurve) -> RawCurve:
    keep = np.ones(len(curve.channels[0].values), dtype=bool)
    for channel in curve.channels:
        if channel.quantity not in ("time", "other", "cycle"):
            keep &= ~_spikes(channel.values)
    if keep.all():
        return curve
    channels = tuple(replace(c, values=c.values[keep]) for c in curve.channels)
    n = int((~keep).sum())
    if n > max(3, _SPIKE_SHARE * len(keep)):
        raise DataError(
            f"{n} rows of '{curve.name}' stand far off their neighbours: the file is damaged; "
            "export the curve again"
        )
    return replace(curve, channels=channels).with_notes(
        f"{n} {'sample' if n == 1 else 'samples'} far off both neighbours left aside"
    )


def _spikes(values: Array) -> NDArray[np.bool_]:
    spikes = np.zeros(len(values), dtype=bool)
    if len(values) < 30:
        return spikes
    previous, middle, following = values[:-2], values[1:-1], values[2:]
    off = np.abs(middle - (previous + following) / 2)
    usual = float(np.median(off))
    # The quiet part of the range: a spike must not make itself look small.
    span = float(np.subtract(*np.percentile(values, [99, 1])))
    spikes[1:-1] = (
        (off > 30 * usual) & (off > _SPIKE * span) & (off > 5 * np.abs(following - previous))
    )
    return spikes


def _path(values: Array) -> float:
    return float(np.abs(np.diff(values)).sum())


def _is_smooth(values: Array) -> bool:
    """Whether it never jumps back and then goes on: a return to zero at the very end may be."""
    span = float(np.ptp(values))
    if span == 0 or len(values) < 3:
        return True
    steps = np.diff(values) / span
    usual = max(float(np.median(np.abs(steps))) * 20, _JUMP)
    backward = np.flatnonzero(steps < -usual)
    if len(backward) == 0:
        # Rows of a block that was moved leave a hole, and fill it elsewhere.
        return float(np.abs(steps).sum()) < 0.1 * len(steps) or len(steps) < 30
    return bool(backward[0] >= 0.9 * len(steps)) and len(backward) == 1
