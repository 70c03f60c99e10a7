"""The results of a run as a table that is edited in place: what was typed, as entries.

A cell ``value:OUTCOME#K`` holds replicate K, and ``was:OUTCOME#K`` what stood in it; ``result:…``
are further values. What stands as it stood is nobody's change: a save writes what was typed, and
what somebody else recorded meanwhile stays.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import FormData

from engine.campaign import Campaign
from engine.errors import DataError, UsageError
from engine.experiments.conditions import find_outcome, read_results
from engine.experiments.entries import Entry
from engine.web import forms


@dataclass(frozen=True)
class _Cell:
    """A cell that was changed; ``typed`` is empty where the value is to be removed."""

    outcome: str
    replicate: int
    former: str
    typed: str


def cell_text(value: float) -> str:
    """Return a value as it stands in its cell, with every digit that somebody would type.

    >>> cell_text(10.5), cell_text(1050.0)
    ('10.5', '1050')
    """
    return f"{value:.12g}"


def entries_of(id_: str, form: FormData, campaign: Campaign) -> list[Entry]:
    """Return what a run's table says is to be recorded of it; empty: nothing.

    Raises:
        UsageError: a value is removed without a reason, or an unknown name.
        DataError: a value that cannot be.
    """
    reason, note = forms.text(form, "why"), forms.text(form, "note")
    entries = []
    for cell in _changed(form):
        outcome = find_outcome(campaign, cell.outcome, "results")
        if cell.typed:
            pairs = [(outcome, [forms.one_number(cell.typed)])]
            read = read_results(campaign, pairs, "results", typed=True, refusal=DataError)
            (value,) = read[outcome]
            if cell_text(value) == cell.former:  # "10.50" for 10.5
                continue
            entries.append(
                Entry(
                    experiment=id_,
                    correct=True,
                    which=cell.replicate,
                    results={outcome: value},
                    note=reason,
                )
            )
            continue
        if reason is None:
            raise UsageError(
                f"expected a reason: why is {campaign.heading(outcome)} = {cell.former} removed?",
                field="why",
            )
        entries.append(Entry(experiment=id_, retract=(outcome,), which=cell.replicate, note=reason))
    actual = forms.conditions(form, campaign, "actual")
    if actual or note is not None:
        entries.append(Entry(experiment=id_, actual=actual, note=note))
    rows = forms.series(forms.results(form, campaign))
    return entries + [Entry(experiment=id_, results=row, replicate=True) for row in rows]


def kept_typed(form: FormData) -> dict[str, str]:
    """Return what was typed, to show it again: cells only where they were changed."""
    changed = {f"value:{cell.outcome}#{cell.replicate}" for cell in _changed(form)}
    return {
        name: text
        for name, text in forms.typed(form).items()
        if name in changed or not name.startswith(("value:", "was:"))
    }


def _changed(form: FormData) -> list[_Cell]:
    cells = []
    for name in form:
        start, _, place = name.partition(":")
        outcome, _, number = place.rpartition("#")
        if start != "value" or not number.isascii() or not number.isdigit():
            continue
        former, typed = forms.word(form, f"was:{place}"), forms.word(form, name)
        if typed != former:
            cells.append(_Cell(outcome, int(number[:9]), former, typed))
    return cells
