"""What pictures show, printed: a row a picture, or everything of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from engine.terminal.output import console, grid, warn

if TYPE_CHECKING:
    from db.records import MicrographRecord


def print_table(pictures: Sequence[MicrographRecord]) -> None:
    """Print a row a picture."""
    from engine.micrographs.corrections import corrected_in_words

    if not pictures:
        return
    rows, any_corrected = [], False
    for picture in pictures:
        statistics = picture.statistics or {}
        diameter = statistics.get("diameter") or {}
        unit = statistics.get("unit", "")
        is_corrected = bool(corrected_in_words(statistics))
        any_corrected |= is_corrected
        rows.append(
            [
                str(picture.id),
                str(picture.experiment_id),
                picture.original_name,
                _number(picture.nm_per_pixel),
                picture.nm_per_pixel_source or "unknown" if picture.nm_per_pixel else "unknown",
                f"{_number(diameter.get('mean'))} ± {_number(diameter.get('sd'))} {unit}",
                _number(statistics.get("order"), 2),
                _number(statistics.get("porosity"), 2) + (" *" if is_corrected else ""),
            ]
        )
    headings = ["micrograph", "run", "file", "scale [nm/px]", "read from", "diameter ± SD",
                "order [–]", "areal porosity [–]"]  # fmt: skip
    console().print(grid(headings, rows))
    if any_corrected:
        typer.echo("* corrected by hand")


def print_warnings(picture: MicrographRecord) -> None:
    """Print what is doubtful of a picture."""
    for warning in (picture.statistics or {}).get("warnings", []):
        warn(f"{picture.original_name}: {warning}")


def print_one(picture: MicrographRecord) -> None:
    """Print everything that a picture shows."""
    from engine.micrographs.corrections import corrected_in_words

    statistics = picture.statistics or {}
    typer.echo(
        f"micrograph {picture.id} of experiment {picture.experiment_id}: {picture.original_name}, "
        f"{picture.width_px} × {picture.height_px} px"
    )
    scale = f"{picture.nm_per_pixel:g} nm" if picture.nm_per_pixel else "unknown, lengths in pixels"
    source = f" ({picture.nm_per_pixel_source})" if picture.nm_per_pixel else ""
    typer.echo(f"pixel size: {scale}{source}")
    if picture.crop:
        x0, y0, x1, y1 = picture.crop
        typer.echo(f"measured: columns {x0}–{x1}, rows {y0}–{y1} (without the data bar)")
    if corrected := corrected_in_words(statistics):
        typer.echo(corrected)
    print_warnings(picture)
    unit, blank = statistics["unit"], [""] * 4
    errors = statistics.get("standard_errors") or {}
    rows = [
        _row(f"fibre diameter [{unit}]", statistics["diameter"]),
        _row(f"pore diameter [{unit}]", statistics["pore"]),
        ["order S [–]", str(statistics["n_directions"]), _number(statistics["order"], 3), *blank],
        ["areal porosity [–]", "", _number(statistics["porosity"], 3), *blank],
        ["bead fraction [–]", str(statistics["n_beads"]), _number(statistics["bead_fraction"], 3),
         *blank],
    ]  # fmt: skip
    names = ("diameter", "", "order", "porosity", "bead_fraction")
    for row, name in zip(rows, names, strict=True):
        row.insert(3, _number(errors.get(name), None if name == "diameter" else 3))
    headings = ["", "n", "mean", "± SE", "SD", "5 %", "median", "95 %"]
    console().print(grid(headings, rows))


def _row(name: str, distribution: Mapping[str, Any]) -> list[str]:
    quantiles = distribution["quantiles"] or [None] * 5
    values = (distribution["mean"], distribution["sd"], quantiles[0], quantiles[2], quantiles[4])
    return [name, str(distribution["n"]), *map(_number, values)]


def _number(value: float | None, digits: int | None = None) -> str:
    from engine.campaign.numbers import written

    if value is None:
        return "–"
    return written(value, 4) if digits is None else f"{value:.{digits}f}"
