"""What happened to a specimen or its record, in words: not broken, slipped, cycled, cut."""

from __future__ import annotations

from engine.curves.properties.cut import Cut
from engine.curves.reading.records import Array
from engine.curves.stress_strain import TensileCurve

BEGINS_LATE = 0.25
"""Share of the greatest force with which a record begins whose beginning is missing."""


def find_events(curve: TensileCurve, part: Cut) -> list[str]:
    """Return what happened to the specimen or the record, in words."""
    y = curve.y[part.start : part.end + 1]
    findings = []
    unit = "" if curve.has_strain else " mm"
    if part.n_cycles:
        noun = "time" if part.n_cycles == 1 else "times"
        findings.append(
            f"cycled: the machine turned back and went on {part.n_cycles} {noun}; only the first "
            "loading is evaluated"
        )
    if part.ending == "unloaded":
        findings.append(
            f"not broken: the machine turned back at {curve.x[part.end]:.4g}{unit} without a fall "
            "of force"
        )
    elif part.ending == "not broken":
        findings.append(
            f"not broken: the record ends at {curve.x[part.end]:.4g}{unit} without a fall of force"
        )
    for slip in part.slips[:3]:
        findings.append(
            f"slipped or partly torn at {curve.x[slip]:.4g}{unit}: force fell "
            "suddenly and recovered"
        )
    if begins_late(y):
        findings.append(f"cut: the record begins at {y[0] / y.max():.0%} of the greatest force")
    return findings


def begins_late(y: Array) -> bool:
    """Whether a record begins with the specimen under load already."""
    return float(y[0]) > BEGINS_LATE * float(y.max())
