"""``engine log``: what became of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.completion import (
    complete_entry,
    complete_failure,
    complete_parameter,
    complete_room,
)
from engine.cli.curve import (
    ColumnsOption,
    DirectionOption,
    GaugeOption,
    ThicknessOption,
    UnitsOption,
    WidthOption,
    print_curves,
)
from engine.errors import DataError, UsageError
from engine.terminal.options import ConfigOption, EncodingOption, HiddenOption, JsonOption
from engine.terminal.output import print_json, warn

if TYPE_CHECKING:
    from engine.campaign import Campaign
    from engine.experiments.entries import Entry
    from engine.experiments.record import Recorded
    from engine.workspace import Workspace


def log(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID] [OUTCOME=VALUE]...",
            autocompletion=complete_entry,
            help="The run's number or label (id:5, label:5 where it could be either), and what was "
            "measured.",
            show_default=False,
        ),
    ] = None,
    *,
    new: Annotated[
        bool,
        typer.Option("--new", help="A run nobody proposed: give its settings as PARAMETER=VALUE."),
    ] = False,
    label: Annotated[str | None, typer.Option(help="With --new: a label of your own.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="A table of results: `experiment` (or `label`), then outcomes."),
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="With --file: a workbook's sheet.")] = None,
    encoding: EncodingOption = None,
    hidden: HiddenOption = False,
    replicate: Annotated[
        bool, typer.Option("--replicate", help="Add further values to those that are there.")
    ] = False,
    correct: Annotated[
        bool, typer.Option("--correct", help="Replace values that are there; both are kept.")
    ] = False,
    which_replicate: Annotated[
        int | None,
        typer.Option("--which", min=1, help="With --correct or --retract: which of several."),
    ] = None,
    actual: Annotated[
        list[str] | None,
        typer.Option(
            help="A condition as really run: voltage=17.8.", autocompletion=complete_parameter
        ),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(help="What the room gave: humidity=61.", autocompletion=complete_room),
    ] = None,
    facts: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            help="Who, when, with what, as the campaign defines it: lot=A17; lot= takes it back.",
        ),
    ] = None,
    micrograph: Annotated[list[Path] | None, typer.Option(help="A picture of the mat.")] = None,
    curve: Annotated[
        list[Path] | None,
        typer.Option(help="A tensile curve, as the tester exported it; each specimen a replicate."),
    ] = None,
    direction: DirectionOption = None,
    width: WidthOption = None,
    thickness: ThicknessOption = None,
    gauge_length: GaugeOption = None,
    units: UnitsOption = None,
    columns: ColumnsOption = None,
    failed: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            autocompletion=complete_failure,
            help="The run gave nothing to measure: why, in one of the campaign's words.",
        ),
    ] = None,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Leave the run out; what is recorded of it is kept.")
    ] = False,
    running: Annotated[
        bool, typer.Option("--running", help="Spun, results awaited; or take a run up again.")
    ] = False,
    retract: Annotated[
        bool,
        typer.Option(
            "--retract",
            help="Take results back: of the outcomes named after the run (one replicate with "
            "--which), or all. Both the value and its retraction are kept.",
        ),
    ] = False,
    note: Annotated[str | None, typer.Option(help="Words to keep with the run.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record what became of a run: results, a failure, how it was really run.

    engine log 41 fracture_strength.longitudinal=12.3 elongation.longitudinal=88 --at humidity=61

    engine log 41 --curve tensile.csv --direction longitudinal --width '5 mm' --thickness '80 µm'

    engine log 41 --failed beads

    engine log 41 --retract elongation.longitudinal

    engine log --new voltage=18 flow_rate=0.4 … elongation.longitudinal=88

    engine log --file results.csv
    """
    from engine.cli.due_remark import DueRemark
    from engine.curves.tested import HowTested
    from engine.workspace import Workspace

    tested = HowTested(
        width, thickness, gauge_length, tuple(direction or ()), encoding if curve else None,
        tuple(units or ()), columns,
    )  # fmt: skip
    if tested != HowTested() and not curve:
        stated = [n for n, v in vars(tested).items() if v]
        raise UsageError(f"--{stated[0].replace('_', '-')} is for --curve")
    entry_of = _LogArguments(
        arguments=arguments or [],
        new=new,
        actual=actual,
        at=at,
        retract=retract,
        fixed={
            "replicate": replicate,
            "correct": correct,
            "which": which_replicate,
            "failure": failed,
            "abandon": abandon,
            "running": running,
            "note": _clean(note, "--note"),
            "label": _clean(label, "--label"),
            "facts": _facts(facts),
            "micrographs": tuple(micrograph or ()),
            "curves": tuple(curve or ()),
            "tested": tested,
        },
    )
    with Workspace.open(config) as workspace:
        remark = DueRemark(workspace)
        if file is not None:
            entry_of.refuse_beside_file()
            form = {"sheet": sheet, "encoding": encoding, "hidden": hidden}
            recorded, warnings = _log_file(workspace, file, form, replicate, correct)
        else:
            for name, value in (("sheet", sheet), ("encoding", encoding), ("hidden", hidden)):
                if value and not (name == "encoding" and curve):
                    raise UsageError(f"--{name} is for --file")
            recorded, warnings = [_log_one(workspace, entry_of)], []
        campaign = _campaign(workspace)
        due = remark.reasons()
    for warning in (*warnings, *(warning for item in recorded for warning in item.warnings)):
        warn(warning)
    if as_json:
        from engine.documents import plain
        from engine.documents.experiments import LoggedOut

        documents = [LoggedOut.model_validate(item) for item in recorded]
        answer = {"recorded": documents, "warnings": warnings} if file else documents[0].plain()
        print_json({**plain(answer), "refresh_due": list(due)})
        return
    for item in recorded:
        print_curves(item.curves, campaign)
        typer.echo(_sentence(item, campaign))
    remark.print_once(due)


class _LogArguments:
    """The command's words, as they were given; their meaning needs the campaign."""

    def __init__(
        self,
        *,
        arguments: Sequence[str],
        new: bool,
        actual: Sequence[str] | None,
        at: Sequence[str] | None,
        retract: bool,
        fixed: dict[str, Any],
    ) -> None:
        from engine.experiments.conditions import split_pairs
        from engine.workspace.lookup import names_a_run

        # "label:a=b" names a run, "a=b" a result.
        is_named = bool(arguments) and ("=" not in arguments[0] or names_a_run(arguments[0]))
        self.id = arguments[0] if is_named else None
        tail = arguments[1:] if self.id is not None else arguments
        outcomes = [word for word in tail if retract and "=" not in word]
        self.retract = tuple(outcomes) if retract else None
        self.pairs = split_pairs([word for word in tail if word not in outcomes])
        self.new = new
        self.actual = split_pairs(actual, "actual")
        self.at = split_pairs(at, "at")
        self.fixed = fixed

    def refuse_beside_file(self) -> None:
        """Refuse what a file says for itself, row by row."""
        single_run_options = (
            "which",
            "failure",
            "abandon",
            "running",
            "note",
            "label",
            "micrographs",
            "curves",
            "facts",
        )
        is_single_run = [name for name in single_run_options if self.fixed[name]]
        if self.retract is not None or self.id or self.pairs or self.new:
            is_single_run.append("a run")
        if self.actual or self.at or is_single_run:
            raise UsageError(
                "--file says everything row by row; only --replicate and --correct fit"
            )

    def entry(self, campaign: Campaign) -> Entry:
        """Return what is to be recorded."""
        from engine.experiments.conditions import is_parameter, read_conditions, read_results
        from engine.experiments.entries import Entry

        if self.new == (self.id is not None):
            raise UsageError(
                "expected the run's number, as in `engine log 41 elongation=88`, or --new with its "
                f"settings{', not both' if self.new else ''}; `engine status` lists the runs"
            )
        if self.fixed["label"] and not self.new:
            raise UsageError("--label names a new run: give it with --new")
        actual = read_conditions(campaign, self.actual, "actual", refusal=DataError)
        room = read_conditions(
            campaign, self.at, "at", role="ambient", belongs="actual", refusal=DataError
        )
        repeated = actual.keys() & room.keys()
        if repeated:
            raise UsageError(f"'{min(repeated)}' is given with --at and --actual; keep one")
        settings = [pair for pair in self.pairs if self.new and is_parameter(campaign, pair[0])]
        measured = [pair for pair in self.pairs if pair not in settings]
        conditions = read_conditions(campaign, settings, refusal=DataError)
        repeated = conditions.keys() & {**actual, **room}.keys()
        if repeated:
            raise UsageError(f"'{min(repeated)}' is given twice; keep one")
        results = read_results(campaign, measured, refusal=DataError)
        return Entry(
            experiment=self.id,
            conditions=conditions,
            actual={**actual, **room},
            results={name: value for name, (value,) in results.items()},
            retract=self.retract,
            **self.fixed,
        )


def _facts(words: Sequence[str] | None) -> dict[str, str]:
    from engine.experiments.facts import split_facts

    return split_facts(words)


def _clean(text: str | None, option: str) -> str | None:
    from engine.experiments.importers.words import CellError, clean_label, clean_text

    if text is None:
        return None
    try:
        return clean_label(text) if option == "--label" else clean_text(text)
    except CellError as error:
        raise UsageError(f"{option}: {error}") from None


def _campaign(workspace: Workspace) -> Campaign:
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
    drift = workspace.drift(record)
    if drift is not None:
        warn(drift)
    return campaign


def _log_one(workspace: Workspace, arguments: _LogArguments) -> Recorded:
    from engine.experiments.record import record

    workspace = workspace.settled()
    with workspace.database.read() as tx:
        _, campaign = workspace.active_campaign(tx)
    entry = arguments.entry(campaign)
    return record(
        workspace, entry, detail=f"experiment {arguments.id}" if arguments.id else "a new run"
    )


def _log_file(
    workspace: Workspace, file: Path, form: Mapping[str, Any], replicate: bool, correct: bool
) -> tuple[list[Recorded], list[str]]:
    from engine.experiments.record import record_all
    from engine.experiments.results_file import read_entries

    workspace = workspace.settled()
    with workspace.database.read() as tx:
        _, campaign = workspace.active_campaign(tx)
    entries, warnings = read_entries(
        file,
        campaign,
        max_rows=workspace.settings.imports.max_rows,
        **form,
        replicate=replicate,
        correct=correct,
    )
    recorded = record_all(workspace, entries, source=str(file))
    if entries and not recorded:
        warnings.append("everything in the file is recorded already: nothing was changed")
    return recorded, warnings


def _sentence(item: Recorded, campaign: Campaign) -> str:
    from engine.experiments.receipt import receipt

    experiment = item.experiment
    name = f"experiment {experiment.name}"
    parts = receipt([item], campaign)
    status = experiment.status.value
    kind = f" ({experiment.failure})" if experiment.failure else ""
    return f"{name} is {status}{kind}" + (f": {', '.join(parts)}" if parts else "")
