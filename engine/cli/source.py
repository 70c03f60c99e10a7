"""``engine source``: runs made elsewhere that the surrogate is pretrained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.completion import complete_source
from engine.cli.output import count, split_assignments
from engine.cli.progress import progress_bar
from engine.errors import UsageError, field
from engine.terminal.options import ConfigOption, EncodingOption, HiddenOption, JsonOption
from engine.terminal.output import console, grid, print_json, warn

if TYPE_CHECKING:
    from engine.sources.axes import Match
    from engine.sources.manage import Described

PUBLIC = "electrospinning-data"

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The source's name.")]
_KnownArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Its name.", autocompletion=complete_source)
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        help="What the surrogate is pretrained on besides: older campaigns, tables, simulations.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command()(add)
    group.command("list")(list_)
    group.command()(show)
    group.command()(remove)
    app.add_typer(group, name="source")


def add(
    name: NameArgument,
    *,
    campaign: Annotated[
        str | None, typer.Option(help="Another campaign of this database (or of --database).")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            help="Another workspace's folder, its database's file, or a URL; without --campaign "
            "its active campaign."
        ),
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="A CSV, TSV or Excel file; a row is a run.")
    ] = None,
    matmcl: Annotated[
        Path | None,
        typer.Option(help="MatMCL's published table, or its folder with the micrographs."),
    ] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Simulated labs, drawn from the literature's laws.")
    ] = False,
    labs: Annotated[
        int | None, typer.Option(help="How many simulated labs.", show_default="256")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the first simulated lab.", show_default="0")
    ] = None,
    electrospinning_data: Annotated[
        bool,
        typer.Option(
            "--electrospinning-data",
            help="Electrospinning-Data.org, downloaded; needs the extra `data`. NAME "
            "electrospinning-data means the same.",
        ),
    ] = False,
    polymer: Annotated[
        list[str] | None,
        typer.Option(help="Its records of this polymer; again for each polymer of a blend."),
    ] = None,
    solvent: Annotated[
        list[str] | None,
        typer.Option(help="Its records in this solvent; again for each of a mixture."),
    ] = None,
    range_: Annotated[
        list[str] | None,
        typer.Option(
            "--range", metavar="NAME=LOW:HIGH", help="Its records of voltage=10:30 and the like."
        ),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(help="Its version, or that version's DOI.", show_default="the newest"),
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="A workbook's sheet.")] = None,
    encoding: EncodingOption = None,
    hidden: HiddenOption = False,
    mapping: Annotated[
        Path | None,
        typer.Option(help="A TOML file: [names] ours = theirs, [units] name = unit."),
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="OURS=THEIRS",
            help="A parameter or outcome of the campaign, and what the source calls it.",
        ),
    ] = None,
    unit: Annotated[
        list[str] | None,
        typer.Option("--unit", metavar="NAME=UNIT", help="A unit that the source does not tell."),
    ] = None,
    nm_per_pixel: Annotated[
        float | None,
        typer.Option("--nm-per-pixel", help="Pixel size of its micrographs that state none, nm."),
    ] = None,
    all_campaigns: Annotated[
        bool, typer.Option("--all-campaigns", help="Let it serve every campaign of the database.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record a source: a reference that `engine pretrain` reads anew. Nothing is copied.

    Only what is downloaded from Electrospinning-Data.org lies in the data folder, as a table, with
    its version and what to cite. Names match by spelling, alias or synonym (feed rate,
    tip-to-collector distance …), units are converted; what the campaign and the source call
    differently is said with --map. A source without any parameter of the campaign is refused.
    """
    from engine.sources import manage as managing
    from engine.workspace import Workspace

    mapped = managing.read_mapping(mapping) if mapping is not None else {}
    mapped["names"] = {**mapped.get("names", {}), **split_assignments(map_, "map")}
    mapped["units"] = {**mapped.get("units", {}), **split_assignments(unit, "unit")}
    form = {"sheet": sheet, "encoding": encoding, "hidden": hidden or None}
    for key, value in {**form, "nm_per_pixel": nm_per_pixel}.items():
        if value is not None:
            mapped[key] = value
    request = {
        "polymer": polymer, "solvent": solvent, "range": range_, "version": version
    }  # fmt: skip
    other_options = (campaign, database, table, matmcl, simulated or None, labs, seed)
    if electrospinning_data or (name == PUBLIC and not any(o is not None for o in other_options)):
        _refuse_others(
            campaign=campaign, database=database, table=table, matmcl=matmcl,
            simulated=simulated or None, labs=labs, seed=seed, sheet=mapped.pop("sheet", None),
            encoding=mapped.pop("encoding", None), hidden=mapped.pop("hidden", None),
        )  # fmt: skip
        added = _download(name, request, mapped, config, of_all=all_campaigns)
    else:
        for option, choice in request.items():
            if choice:
                raise UsageError(f"is for {field('electrospinning_data')}", field=option)
        with Workspace.open(config) as workspace:
            definition = managing.definition_of(
                workspace,
                campaign=campaign,
                database=database,
                table=table,
                matmcl=matmcl,
                simulated=simulated,
                labs=labs,
                seed=seed,
                mapping=mapped,
            )
            added = managing.add(workspace, name, definition, of_all=all_campaigns)
    _print_source(added, as_json)
    if not as_json:
        typer.echo("next: `engine pretrain` trains the surrogate on all sources")


def _refuse_others(**options: object) -> None:
    for option, value in options.items():
        if value:
            raise UsageError(f"is not for {field('electrospinning_data')}", field=option)


def _download(
    name: str,
    request: dict[str, Any],
    mapping: dict[str, Any],
    config: Path | None,
    *,
    of_all: bool,
) -> Described:
    from engine.sources.electrospinning_data.download import LATEST, add_public, read_ranges
    from engine.sources.electrospinning_data.table import DataRequest
    from engine.workspace import Workspace

    data_request = DataRequest(
        tuple(request["polymer"] or ()),
        tuple(request["solvent"] or ()),
        read_ranges(split_assignments(request["range"], "range")),
    )
    with Workspace.open(config) as workspace, progress_bar("connecting") as progress:
        return add_public(
            workspace,
            name,
            data_request,
            version=request["version"] or LATEST,
            mapping=mapping,
            of_all=of_all,
            progress=progress,
        )


def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the active campaign's sources, and those that serve every campaign."""
    from engine.sources.manage import list_sources
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        sources = list_sources(workspace)
    if as_json:
        print_json({"items": [_brief(source) for source in sources]})
        return
    if not sources:
        typer.echo("no sources; add one with `engine source add`")
        return
    rows = [
        [
            source.record.name,
            str(source.record.kind),
            source.definition.place,
            "every campaign" if source.record.campaign_id is None else "this campaign",
            f"{source.record.created_at:%Y-%m-%d}",
            source.record.fingerprint[:12],
        ]
        for source in sources
    ]
    headings = ["source", "kind", "where", "serves", "added (UTC)", "fingerprint"]
    console().print(grid(headings, rows))
    for source in sources:
        if source.definition.origin is not None:
            origin = source.definition.origin
            typer.echo(
                f"to cite with '{source.record.name}': {origin.citation}; "
                f"{count(len(origin.works), 'work')}, listed by `engine source show`"
            )


def show(
    name: _KnownArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a source anew: its runs, what the model understands of them, and what it does not."""
    from engine.sources.manage import describe
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        source = describe(workspace, name)
    _print_source(source, as_json)


def remove(
    name: _KnownArgument,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a source out of use. What was trained on it stays as it is."""
    from engine.sources.manage import remove as remove_source
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        record = remove_source(workspace, name)
    if as_json:
        print_json({"removed": record.name, "kind": str(record.kind)})
    else:
        typer.echo(f"source '{record.name}' removed; models trained on it are kept")


def _brief(source: Described) -> dict[str, Any]:
    return {
        "name": source.record.name,
        "kind": str(source.record.kind),
        "definition": source.definition.as_json(),
        "serves_every_campaign": source.record.campaign_id is None,
        "added": source.record.created_at.isoformat(),
        "fingerprint_when_added": source.record.fingerprint,
    }


def _print_source(source: Described, as_json: bool) -> None:
    data, understood, language = source.data, source.understood, source.language
    if data is None or understood is None or language is None:
        raise UsageError(source.problem or f"source '{source.record.name}' was not read")
    origin = source.definition.origin
    for note in (*(origin.notes if origin else ()), *data.notes):
        warn(f"source '{data.name}': {note}")
    if source.has_changed:
        warn(f"source '{data.name}' reads otherwise than when it was added")
    vocabulary = language.vocabulary
    if as_json:
        print_json(
            {
                **_brief(source),
                "fingerprint": data.fingerprint,
                "has_changed": source.has_changed,
                "n_runs": len(data.runs),
                "n_micrographs": data.n_pictures,
                "n_micrographs_with_scale": data.n_scaled,
                "parameters": [
                    {
                        "name": match.axis.name,
                        "unit": match.axis.unit,
                        "means": vocabulary.parameters[match.index].name,
                        "in_unit": vocabulary.parameters[match.index].unit,
                        "factor": match.factor,
                        "offset": match.offset,
                        "in_campaign": match.index in understood.common,
                    }
                    for match in understood.axes.matches
                ],
                "parameters_left_out": dict(understood.axes.left_out),
                "outcomes": {
                    name: vocabulary.outcomes[i] for name, i in understood.outcomes.items()
                },
                "outcomes_left_out": [
                    outcome.name
                    for outcome in data.outcomes
                    if outcome.name not in understood.outcomes
                ],
                "notes": list(data.notes),
            }
        )
        return
    _print_tables(source)


def _print_tables(source: Described) -> None:
    data, understood, language = source.data, source.understood, source.language
    if data is None or understood is None or language is None:
        return
    if (origin := source.definition.origin) is not None:
        typer.echo(f"to cite: {origin.citation}")
        for work in origin.works:
            typer.echo(f"  records of {work}")
    vocabulary = language.vocabulary
    pictures = count(data.n_pictures, "micrograph")
    if data.n_pictures and data.n_scaled < data.n_pictures:
        pictures += f", {data.n_pictures - data.n_scaled} of them without pixel size, not learnt"
    typer.echo(
        f"source '{data.name}': {source.definition.place}; {count(len(data.runs), 'run')}, "
        f"{pictures}; fingerprint {data.fingerprint[:12]}"
    )
    rows = [
        [
            _heading(match.axis.name, match.axis.unit),
            _heading(
                vocabulary.parameters[match.index].name, vocabulary.parameters[match.index].unit
            ),
            _conversion(match),
            _range(match),
            "yes" if match.index in understood.common else "no",
        ]
        for match in understood.axes.matches
    ]
    headings = ["parameter", "means", "converted", "range there", "in the campaign"]
    console().print(grid(headings, rows))
    outcomes = [
        [
            outcome.name,
            vocabulary.outcomes[understood.outcomes[outcome.name]],
            "log" if outcome.is_log else "linear",
        ]
        for outcome in data.outcomes
        if outcome.name in understood.outcomes
    ]
    console().print(grid(["outcome", "means", "scale"], outcomes))
    for name, reason in understood.axes.left_out.items():
        typer.echo(f"parameter left out: {name} ({reason})")
    unused = [outcome.name for outcome in data.outcomes if outcome.name not in understood.outcomes]
    if unused:
        typer.echo(f"outcomes left out: {', '.join(unused)}")


def _conversion(match: Match) -> str:
    if (match.factor, match.offset) == (1.0, 0.0):
        return "as it is"
    offset = f" {'+' if match.offset > 0 else '−'} {abs(match.offset):g}" if match.offset else ""
    return f"× {match.factor:g}{offset}"


def _range(match: Match) -> str:
    if match.axis.low is None or match.axis.high is None:
        return "–"
    unit = f" {match.axis.unit}" if match.axis.unit else ""
    return f"{match.axis.low:g} … {match.axis.high:g}{unit}"


def _heading(name: str, unit: str) -> str:
    return f"{name} [{unit}]" if unit else name
