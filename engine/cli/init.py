"""``engine init``: a workspace from a template, or from a table of results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.completion import complete_template
from engine.cli.import_view import import_document, print_import
from engine.cli.output import setting
from engine.errors import UsageError, field
from engine.terminal.options import ConfigOption, EncodingOption, HiddenOption, JsonOption
from engine.terminal.output import print_json, warn

if TYPE_CHECKING:
    from engine.drafts.create import Created, TableOptions
    from engine.drafts.draft import Draft
    from engine.drafts.wishes import Wishes
    from engine.workspace.init import Initialised

Columns = list[str] | None


def init(
    template: Annotated[
        str | None,
        typer.Option(
            help="nanofibre, blank or mixture.",
            show_default="nanofibre",
            autocompletion=complete_template,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="The campaign's name.", show_default="the template's, or the table's"),
    ] = None,
    *,
    table: Annotated[
        Path | None,
        typer.Option("--from", help="Draft the campaign from a table of results, and import it."),
    ] = None,
    objective: Annotated[
        Columns,
        typer.Option(
            help="With --from: what is wanted, strength:max, strength:max:5, cost:min:9 or "
            "diameter:300±20. Again for each."
        ),
    ] = None,
    ambient: Annotated[
        Columns, typer.Option(help="With --from: a column that the room gives.")
    ] = None,
    controlled: Annotated[Columns, typer.Option(help="With --from: a column that is set.")] = None,
    outcome: Annotated[
        Columns, typer.Option(help="With --from: a column that is measured, and no objective.")
    ] = None,
    leave_out: Annotated[
        Columns, typer.Option(help="With --from: a column to be left aside.")
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="With --from: a workbook's sheet.")] = None,
    encoding: EncodingOption = None,
    hidden: HiddenOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --from: show the campaign; write nothing.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Replace config.toml (the old one is kept beside it); add the campaign to a "
            "database that is there.",
        ),
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start here: write a commented config.toml, make the database, record the campaign.

    A config.toml that is there already is recorded as it is; nothing is ever overwritten unasked.
    --from FILE drafts parameters, units, bounds, steps, choices, mixtures, outcomes and objectives
    from a table of results, and imports it; what is a guess is told, and stands in config.toml.
    """
    from engine.workspace.init import initialise
    from engine.workspace.settings import CONFIG_NAME

    path = config or Path(CONFIG_NAME)
    lists = {
        "ambient": ambient,
        "controlled": controlled,
        "outcome": outcome,
        "leave_out": leave_out,
    }
    if table is None:
        options_of_from: dict[str, Any] = {
            "objective": objective,
            **lists,
            "sheet": sheet,
            "encoding": encoding,
        }
        options_of_from |= {"hidden": hidden, "dry_run": dry_run}
        for option, value in options_of_from.items():
            if value:
                raise UsageError(f"is for {field('from')}", field=option)
        initialised = initialise(path, template=template, name=name, force=force)
        if as_json:
            print_json(_document(initialised))
        else:
            _print(initialised, "bring what you have with `engine import FILE`, or begin with")
        return
    if template is not None:
        raise UsageError(f"contradicts {field('from')}: keep one of them", field="template")
    from engine.drafts.create import TableOptions

    options = TableOptions(sheet=sheet, encoding=encoding, hidden=hidden)
    wishes = _wishes(table, options, objective or [], lists, name, ask=not as_json)
    _create(path, table, options, wishes, force=force, dry_run=dry_run, as_json=as_json)


def _wishes(
    table: Path,
    options: TableOptions,
    objectives: list[str],
    lists: dict[str, Columns],
    name: str | None,
    *,
    ask: bool,
) -> Wishes:
    """Return what the options say; where somebody sits before it, ask what is wanted."""
    from dataclasses import replace

    from engine.drafts.create import read_for_draft
    from engine.drafts.draft import draft_campaign
    from engine.drafts.wishes import Wishes, read_wish

    columns: dict[str, Any] = {role: tuple(names or ()) for role, names in lists.items()}
    wishes = Wishes(tuple(map(read_wish, objectives)), name=name, **columns)
    if objectives or not (ask and sys.stdin.isatty() and sys.stdout.isatty()):
        return wishes
    draft = draft_campaign(read_for_draft(table, options), wishes, name="draft")
    answers = []
    for text in _ask_wishes(draft):
        answers.append(read_wish(text))
    return replace(wishes, objectives=tuple(answers))


def _ask_wishes(draft: Draft) -> list[str]:
    _print_draft(draft)
    goals = {e.fields["outcome"]: str(e.fields["goal"])[:3] for e in draft.objectives}
    answers = []
    typer.echo("what is wanted of each result: max, min, max:5 (from 5 on), 300±20, or - (nothing)")
    for entry in draft.properties:
        name = entry.fields["name"]
        unit = f" [{entry.fields['unit']}]" if "unit" in entry.fields else ""
        answer = typer.prompt(f"{name}{unit}", default=goals.get(name, "-"))
        if answer.strip() != "-":
            answers.append(f"{name}:{answer.strip()}")
    return answers


def _create(
    path: Path,
    table: Path,
    options: TableOptions,
    wishes: Wishes,
    *,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    from engine.drafts.create import create_from_table

    created = create_from_table(path, table, wishes, options=options, force=force, dry_run=dry_run)
    for warning in created.imported.warnings:
        warn(warning)
    if as_json:
        print_json(_created_document(created))
        return
    _print_draft(created.draft)
    print_import(created.imported)
    if created.initialised is not None:
        _print(created.initialised, "see `engine status`, and begin with")


def _print_draft(draft: Draft) -> None:
    """Print the draft, part by part, and what of it is a guess."""
    for noun, entries in (
        ("parameter", draft.parameters),
        ("measured", draft.properties),
        ("wanted", draft.objectives),
    ):
        for entry in entries:
            typer.echo(f"  {noun:9}  {_in_words(entry.fields)}")
    for constraint in draft.constraints:
        typer.echo(f"  rule       {constraint}")
    for heading, reason in draft.aside.items():
        typer.echo(f"  aside      '{heading}': {reason}")
    for guess in draft.guesses:
        typer.echo(f"  look at    {guess}")


def _in_words(fields: dict[str, Any]) -> str:
    """Return ``voltage [kV] 10 … 20 in steps of 0.5``, ``strength maximize, threshold 5``."""
    if "outcome" in fields:
        aim = {key: fields[key] for key in ("threshold", "target", "tolerance") if key in fields}
        details = ", ".join(f"{key} {value:g}" for key, value in aim.items())
        return f"{fields['outcome']}: {fields['goal']}, {details}"
    unit = f" [{fields['unit']}]" if "unit" in fields else ""
    parts = [f"{fields['name']}{unit}"]
    if "low" in fields:
        parts.append(f"{setting(fields['low'])} … {setting(fields['high'])}")
    if "step" in fields:
        parts.append(f"in steps of {setting(fields['step'])}")
    if "choices" in fields:
        parts.append(", ".join(map(str, fields["choices"])))
    parts += [fields[key] for key in ("role", "scale") if key in fields]
    if "only_if" in fields:
        ((name, choice),) = fields["only_if"].items()
        parts.append(f"only if {name} = {choice}")
    return " ".join(map(str, parts))


def _document(initialised: Initialised) -> dict[str, Any]:
    former = initialised.kept_config
    return {
        "config": str(initialised.config_path),
        "database": initialised.database,
        "campaign": initialised.campaign.name,
        "revision": initialised.campaign.revision,
        "kept_config": str(former) if former else None,
    }


def _created_document(created: Created) -> dict[str, Any]:
    workspace_part = {} if created.initialised is None else _document(created.initialised)
    return {
        **workspace_part,
        "definition": created.draft.definition,
        "aside": created.draft.aside,
        "guesses": list(created.draft.guesses),
        "import": import_document(created.imported),
    }


def _print(initialised: Initialised, step: str) -> None:
    typer.echo(
        f"{'wrote' if initialised.is_new_config else 'read'} {initialised.config_path}, "
        f"{'made' if initialised.is_new_database else 'added to'} {initialised.database}, "
        f"recorded the campaign '{initialised.campaign.name}'"
    )
    if initialised.kept_config is not None:
        typer.echo(f"the old configuration is {initialised.kept_config}")
    typer.echo(
        "next: look through config.toml (bounds, steps, thresholds) and record edits with "
        "`engine campaign revise`;\n"
        f"      {step} `engine propose`"
    )
