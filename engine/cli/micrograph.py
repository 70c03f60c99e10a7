"""``engine micrograph``: pictures of mats, and what they show in numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.acquisition import (
    AxisOption,
    BarOption,
    CropOption,
    DarkOption,
    ScaleOption,
    taking_of,
)
from engine.cli.completion import complete_micrograph, complete_run
from engine.cli.micrograph_correct import correct
from engine.cli.micrograph_read import read
from engine.cli.micrograph_tables import print_one, print_table, print_warnings
from engine.cli.progress import progress_bar
from engine.errors import UsageError
from engine.terminal.options import ConfigOption, JsonOption
from engine.terminal.output import print_json, say, warn

if TYPE_CHECKING:
    from engine.micrographs.add import AddReport


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        help="Pictures of mats: keep them, measure fibres, directions and pores.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command()(add)
    group.command("import")(import_)
    group.command()(show)
    group.command()(measure)
    group.command()(correct)
    group.command()(remove)
    group.command()(read)
    group.command()(check)
    app.add_typer(group, name="micrograph")


def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="TIFF, PNG or JPEG.")],
    *,
    experiment: Annotated[
        str,
        typer.Option(
            "--experiment",
            metavar="ID",
            help="The run's number or label.",
            autocompletion=complete_run,
        ),
    ],
    nm_per_pixel: ScaleOption = None,
    scale_bar: BarOption = None,
    rotation_axis: AxisOption = None,
    crop: CropOption = None,
    dark_fibres: DarkOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep pictures of a run's mat and measure them: all of them, or none.

    The pixel size is what the instrument wrote: inside the picture, or in a .txt or .hdr file of
    its name beside it. Data bar and empty margins are found and left out.
    """
    from engine.micrographs.add import add as add_pictures
    from engine.workspace import Workspace

    taking = taking_of(nm_per_pixel, rotation_axis, crop, dark_fibres, scale_bar)
    with Workspace.open(config) as workspace, progress_bar("measuring") as progress:
        report = add_pictures(workspace, files, experiment, taking, progress)
    _print_added(report, as_json)


def import_(
    folder: Annotated[
        Path, typer.Argument(help="Pictures <ID>_<k>.tif, or images/preprocessed/<ID>/.")
    ],
    *,
    nm_per_pixel: ScaleOption = None,
    scale_bar: BarOption = None,
    rotation_axis: AxisOption = None,
    crop: CropOption = None,
    dark_fibres: DarkOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep and measure every picture of a folder whose name tells its run; twice is once.

    ID is a run's label or its number; one that could mean two runs is refused.
    """
    from engine.micrographs.add import import_folder
    from engine.workspace import Workspace

    taking = taking_of(nm_per_pixel, rotation_axis, crop, dark_fibres, scale_bar)
    with Workspace.open(config) as workspace, progress_bar("measuring") as progress:
        report = import_folder(workspace, folder, taking, progress)
    _print_added(report, as_json)


def show(
    id_: Annotated[
        int,
        typer.Argument(
            metavar="ID", help="The micrograph's number.", autocompletion=complete_micrograph
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="The overlay to write, a PNG.", show_default="in the data folder"),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a picture's statistics, and draw what was measured over it.

    In the overlay a bar goes across a fibre from its edge as far as it is thick (blue thin, red
    thick); pores are blue, beads ringed red. The rose shows directions, its white line the
    collector's rotation. What was cut away is hatched; a scale bar that was read stands below.
    """
    from engine.micrographs.overlay import show as show_picture
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        overlaid = show_picture(workspace, id_, out)
    if as_json:
        from engine.documents.experiments import MicrographFileOut

        document = MicrographFileOut.model_validate(overlaid.micrograph).plain()
        print_json({**document, "overlay": str(overlaid.overlay)})
        return
    print_one(overlaid.micrograph)
    typer.echo(f"overlay: {overlaid.overlay}")


def measure(
    ids: Annotated[
        list[int] | None,
        typer.Argument(
            metavar="[ID]...",
            help="Micrographs' numbers.",
            show_default=False,
            autocompletion=complete_micrograph,
        ),
    ] = None,
    *,
    all_of_campaign: Annotated[bool, typer.Option("--all", help="All of the campaign.")] = False,
    missing: Annotated[
        bool, typer.Option("--missing", help="All that are not measured yet.")
    ] = False,
    nm_per_pixel: ScaleOption = None,
    scale_bar: BarOption = None,
    rotation_axis: AxisOption = None,
    crop: CropOption = None,
    dark_fibres: DarkOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure kept pictures anew and record it, with another pixel size or axis if you like."""
    from engine.micrographs.overlay import measure_again
    from engine.workspace import Workspace

    if sum((bool(ids), all_of_campaign, missing)) != 1:
        raise UsageError("expected micrographs' numbers, --all or --missing: one of the three")
    taking = taking_of(nm_per_pixel, rotation_axis, crop, dark_fibres, scale_bar)
    with Workspace.open(config) as workspace, progress_bar("measuring") as progress:
        measured = measure_again(
            workspace, ids or [], taking, only_missing=missing, progress=progress
        )
    if as_json:
        from engine.documents.experiments import MicrographFileOut

        print_json({"items": [MicrographFileOut.model_validate(picture) for picture in measured]})
        return
    print_table(measured)
    for picture in measured:
        print_warnings(picture)
    typer.echo(f"{len(measured)} micrographs measured")


def remove(
    ids: Annotated[
        list[int],
        typer.Argument(
            metavar="ID...", help="Micrographs of one run.", autocompletion=complete_micrograph
        ),
    ],
    *,
    note: Annotated[
        str | None, typer.Option("--note", metavar="TEXT", help="Why: kept in the run's trail.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Take pictures away from their run: of another mat, say.

    The files stay, and so does what was recorded; `engine undo` puts the pictures back, and so does
    adding them again.
    """
    from engine.experiments.entries import Entry
    from engine.experiments.record import record
    from engine.micrographs.lookup import find_micrograph
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        with workspace.database.read() as tx:
            run = find_micrograph(tx, workspace, ids[0]).experiment_id
        entry = Entry(experiment=f"id:{run}", removed=tuple(dict.fromkeys(ids)), note=note)
        record(workspace, entry, detail=f"experiment {run}")
    typer.echo(f"experiment {run}: {', '.join(map(str, entry.removed))} removed")


def check(
    false_share: Annotated[
        float,
        typer.Option("--false-share", help="Share of false flags among flags that is put up with."),
    ] = 0.1,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Flag runs whose mat is not what their conditions promise.

    What each run's pictures show is compared with what all other runs lead one to expect of its
    conditions: in measured statistics, and in the model's space of pictures and conditions. A
    flagged run looks mislabelled (exchanged with another), drifted (runs beside it in time are off
    the same way), or neither. Nothing is recorded.
    """
    from engine.cli.misfits import checked_document, print_checked
    from engine.retrieval.check import check as check_workspace
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace, progress_bar("looking") as progress:
        checked = check_workspace(workspace, false_share=false_share, progress=progress)
    for note in checked.notes:
        say(note)
    if as_json:
        print_json(checked_document(checked))
        return
    print_checked(checked)


def _print_added(report: AddReport, as_json: bool) -> None:
    for warning in report.warnings:
        warn(warning)
    if as_json:
        from engine.documents.experiments import AddedMicrographsOut

        print_json(AddedMicrographsOut.model_validate(report))
        return
    print_table(report.added)
    n_known = f", {report.n_known} known already" if report.n_known else ""
    typer.echo(f"{len(report.added)} micrographs added{n_known}")
