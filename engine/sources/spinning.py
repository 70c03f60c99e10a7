"""Does a campaign spin? Only then do the shipped starter and the previews mean anything to it.

A parameter counts where three things agree: its name (or alias, or a synonym of one), a unit that
can become the field's, and a range most of which electrospinning can be. One word proves nothing:
a furnace has a temperature, a steel has ``c [wt%]``, a reactor has a flow rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.campaign.nouns import GENERAL, SPINNING, Nouns
from engine.campaign.synonyms import canonical, needs_unit
from engine.campaign.units import UnitError, affine, check_unit
from engine.campaign.vocabulary import split_heading

if TYPE_CHECKING:
    from engine.campaign import Campaign, Parameter


@dataclass(frozen=True)
class _Quantity:
    """What electrospinning sets, between which values [the first unit]; other units it comes in."""

    words: str
    unit: str
    low: float
    high: float
    further_units: tuple[str, ...] = ()


# SpinDB: 809 runs of 57 papers (Cogni-e-SpinDB 1.0); the ensemble: `engine.lab.ensemble.campaigns`.
_SET: Mapping[str, _Quantity] = {
    # SpinDB 5 … 50, ensemble 8 … 38. Jets written from mm away need less, and are another process;
    # so are cells and batteries, of which a bare "2.5 … 4.2" may tell.
    "voltage": _Quantity("voltage", "kV", 5.0, 60.0),
    # SpinDB 0.1 … 22, ensemble 0.1 … 7; thin capillaries are fed some 0.01 mL/h.
    "flow rate": _Quantity("flow rate", "mL/h", 0.01, 30.0),
    # SpinDB 5 … 30, ensemble 5 … 48; long chains entangle from some 2 % on.
    "concentration": _Quantity("concentration", "%", 2.0, 50.0, ("% w/v",)),
    # SpinDB 2 … 50, ensemble 8 … 27.
    "distance": _Quantity("distance", "cm", 1.5, 60.0),
    # SpinDB 20 … 3000, ensemble to 3500; a drum at rest is part of many ranges, and of none alone.
    "collector speed": _Quantity("collector speed", "rpm", 20.0, 10_000.0),
    # SpinDB 7 … 26.
    "needle gauge": _Quantity("needle", "gauge", 7.0, 34.0),
    # The bores of these gauges, in round numbers.
    "needle diameter": _Quantity("needle", "mm", 0.05, 4.0),
}
_ROOM: Mapping[str, _Quantity] = {
    # `engine.lab.ensemble.campaigns.LIMITS`; SpinDB 18 … 50 and 13 … 60.
    "temperature": _Quantity("temperature of the room", "°C", 5.0, 50.0),
    "humidity": _Quantity("humidity", "%", 2.0, 98.0),
}

LEAST_INSIDE = 0.5
"""The share of a parameter's own range that has to be possible in electrospinning."""

_LEAST_WITH_VOLTAGE, _LEAST_OTHERWISE = 2, 3
"""Kilovolts and one thing more are a spinneret's; a pump and one thing more may be a reactor's."""


@dataclass(frozen=True)
class SpinMatch:
    """Whether a campaign spins, by which of its parameters, and why or why not in words.

    ``quantities``: the campaign's own names → what they are in electrospinning.
    """

    is_spinning: bool
    quantities: Mapping[str, str]
    reason: str


def spins(campaign: Campaign) -> SpinMatch:
    """Return whether a campaign's parameters are electrospinning's, in name, unit and range.

    It spins with a voltage and one more of flow rate, concentration, distance, collector speed and
    needle that the machine is set to; or without a voltage with a flow rate and two more, of which
    one may be the room's. Letters without a unit (``v``, ``f``) count from three on, with a
    voltage among them.

    >>> from engine.lab.virtual import nanofibre_campaign
    >>> match = spins(nanofibre_campaign())
    >>> match.is_spinning, match.quantities["voltage"]
    (True, 'voltage')
    """
    named: dict[str, str] = {}
    short: dict[str, str] = {}
    misses: list[str] = []
    for parameter in campaign.controlled:
        match = _matched(parameter, _SET, misses)
        if match is not None:
            quantity, is_shorthand = match
            (short if is_shorthand else named)[parameter.name] = quantity.words
    room = {
        parameter.name: match[0].words
        for parameter in campaign.ambient
        if (match := _matched(parameter, _ROOM, [])) is not None and not match[1]
    }
    kinds = set(named.values())
    with_letters = kinds | set(short.values())
    by_voltage = "voltage" in kinds and len(kinds) >= _LEAST_WITH_VOLTAGE
    by_flow = "flow rate" in kinds and len(kinds) + bool(room) >= _LEAST_OTHERWISE
    if by_voltage or by_flow:
        quantities = {**named, **room}
    elif "voltage" in with_letters and len(with_letters) >= _LEAST_OTHERWISE:
        quantities = {**named, **short, **room}
    else:
        return SpinMatch(False, {**named, **short}, _reason(named, misses))
    matches = ", ".join(f"{name} ({quantity})" for name, quantity in quantities.items())
    return SpinMatch(True, quantities, f"electrospinning, by {matches}")


def _reason(named: Mapping[str, str], misses: list[str]) -> str:
    matches = ", ".join(f"{name} ({quantity})" for name, quantity in named.items()) or "none"
    near = f" ({'; '.join(misses[:2])})" if misses else ""
    return (
        "the campaign's parameters are not electrospinning's: expected a voltage with one more of "
        "flow rate, concentration, distance, collector speed and needle, or a flow rate with two, "
        f"in the units and ranges of electrospinning, found {matches}{near}"
    )


def _matched(
    parameter: Parameter, quantities: Mapping[str, _Quantity], misses: list[str]
) -> tuple[_Quantity, bool] | None:
    """Return what a parameter is, and whether only a letter or a common word without unit says so.

    A name that fits while unit or range do not is told in ``misses``.
    """
    if parameter.is_categorical:
        return None
    misfit: str | None = None
    for word, unit in _readings(parameter):
        quantity = quantities.get(canonical(word))
        if quantity is None:
            continue
        if _is_inside(parameter.bounds, unit, quantity):
            return quantity, not unit and needs_unit(word)
        low, high = parameter.bounds
        misfit = misfit or (
            f"{parameter.name} is {f'{low:g} … {high:g} {unit}'.strip()}, "
            f"a {quantity.words} {quantity.low:g} … {quantity.high:g} {quantity.unit}"
        )
    if misfit is not None:
        misses.append(misfit)
    return None


def _readings(parameter: Parameter) -> Iterator[tuple[str, str]]:
    """Yield a parameter's names with a unit: its own, else one that stands in the name.

    As in headings: ``Voltage (kV)``, ``voltage_kv``.
    """
    for word in (parameter.name, *parameter.aliases):
        yield word, parameter.unit.strip()
        stem, unit = split_heading(word)
        if unit is None:
            stem, _, unit = word.replace("_", " ").rpartition(" ")
        if stem.strip() and _agree(unit, parameter.unit):
            yield stem, parameter.unit.strip() or unit


def _agree(unit: str, stated: str) -> bool:
    """Whether ``unit`` is one, and can become the one that a campaign states (if any)."""
    try:
        check_unit(unit)
        affine(unit, stated)
    except UnitError:
        return False
    return bool(unit.strip())


def _is_inside(bounds: tuple[float, float], unit: str, quantity: _Quantity) -> bool:
    """Whether most of a range is possible; a range without unit is taken in the quantity's."""
    for target in (quantity.unit, *quantity.further_units):
        try:
            factor, offset = affine(unit, target)
        except UnitError:
            continue
        low, high = sorted(factor * bound + offset for bound in bounds)
        inside = min(high, quantity.high) - max(low, quantity.low)
        return inside >= LEAST_INSIDE * (high - low) if high > low else inside >= 0.0
    return False


def nouns_of(campaign: Campaign) -> Nouns:
    """Return what a campaign calls what it makes; of one that spins and does not say, a mat."""
    if campaign.nouns is not None:
        return campaign.nouns
    return SPINNING if spins(campaign).is_spinning else GENERAL
