"""``engine watch``: register what instruments write into a folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.terminal.options import ConfigOption, JsonOption
from engine.terminal.output import print_json, say, warn

if TYPE_CHECKING:
    from engine.inbox.watching import Outcome, Watcher


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(watch)


def watch(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Where microscopes write.", show_default="[watch] folder"),
    ] = None,
    *,
    patterns: Annotated[
        list[str] | None,
        typer.Option(
            "--pattern",
            metavar="NAME",
            help="How pictures are called: {run} is a run's number or label, {n} a number, {any} "
            "anything; repeat it.",
            show_default="[watch] patterns",
        ),
    ] = None,
    settle: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=3600,
            help="A file is whole once it has not changed for so many seconds.",
            show_default="[watch] settle_s",
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Register what lies there now, and end.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register micrographs, tensile curves and worksheets that are dropped into a folder.

    A picture `41_2.tif` (or `LABEL_2.tif`) goes to its run and is measured, `41_curve.csv` is read
    as `log --curve` reads it; a worksheet of `propose --csv` that was filled in is logged. Nothing
    is guessed: what belongs to no run, or could belong
    to two, is listed. Files stay where they are, and each is registered once, however often it is
    seen and whenever this was stopped. Ctrl-C ends it; `engine schedule run` watches the folder of
    [watch] in config.toml by itself.
    """
    from engine.inbox.watching import Watcher, watched_folder
    from engine.workspace import Workspace

    with Workspace.open(config) as opened:
        workspace = opened.settled()
        changes: dict[str, Any] = {}
        if patterns:
            changes["patterns"] = tuple(patterns)
        if settle is not None:
            changes["settle_s"] = settle
        settings = workspace.settings.watch.model_copy(update=changes)
        watcher = Watcher(workspace, watched_folder(workspace, folder), settings)
        outcomes: list[Outcome] = []
        if once:
            outcomes += watcher.look()
            time.sleep(settings.settle_s)
            outcomes += watcher.look()
            _print(outcomes, as_json=as_json)
        else:
            say(f"watching {watcher.folder}; Ctrl-C ends it")
            for new in watcher.run(lambda: False):
                _print(new, as_json=False)
                outcomes += new
        _sum_up(watcher, outcomes, as_json=as_json)


def _print(outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    for outcome in outcomes:
        if outcome.registered is not None:
            if not as_json:
                typer.echo(str(outcome))
            for warning in outcome.registered.warnings:
                warn(f"{outcome.path.name}: {warning}")
        elif not as_json:
            say(str(outcome))


def _sum_up(watcher: Watcher, outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    registered = [o for o in outcomes if o.registered is not None]
    new = [o for o in registered if o.registered is not None and o.registered.is_new]
    if as_json:
        print_json(
            {
                "folder": str(watcher.folder),
                "registered": [
                    {
                        "file": o.path.name,
                        "kind": o.registered.kind,
                        "experiments": list(o.registered.runs),
                        "new": o.registered.is_new,
                    }
                    for o in registered
                    if o.registered is not None
                ],
                "unmatched": [
                    {"file": o.path.name, "problem": o.problem, "unmatched": o.is_unmatched}
                    for o in watcher.unmatched
                ],
                "waiting": watcher.n_waiting,
            }
        )
        return
    typer.echo(
        f"{len(new)} registered, {len(registered) - len(new)} recorded already, "
        f"{len(watcher.unmatched)} left aside, {watcher.n_waiting} still being written"
    )
