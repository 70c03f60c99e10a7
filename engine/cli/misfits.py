"""How ``engine micrograph check`` shows what it found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from engine.cli.output import count
from engine.terminal.output import console, grid

if TYPE_CHECKING:
    from engine.retrieval.misfits import Checked, Misfit

_N_LEAST_LIKELY = 3
"""So many of the least likely runs are shown where none is flagged."""


def checked_document(checked: Checked) -> dict[str, Any]:
    """Return the JSON document of a check."""
    return {
        "runs": len(checked.runs),
        "flagged": [run.run.experiment_id for run in checked.flagged],
        "false_share": checked.false_share,
        "expected_false_flags": checked.expected_false,
        "latent_area": checked.latent_area,
        "model": checked.model,
        "notes": list(checked.notes),
        "misfits": [_document(run) for run in checked.runs],
    }


def _document(misfit: Misfit) -> dict[str, Any]:
    finding = misfit.finding
    return {
        "experiment": misfit.run.experiment_id,
        "label": misfit.run.label,
        "flagged": misfit.is_flagged,
        "verdict": finding.verdict if finding else None,
        "partner": finding.partner.experiment_id if finding and finding.partner else None,
        "along": finding.along if finding else None,
        "p": misfit.p,
        "q": misfit.q,
        "p_statistics": misfit.p_statistics,
        "p_latent": misfit.p_latent,
        "similarity": misfit.similarity,
        "measured": _named(misfit.measured),
        "promised": _named(misfit.promised),
        "z": {name: float(z) for name, z in zip(_NAMES, misfit.z, strict=True)},
    }


_NAMES = ("diameter", "order", "porosity")


def _named(y: Any) -> dict[str, float]:
    return {
        "diameter_nm": math.exp(float(y[0])),
        "order": float(y[1]),
        "porosity": _share(float(y[2])),
    }


def _share(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))


def print_checked(checked: Checked) -> None:
    """Print a check: flagged runs, what they look like, how many flags to expect by mistake."""
    screen = console()
    flagged = checked.flagged
    n = len(checked.runs)
    if flagged:
        screen.print(
            f"{count(len(flagged), 'run')} of {n} with micrographs do not show what their "
            f"conditions promise; about {checked.expected_false:.1f} of these flags are expected "
            "to be false:"
        )
    else:
        screen.print(
            f"none of {count(n, 'run')} with micrographs stands out (false flags among flags held "
            f"to {checked.false_share:.0%}); the least likely are:"
        )
    headings = ["run", "diameter [nm]", "promised [nm]", "order [–]", "promised [–]",
                "porosity [–]", "promised [–]", "worst z", "similarity [–]", "q [–]",
                "looks"]  # fmt: skip
    rows = [_row(misfit) for misfit in (flagged or checked.runs[:_N_LEAST_LIKELY])]
    screen.print(grid(headings, rows))
    screen.print(
        "z: measured minus promised, in standard deviations of such runs; q: the share of false "
        "flags to expect if this run and all before it were flagged",
        markup=False,
    )
    for misfit in flagged:
        screen.print(f"  {misfit.run.name}: {_advice(misfit)}", style="dim", markup=False)
    if checked.latent_area is not None:
        screen.print(
            f"latent ({checked.model}): a run's picture is more similar to its own conditions than "
            f"to another's in {checked.latent_area:.0%} of pairs (50 %: by chance)",
            markup=False,
        )


def _row(misfit: Misfit) -> list[str]:
    measured, promised = misfit.measured, misfit.promised
    cells = [misfit.run.name]
    for place in range(3):
        for y in (measured, promised):
            cells.append(_number(list(_named(y).values())[place], ".0f" if place == 0 else ".2f"))
    worst = max(misfit.z.tolist(), key=lambda z: 0.0 if math.isnan(z) else abs(z))
    similarity = "–" if misfit.similarity is None else f"{misfit.similarity:.2f}"
    cells += [_number(worst, "+.1f"), similarity, f"{misfit.q:.2g}", _verdict(misfit)]
    return cells


def _verdict(misfit: Misfit) -> str:
    finding = misfit.finding
    if finding is None:
        return "–"
    if finding.partner is not None:
        return f"exchanged with {finding.partner.name}"
    return f"drifted ({finding.along})" if finding.along else "unexplained"


def _advice(misfit: Misfit) -> str:
    finding = misfit.finding
    if finding and finding.partner:
        return (
            f"exchanging its pictures with those of {finding.partner.name} would explain both; "
            "look at the labels"
        )
    if finding and finding.along:
        return (
            f"{finding.along}, as are the runs beside it in time; look at solution, needle, "
            "microscope"
        )
    return (
        "neither an exchange nor a drift explains it; look at the picture, its scale and what was "
        "noted of the run, and spin it again: if it stays, it is new"
    )


def _number(value: float, form: str) -> str:
    return "–" if math.isnan(value) else format(value, form)
