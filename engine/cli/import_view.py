"""What an import did, or would do: as lines and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from engine.cli.output import count
from engine.errors import grouped, mends
from engine.terminal.output import say

if TYPE_CHECKING:
    from engine.experiments.importers.importing import ImportReport


def import_document(report: ImportReport) -> dict[str, object]:
    """Return an import as plain JSON types."""
    from engine.documents.problems import row_problem_document

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
        "problems": list(map(row_problem_document, report.problems)),
        "warnings": list(report.warnings),
    }


def print_import(report: ImportReport, *, update: bool = False) -> None:
    """Print an import, and why it would be refused."""
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
        for line in grouped(report.problems)[:50]:
            say(f"  {line}")
        changes = mends(report.problems)
        if changes:
            say("what would take it:")
        for change in changes[:20]:
            say(f"  {change}")
