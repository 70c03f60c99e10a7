"""``engine preview``: pictures of the mat to expect, or of mats like one that was seen."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.acquisition import (
    AxisOption,
    BarOption,
    CropOption,
    DarkOption,
    ScaleOption,
    taking_of,
)
from engine.cli.completion import complete_parameter
from engine.cli.preview_view import refuse_sheet, show_previews, written
from engine.cli.progress import progress_line
from engine.errors import NotFoundError, SpinneretError, UsageError
from engine.terminal.options import ConfigOption, JsonOption
from engine.terminal.output import print_json, say

if TYPE_CHECKING:
    from engine.campaign import Campaign, Value
    from engine.previews.preview import Previews
    from engine.workspace import Workspace


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(preview)


def preview(
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A condition; repeat it. The rest is left open.",
            autocompletion=complete_parameter,
        ),
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option("--like", metavar="IMAGE", help="Draw mats like this micrograph instead."),
    ] = None,
    nm_per_pixel: ScaleOption = None,
    scale_bar: BarOption = None,
    rotation_axis: AxisOption = None,
    crop: CropOption = None,
    dark_fibres: DarkOption = None,
    n: Annotated[
        int | None,
        typer.Option(
            "--n", "-n", help="Pictures (1 to 64).", show_default="[generator] pictures, 4"
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**31 - 1, help="Seed; drawn and recorded if not given."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="PNG", help="The contact sheet.", show_default="the data folder"
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Record nothing.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Draw the mat to expect of any conditions, or mats like one that was seen.

    Several pictures, which differ as lots do, their statistics with the interval in which those
    of a real micrograph should lie, and the real micrographs of the nearest runs. The same seed
    gives the same pictures on the same device. For a micrograph, the runs nearest to it are named
    too, as `engine retrieve` finds them.
    """
    from engine.experiments.conditions import read_conditions, split_pairs
    from engine.previews.contact_sheet import SheetRow
    from engine.previews.preview import preview_like, record_previews
    from engine.previews.sheet_files import condition_lines, sheets_folder, write_sheet
    from engine.workspace import Workspace

    if (settings is None) == (like is None):
        raise UsageError("expected --set NAME=VALUE … or --like IMAGE; one of the two")
    taking = taking_of(nm_per_pixel, rotation_axis, crop, dark_fibres, scale_bar)
    if like is None and taking != taking_of(None, None):
        raise UsageError(
            "--nm-per-pixel, --scale-bar, --rotation-axis, --crop and --dark-fibres belong to "
            "--like"
        )
    refuse_sheet(out)
    chosen = secrets.randbelow(2**31) if seed is None else seed
    with Workspace.open(config) as workspace:
        with workspace.database.read() as tx:
            _, campaign = workspace.active_campaign(tx)
        if like is None:
            conditions = read_conditions(campaign, split_pairs(settings, "set"), "set")
            request: dict[str, Any] = {"conditions": dict(conditions)}
            heading, lines = "conditions", condition_lines(campaign, conditions)
            previews = _drawn(workspace, campaign, conditions, n, chosen)
            nearest: list[dict[str, Any]] = []
        else:
            from engine.micrographs.opened import open_micrograph

            limit = workspace.settings.storage.max_image_megapixels
            picture = open_micrograph(like, taking, max_megapixels=limit)
            request = {"like": like.name}
            heading, lines = "like", [like.name]
            with progress_line() as progress:
                previews = preview_like(workspace, picture, n=n, seed=chosen, progress=progress)
            nearest = _nearest_runs(workspace, picture)
        ids = [] if dry_run else record_previews(workspace, previews, request=request)
        place = out
        if place is None and ids:
            place = sheets_folder(workspace) / f"preview-{ids[0]}.png"
        row = SheetRow(heading, lines, previews.items[0])

        def write() -> Path | None:
            if place is not None:
                write_sheet(place, "What to expect", previews, [row])
            return place

        sheet = written(write)
    if as_json:
        from engine.documents.retrieval import PreviewOut

        print_json(
            {
                "preview": ids[0] if ids else None,
                "generator": previews.generator,
                "seed": chosen,
                "sheet": None if sheet is None else str(sheet),
                **request,
                **PreviewOut.build(previews.items[0]).plain(),
                "nearest_runs": nearest,
            }
        )
    show_previews(previews, [heading], sheet, to_stderr=as_json)
    for run in nearest:
        listed = ", ".join(f"{name} {value}" for name, value in run["conditions"].items())
        say(f"nearest run {run['name']} (similarity {run['similarity']:.2f}): {listed}")
    say(f"seed {chosen}")


def _drawn(
    workspace: Workspace,
    campaign: Campaign,
    conditions: Mapping[str, Value],
    n: int | None,
    seed: int,
) -> Previews:
    """Draw conditions' preview, at what the campaign's model forecasts where it measures that."""
    from engine.predictions.forecast_diameter import forecast_for_preview
    from engine.previews.preview import preview_conditions

    with progress_line() as progress:
        forecasts, reason = forecast_for_preview(workspace, campaign, conditions, progress=progress)
        previews = preview_conditions(
            workspace, [conditions], n=n, seed=seed, forecasts=forecasts, progress=progress
        )
    if reason is not None:
        say(reason)
    return previews


def _nearest_runs(workspace: Any, picture: Any) -> list[dict[str, Any]]:
    """Return the runs whose micrographs come nearest, or none with a word why."""
    from engine.retrieval.search import by_micrograph

    try:
        retrieved = by_micrograph(workspace, picture, k=3)
    except NotFoundError:
        return []
    except SpinneretError as error:
        say(f"no nearest runs: {error}")
        return []
    return [
        {
            "experiment": match.item.experiment_id,
            "name": match.item.run,
            "similarity": match.similarity,
            "conditions": dict(match.item.conditions),
        }
        for match in retrieved.matches
    ]
