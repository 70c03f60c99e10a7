"""``engine predict``: what to expect of conditions, and what drives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.completion import complete_parameter, complete_room
from engine.cli.output import count, interval, setting
from engine.cli.progress import progress_line
from engine.errors import UsageError
from engine.terminal.options import ConfigOption, EncodingOption, HiddenOption, JsonOption
from engine.terminal.output import console, grid, print_json, say, warn

if TYPE_CHECKING:
    from engine.campaign import Campaign, Value
    from engine.predictions.predict import Drive, Prediction, Predictions
    from engine.workspace import Workspace

_MOST_DRIVES = 4


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(predict)


def predict(
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A condition; repeat it for each.",
            autocompletion=complete_parameter,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", help="CSV or Excel: one row of conditions each, headings as for import."
        ),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at",
            metavar="NAME=VALUE",
            help="The room, e.g. temperature=22; repeat it. What is not stated is the mean of the "
            "readings.",
            autocompletion=complete_room,
        ),
    ] = None,
    level: Annotated[
        float | None,
        typer.Option(
            "--level", help="Share of measurements inside the interval.", show_default="settings"
        ),
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Sheet of an Excel file.")] = None,
    encoding: EncodingOption = None,
    hidden: HiddenOption = False,
    drives: Annotated[
        bool, typer.Option("--drives/--no-drives", help="Tell what drives each outcome.")
    ] = True,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Predict the outcomes of conditions, with intervals, and what drives them.

    Means and intervals are of one new measurement. What drives an outcome is how its mean changes
    from the lower to the upper end of each parameter's range, the others held as asked. Conditions
    outside the bounds or far from all data are warned of. Nothing is recorded.
    """
    from engine.predictions.predict import predict as predict_conditions
    from engine.workspace import Workspace

    if (settings is None) == (file is None):
        raise UsageError("expected conditions: --set NAME=VALUE …, or --file FILE; one of the two")
    form = {"sheet": sheet, "encoding": encoding, "hidden": hidden}
    with Workspace.open(config) as workspace:
        with workspace.database.read() as tx:
            _, campaign = workspace.active_campaign(tx)
        conditions = _conditions(workspace, campaign, settings, file, at, form)
        with progress_line() as progress:
            predictions = predict_conditions(
                workspace, conditions, level=level, drives=drives, progress=progress
            )
    for note in predictions.notes:
        (warn if "stands in" in note else say)(note)
    if as_json:
        from engine.documents.predictions import PredictionsOut

        print_json(PredictionsOut.build(predictions))
        return
    _show(predictions)


def _conditions(
    workspace: Workspace,
    campaign: Campaign,
    settings: Sequence[str] | None,
    file: Path | None,
    at: Sequence[str] | None,
    form: Mapping[str, Any],
) -> list[dict[str, Value]]:
    from engine.campaign.applicability import with_constants
    from engine.experiments.conditions import (
        combined,
        require_controlled,
        split_pairs,
    )
    from engine.experiments.conditions import read_conditions as read_pairs
    from engine.experiments.importers.table import read_conditions
    from engine.predictions.predict import MAX_ROWS

    room = read_pairs(campaign, split_pairs(at, "at"), "at", role="ambient", belongs="set")
    if file is None:
        for name, value in form.items():
            if value:
                raise UsageError(f"--{name} is for a --file")
        stated = read_pairs(campaign, split_pairs(settings, "set"), "set")
        stated = with_constants(campaign.parameters, stated)
        require_controlled(campaign, stated, "set")
        return [combined(stated, room, "set")]
    limit = min(MAX_ROWS, workspace.settings.imports.max_rows)
    table, rows = read_conditions(file, campaign, max_rows=limit, **form)
    for note in table.notes:
        warn(note)
    if not rows:
        raise UsageError(f"{file}: expected at least one row of conditions, got none")
    return [{**room, **row} for row in rows]


# -- showing ------------------------------------------------------------------------------------


def _show(predictions: Predictions) -> None:
    if len(predictions.rows) == 1:
        _show_one(predictions, predictions.rows[0])
        return
    campaign, screen = predictions.campaign, console()
    outcomes = campaign.wanted_outcomes
    names = [p.name for p in campaign.parameters]
    rows = [
        [
            str(place),
            *(setting(row.conditions.get(name)) for name in names),
            *(interval(row.outcomes.get(name)) for name in outcomes),
            f"{row.p_success:.0%}",
        ]
        for place, row in enumerate(predictions.rows, 1)
    ]
    headings = ["row", *map(campaign.heading, names), *map(campaign.heading, outcomes), "success"]
    screen.print(
        f"{count(len(rows), 'row')}: mean and {predictions.level:.0%} interval of one new "
        f"measurement, learnt from {count(predictions.n_finished, 'finished run')}"
    )
    screen.print(grid(headings, rows))
    for place, row in enumerate(predictions.rows, 1):
        for warning in row.warnings:
            warn(f"row {place}: {warning}")
    if any(row.drives for row in predictions.rows):
        screen.print("strongest first, change of the mean over each parameter's range:")
        table = [
            [str(place), campaign.heading(outcome), *_strongest(campaign, row.drives[outcome])]
            for place, row in enumerate(predictions.rows, 1)
            for outcome in outcomes
            if outcome in row.drives
        ]
        screen.print(grid(["row", "outcome", *_ranks(campaign)], table))


def _show_one(predictions: Predictions, row: Prediction) -> None:
    from engine.campaign.numbers import written

    campaign, screen = predictions.campaign, console()
    stated = ", ".join(
        f"{name} {setting(value)} {campaign.unit_of(name)}".rstrip()
        for name, value in row.conditions.items()
    )
    screen.print(stated, markup=False)
    table = [
        [campaign.heading(name), written(f.mean, 4), written(f.lower, 4), written(f.upper, 4)]
        for name, f in row.outcomes.items()
    ]
    screen.print(grid(["outcome", "mean", f"{predictions.level:.0%} from", "to"], table))
    screen.print(
        f"success {row.p_success:.0%}; intervals are of one new measurement, learnt from "
        f"{count(predictions.n_finished, 'finished run')}.",
        markup=False,
    )
    for warning in row.warnings:
        warn(warning)
    if row.drives:
        screen.print(
            "what drives them: change of the mean over each parameter's range, the others as "
            "asked, strongest first"
        )
        if campaign.parameter_constraints:
            rules = ", ".join(map(str, campaign.parameter_constraints))
            screen.print(f"within {rules}: others make room where they have to", markup=False)
        if campaign.exclusions:
            listed = ", ".join(f"'{exclusion}'" for exclusion in campaign.exclusions)
            screen.print(f"outside what is excluded: {listed}", markup=False)
        rows = [
            [campaign.heading(outcome), *_strongest(campaign, drives)]
            for outcome, drives in row.drives.items()
        ]
        screen.print(grid(["outcome", *_ranks(campaign)], rows))
        ranges = ", ".join(
            f"{p.name} {setting(p.bounds[0])} … {setting(p.bounds[1])} {p.unit}".rstrip()
            for p in campaign.parameters
            if not p.is_categorical and not p.is_constant
        )
        screen.print(f"ranges: {ranges}", style="dim", markup=False)


def _ranks(campaign: Campaign) -> list[str]:
    n = min(_MOST_DRIVES, sum(not p.is_constant for p in campaign.parameters))
    return ["strongest", "second", "third", "fourth"][:n]


def _strongest(campaign: Campaign, drives: Sequence[Drive]) -> list[str]:
    cells = [_drive(campaign, drive) for drive in drives[:_MOST_DRIVES]]
    # What has no value there, or no other that is allowed, drives nothing.
    return cells + ["–"] * (len(_ranks(campaign)) - len(cells))


def _drive(campaign: Campaign, drive: Drive) -> str:
    from engine.campaign.numbers import written

    if drive.is_monotone and drive.change is not None:
        return f"{drive.parameter} {'+' if drive.change > 0 else ''}{written(drive.change)}"
    peak = f"{setting(drive.best)} {campaign.unit_of(drive.parameter)}".rstrip()
    return f"{drive.parameter} {written(drive.span)}, highest at {peak}"
