"""``engine micrograph correct``: what a person says against what was measured on a picture."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli.completion import complete_micrograph
from engine.cli.micrograph_tables import print_one
from engine.terminal.options import ConfigOption, JsonOption
from engine.terminal.output import print_json


def correct(
    id_: Annotated[
        int,
        typer.Argument(
            metavar="ID", help="The micrograph's number.", autocompletion=complete_micrograph
        ),
    ],
    *,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="LEFT,TOP,RIGHT,BOTTOM", help="An area that is not to count."),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(metavar="X,Y,X,Y", help="The scale bar's two ends; needs --length."),
    ] = None,
    length: Annotated[
        str | None,
        typer.Option(metavar="LENGTH", help="What the scale bar says, with its unit, as '2 um'."),
    ] = None,
    delete: Annotated[
        list[str] | None,
        typer.Option(metavar="X,Y", help="A place on a fibre that was measured and is none."),
    ] = None,
    add_: Annotated[
        list[str] | None,
        typer.Option(
            "--add", metavar="X,Y,X,Y", help="The two outlines of a missed fibre, across it."
        ),
    ] = None,
    undo: Annotated[
        list[int] | None,
        typer.Option(metavar="NUMBER", help="A correction to take back, by its number."),
    ] = None,
    note: Annotated[
        str | None, typer.Option("--note", metavar="TEXT", help="Why: kept in the run's trail.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Correct by hand what was measured on a picture; without options list what was corrected.

    Places are pixels of the file's picture, x from its left, y from its top. File and first
    measurement are kept; each correction counts until it is taken back. An added fibre counts as
    one more of those that were made out; porosity follows from excluded areas only.
    """
    from engine.documents.corrections import CorrectedOut
    from engine.micrographs.correct import correct as correct_picture
    from engine.micrographs.correct import corrected_picture
    from engine.micrographs.corrections import read_all
    from engine.workspace import Workspace

    marked = {
        "exclude": exclude,
        "scale": [scale] if scale else None,
        "delete": delete,
        "add": add_,
    }
    new = read_all(marked, length)
    with Workspace.open(config) as workspace:
        if new or undo:
            correct_picture(workspace, id_, new, undone=undo or [], note=note)
        corrected = corrected_picture(workspace, id_)
    document = CorrectedOut.build(corrected)
    if as_json:
        print_json(document)
        return
    for item in document.corrections:
        typer.echo(f"correction {item.correction}: {item.in_words}, {item.recorded_by}")
    if not document.corrections:
        typer.echo("no correction counts")
    if document.statistics is not None:
        print_one(corrected.picture)
