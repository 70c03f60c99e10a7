"""A specimen's stress over strain, drawn so that its five properties are the measured ones.

Notation, stress in MPa and strain as a ratio, strain counted from the elastic line's zero:

======  =================================================================================
F, L    stress and strain at break
E       slope of the elastic part, after a toe
Y       stress where the curve crosses the elastic line shifted by the offset o
T       slope of the regression over 20 to 80 % of the way from yield to the maximum
M, m    stress and strain of the maximum; the break, or just before it where the mat tears
======  =================================================================================

The corners follow from the definitions of :mod:`engine.curves.properties`, and what rounding them
costs is made up for by reading the drawn curve as any other and drawing it again. Five values that
no curve can have (yield beyond the strength, hardening as steep as the elastic part) give none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.campaign import Campaign
from engine.campaign.curve_definitions import PROPERTIES, PropertyName
from engine.curves.outcomes import curve_directions, curve_outcomes
from engine.curves.properties.evaluate import evaluate
from engine.curves.properties.yielding import OFFSETS
from engine.curves.reading.records import Array, Specimen
from engine.curves.stress_strain import TensileCurve

TOLERANCE = 0.01
"""How far each property that is read off a drawn curve lies from the one that was asked for."""

NOISE = 0.0003
"""Of the load cell, by its greatest reading; a curve of twice as much and more is smoothed."""

_MOST_TEAR, _TEAR_BEGINS = 0.07, 0.967
"""How far a maximum before the break lies above it, and its strain, by those of the break."""

_LEAST_YIELD = 0.205
"""By the strength: the steepest window rises by a fifth of it, and no yield lies within."""

_EDGE = 0.012
"""How far the elastic strain stays from where another offset would serve."""

_SHIFT = 0.07
"""By so much strain a window begins earlier where 2 % is the offset instead of 10 %."""

_STEEPEST = 0.93
"""Slope of any other part, by E at most: the elastic part is the steepest."""

_DRAFTS = 8


@dataclass(frozen=True)
class StressStrain:
    """One record: strain (n,) as a ratio, stress (n,) [MPa]; slack comes before, the fall after."""

    strain: Array
    stress: Array

    def as_curve(self, name: str = "drawn") -> TensileCurve:
        """Return the curve as it is read from a tester's file."""
        return TensileCurve(
            name, self.strain, self.stress, has_strain=True, has_stress=True, specimen=Specimen()
        )

    def as_table(self) -> str:
        """Return the record as a tester's plain table, strain in per cent and stress in MPa."""
        rows = zip(100.0 * self.strain, self.stress, strict=True)
        lines = (f"{strain:.7g},{stress:.7g}\n" for strain, stress in rows)
        return "Strain (%),Stress (MPa)\n" + "".join(lines)


def curve_of(
    campaign: Campaign, outcomes: Mapping[str, float], direction: str, rng: np.random.Generator
) -> StressStrain | None:
    """Return the record of a specimen pulled in a direction, by a campaign's names and units.

    None where the campaign does not measure all five properties in that direction, or no curve has
    these values.
    """
    if curve_directions(campaign) is None:
        return None
    values = {}
    for outcome in curve_outcomes(campaign):
        name = outcome.outcome(direction)
        if name is not None and name in outcomes:
            values[outcome.name] = outcomes[name] / outcome.factor
    return draw_curve(values, rng) if len(values) == len(PROPERTIES) else None


def draw_curve(
    values: Mapping[PropertyName, float], rng: np.random.Generator
) -> StressStrain | None:
    """Return the record of a specimen, or none where no curve has these five values.

    Args:
        values: the five properties in MPa and %.
        rng: of toe, slack, number of samples and noise; the same state draws the same curve.
    """
    target = np.array([values[name] for name in PROPERTIES])
    target[-1] /= 100.0
    look = _Look.drawn(rng)
    noise = rng.standard_normal(look.n + look.n_after)
    if not (np.isfinite(target).all() and (target > 0).all()):
        return None
    goal = target.copy()
    for _ in range(_DRAFTS):
        corners = _corners(*goal.tolist(), toe=look.toe)
        if corners is None:
            return None
        record = _sampled(*corners, look)
        read = _read(record)
        if read is None:
            return None
        off = np.log(target / read)
        if np.abs(off).max() < TOLERANCE / 5:
            break
        goal = goal * np.exp(0.8 * np.clip(off, -0.3, 0.3))
    noisy = StressStrain(record.strain, record.stress + NOISE * float(record.stress.max()) * noise)
    read = _read(noisy)
    if read is None or np.abs(np.log(target / read)).max() > TOLERANCE:
        return None
    return noisy


@dataclass(frozen=True)
class _Look:
    """What differs from one record to the next and is no property: toe, slack, samples."""

    toe: float
    """Stress at which the elastic part begins, by the greatest."""

    slack: float
    """Strain before the specimen is taut, by the strain at break."""

    n: int
    n_after: int = 6

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> _Look:
        toe, slack = rng.uniform(0.008, 0.018), rng.uniform(0.002, 0.015)
        return cls(float(toe), float(slack), int(rng.integers(380, 620)))


def _read(record: StressStrain) -> Array | None:
    """Return the five properties, in the order of ``PROPERTIES``, in MPa and a ratio."""
    evaluation = evaluate(record.as_curve())
    values = [evaluation.value(name) for name in PROPERTIES]
    if any(value is None or value <= 0 for value in values):
        return None
    read = np.array(values, dtype=np.float64)
    read[-1] /= 100.0
    return read


def _corners(
    F: float, Y: float, E: float, T: float, L: float, *, toe: float
) -> tuple[Array, Array, float] | None:
    """Return strains and stresses of the corners, and the strain over which the toe bends."""
    if F <= Y or Y < _LEAST_YIELD * F:
        return None
    offset = next(offset for limit, offset in OFFSETS if limit > Y / E)
    bent = _Yield(Y, E, offset)
    for tear in (0.0, 0.5, 1.0):
        M, m = F * (1.0 + tear * _MOST_TEAR), L if tear == 0.0 else _TEAR_BEGINS * L
        hardening = _hardening(bent, T, M, m)
        if hardening is None:
            continue
        strains, stresses = hardening
        bend = _bend(bent, M, m, (stresses[1] - Y) / (strains[1] - strains[0]))
        xs, ys = [0.0, bend / E, *strains], [0.0, bend, *stresses]
        if tear:
            xs.append(L)
            ys.append(F)
        return np.array(xs), np.array(ys), 2.0 * min(toe * M, 0.1 * bend) / E
    return None


@dataclass(frozen=True)
class _Yield:
    """Where a curve yields, and the offset by which it is told."""

    Y: float
    E: float
    offset: float


def _hardening(
    bent: _Yield, T: float, M: float, m: float
) -> tuple[list[float], list[float]] | None:
    """Return the corners from the yield to the maximum: outer parts of slope k, a middle of q.

    The middle is the share r of the window. A regression over the window has the slope
    ``q (1.5 r - 0.5 r³) + k (1 - 1.5 r + 0.5 r³)``, and the whole rises by ``w (0.6 r q +
    (1 - 0.6 r) k)``.
    """
    Y, E = bent.Y, bent.E
    start = Y / E + bent.offset
    w = m - start
    if w < 0.1 * m:
        return None
    flat, steep = 0.05 * T, _STEEPEST * E
    k, q, r = (M - Y - 0.6 * w * T) / (0.4 * w), T, 1.0
    if not flat <= k <= steep:
        k = min(max(k, flat), steep)
        shares = np.linspace(0.3, 1.0, 141)
        weight = 1.5 * shares - 0.5 * shares**3
        slopes = (T - k * (1.0 - weight)) / weight
        missed = np.abs(w * (0.6 * shares * slopes + (1.0 - 0.6 * shares) * k) - (M - Y))
        missed[(slopes < flat) | (slopes > steep)] = np.inf
        place = int(np.argmin(missed))
        if missed[place] > 0.01 * (M - Y):
            return None
        q, r = float(slopes[place]), float(shares[place])
    edge = (0.5 - 0.3 * r) * w
    limit = _slope_limit(bent, m)
    first = min(k, limit)
    last = 2.0 * k - first
    if last > steep:
        return None
    # Where another offset might serve as well, the window of either lies in the middle part.
    early = min(_SHIFT, 0.9 * edge) if r == 1.0 and _is_near_limit(Y / E) else 0.0
    strains = [start, start + edge - early, start + w - edge, m]
    middle = Y + first * edge + q * (w - 2.0 * edge)
    return strains, [Y, Y + first * edge - q * early, middle, middle + last * edge]


def _is_near_limit(elastic: float) -> bool:
    """Whether noise may decide which offset serves a material."""
    return any(abs(elastic / limit - 1.0) < 1.5 * _EDGE for limit, _ in OFFSETS[:-1])


def _slope_limit(bent: _Yield, m: float) -> float:
    """Return the slope after the yield up to which the material counts as one of this offset."""
    Y, E, offset = bent.Y, bent.E, bent.offset
    limit = next(limit for limit, shift in OFFSETS if shift == offset)
    judged = 0.05 * m
    if judged <= offset or not np.isfinite(limit):
        return E
    room = max((limit * (1.0 - _EDGE) - Y / E) / (judged - offset), 0.0)
    return E * room / (1.0 + room)


def _bend(bent: _Yield, M: float, m: float, slope: float) -> float:
    """Return the stress at which the curve leaves the elastic line."""
    Y, E, offset = bent.Y, bent.E, bent.offset
    slope = min(max(1.5 * slope, 0.0), 0.5 * E)
    bend = Y - slope * offset / (1.0 - slope / E)
    # The steepest window rises by a fifth of the greatest stress, and has to fit in.
    least = 0.25 * M
    judged = 0.05 * m
    floors = [limit for limit, shift in OFFSETS if shift < offset]
    if floors and judged < offset:
        share = judged / offset
        least = max(least, (max(floors) * (1.0 + _EDGE) * E - Y * share) / (1.0 - share))
    return min(max(bend, least), 0.99 * Y)


def _sampled(xs: Array, ys: Array, toe: float, look: _Look) -> StressStrain:
    """Return samples of the corners' curve, rounded, with toe and slack before and fall after."""
    L = float(xs[-1])
    begin = -0.5 * toe - look.slack * L
    strain = np.linspace(begin, L, look.n)
    step = strain[1] - strain[0]
    # Lines go on beyond both ends, so that rounding leaves the ends where they are.
    reach = 0.012 * L
    xs = np.concatenate(([-1.0], xs, [L + reach]))
    last = (ys[-1] - ys[-2]) / (xs[-2] - xs[-3])
    ys = np.concatenate(([-ys[1] / xs[2]], ys, [ys[-1] + last * reach]))
    fine = np.linspace(-reach, reach, 25)
    weight = 1.0 - np.abs(fine) / reach
    stress = np.interp(strain[:, None] + fine, xs, ys) @ (weight / weight.sum())
    slope = ys[2] / xs[2]
    in_toe = strain < 0.5 * toe
    stress[in_toe] = slope * (strain[in_toe] + 0.5 * toe) ** 2 / (2.0 * toe)
    stress[strain < -0.5 * toe] = 0.0
    fallen = stress[-1] * np.array([0.22, 0.05, 0.02, 0.015, 0.01, 0.01])[: look.n_after]
    fall = L + step * np.arange(1, look.n_after + 1)
    return StressStrain(np.concatenate((strain, fall)) - begin, np.concatenate((stress, fallen)))
