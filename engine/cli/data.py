"""``engine init | import | export | log | status | show``: the data, in and out."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import init, log, status
from engine.cli.import_view import import_document, print_import
from engine.errors import UsageError, field
from engine.terminal.options import ConfigOption, EncodingOption, HiddenOption, JsonOption
from engine.terminal.output import console, print_json, print_table, say, warn
from surrogate.progress import Progress, silent

if TYPE_CHECKING:
    pass


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(init.init)
    app.command("import")(import_)
    app.command()(export)
    app.command()(log.log)
    app.command()(status.status)
    app.command()(status.show)


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
    title_rows: Annotated[
        int | None,
        typer.Option(min=0, help="How many rows stand above the headings.", show_default="guessed"),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="HEADING=NAME: what a heading means in this file. Again for each."),
    ] = None,
    replicates: Annotated[
        bool,
        typer.Option("--replicates", help="Rows of equal settings are replicates of one run."),
    ] = False,
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
    beside them `label`, `replicate`, `status`, `failed` and `note` are understood. Where a name is
    not said itself, the field's words for it are taken, and that is told: applied voltage, UTS,
    Flussrate. A second import of the same file adds nothing. --format matmcl reads MatMCL's
    published table, or its folder with the micrographs.
    """
    from engine.cli.due_remark import DueRemark
    from engine.experiments.importers.importing import import_file
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        remark = DueRemark(workspace)
        report = import_file(
            workspace,
            file,
            file_format=file_format,
            sheet=sheet,
            encoding=encoding,
            hidden=hidden,
            title_rows=title_rows,
            columns_named=_named(column or []),
            replicates=replicates,
            update=update,
            dry_run=dry_run,
            progress=_progress(),
        )
        due = () if dry_run else remark.reasons()
    for warning in report.warnings:
        warn(warning)
    if as_json:
        print_json(import_document(report))
    else:
        print_import(report, update=update)
        remark.print_once(due)
    if report.problems:
        raise typer.Exit(1)


def _named(pairs: list[str]) -> dict[str, str]:
    named = {}
    for word in pairs:
        heading, mark, name = word.rpartition("=")
        if not (mark and heading.strip() and name.strip()):
            raise UsageError(f"expected HEADING=NAME, got '{word}'", field="column")
        named[heading.strip()] = name.strip()
    return named


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


def export(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="File to write: .csv, .xlsx or .json.",
            show_default="standard output",
        ),
    ] = None,
    *,
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format", help="csv, xlsx or json.", show_default="as the file is named, else csv"
        ),
    ] = None,
    micrographs: Annotated[
        Path | None,
        typer.Option(help="Also a table of what the pictures show, a row each: .csv or .xlsx."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(help="electrospinning-data: a submission record (JSON) to review, unsent."),
    ] = None,
    polymer: Annotated[
        list[str] | None,
        typer.Option(help="With --to: of runs that state none; again for each of a blend."),
    ] = None,
    solvent: Annotated[
        list[str] | None,
        typer.Option(help="With --to: of runs that state none; again for each of a mixture."),
    ] = None,
    direction: Annotated[
        str | None, typer.Option(help="With --to: the test direction to submit.")
    ] = None,
    out: Annotated[Path | None, typer.Option(hidden=True, help="FILE.")] = None,
    config: ConfigOption = None,
) -> None:
    """Write every experiment of the campaign; `engine import` reads it back.

    CSV and Excel: a row for each replicate, conditions as really run. JSON: everything, proposed
    conditions, what micrographs show, who and when included. With --to electrospinning-data:
    completed runs as a record for Electrospinning-Data.org, in its names and units, unsent.
    """
    if file is not None and out is not None:
        raise UsageError(f"contradicts {field('file')}: keep one of them", field="out")
    file = file or out
    if to is not None:
        if micrographs is not None:
            raise UsageError(f"contradicts {field('to')}: keep one of them", field="micrographs")
        _write_submission(
            to, file, file_format, polymer or (), solvent or (), direction, config
        )  # fmt: skip
        return
    for option, value in {"polymer": polymer, "solvent": solvent, "direction": direction}.items():
        if value:
            raise UsageError(f"is for {field('to')} electrospinning-data", field=option)
    from engine.bulk.tables import check_table
    from engine.experiments.export import choose_format, rendered_parts, write_export
    from engine.workspace import Workspace

    chosen = choose_format(file, file_format)
    check_table(micrographs, "micrographs")
    with Workspace.open(config) as workspace, workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        curves = tx.curves.find(record.id) if chosen == "json" else ()
        if micrographs is not None:
            from engine.bulk.recorded import write_recorded

            n_pictures = write_recorded(micrographs, tx.experiments.each(record.id))
            say(f"{n_pictures} micrographs → {micrographs}")
        runs = tx.experiments.each(record.id)
        parts = rendered_parts(chosen, record, campaign, runs, curves)
        if file is None:
            for part in parts:
                print_table(part.decode())
            return
        write_export(file, parts)
        n_runs = sum(tx.experiments.count(record.id).values())
    console(to_stderr=True).print(f"{n_runs} experiments → {file}", markup=False)


def _write_submission(
    to: str,
    out: Path | None,
    file_format: str | None,
    polymers: Sequence[str],
    solvents: Sequence[str],
    direction: str | None,
    config: Path | None,
) -> None:
    from engine.experiments.export import write_export
    from engine.sources.electrospinning_data.fields import NAME
    from engine.sources.electrospinning_data.submission import submission_of
    from engine.workspace import Workspace

    if to != NAME:
        raise UsageError(f"expected {NAME}, got '{to}'", field="to")
    if file_format not in (None, "json"):
        raise UsageError(f"a submission record is json, got '{file_format}'", field="format")
    with Workspace.open(config) as workspace, workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        submission = submission_of(
            campaign,
            tx.experiments.each(record.id),
            polymers=polymers,
            solvents=solvents,
            direction=direction,
        )
    for note in submission.notes:
        warn(note)
    if out is None:
        print_table(submission.text)
        return
    write_export(out, [submission.text.encode()])
    console(to_stderr=True).print(
        f"{submission.n_runs} runs → {out}; nothing was sent", markup=False
    )
