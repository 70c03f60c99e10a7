"""The options that say how a picture was taken: of every command that opens one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from engine.micrographs.scale import HowTaken

ScaleOption = Annotated[
    float | None,
    typer.Option(
        "--nm-per-pixel",
        help="Pixel size in nm.",
        show_default="what the instrument wrote, else lengths are in pixels",
    ),
]
AxisOption = Annotated[
    str | None,
    typer.Option(
        "--rotation-axis",
        help="Where the collector's rotation lies in the picture: x (along its width) or y.",
        show_default="x",
    ),
]

CropOption = Annotated[
    str | None,
    typer.Option(
        "--crop",
        metavar="LEFT,TOP,RIGHT,BOTTOM",
        help="What to measure, in pixels from the upper left corner.",
        show_default="all but data bars and empty margins, which are looked for",
    ),
]
DarkOption = Annotated[
    bool | None,
    typer.Option(
        "--dark-fibres/--bright-fibres",
        help="Whether the fibres are darker than their ground.",
        show_default="bright",
    ),
]
BarOption = Annotated[
    str | None,
    typer.Option(
        "--scale-bar",
        metavar="LENGTH",
        help="How long the scale bar in the picture is, with its unit, as '2 um'.",
        show_default="its label is read, where nothing else tells the pixel size",
    ),
]


def taking_of(
    nm_per_pixel: float | None,
    rotation_axis: str | None,
    crop: str | None = None,
    dark_fibres: bool | None = None,
    scale_bar: str | None = None,
) -> HowTaken:
    """Return what a command's options say of its pictures.

    Raises:
        UsageError: one of them cannot be.
    """
    from engine.micrographs.scale import HowTaken, crop_of

    box = None if crop is None else crop_of(crop)
    return HowTaken(nm_per_pixel, rotation_axis, box, dark_fibres, scale_bar)
