"""``engine report``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.progress import progress_line
from engine.terminal.options import ConfigOption, JsonOption
from engine.terminal.output import print_json, say


def report(
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="The page's file.", show_default="<data folder>/reports/<campaign>.html"
        ),
    ] = None,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="FOLDER", help="Write the figures as PNG too.")
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser when it is written.")
    ] = False,
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Write what the campaign has found as one self-contained HTML page.

    Pareto front, hypervolume over runs, parallel coordinates, predictions against results,
    what moves what, recent runs and batches. The page needs no network.
    """
    from engine.report.write import write_report
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace, progress_line() as progress:
        written = write_report(workspace, out=out, pictures=png, progress=progress)
    if json_:
        print_json(
            {
                "campaign": written.campaign,
                "page": str(written.page),
                "pictures": [str(path) for path in written.pictures],
                "finished": written.n_finished,
                "hypervolume": written.hypervolume,
                "remark": written.remark,
            }
        )
    else:
        sys.stdout.writelines(f"{path}\n" for path in (written.page, *written.pictures))
    if open_page:
        import webbrowser

        if not webbrowser.open(written.page.resolve().as_uri()):
            say(f"no browser could be opened; the page is {written.page}")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(report)
