"""``engine retrieve``: conditions → micrographs, and a micrograph → the runs nearest to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
from engine.cli.output import count, setting
from engine.cli.progress import progress_bar
from engine.errors import UsageError
from engine.terminal.options import ConfigOption, JsonOption
from engine.terminal.output import console, grid, print_json, say

if TYPE_CHECKING:
    from engine.retrieval.gallery import Item
    from engine.retrieval.search import Retrieved

GALLERIES = ("campaign", "sources", "all")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(retrieve)


def retrieve(
    conditions: Annotated[
        str | None,
        typer.Option(
            "--conditions",
            metavar="NAME=VALUE,…",
            help="Find micrographs that look as these conditions should.",
            autocompletion=complete_parameter,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="One of the conditions; repeat it.",
            autocompletion=complete_parameter,
        ),
    ] = None,
    micrograph: Annotated[
        Path | None,
        typer.Option("--micrograph", metavar="FILE", help="Find the runs nearest to this picture."),
    ] = None,
    nm_per_pixel: ScaleOption = None,
    scale_bar: BarOption = None,
    rotation_axis: AxisOption = None,
    crop: CropOption = None,
    dark_fibres: DarkOption = None,
    k: Annotated[int, typer.Option("--k", "-k", help="How many.")] = 6,
    gallery: Annotated[
        str,
        typer.Option("--gallery", help="campaign, sources (`engine source list`), all."),
    ] = "campaign",
    contact_sheet: Annotated[
        Path | None,
        typer.Option("--contact-sheet", metavar="PNG", help="Also write the pictures, one scale."),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Find micrographs by conditions, or runs and their conditions by a micrograph.

    Nearest first in what was measured, diameter and order before all else: of a picture to the
    query's, or to what the campaign's runs lead one to expect of the conditions. Beside it stand
    how well conditions and picture fit, and the similarity in the space in which the model puts
    both, which orders pictures that were not measured. Conditions that are not stated are left
    open. Nothing is recorded.
    """
    from engine.retrieval.search import by_conditions, by_micrograph
    from engine.workspace import Workspace

    pairs = _pairs(conditions, settings)
    if bool(pairs) == (micrograph is not None):
        raise UsageError("expected --conditions NAME=VALUE,… or --micrograph FILE; one of the two")
    taking = taking_of(nm_per_pixel, rotation_axis, crop, dark_fibres, scale_bar)
    if micrograph is None and taking != taking_of(None, None):
        raise UsageError(
            "--nm-per-pixel, --scale-bar, --rotation-axis, --crop and --dark-fibres belong to "
            "--micrograph"
        )
    scope = _gallery(gallery)
    _refuse_place(contact_sheet)
    picture = None
    with Workspace.open(config) as workspace:
        limit = workspace.settings.storage.max_image_megapixels
        with progress_bar("looking") as progress:
            if micrograph is not None:
                from engine.micrographs.opened import open_micrograph

                picture = open_micrograph(micrograph, taking, max_megapixels=limit)
                retrieved = by_micrograph(workspace, picture, k=k, scope=scope, progress=progress)
            else:
                from engine.experiments.conditions import read_conditions

                with workspace.database.read() as tx:
                    _, campaign = workspace.active_campaign(tx)
                field_name = "conditions" if conditions else "set"
                query = read_conditions(campaign, pairs, field_name)
                retrieved = by_conditions(workspace, query, k=k, scope=scope, progress=progress)
    if contact_sheet is not None:
        from engine.retrieval.contact_sheet import query_panel, write_contact_sheet

        panel = None if picture is None else query_panel(picture, retrieved)
        write_contact_sheet(retrieved, contact_sheet, max_megapixels=limit, query=panel)
    for note in retrieved.notes:
        say(note)
    if as_json:
        from engine.documents.retrieval import RetrievedOut

        print_json(RetrievedOut.build(retrieved))
    else:
        _show(retrieved)
    if contact_sheet is not None:
        say(f"pictures: {contact_sheet}")


def _pairs(conditions: str | None, settings: Sequence[str] | None) -> list[tuple[str, str]]:
    from engine.experiments.conditions import split_pairs

    listed = [word for word in (conditions or "").split(",") if word.strip()]
    if conditions is not None and not listed:
        raise UsageError("--conditions: expected name=value,… such as voltage=18, got nothing")
    return split_pairs([*listed, *(settings or ())], "conditions")


def _gallery(word: str) -> Any:
    from engine.errors import nearest_name

    if word not in GALLERIES:
        raise UsageError(
            f"--gallery: expected {', '.join(GALLERIES)}, got '{word}'."
            f"{nearest_name(word, GALLERIES)}"
        )
    return word


def _refuse_place(path: Path | None) -> None:
    """Refuse, before anything is computed, a file that could not be written."""
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise UsageError(f"--contact-sheet: expected a file in an existing folder, got {path}")


# -- showing ------------------------------------------------------------------------------------


def _show(retrieved: Retrieved) -> None:
    from engine.campaign.numbers import written

    screen = console()
    names = list(
        dict.fromkeys(
            axis.name
            for match in retrieved.matches
            for axis in match.item.axes
            if axis.name in match.item.conditions
        )
    )
    headings = [
        "run",
        "diameter (Δ) [nm]",
        "order (Δ) [–]",
        "porosity (Δ) [–]",
        "fits [×]",
        "similarity [–]",
        *(_heading(retrieved, name) for name in names),
    ]
    rows = []
    for match in retrieved.matches:
        measured, off = match.item.statistics, match.difference
        rows.append(
            [
                match.item.run,
                _measured(measured.diameter_nm, off.diameter_nm, 0)
                + (" (by hand)" if measured.is_corrected else ""),
                _measured(measured.order, off.order, 2),
                _measured(measured.porosity, off.porosity, 2),
                "–" if match.fit is None else written(math.exp(match.fit), 2),
                f"{match.similarity:.2f}",
                *(_value(match.item, name) for name in names),
            ]
        )
    screen.print(f"{count(len(rows), 'micrograph')} of {retrieved.n_gallery}, nearest first")
    statistics = retrieved.statistics
    if any(value is not None for value in statistics.values):
        subject = "expected of these conditions" if retrieved.is_expected else "the picture shows"
        screen.print(f"{subject}: {statistics.in_words}; Δ is the run's minus that")
    screen.print(grid(headings, rows))
    if any(match.fit is not None for match in retrieved.matches):
        pair = ("the picture", "these") if retrieved.is_expected else ("your picture", "the run's")
        screen.print(
            f"fits: how many times likelier {pair[0]} is of {pair[1]} conditions than of those of "
            "a run drawn at random"
        )
    screen.print(
        f"similarity: in the latent of {retrieved.model}, −1 to 1; it orders what was not measured",
        markup=False,
    )


def _heading(retrieved: Retrieved, name: str) -> str:
    item = next(m.item for m in retrieved.matches if name in m.item.conditions)
    unit = item.unit_of(name)
    return f"{name} [{unit}]" if unit else name


def _value(item: Item, name: str) -> str:
    return setting(item.conditions.get(name))


def _measured(value: float | None, off: float | None, digits: int) -> str:
    if value is None:
        return "–"
    return f"{value:.{digits}f}" + ("" if off is None else f" ({off:+.{digits}f})")
