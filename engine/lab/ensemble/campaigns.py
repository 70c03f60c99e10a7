"""Which knobs a simulated lab turns, how far, and in which room.

Ranges as laboratories report them: 8–30 kV, 0.1–3 mL/h, 8–25 cm, collectors of up to some thousand
revolutions a minute; concentrations lie from just below to a few times the entanglement
concentration, where solutions spin at all (Shenoy et al., Polymer 46, 3372 (2005)). A knob that a
lab never turns, or that its campaign does not have, stays at one hidden setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.campaign import Campaign, Objective, Parameter, Property
from engine.errors import UsageError
from engine.lab.ensemble.draws import log_uniform, normal, uniform
from engine.lab.physics import Array
from engine.lab.virtual import nanofibre_campaign

# Instruments' steps, as in the nanofibre template.
STEPS = {
    "flow_rate": 0.05, "concentration": 0.5, "voltage": 0.5, "distance": 0.5,
    "collector_speed": 50.0,
}  # fmt: skip
UNITS = {
    "flow_rate": "mL/h", "concentration": "%", "voltage": "kV", "distance": "cm",
    "collector_speed": "rpm", "temperature": "°C", "humidity": "%",
}  # fmt: skip
AMBIENT = ("temperature", "humidity")
LIMITS = {"temperature": (5.0, 45.0), "humidity": (2.0, 98.0)}
# Many labs keep the distance; few have no collector that turns.
P_ABSENT = {"distance": 0.5, "collector_speed": 0.1, "flow_rate": 0.1, "voltage": 0.1}
P_ROOM_UNREAD = 0.15

Range = tuple[float, float]


@dataclass(frozen=True)
class Ranges:
    """The knobs' ranges and the room: ``turned`` are searched, ``fixed`` are hidden settings."""

    turned: Mapping[str, Range]
    fixed: Mapping[str, float]
    room_mean: Mapping[str, float]
    room_sd: Mapping[str, float]
    room_read: bool = True

    def span(self, name: str) -> Range:
        """Return a knob's range; where it stands still, its setting twice."""
        return self.turned.get(name) or (self.fixed[name], self.fixed[name])

    def centre(self, name: str) -> float:
        """Return the geometric middle of a range that starts above zero."""
        low, high = self.span(name)
        return float(np.sqrt(low * high))

    def half_width(self, name: str) -> float:
        """Return half the range in the logarithm."""
        low, high = self.span(name)
        return float(np.log(high / low) / 2.0)


@dataclass(frozen=True)
class Drive:
    """Settings as the laws count them: logarithms about the lab's centre, the room in tenths."""

    lc: Array
    lf: Array
    lv: Array
    ld: Array
    hw: Array
    ht: Array
    speed_rpm: Array

    @classmethod
    def of(cls, columns: Mapping[str, Array], ranges: Ranges) -> Drive:
        """Read columns in raw units: mL/h, %, kV, cm, rpm, °C, % relative humidity."""

        def log(name: str) -> Array:
            return np.asarray(np.log(columns[name] / ranges.centre(name)))

        return cls(
            lc=log("concentration"),
            lf=log("flow_rate"),
            lv=log("voltage"),
            ld=log("distance"),
            hw=(columns["humidity"] - ranges.room_mean["humidity"]) / 10.0,
            ht=(columns["temperature"] - ranges.room_mean["temperature"]) / 10.0,
            speed_rpm=columns["collector_speed"],
        )


def draw_ranges(rng: np.random.Generator) -> Ranges:
    """Draw which knobs a lab turns, how far, and its room."""
    spans = {
        "flow_rate": _span(log_uniform(rng, 0.1, 1.2), log_uniform(rng, 1.5, 6.0), "flow_rate"),
        "concentration": _span(uniform(rng, 5, 22), log_uniform(rng, 1.25, 2.2), "concentration"),
        "voltage": _span(uniform(rng, 8, 19), log_uniform(rng, 1.25, 2.0), "voltage"),
        "distance": _span(uniform(rng, 8, 15), log_uniform(rng, 1.25, 1.8), "distance"),
        "collector_speed": (0.0, _on_step(log_uniform(rng, 400, 3500), "collector_speed")),
    }
    fixed: dict[str, float] = {}
    for name, p in P_ABSENT.items():
        if rng.random() < p:
            low, high = spans.pop(name)
            fixed[name] = float(low if name == "collector_speed" else np.sqrt(low * high))
    mean, sd = _draw_room(rng)
    return Ranges(spans, fixed, mean, sd, room_read=rng.random() >= P_ROOM_UNREAD)


def ranges_of(campaign: Campaign, rng: np.random.Generator) -> Ranges:
    """Return the ranges of a campaign; what it does not turn is drawn and hidden.

    Raises:
        UsageError: the campaign has a parameter that no simulated lab has, or no room.
    """
    unknown = [p.name for p in campaign.parameters if p.name not in UNITS]
    if unknown:
        raise UsageError(
            f"simulated labs know the parameters {', '.join(UNITS)}; campaign '{campaign.name}' "
            f"also has {', '.join(unknown)}. Leave them out, or use the names above"
        )
    drawn = draw_ranges(rng)
    turned = {p.name: p.bounds for p in campaign.controlled}
    centres = {name: drawn.span(name) for name in STEPS if name not in turned}
    fixed = {
        name: float(low if name == "collector_speed" else np.sqrt(low * high))
        for name, (low, high) in centres.items()
    }
    room = {p.name: p.bounds for p in campaign.ambient}
    mean, sd = dict(drawn.room_mean), dict(drawn.room_sd)
    for name, (low, high) in room.items():
        mean[name] = round(low + (high - low) * uniform(rng, 0.35, 0.6), 1)
        sd[name] = (high - low) * uniform(rng, 0.1, 0.2)
    return Ranges(turned, fixed, mean, sd, room_read=bool(room))


def campaign_of(ranges: Ranges, name: str, thresholds: Mapping[str, float]) -> Campaign:
    """Return a campaign over ``ranges``: the nanofibre template's properties and objectives."""
    template = nanofibre_campaign()
    parameters = [
        Parameter(
            name=knob, unit=UNITS[knob], low=low, high=high, step=STEPS[knob], minimum=0.0
        )
        for knob, (low, high) in ranges.turned.items()
    ]  # fmt: skip
    if ranges.room_read:
        parameters += [_ambient(knob, ranges) for knob in AMBIENT]
    properties: tuple[Property, ...] = template.properties
    objectives = tuple(
        Objective(outcome=o.outcome, goal=o.goal, threshold=thresholds[o.outcome])
        for o in template.objectives
    )
    return Campaign(
        name=name,
        description="A simulated electrospinning lab",
        parameters=tuple(parameters),
        properties=properties,
        objectives=objectives,
    )


def _ambient(name: str, ranges: Ranges) -> Parameter:
    mean, sd = ranges.room_mean[name], ranges.room_sd[name]
    low, high = LIMITS[name]
    return Parameter(
        name=name,
        unit=UNITS[name],
        role="ambient",
        low=round(max(low, mean - 2.5 * sd), 1),
        high=round(min(high, mean + 2.5 * sd), 1),
        minimum=-20.0 if name == "temperature" else 0.0,
        maximum=60.0 if name == "temperature" else 100.0,
    )


def _draw_room(rng: np.random.Generator) -> tuple[dict[str, float], dict[str, float]]:
    mean = {"temperature": normal(rng, 22.5, 2.0, 17, 30), "humidity": normal(rng, 45, 12, 20, 75)}
    sd = {"temperature": uniform(rng, 0.5, 3.0), "humidity": uniform(rng, 3.0, 14.0)}
    return {name: round(value, 1) for name, value in mean.items()}, sd


def _on_step(value: float, name: str) -> float:
    step = STEPS[name]
    return float(f"{max(round(value / step), 1) * step:.10g}")


def _span(low: float, ratio: float, name: str) -> Range:
    start = _on_step(low, name)
    end = max(_on_step(low * ratio, name), start + 3 * STEPS[name])
    return start, float(f"{end:.10g}")
