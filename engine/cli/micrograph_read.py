"""``engine micrograph read``: a folder of pictures → tables, without a campaign."""

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
from engine.cli.progress import progress_bar
from engine.errors import UsageError, field
from engine.terminal.options import JsonOption
from engine.terminal.output import console, grid, print_json, say, warn

if TYPE_CHECKING:
    from engine.bulk.read import FolderReading
    from engine.bulk.samples import Estimate

_JOURNAL = ".{name}.resume"


def read(
    folder: Annotated[Path, typer.Argument(help="Pictures, also in sub-folders.")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="The table to write, a row a picture: .csv or .xlsx.")
    ] = None,
    fibres: Annotated[
        Path | None, typer.Option(help="A table with a row for every fibre: .csv or .xlsx.")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option(help="A table with a row a sample: .csv or .xlsx.")
    ] = None,
    histograms: Annotated[
        Path | None,
        typer.Option(help="A folder for distributions of diameters: a table, a drawing a sample."),
    ] = None,
    overlays: Annotated[
        Path | None, typer.Option(help="A folder for pictures of what was measured.")
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option(
            metavar="WORD",
            help="What one sample is: folder, name (less _1, _2 …), a pattern such as "
            "'{sample}_*.tif', or a table with the columns file and sample.",
            show_default="folder where there are sub-folders, else name",
        ),
    ] = None,
    nm_per_pixel: ScaleOption = None,
    scale_bar: BarOption = None,
    rotation_axis: AxisOption = None,
    crop: CropOption = None,
    dark_fibres: DarkOption = None,
    jobs: Annotated[int, typer.Option(help="Pictures at a time; 0: one a core.")] = 0,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Read pictures again that an earlier run finished.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure every picture of a folder; no campaign is needed, and nothing is recorded.

    A picture that cannot be read is told in its row and at the end, the others go on, and the exit
    code is 1. With --out a killed run goes on where it was: finished pictures are noted in a hidden
    folder beside the table, and read again only if file, options or method changed.
    """
    from engine.bulk.histograms import write_histograms
    from engine.bulk.read import read_folder
    from engine.bulk.request import ReadRequest
    from engine.bulk.tables import (
        check_table,
        picture_table,
        sample_table,
        write_fibres,
        write_table,
    )

    tables = {"out": out, "fibres": fibres, "summary": summary}
    for name, path in tables.items():
        check_table(path, name)
    places = [path.resolve() for path in (*tables.values(), histograms, overlays) if path]
    if len(set(places)) < len(places):
        raise UsageError(
            f"expected different places for {', '.join(map(field, tables))}, "
            f"{field('histograms')} and {field('overlays')}"
        )
    request = ReadRequest(
        folder,
        taking_of(nm_per_pixel, rotation_axis, crop, dark_fibres, scale_bar),
        sample=sample,
        overlays=overlays,
        drawings=histograms,
        has_fibres=fibres is not None,
        journal=out.with_name(_JOURNAL.format(name=out.name)) if out is not None else None,
        is_fresh=fresh,
        jobs=jobs,
    )
    with progress_bar("measuring pictures") as progress:
        reading = read_folder(request, progress)
    if out is not None:
        write_table(out, picture_table(reading, out.suffix.casefold()))
    if fibres is not None:
        write_fibres(fibres, reading.pictures)
    if summary is not None:
        write_table(summary, sample_table(reading, summary.suffix.casefold()))
    if histograms is not None:
        write_histograms(histograms, reading)
    _print(reading, out, as_json)
    if reading.failures:
        raise typer.Exit(1)


def _print(reading: FolderReading, out: Path | None, as_json: bool) -> None:
    for note in reading.notes:
        say(note)
    if as_json:
        from engine.documents.bulk import FolderReadingOut

        print_json(FolderReadingOut.model_validate(reading))
    else:
        if out is None:
            _print_pictures(reading)
        _print_samples(reading)
    for picture in reading.failures:
        warn(picture.problem or "")
    n, n_failed = len(reading.pictures), len(reading.failures)
    resumed = f", {reading.n_resumed} of them by an earlier run" if reading.n_resumed else ""
    failed = f"; {n_failed} could not be measured" if n_failed else ""
    target = f" → {out}" if out is not None else ""
    console(to_stderr=as_json).print(
        f"{n - n_failed} of {n} pictures measured{resumed}{failed}{target}",
        markup=False, soft_wrap=True,
    )  # fmt: skip


def _print_pictures(reading: FolderReading) -> None:
    rows = []
    for picture in reading.pictures:
        statistics = picture.statistics or {}
        diameter = statistics.get("diameter") or {}
        errors = statistics.get("standard_errors") or {}
        unit = statistics.get("unit", "")
        rows.append(
            [
                picture.name,
                picture.sample,
                _number(picture.nm_per_pixel),
                _number(diameter.get("mean"), 4, errors.get("diameter")) + f" {unit}",
                f"{_number(diameter.get('sd'))} {unit}".strip(),
                str(picture.n_fibres or "–"),
                _number(statistics.get("order"), 2),
                _number(statistics.get("porosity"), 2),
                _number(statistics.get("bead_fraction"), 2),
                "not measured" if picture.problem else "; ".join(picture.warnings),
            ]
        )
    headings = ["picture", "sample", "scale [nm/px]", "diameter ± SE", "SD", "fibres",
                "order S [–]", "areal porosity [–]", "bead share [–]", "remarks"]  # fmt: skip
    console().print(grid(headings, rows, title="pictures"))


def _print_samples(reading: FolderReading) -> None:
    rows = [
        [
            sample.name,
            str(sample.n_pictures - sample.n_failed),
            str(sample.n_fibres),
            _estimate(sample.diameter_nm),
            _number(sample.sd_nm),
            _estimate(sample.order),
            _estimate(sample.porosity),
            _estimate(sample.bead_fraction),
        ]
        for sample in reading.samples
    ]
    headings = ["sample", "pictures", "fibres", "diameter ± SE [nm]", "SD [nm]",
                "order S ± SE [–]", "areal porosity ± SE [–]", "bead share ± SE [–]"]  # fmt: skip
    console().print(grid(headings, rows, title="samples"))


def _estimate(estimate: Estimate) -> str:
    return _number(estimate.mean, 3, estimate.error)


def _number(value: float | None, digits: int = 4, error: float | None = None) -> str:
    from engine.campaign.numbers import written

    if value is None:
        return "–"
    return written(value, digits) + ("" if error is None else f" ± {written(error, 2)}")
