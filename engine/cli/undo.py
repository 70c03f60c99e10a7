"""``engine undo``: take back the last change of one's own."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.terminal.options import ConfigOption, JsonOption
from engine.terminal.output import print_json, say

MOST_LINES = 20


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(undo)


def undo(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be taken back; write nothing.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back the last change that you made to runs of the campaign.

    Results are retracted, corrections give way to what they replaced, statuses and conditions are
    what they were, and runs that the change brought are abandoned. Nothing is erased: the change
    and its undoing both stay in the trail. A second call goes one further back.
    """
    from db.session import login_name
    from engine.documents.experiments import UndoneOut
    from engine.experiments.undo import undo as undo_last
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        undone = undo_last(workspace, login_name(), is_dry_run=dry_run)
    if as_json:
        print_json(UndoneOut.model_validate(undone))
        return
    change = undone.change
    detail = f", {change.detail}" if change.detail else ""
    would_be = "would be" if dry_run else "is"
    moment = f"{change.at.astimezone():%Y-%m-%d %H:%M}"
    typer.echo(f"change {change.id} of {moment} ({change.action}{detail}) {would_be} undone:")
    for line in undone.restored[:MOST_LINES]:
        typer.echo(f"  {line}")
    if len(undone.restored) > MOST_LINES:
        say(f"  … and {len(undone.restored) - MOST_LINES} more")
