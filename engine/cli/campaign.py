"""``engine campaign``: what is searched, and every revision of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.completion import complete_campaign
from engine.errors import ConfigError
from engine.terminal.options import ConfigOption, JsonOption
from engine.terminal.output import console, grid, print_json, warn

if TYPE_CHECKING:
    from db.records import CampaignRecord
    from engine.campaign import Campaign, Parameter

NoteOption = Annotated[str | None, typer.Option(help="Why, for the record.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        help="What is searched: its revisions, and the campaigns of this database.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command()(show)
    group.command()(revise)
    group.command("list")(list_)
    group.command()(use)
    group.command()(create)
    group.command()(sync)
    app.add_typer(group, name="campaign")


def show(
    revision: Annotated[
        int | None, typer.Option(min=1, help="An earlier revision.", show_default="the newest")
    ] = None,
    as_toml: Annotated[
        bool, typer.Option("--toml", help="As [campaign] of a config.toml, to edit or to keep.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the active campaign as it is recorded: parameters, properties, objectives."""
    from engine.workspace import Workspace
    from engine.workspace.campaign_file import text_of
    from engine.workspace.revisions import revision_record

    with Workspace.open(config) as workspace:
        record, campaign = revision_record(workspace, revision)
        drift = workspace.drift(record) if revision is None else None
        text = text_of(workspace, record) if as_toml else ""
    if drift is not None:
        warn(drift)
    if as_json:
        print_json({**_document(record), "definition": campaign.definition()})
    elif as_toml:
        typer.echo(text, nl=False)
    else:
        _print_campaign(record, campaign)


def revise(
    file: Annotated[
        Path | None,
        typer.Option(help="A TOML file with the definition.", show_default="config.toml"),
    ] = None,
    note: NoteOption = None,
    past: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE:HEADING",
            help="What past runs had of a parameter: a column of a table that names them by label "
            "or number.",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record an edit of [campaign] as a further revision; earlier ones stay.

    Refused where it contradicts recorded data: removing or renaming what has values, another unit.
    A new parameter needs a default for the runs that are there, or their values (--past).
    With --file config.toml follows, if it holds a recorded revision.
    """
    from engine.experiments.revise import revise_campaign
    from engine.workspace import Workspace
    from engine.workspace.settings import read_campaign_file

    with Workspace.open(config) as workspace:
        campaign = read_campaign_file(file) if file is not None else workspace.settings.campaign
        if campaign is None:
            raise ConfigError(
                f"{workspace.config_path}: expected a [campaign] table to record, found none; "
                "add one, or name a file with --file"
            )
        matched = None
        if past:
            from engine.experiments.past_values import match_past, read_past

            columns = read_past(past, campaign, max_rows=workspace.settings.imports.max_rows)
            matched = partial(match_past, columns)
        revision = revise_campaign(workspace, campaign, note=note, past=matched)
    revised = revision.revised
    for warning in revision.warnings:
        warn(warning)
    n_past = 0 if revised.past is None else len(revised.past.values)
    if as_json:
        differences = list(revised.differences)
        print_json({**_document(revised.record), "differences": differences, "past_runs": n_past})
        return
    if n_past:
        typer.echo(f"past values recorded of {n_past} run{'s' if n_past != 1 else ''}")
    if not revised.differences:
        typer.echo(
            f"campaign '{revised.record.name}': revision {revised.record.revision} says the same; "
            "nothing to record"
        )
        return
    typer.echo(f"campaign '{revised.record.name}', revision {revised.record.revision}:")
    for difference in revised.differences:
        typer.echo(f"  {difference}")
    for remark in revision.notes:
        typer.echo(remark)


def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the campaigns of this database; the active one is marked."""
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace, workspace.database.read() as tx:
        records = tx.campaigns.all()
        counts = {record.id: sum(tx.experiments.count(record.id).values()) for record in records}
    if as_json:
        print_json({"items": [{**_document(r), "experiments": counts[r.id]} for r in records]})
        return
    rows = [
        [
            "*" if record.is_active else "",
            record.name,
            str(record.revision),
            str(counts[record.id]),
            f"{record.created_at.astimezone():%Y-%m-%d %H:%M}",
            record.note or "",
        ]
        for record in records
    ]
    headings = ["active", "campaign", "revision", "experiments", "revised", "note"]
    console().print(grid(headings, rows))


def use(
    name: Annotated[str, typer.Argument(help="The campaign.", autocompletion=complete_campaign)],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make another campaign the active one."""
    from engine.workspace import Workspace
    from engine.workspace.revisions import use as switch

    with Workspace.open(config) as workspace:
        record = switch(workspace, name)
    if as_json:
        print_json(_document(record))
    else:
        typer.echo(f"campaign '{record.name}' is the active one")


def create(
    file: Annotated[Path, typer.Option(help="A TOML file with the definition.")],
    note: NoteOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record a further campaign in this database and make it the active one."""
    from engine.workspace import Workspace
    from engine.workspace.revisions import create as record_campaign
    from engine.workspace.settings import read_campaign_file

    with Workspace.open(config) as workspace:
        record = record_campaign(workspace, read_campaign_file(file), note=note)
    if as_json:
        print_json(_document(record))
    else:
        typer.echo(f"recorded the campaign '{record.name}'; it is the active one")


def sync(
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Also over another campaign, or an edit that is not recorded (the old file is "
            "kept beside it).",
        ),
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Write the active campaign's newest revision into config.toml, whose comments stay.

    For a config.toml that is behind, as after a revision on the page or from another machine.
    """
    from engine.errors import StateError
    from engine.workspace import Workspace
    from engine.workspace.campaign_file import follow
    from engine.workspace.init import keep_beside

    with Workspace.open(config) as workspace:
        with workspace.database.read() as tx:
            record, _ = workspace.active_campaign(tx)
        followed = follow(workspace, record)
        if followed in ("another campaign", "unrecorded edit") and force:
            former = keep_beside(workspace.config_path)
            typer.echo(f"the old configuration is {former}")
            followed = follow(workspace, record, force=True)
    name = f"revision {record.revision} of '{record.name}'"
    if followed == "another campaign":
        raise StateError(f"config.toml holds another campaign; --force writes {name} there")
    if followed == "unrecorded edit":
        raise StateError(
            f"config.toml holds an edit that is not recorded; --force writes {name} over it"
        )
    if followed == "unwritable":
        raise StateError("config.toml cannot be written; `engine campaign show --toml` prints it")
    typer.echo(
        f"config.toml holds {name}" + (" already" if followed == "the same" else ", written now")
    )


def _document(record: CampaignRecord) -> dict[str, Any]:
    from engine.documents.campaigns import RevisionOut

    return RevisionOut.model_validate(record).plain()


def _print_campaign(record: CampaignRecord, campaign: Campaign) -> None:
    typer.echo(
        f"campaign '{record.name}', revision {record.revision} "
        f"({record.created_at.astimezone():%Y-%m-%d %H:%M})"
        + (f": {record.note}" if record.note else "")
    )
    if campaign.description:
        typer.echo(campaign.description)
    from engine.campaign.numbers import range_text

    out = console()
    rows = [
        [
            campaign.heading(p.name),
            p.role,
            range_text(p.low, p.high, p.settable),
            _number(p.step),
            _marks(p),
        ]
        for p in campaign.parameters
    ]
    out.print(grid(["parameter", "role", "values", "step", ""], rows))
    rows = [
        [campaign.heading(name), campaign.property_of(name).scale] for name in campaign.outcomes
    ]
    out.print(grid(["outcome", "scale"], rows))
    rows = [[campaign.heading(o.outcome), o.goal, o.aim] for o in campaign.objectives]
    out.print(grid(["objective", "goal", "threshold"], rows))
    for constraint in (*campaign.constraints, *campaign.parameter_constraints):
        typer.echo(f"constraint: {constraint}")
    for exclusion in campaign.exclusions:
        typer.echo(exclusion.message)


def _marks(parameter: Parameter) -> str:
    marks = [parameter.only_if_text] if parameter.only_if else []
    marks += ["hard to change"] if parameter.hard_to_change else []
    if parameter.retired:
        marks.append(f"retired: {', '.join(map(str, parameter.retired))}")
    if parameter.scale == "log":
        marks.append("log scale")
    if parameter.max_distinct:
        marks.append(f"at most {parameter.max_distinct} in a batch")
    return ", ".join(marks)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"
