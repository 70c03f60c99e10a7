"""``engine pretrain``: a surrogate that has learnt from every source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.progress import progress_bar
from engine.terminal.options import ConfigOption, DeviceOption, JsonOption
from engine.terminal.output import console, grid, print_json, say, warn

if TYPE_CHECKING:
    from engine.sources.store_champion import Pretrained


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(pretrain)


def pretrain(
    *,
    source: Annotated[
        list[str] | None,
        typer.Option(help="A source to learn from; may be repeated.", show_default="all"),
    ] = None,
    start: Annotated[
        str,
        typer.Option("--from", help="What to begin with: starter, scratch, or a checkpoint."),
    ] = "starter",
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Updates of the weights.", show_default="600; 2000 from scratch"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything drawn at random.")] = 0,
    device: DeviceOption = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted training, same options.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the surrogate on all sources and make it the one that proposals use.

    The former one is kept and retires. An interrupt (Ctrl-C) leaves everything as it was; --resume
    goes on from there. Held-out R² tells how well each source is understood; what a source is
    worth to the campaign is told by `engine propose`.
    """
    from engine.compute import is_first_process
    from engine.sources.pretraining import PretrainRequest
    from engine.sources.pretraining import pretrain as pretrain_now
    from engine.workspace import Workspace

    request = PretrainRequest(tuple(source or ()), start, steps, seed, device, resume)
    try:
        with Workspace.open(config) as workspace, progress_bar() as progress:
            pretrained = pretrain_now(workspace, request, progress)
    except KeyboardInterrupt:
        say("interrupted; `engine pretrain --resume` with the same options goes on from there")
        raise
    if not is_first_process():
        return
    for note in pretrained.notes:
        warn(note)
    if as_json:
        from engine.documents.models import PretrainedOut

        print_json(PretrainedOut.model_validate(pretrained))
    else:
        _print(pretrained)


def _print(pretrained: Pretrained) -> None:
    scores: Mapping[str, Mapping[str, float]] = pretrained.metrics["r2_held_out"]
    rows = []
    for source in pretrained.metrics["sources"]:
        r2 = scores.get(source["name"], {})
        mean = f"{sum(r2.values()) / len(r2):.2f}" if r2 else "–"
        rows.append(
            [
                source["name"],
                source["kind"],
                str(source["runs"]),
                str(source["held_out_runs"]),
                str(source["tiles"]),
                str(len(r2)) if r2 else "–",
                mean,
            ]
        )
    headings = ["source", "kind", "runs", "held out", "tiles", "outcomes scored", "mean R² [–]"]
    console().print(grid(headings, rows))
    replayed = pretrained.metrics["replayed_labs"]
    labs = f", {replayed} simulated labs" if replayed else ""
    typer.echo(
        f"model {pretrained.model_id} is the champion: {pretrained.artifact} "
        f"({pretrained.metrics['steps']} steps{labs}, sha256 {pretrained.sha256[:12]})"
    )
    if pretrained.former_id is not None:
        typer.echo(f"model {pretrained.former_id} retired; its files are kept")
