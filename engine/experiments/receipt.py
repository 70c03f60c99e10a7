"""What was recorded of a run, in words: the command line, the page and the API say the same."""

from __future__ import annotations

from collections.abc import Sequence

from engine.campaign import Campaign
from engine.experiments.recorded import Recorded, RecordedValue


def receipt(recorded: Sequence[Recorded], campaign: Campaign) -> list[str]:
    """Return a line for each thing that was recorded of a run, values with their units."""
    lines = []
    for item in recorded:
        of_curves = {
            (value["outcome"], curve.replicate)
            for curve in item.curves
            for value in (curve.fit.results or {}).get("values", ())
        }
        lines += [
            _of_value(value, campaign)
            for value in item.values
            if (value.outcome, value.replicate) not in of_curves
        ]
        for name, value in item.actual.items():
            number = value if isinstance(value, str) else f"{value:.10g}"
            lines.append(f"{campaign.heading(name)} = {number} as run")
        for name, text in item.facts.items():
            lines.append(f"{campaign.fact(name).title}: {text or 'taken back'}")
        counts = (
            (len(item.curves), "curve", "read"),
            (item.n_micrographs, "picture", "added"),
            (item.n_removed, "picture", "removed"),
        )
        lines += [f"{n} {noun}{'s' if n != 1 else ''} {verb}" for n, noun, verb in counts if n]
    return lines


def _of_value(value: RecordedValue, campaign: Campaign) -> str:
    replicate = f" (replicate {value.replicate})" if value.replicate > 1 else ""
    name = f"{campaign.heading(value.outcome)}{replicate}"
    if value.value is None:
        return f"{name} retracted, was {value.superseded:.10g}"
    old = f", was {value.superseded:.10g}" if value.superseded is not None else ""
    return f"{name} = {value.value:.10g}{old}"
