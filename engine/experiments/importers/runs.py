"""What every reader yields: runs as the file tells them, before the database is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from db.records import Status, is_censored
from engine.campaign import Campaign, Parameter, Value
from engine.campaign.failures import Failure, names_offered


@dataclass(frozen=True)
class ImportedRun:
    """One run of a file.

    ``row`` is where it begins (1 is the heading). ``conditions`` are as run, or as planned where
    ``status`` is proposed; ``planned`` holds proposed values that the file keeps beside those.
    ``outcomes``: outcome → replicate number → value. ``is_stated`` tells a status that the file
    spells out from one that follows from the results. ``experiment``: the number that the file
    gives it, ours or somebody else's.
    """

    row: int
    conditions: Mapping[str, Value]
    outcomes: Mapping[str, Mapping[int, float]]
    status: Status
    label: str | None = None
    failure: str | None = None
    note: str | None = None
    planned: Mapping[str, Value] = field(default_factory=dict)
    is_stated: bool = False
    experiment: int | None = None
    micrographs: tuple[Path, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_conditions(self) -> dict[str, Value]:
        """Conditions as run where the file tells, as planned otherwise."""
        return {**self.planned, **self.conditions}

    @property
    def n_values(self) -> int:
        """How many measurements the run brings."""
        return sum(len(replicates) for replicates in self.outcomes.values())


@dataclass(frozen=True)
class ImportedTable:
    """A whole file: its runs in order, and what the user should know of it."""

    source: str
    runs: tuple[ImportedRun, ...]
    warnings: tuple[str, ...] = ()


def status_of(n_values: int, stated: Status | None, failure: str | None) -> Status:
    """Return where a run stands: as stated, failed, completed by results, or awaiting them."""
    if failure is not None:
        return Status.FAILED
    if stated is not None:
        return stated
    return Status.COMPLETED if n_values else Status.RUNNING


def contradiction(
    n_values: int, status: Status, failure: str | None, kinds: Sequence[Failure]
) -> str | None:
    """Say why results and status cannot both hold, or ``None`` if they can.

    ``kinds``: those of failure that the campaign knows.
    """
    if status is Status.FAILED and failure is None:
        names = ", ".join(names_offered(kinds))
        return f"expected the kind of failure of a failed run ({names}) in the column 'failed'"
    if status is Status.FAILED and n_values:
        return (
            "expected no results of a failed run: it gave nothing to test; "
            "empty the result cells, or leave the run completed and put the flaw in its note"
        )
    if status.is_pending and n_values:
        return f"expected no results while the run is {status}; say completed or empty the cells"
    if status is Status.COMPLETED and not n_values:
        return "expected at least one result of a completed run; say running while it is awaited"
    return None


def outside_warnings(campaign: Campaign, runs: tuple[ImportedRun, ...]) -> list[str]:
    """Count, range by range and constraint by constraint, the runs from outside the search."""
    return outside_the_search(
        campaign, [run.all_conditions for run in runs], "run", consequence="kept"
    )


def outside_the_search(
    campaign: Campaign, rows: Sequence[Mapping[str, Value]], noun: str, *, consequence: str
) -> list[str]:
    """Return a warning for each range left, parameter constraint broken and exclusion entered.

    ``noun`` is what a row is, ``consequence`` what becomes of it.
    """
    warnings = []
    for parameter in campaign.parameters:
        values = [row[parameter.name] for row in rows if parameter.name in row]
        n = sum(not parameter.is_inside(value) for value in values)
        if n:
            subject = f"{noun} lies" if n == 1 else f"{noun}s lie"
            warnings.append(f"{n} {subject} {_outside(campaign, parameter)}; {consequence}")
    broken = Counter(str(c) for row in rows for c in campaign.broken_by(row))
    for constraint, n in broken.items():
        verb = f"{noun} does" if n == 1 else f"{noun}s do"
        warnings.append(f"{n} {verb} not meet {constraint}; {consequence}")
    excluded = Counter(item.message for row in rows for item in campaign.exclusions_of(row))
    for text, n in excluded.items():
        verb = f"{noun} lies" if n == 1 else f"{noun}s lie"
        warnings.append(f"{n} {verb} where {text}; {consequence}")
    return warnings


def _outside(campaign: Campaign, parameter: Parameter) -> str:
    heading = campaign.heading(parameter.name)
    if parameter.choices is not None:
        which = "that can still be had" if parameter.retired else "searched"
        settable = ", ".join(
            choice if isinstance(choice, str) else f"{choice:g}" for choice in parameter.settable
        )
        return f"outside the choices of {heading} {which}, {settable}"
    if parameter.is_constant:
        return f"off the constant {heading}, {parameter.bounds[0]:g}"
    low, high = parameter.bounds
    return f"outside the range searched of {heading}, {low:g} … {high:g}"


def surplus_warning(parameter: Parameter, n: int) -> str:
    """Say of how many rows a value was left out that can be none."""
    rows = f"{n} {'row gives' if n == 1 else 'rows give'}"
    return f"{rows} {parameter.name}, which has a value {parameter.only_if_text}; left out there"


def constant_note(parameter: Parameter, n: int) -> str:
    """Say in how many rows a constant was filled in."""
    value = parameter.only_value
    text = value if isinstance(value, str) else f"{value:g} {parameter.unit or ''}".strip()
    return (
        f"{n} {'row' if n == 1 else 'rows'} without {parameter.name}: the constant {text} is taken"
    )


def censored_notes(campaign: Campaign, runs: tuple[ImportedRun, ...]) -> list[str]:
    """Tell of each outcome how many results are limits, and what becomes of them."""
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for run in runs:
        for outcome, replicates in run.outcomes.items():
            for value in filter(is_censored, replicates.values()):
                counts[outcome] += 1
                examples.setdefault(outcome, f"{value:.6g}")
    notes = []
    for outcome, n in counts.items():
        prop = campaign.property_of(outcome)
        consequence = (
            "models learn the limit"
            if prop.censored == "limit"
            else f'no model learns from {"it" if n == 1 else "them"} (censored = "limit" of '
            f"{prop.name} in the campaign lets it learn the limit)"
        )
        notes.append(
            f"{campaign.heading(outcome)}: {n} {'result lies' if n == 1 else 'results lie'} beyond "
            f"a limit, such as {examples[outcome]}; kept as such, {consequence}"
        )
    return notes


def waiting_warnings(runs: tuple[ImportedRun, ...]) -> list[str]:
    """Tell how many runs bring no result and do not say why."""
    n = sum(1 for run in runs if run.status is Status.RUNNING and not run.is_stated)
    if not n:
        return []
    return [
        f"{n} {'run has' if n == 1 else 'runs have'} no result: kept as running, results awaited "
        "(a column 'status' or 'failed' can say otherwise)"
    ]
