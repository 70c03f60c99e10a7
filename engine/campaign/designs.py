"""Designs: what was set, however often it was spun. Runs of one design are replicates."""

from __future__ import annotations

from collections.abc import Mapping

from engine.campaign.applicability import with_defaults, without_surplus
from engine.campaign.choices import Value
from engine.campaign.definition import Campaign

Key = tuple[Value | None, ...]


def design_key(campaign: Campaign, conditions: Mapping[str, Value]) -> Key:
    """Return what was set, comparable: the controlled parameters, to nine significant digits.

    What the room was like belongs to no design: it differs from day to day.

    >>> from types import SimpleNamespace
    >>> from engine.campaign.parameters import Parameter
    >>> voltage = Parameter(name="voltage", low=10, high=20)
    >>> humidity = Parameter(name="humidity", low=0, high=100, role="ambient")
    >>> toy = SimpleNamespace(parameters=(voltage, humidity), controlled=(voltage,))
    >>> design_key(toy, {"voltage": 0.1 + 17.2, "humidity": 40})
    (17.3,)
    """
    if not any(p.only_if or p.default is not None for p in campaign.controlled):
        return tuple(_comparable(conditions.get(p.name)) for p in campaign.controlled)
    stated = without_surplus(campaign.parameters, conditions)
    filled = with_defaults(campaign.parameters, stated)
    return tuple(
        # A default that stands for a value nobody knows makes no two runs alike.
        None if p.is_unknown and p.name not in stated else _comparable(filled.get(p.name))
        for p in campaign.controlled
    )


def _comparable(value: Value | None) -> Value | None:
    return float(f"{value:.9g}") if isinstance(value, int | float) else value
