"""``engine doctor``: is everything as it should be?"""

from __future__ import annotations

from typing import Annotated

import typer

from engine.terminal.options import ConfigOption, JsonOption
from engine.terminal.output import console, grid, print_json


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(doctor)


def doctor(
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Remove leftovers of killed processes, release dead leases."),
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out what reads every page and file.")
    ] = False,
    older_than: Annotated[
        float,
        typer.Option(min=0, help="Leftovers younger than this are left alone, in seconds."),
    ] = 600.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at everything: database, data folder, models' hashes, leftovers, leases, schedule, disk.

    Exits with 1 if something is wrong, 0 if it is fine or only worth a look: fit for monitoring.
    """
    from engine.doctor import examine

    examination = examine(config, fix=fix, quick=quick, stale_s=older_than)
    if as_json:
        print_json(
            {
                "sound": examination.is_sound,
                "findings": [
                    {
                        "subject": finding.subject,
                        "level": finding.level,
                        "text": finding.text,
                        "fixed": finding.fixed,
                    }
                    for finding in examination.findings
                ],
            }
        )
    else:
        rows = [
            ["fixed" if finding.fixed else str(finding.level), finding.subject, finding.text]
            for finding in examination.findings
        ]
        console().print(grid(["", "what", "found"], rows))
    if not examination.is_sound:
        raise typer.Exit(1)
