"""``python -m engine.bench.growth``: how the commands slow down as a campaign grows."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from engine.bench.harness.results import check_folders
from engine.bench.harness.screen import print_where, report_screen, show
from engine.bench.options import OutOption, SeedOption, study
from engine.terminal.options import ConfigOption, JsonOption
from engine.terminal.output import grid


class Action(StrEnum):
    """Fill a campaign, or time what people wait for."""

    FILL = "fill"
    TIME = "time"


def growth(
    action: Annotated[Action, typer.Argument(help="fill a campaign, or time the commands.")],
    measurements: Annotated[
        int, typer.Option("--measurements", min=1, help="How many to add; ten a run.")
    ] = 1_000_000,
    seed: SeedOption = 0,
    repeats: Annotated[
        int, typer.Option("--repeats", min=1, help="How often each is timed; the median is told.")
    ] = 5,
    config: ConfigOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fill the workspace's campaign with runs of the virtual lab, then time its commands.

    The campaign is that of the nanofibre template; SQLite or PostgreSQL, whatever the workspace
    has. Timing logs runs as well: use a workspace made for it.
    """
    from engine.bench.harness.environment import environment
    from engine.bench.harness.results import write_json
    from engine.bench.search.growth import fill, timed
    from engine.workspace import Workspace

    check_folders(out)
    with Workspace.open(config) as workspace:
        if action is Action.FILL:
            n_runs, seconds = fill(workspace, measurements, seed=seed)
            numbers: dict[str, Any] = {"runs": n_runs, "seconds": round(seconds, 1)}
        else:
            numbers = timed(workspace, repeats=repeats)
    document = {"kind": f"growth {action}", "environment": environment(), **numbers}
    if out is not None:
        write_json(out, document)
    show(document, lambda: print_growth(document, numbers), as_json=as_json, files=(out,))


def print_growth(document: Mapping[str, Any], numbers: Mapping[str, Any]) -> None:
    """Print the numbers in one row."""
    screen = report_screen()
    cells = [
        f"{value:.3g}" if isinstance(value, float) else str(value) for value in numbers.values()
    ]
    screen.print(grid([_heading(name) for name in numbers], [cells]))
    print_where(screen, document, "1 process")


def _heading(name: str) -> str:
    if name == "seconds":
        return "time [s]"
    return f"{name.removesuffix('_s')} [s]" if name.endswith("_s") else name


app = study(growth, "growth fill --measurements 10000")

if __name__ == "__main__":
    app()
