"""``engine init | import | export | log | status | show``: the data, in and out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import log, status
from engine.cli.output import count
from engine.terminal.options import ConfigOption, EncodingOption, HiddenOption, JsonOption
from engine.terminal.output import console, print_json, print_table, say, warn
from surrogate.progress import Progress, silent

if TYPE_CHECKING:
    from engine.experiments.importers.importing import ImportReport


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(init)
    app.command("import")(import_)
    app.command()(export)
    app.command()(log.log)
    app.command()(status.status)
    app.command()(status.show)


def init(
    template: Annotated[
        str | None,
        typer.Option(help="nanofibre, blank or mixture.", show_default="nanofibre"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The campaign's name.", show_default="the template's")
    ] = None,
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
    """
    from engine.workspace.init import initialise
    from engine.workspace.settings import CONFIG_NAME

    initialised = initialise(config or Path(CONFIG_NAME), template=template, name=name, force=force)
    document = {
        "config": str(initialised.config_path),
        "database": initialised.database,
        "campaign": initialised.campaign.name,
        "revision": initialised.campaign.revision,
        "kept_config": str(initialised.kept_config) if initialised.kept_config else None,
    }
    if as_json:
        print_json(document)
        return
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
        "      bring what you have with `engine import FILE`, or begin with `engine propose`"
    )


def import_(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, Excel, or the JSON of `engine export`.")],
    *,
    file_format: Annotated[
        str,
        typer.Option("--format", help="table: headings as the campaign names them; matmcl."),
    ] = "table",
    sheet: Annotated[str | None, typer.Option(help="A workbook's sheet.")] = None,
    encoding: EncodingOption = None,
    hidden: HiddenOption = False,
    update: Annotated[
        bool,
        typer.Option("--update", help="Where the file differs from the database, correct that."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would happen; write nothing.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a file's runs into the campaign: all of them, or (if anything is wrong) none.

    Headings are the campaign's names, with units in brackets if you like, or their aliases;
    beside them `label`, `replicate`, `status`, `failed` and `note` are understood. A second import
    of the same file adds nothing. --format matmcl reads MatMCL's published table, or its folder
    with the micrographs.
    """
    from engine.experiments.importers.importing import import_file
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        report = import_file(
            workspace,
            file,
            file_format=file_format,
            sheet=sheet,
            encoding=encoding,
            hidden=hidden,
            update=update,
            dry_run=dry_run,
            progress=_progress(),
        )
    for warning in report.warnings:
        warn(warning)
    if as_json:
        print_json(_import_document(report))
    else:
        _print_report(report, update)
    if report.problems:
        raise typer.Exit(1)


def _progress() -> Progress:
    """Return a counter of micrographs on standard error, where somebody watches."""
    if not sys.stderr.isatty():
        return silent

    def show(
        stage: str, completed: int = 0, total: int = 0, numbers: Mapping[str, float] | None = None
    ) -> None:
        if completed == total or completed % 20 == 0:
            end = "\n" if completed == total else ""
            sys.stderr.write(f"\rmicrographs: {completed} of {total}{end}")
            sys.stderr.flush()

    return show


def _import_document(report: ImportReport) -> dict[str, object]:
    return {
        "source": report.source,
        "campaign": report.campaign,
        "dry_run": report.is_dry_run,
        "added": report.n_added,
        "extended": report.n_extended,
        "changed": report.n_changed,
        "unchanged": report.n_unchanged,
        "refused": len(report.problems),
        "measurements": report.n_measurements,
        "corrections": report.n_corrections,
        "micrographs": report.n_micrographs,
        "experiments": list(report.experiment_ids),
        "differences": list(report.differences),
        "problems": [
            {
                "row": problem.row,
                "column": problem.column,
                "value": problem.value,
                "expected": problem.expected,
            }
            for problem in report.problems
        ],
        "warnings": list(report.warnings),
    }


def _print_report(report: ImportReport, update: bool) -> None:
    conditional = "would be " if report.is_dry_run else ""
    lines = [
        f"{count(report.n_added, 'experiment')} {conditional}added, "
        f"{count(report.n_measurements, 'measurement')}",
        f"{report.n_unchanged} unchanged",
    ]
    if report.n_extended:
        lines.append(
            f"{count(report.n_extended, 'recorded experiment')} {conditional}completed with more"
        )
    if report.n_changed:
        differing = (
            f"{conditional}corrected ({count(report.n_corrections, 'value')})"
            if update
            else "differ"
        )
        lines.append(f"{report.n_changed} {differing}")
    if report.n_micrographs:
        lines.append(f"{count(report.n_micrographs, 'micrograph')} {conditional}kept")
    typer.echo(f"{report.source} → {report.campaign}: {'; '.join(lines)}")
    for difference in report.differences[:50]:
        typer.echo(f"  {difference}")
    if report.problems:
        say(f"the file would be refused, {count(len(report.problems), 'problem')}:")
        for problem in report.problems[:50]:
            say(f"  {problem}")


def export(
    out: Annotated[
        Path | None, typer.Option(help="File to write.", show_default="standard output")
    ] = None,
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format", help="csv, xlsx or json.", show_default="as the file is named, else csv"
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Write every experiment of the campaign; `engine import` reads it back.

    CSV and Excel: a row for each replicate, conditions as really run. JSON: everything, proposed
    conditions, who and when included.
    """
    from engine.experiments.export import choose_format, render, write_export
    from engine.workspace import Workspace

    chosen = choose_format(out, file_format)
    with Workspace.open(config) as workspace, workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        experiments = tx.experiments.find(record.id)
        curves = tx.curves.find(record.id) if chosen == "json" else ()
    content = render(chosen, record, campaign, experiments, curves)
    if out is None:
        print_table(content.decode())
        return
    write_export(out, content)
    console(to_stderr=True).print(f"{len(experiments)} experiments → {out}", markup=False)
