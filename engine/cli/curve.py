"""``engine curve``: tensile curves, and what is read off them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.completion import complete_curve, complete_run
from engine.cli.output import count
from engine.cli.progress import progress_bar
from engine.errors import UsageError
from engine.terminal.options import ConfigOption, JsonOption
from engine.terminal.output import console, grid, print_json, say, warn

if TYPE_CHECKING:
    from db.records import CurveRecord
    from engine.campaign import Campaign
    from engine.curves.fit import Refitted

WidthOption = Annotated[
    str | None, typer.Option("--width", help="The specimens' width with its unit: '5 mm'.")
]
ThicknessOption = Annotated[
    str | None, typer.Option("--thickness", help="Their thickness: '80 µm'.")
]
GaugeOption = Annotated[
    str | None, typer.Option("--gauge-length", help="Their free length: '20 mm'.")
]
DirectionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--direction",
        help="In which direction they were pulled: one for all, or SPECIMEN=DIRECTION.",
        show_default="as specimen or file are named",
    ),
]
UnitsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--units",
        help="A column's unit where the file names none, or a wrong one: strain=%.",
        show_default="the file's",
    ),
]
ColumnsOption = Annotated[
    str | None,
    typer.Option(
        "--columns", help="Of a table without headings: 'extension (mm), force (N)'; - skips one."
    ),
]
CurveEncodingOption = Annotated[
    str | None,
    typer.Option("--encoding", help="Of the text: latin-1, gb18030 …", show_default="found out"),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        help="Tensile curves: keep testers' files, read strength, moduli, yield, elongation.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command()(add)
    group.command("list")(list_)
    group.command()(show)
    group.command()(fit)
    group.command()(remove)
    app.add_typer(group, name="curve")


def add(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="What the tester exported.")
    ],
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
    direction: DirectionOption = None,
    width: WidthOption = None,
    thickness: ThicknessOption = None,
    gauge_length: GaugeOption = None,
    units: UnitsOption = None,
    columns: ColumnsOption = None,
    encoding: CurveEncodingOption = None,
    replicate: Annotated[
        bool, typer.Option("--replicate", help="Beside results that no curve gave.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record a run's tensile curves and what they give: all of them, or none.

    Each specimen of a file is a replicate. Lengths are taken from here, else from the file, else
    from [campaign.curves]. The same as `engine log ID --curve FILE`.
    """
    from engine.curves.tested import HowTested
    from engine.experiments.entries import Entry
    from engine.experiments.record import record
    from engine.workspace import Workspace

    tested = HowTested(
        width, thickness, gauge_length, tuple(direction or ()), encoding, tuple(units or ()),
        columns,
    )  # fmt: skip
    entry = Entry(experiment=experiment, curves=tuple(files), tested=tested, replicate=replicate)
    with Workspace.open(config) as workspace:
        recorded = record(workspace, entry, detail=f"experiment {experiment}")
        with workspace.database.read() as tx:
            _, campaign = workspace.active_campaign(tx)
    for warning in recorded.warnings:
        warn(warning)
    if as_json:
        from engine.documents.curves import CurveOut

        print_json({"items": [CurveOut.model_validate(curve) for curve in recorded.curves]})
        return
    print_curves(recorded.curves, campaign)
    typer.echo(
        f"experiment {recorded.experiment.id} is {recorded.experiment.status.value}: "
        f"{count(len(recorded.curves), 'curve')} added, {count(len(recorded.values), 'value')}"
    )


def list_(
    experiment: Annotated[
        str | None,
        typer.Option(
            "--experiment",
            metavar="ID",
            help="Of one run only.",
            show_default="all",
            autocompletion=complete_run,
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the campaign's curves, or a run's, with what was read off them."""
    from engine.workspace import Workspace
    from engine.workspace.lookup import find_experiment

    with Workspace.open(config) as workspace, workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        if experiment is None:
            curves = tx.curves.find(record.id)
        else:
            curves = tx.curves.all_of(find_experiment(tx, record, experiment).id)
    if as_json:
        from engine.documents.curves import CurveOut

        print_json({"items": [CurveOut.model_validate(curve) for curve in curves]})
        return
    _print_table(curves, campaign)
    if not curves:
        say("no curves yet: `engine log ID --curve FILE` records some")


def show(
    ids: Annotated[
        list[int] | None,
        typer.Argument(
            metavar="[ID]...",
            help="Curves' numbers.",
            show_default=False,
            autocompletion=complete_curve,
        ),
    ] = None,
    *,
    experiment: Annotated[
        str | None,
        typer.Option(
            "--experiment",
            metavar="ID",
            help="All curves of a run.",
            autocompletion=complete_run,
        ),
    ] = None,
    png: Annotated[
        Path | None, typer.Option(help="Draw them, laid over one another, into this file.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how curves were read, what was found on them, and by which definition.

    --png draws them: the modulus line with its window, the yield, the tangent, where the curve
    ends, and what happened on the way.
    """
    from engine.curves.show import show_curves, write_png
    from engine.workspace import Workspace

    if bool(ids) == (experiment is not None):
        raise UsageError("expected curves' numbers, or --experiment: one of the two")
    with Workspace.open(config) as workspace:
        with workspace.database.read() as tx:
            drawings = show_curves(tx, workspace, ids or [], experiment)
            _, campaign = workspace.active_campaign(tx)
        if png is not None:
            write_png(drawings, png)
    if as_json:
        from engine.documents.curves import CurveOut

        print_json({"items": [CurveOut.model_validate(item.record) for item in drawings]})
        return
    print_curves([item.record for item in drawings], campaign)
    if png is not None:
        typer.echo(f"drawn: {png}")


def fit(
    ids: Annotated[
        list[int] | None,
        typer.Argument(
            metavar="[ID]...",
            help="Curves' numbers.",
            show_default=False,
            autocompletion=complete_curve,
        ),
    ] = None,
    *,
    all_of_campaign: Annotated[bool, typer.Option("--all", help="All of the campaign.")] = False,
    width: WidthOption = None,
    thickness: ThicknessOption = None,
    gauge_length: GaugeOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be corrected.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read curves anew by the definitions of today; what differs becomes corrections.

    After a change of [campaign.curves] and `engine campaign revise`: --all. With another width,
    thickness or gauge length: of single curves. Values that somebody corrected by hand since stay.
    """
    from engine.curves.fit import fit as fit_curves
    from engine.curves.tested import HowTested
    from engine.workspace import Workspace

    if bool(ids) == all_of_campaign:
        raise UsageError("expected curves' numbers, or --all: one of the two")
    tested = HowTested(width, thickness, gauge_length)
    with Workspace.open(config) as workspace, progress_bar("reading curves") as progress:
        refitted = fit_curves(workspace, ids or [], tested, is_dry_run=dry_run, progress=progress)
        with workspace.database.read() as tx:
            record, campaign = workspace.active_campaign(tx)
        drift = workspace.drift(record)
    if drift is not None:
        warn(drift)
    _print_refitted(refitted, campaign, as_json, "would be corrected" if dry_run else "corrected")


def remove(
    ids: Annotated[
        list[int],
        typer.Argument(metavar="ID...", help="Curves' numbers.", autocompletion=complete_curve),
    ],
    *,
    note: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take curves back, with their values: of the wrong run, say. Everything stays in the trail."""
    from engine.curves.fit import remove as remove_curves
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        refitted = remove_curves(workspace, ids, note=note)
        with workspace.database.read() as tx:
            _, campaign = workspace.active_campaign(tx)
    _print_refitted(refitted, campaign, as_json, "taken back")


def _print_refitted(refitted: Refitted, campaign: Campaign, as_json: bool, verb: str) -> None:
    for note in refitted.notes:
        warn(note)
    if as_json:
        from engine.documents.curves import RefittedOut

        print_json(RefittedOut.model_validate(refitted))
        return
    rows = [
        [str(v.curve), campaign.heading(v.outcome), str(v.replicate), _number(v.superseded),
         _number(v.value)]
        for v in refitted.values
    ]  # fmt: skip
    if rows:
        console().print(grid(["curve", "result", "replicate", "was", "is"], rows))
    unchanged = f", {refitted.n_unchanged} as before" if refitted.n_unchanged else ""
    typer.echo(
        f"{count(len(refitted.curves), 'curve')} and {count(len(refitted.values), 'value')} "
        f"{verb}{unchanged}"
    )


def print_curves(curves: Sequence[CurveRecord], campaign: Campaign) -> None:
    """Print how each curve was read and what was found on it."""
    described = set()
    for curve in curves:
        if curve.sha256 not in described:
            described.add(curve.sha256)
            reading = curve.reading
            typer.echo(f"{curve.original_name}: {reading['description']}")
            typer.echo(f"columns: {', '.join(reading['columns'])}")
        _print_one(curve, campaign)


def _print_one(curve: CurveRecord, campaign: Campaign) -> None:
    direction = f", {curve.direction}" if curve.direction else ""
    typer.echo(
        f"curve {curve.id} ('{curve.specimen}') of experiment {curve.experiment_id}{direction}, "
        f"replicate {curve.replicate}"
    )
    typer.echo(f"specimen: {_geometry(curve)}")
    results = curve.fit.results
    if results is None:
        typer.echo("taken back")
        return
    for note in dict.fromkeys((*curve.reading["notes"], *results["notes"])):
        typer.echo(f"note: {note}")
    for finding in results["findings"]:
        typer.echo(f"! {finding}")
    rows = []
    for value in results["values"]:
        name = value["outcome"] or value["property"]
        if value["outcome"] is None:
            number, heading = value["value"], f"{name} [{value['unit']}] (not measured here)"
        else:
            number, heading = value["recorded"], campaign.heading(name).replace(" [", "\u00a0[")
        method = value["definition"] if value["missing"] is None else value["missing"]
        rows.append([heading, _number(number), method])
    console().print(grid(["property", "value", "how, or why it is missing"], rows))


def _geometry(curve: CurveRecord) -> str:
    names = {"width_mm": "width", "thickness_mm": "thickness", "gauge_mm": "gauge length",
             "area_mm2": "cross-section"}  # fmt: skip
    parts = []
    for name, word in names.items():
        value = getattr(curve.fit, name)
        if value is not None:
            unit = "mm²" if name == "area_mm2" else "mm"
            parts.append(f"{word} {value:g} {unit} ({curve.fit.sources.get(name) or 'the file'})")
    return ", ".join(parts) or "nothing is known of it"


def _print_table(curves: Sequence[CurveRecord], campaign: Campaign) -> None:
    if not curves:
        return
    names: list[str] = []
    for curve in curves:
        for value in (curve.fit.results or {}).get("values", ()):
            if value["outcome"] is not None and value["property"] not in names:
                names.append(value["property"])
    rows = []
    for curve in curves:
        results = curve.fit.results
        by_name = {v["property"]: v for v in (results or {}).get("values", ())}
        state = _ending(curve)
        rows.append(
            [str(curve.id), str(curve.experiment_id), curve.direction or "", str(curve.replicate),
             curve.original_name, curve.specimen,
             *(_number(by_name[n]["value"]) if n in by_name else "–" for n in names), state]
        )  # fmt: skip
    units = {"elongation": "%"}
    headings = ["curve", "run", "direction", "replicate", "file", "specimen",
                *(f"{name} [{units.get(name, 'MPa')}]" for name in names), "ending"]  # fmt: skip
    console().print(grid(headings, rows))


def _ending(curve: CurveRecord) -> str:
    if curve.fit.results is None:
        return "taken back"
    # What happened, without where: `engine curve show` tells it in full.
    events = [re.split(r":| at ", text)[0] for text in curve.fit.results["findings"]]
    return ", ".join(dict.fromkeys(events)) or "broken"


def _number(value: float | None) -> str:
    from engine.campaign.numbers import written

    return "–" if value is None else written(value, 4)
