"""A batch as people and scripts see it: tables, JSON, worksheets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.output import count, interval, setting
from engine.terminal.output import console, grid, warn

if TYPE_CHECKING:
    from engine.campaign import Campaign
    from engine.loop import ProposedBatch
    from engine.propose.request import Forecast, SourceShare, SuggestionBatch


def show_batch(
    campaign: Campaign,
    batch: SuggestionBatch,
    ids: Sequence[int | None],
    *,
    to_stderr: bool,
) -> None:
    """Print a batch as a table, with the reasons and what it rests on."""

    screen = console(to_stderr=to_stderr)
    for note in batch.notes:
        warn(note)
    outcomes = campaign.wanted_outcomes
    settings = [p.name for p in campaign.controlled]
    rows = [
        [
            "–" if id_ is None else str(id_),
            *(setting(s.conditions.get(name)) for name in settings),
            *(interval(s.outcomes.get(name)) for name in outcomes),
            "–" if s.nearest is None else f"{s.p_success:.0%}",
        ]
        for id_, s in zip(ids, batch.suggestions, strict=True)
    ]
    headings = [
        "run",
        *map(campaign.heading, settings),
        *map(campaign.heading, outcomes),
        "success",
    ]
    screen.print(f"{count(len(rows), 'run')}, in the order to run them ({batch.strategy})")
    screen.print(grid(headings, rows))
    for id_, s in zip(ids, batch.suggestions, strict=True):
        screen.print(f"  {'–' if id_ is None else id_}  {s.reason}", style="dim", markup=False)
    for source in batch.sources:
        screen.print(_share(source), markup=False)
    for outcome, beliefs in batch.beliefs.items():
        screen.print(f"model of {outcome}: {_believed(beliefs)}.", markup=False)
    if campaign.constraints:
        constraints = ", ".join(map(str, campaign.constraints))
        screen.print(f"meant to hold: {constraints}.", markup=False)
    if batch.suggestions and batch.suggestions[0].ambient:
        room = ", ".join(
            f"{name} {setting(value)} {campaign.unit_of(name)}".rstrip()
            for name, value in batch.suggestions[0].ambient.items()
        )
        screen.print(f"meant for {room}; intervals are of one new measurement.", markup=False)
    for parameter in campaign.controlled:
        if parameter.hard_to_change:
            values = [s.conditions.get(parameter.name) for s in batch.suggestions]
            changes = sum(a != b for a, b in pairwise(values))
            screen.print(
                f"{parameter.name}: {count(len(set(values)), 'value')}, "
                f"{count(changes, 'change')} within the batch.",
                markup=False,
            )


def _believed(beliefs: Mapping[str, float]) -> str:
    """Say how an outcome is modelled, e.g. ``noisy and smooth (64%); clean, any length (36%)``."""
    ordered = sorted(beliefs.items(), key=lambda pair: -pair[1])
    return "; ".join(f"{name} ({share:.0%})" for name, share in ordered if share >= 0.05)


def _share(source: SourceShare) -> str:
    """Say what a source contributed, e.g. ``source ensemble: trusted (99 %), weights …``."""
    if not source.used:
        return (
            f"source {source.name}: left aside, the results do not bear it out "
            f"(trust {source.trust:.0%})."
        )
    weights = ", ".join(f"{weight:.2f} {name}" for name, weight in source.weights.items())
    return f"source {source.name}: trusted ({source.trust:.0%}), weight in the mean {weights}."


def write_worksheet(path: Path, proposed: ProposedBatch) -> None:
    """Write settings, empty cells for what becomes of each run, and what to expect of it."""
    from engine.campaign.vocabulary import Vocabulary
    from engine.experiments.export import workbook_bytes
    from engine.experiments.importers.formula_text import csv_text
    from engine.workspace.files import write_aside

    campaign = proposed.campaign
    unclaimed = Vocabulary(campaign).unclaimed
    outcomes = [
        name for name in campaign.outcomes if any(name in s.outcomes for _, s in proposed.numbered)
    ]
    headings = [*map(unclaimed, ("experiment", "order"))]
    headings += [campaign.heading(p.name) for p in (*campaign.controlled, *campaign.ambient)]
    to_fill = [*map(campaign.heading, campaign.outcomes), *map(unclaimed, ("failed", "note"))]
    headings += to_fill
    headings += [f"{name}.{part}" for name in outcomes for part in ("mean", "lower", "upper")]
    headings += [*map(unclaimed, ("p_success", "reason"))]
    rows = []
    for id_, s in proposed.numbered:
        settings_and_room = {**s.conditions, **s.ambient}
        row: list[Any] = [id_ or "", s.order]
        row += [
            settings_and_room.get(p.name, "") for p in (*campaign.controlled, *campaign.ambient)
        ]
        row += [""] * len(to_fill)
        for name in outcomes:
            row += _triple(s.outcomes.get(name))
        rows.append([*row, _short(s.p_success), s.reason])
    if path.suffix.casefold() == ".xlsx":
        write_aside(path, workbook_bytes("worksheet", headings, rows))
        return
    # Excel takes a CSV for UTF-8 by its mark only.
    write_aside(path, "\ufeff" + csv_text(headings, rows))


def _triple(forecast: Forecast | None) -> list[Any]:
    if forecast is None:
        return ["", "", ""]
    return [_short(number) for number in (forecast.mean, forecast.lower, forecast.upper)]


def _short(number: float) -> float:
    """Return a forecast in the digits that mean anything."""
    return float(f"{number:.5g}")


def scored_csv(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    forecasts: Sequence[Mapping[str, Forecast]],
    ranks: Sequence[int],
    rank_heading: str = "rank",
) -> str:
    """Return a table with its forecasts and ranks, as CSV."""
    from engine.experiments.importers.formula_text import csv_text

    outcomes = list(forecasts[0]) if forecasts else []
    added = [f"{name}.{part}" for name in outcomes for part in ("mean", "lower", "upper")]
    # A file that was scored before gets new scores in place of the old ones.
    unscored = [i for i, heading in enumerate(headings) if heading not in {*added, rank_heading}]
    body = [
        [
            *(row[i] for i in unscored),
            *(x for name in outcomes for x in _triple(forecast[name])),
            rank,
        ]
        for row, forecast, rank in zip(rows, forecasts, ranks, strict=True)
    ]
    return csv_text([*(headings[i] for i in unscored), *added, rank_heading], body)
