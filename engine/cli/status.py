"""``engine status`` and ``engine show``: where the campaign stands, and everything of one run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.completion import complete_batch, complete_run
from engine.cli.output import setting
from engine.errors import UsageError
from engine.terminal.options import ConfigOption, JsonOption
from engine.terminal.output import console, grid, print_json, warn

if TYPE_CHECKING:
    from db.records import ExperimentRecord, MeasurementRecord, PredictionRecord
    from engine.campaign import Campaign, Value
    from engine.results.status import Best, CampaignStatus


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the campaign: how many runs, which are pending, the last results, the best so far."""
    from engine.results.status import campaign_status
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        overall = campaign_status(workspace)
        drift = workspace.drift(overall.record)
    if drift is not None:
        warn(drift)
    if as_json:
        from engine.documents.campaigns import StatusOut

        print_json(StatusOut.model_validate(overall))
    else:
        _print_status(overall)


def _print_status(overall: CampaignStatus) -> None:
    campaign = overall.campaign
    counts = ", ".join(f"{n} {status.value}" for status, n in overall.counts.items() if n)
    typer.echo(
        f"campaign '{overall.record.name}', revision {overall.record.revision}: "
        f"{counts or 'no experiments yet; `engine propose` suggests the first ones'}"
    )
    names = [parameter.name for parameter in campaign.parameters]
    headings = ["id", "label", *map(campaign.heading, names)]
    if overall.pending:
        rows = [[*_names(e), *_values(campaign, e, names), e.status.value] for e in overall.pending]
        _print_grid([*headings, "status"], rows, "Pending")
    outcomes = campaign.wanted_outcomes
    if overall.latest:
        from engine.results.status import mean_of

        rows = [
            [
                *_names(e),
                *_values(campaign, e, names),
                *(_cell(mean_of(e, name)) for name in outcomes),
            ]
            for e in overall.latest
        ]
        _print_grid([*headings, *map(campaign.heading, outcomes)], rows, "Last results")
        rows = [_best_row(best, campaign) for best in overall.best]
        levels = {best.expected.level for best in overall.best if best.expected is not None}
        expected = "expected" if len(levels) != 1 else f"expected, {levels.pop():.0%} interval"
        headings = ["objective", "goal", "threshold", "best mean", "specimens", expected, "runs"]
        _print_grid([*headings, "beyond"], rows, "Best so far")
        typer.echo(f"beyond every threshold: {overall.n_beyond_all}")
        if campaign.constraints:
            constraints = ", ".join(map(str, campaign.constraints))
            typer.echo(
                f"breaking a constraint ({constraints}), counted nowhere else: {overall.n_breaking}"
            )


def _best_row(best: Best, campaign: Campaign) -> list[str]:
    from engine.results.designs import expected_text, runs_text, specimens

    return [
        campaign.heading(best.objective.outcome),
        best.objective.goal,
        best.objective.aim,
        _cell(best.value),
        "–" if best.measured is None else specimens(best.measured),
        "–" if best.expected is None else expected_text(best.expected),
        "–" if best.design is None else runs_text(best.design),
        str(best.n_beyond),
    ]


def show(
    experiment: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            autocompletion=complete_run,
            help="The run's number or label (id:5, label:5 where it could be either).",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="In place of a run: the batch of that number.",
            autocompletion=complete_batch,
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything of one run: conditions, results with corrections, predictions, pictures.

    With --batch the runs that one `engine propose` chose, as recorded, in the order to run them.
    """
    from engine.workspace import Workspace, definition_of
    from engine.workspace.lookup import find_experiment

    if (experiment is None) == (batch is None):
        raise UsageError("expected a run's number or label, or --batch with a batch's number")
    if batch is not None:
        _show_batch(config, batch, as_json)
        return
    assert experiment is not None  # noqa: S101 -- one of the two is there
    with Workspace.open(config) as workspace, workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        run = find_experiment(tx, record, experiment)
        campaign = definition_of(record)
        measurements = tx.measurements.all_of(run.id)
        predictions = tx.batches.predictions_of(run.id)
    if as_json:
        from engine.documents.experiments import ShownExperimentOut

        print_json(ShownExperimentOut.build(run, campaign, measurements, predictions))
    else:
        _print_experiment(run, campaign, measurements, predictions)


def _show_batch(config: Path | None, batch_id: int, as_json: bool) -> None:
    from engine.documents.proposals import recorded_batch
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace, workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        batch = recorded_batch(tx, record, batch_id)
    if as_json:
        print_json(batch)
        return
    moment = f"{batch.created_at.astimezone():%Y-%m-%d %H:%M}"
    typer.echo(f"batch {batch.batch} ({batch.strategy}), {moment} by {batch.created_by}")
    names = [parameter.name for parameter in campaign.controlled]
    rows = [
        [str(item.experiment), *(setting(item.conditions.get(name)) for name in names),
         f"{item.p_success:.0%}", item.status.value]
        for item in batch.proposals
    ]  # fmt: skip
    _print_grid(["run", *map(campaign.heading, names), "success", "status"], rows)
    for item in batch.proposals:
        typer.echo(f"  {item.experiment}  {item.reason}")


def _print_experiment(
    run: ExperimentRecord,
    campaign: Campaign,
    measurements: Sequence[MeasurementRecord],
    predictions: Sequence[PredictionRecord],
) -> None:
    kind = f" ({run.failure})" if run.failure else ""
    typer.echo(
        f"experiment {run.name}: {run.status.value}{kind}, from {run.origin.value}, "
        f"recorded {run.created_at.astimezone():%Y-%m-%d %H:%M} by {run.created_by}"
    )
    if run.note:
        typer.echo(f"note: {run.note}")
    if run.facts:
        titles = {fact.name: fact.title for fact in campaign.facts}
        facts = (f"{titles.get(name, name)} {text}" for name, text in run.facts.items())
        typer.echo("; ".join(facts))
    if run.proposal is not None:
        typer.echo(
            f"proposed in batch {run.proposal.batch_id} as run {run.proposal.order}: "
            f"{run.proposal.reason} (chance of success {run.proposal.p_success:.0%})"
        )
    rows = [
        [_heading(campaign, name), setting(run.proposed.get(name)), setting(run.actual.get(name))]
        for name in _known_first(campaign, run.conditions)
    ]
    _print_grid(["condition", "proposed", "as run"], rows)
    if measurements:
        superseded = {m.supersedes_id for m in measurements}
        rows = [
            [
                _heading(campaign, m.outcome),
                str(m.replicate),
                "–" if m.is_retraction else setting(m.value),
                _state_of(m, is_superseded=m.id in superseded),
                f"{m.recorded_at.astimezone():%Y-%m-%d %H:%M}",
                m.recorded_by,
                m.note or "",
            ]
            for m in measurements
        ]
        _print_grid(["result", "replicate", "value", "", "recorded", "by", "note"], rows)
    if predictions:
        _print_predictions(run, campaign, predictions)
    for picture in run.micrographs:
        size = f"{picture.width_px} × {picture.height_px} px"
        typer.echo(f"micrograph {picture.id}: {picture.original_name}, {size}, {picture.path}")


def _state_of(measurement: MeasurementRecord, *, is_superseded: bool) -> str:
    if measurement.is_retraction:
        return "retraction"
    if is_superseded:
        return "superseded"
    return "correction" if measurement.revision > 1 else ""


def _print_predictions(
    run: ExperimentRecord, campaign: Campaign, predictions: Sequence[PredictionRecord]
) -> None:
    from engine.results.status import mean_of

    rows = [
        [
            _heading(campaign, prediction.outcome),
            _cell(prediction.mean),
            f"{_cell(prediction.lower)} … {_cell(prediction.upper)}",
            _cell(mean_of(run, prediction.outcome)),
        ]
        for prediction in predictions
    ]
    level = f"{predictions[0].level:.0%} interval"
    _print_grid(["predicted before the run", "mean", level, "measured"], rows)


def _print_grid(
    headings: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None
) -> None:
    console().print(grid(headings, rows, title=title))


def _known_first(campaign: Campaign, names: Sequence[str] | dict[str, Value]) -> list[str]:
    order = [parameter.name for parameter in campaign.parameters]
    return [name for name in order if name in names] + [n for n in names if n not in order]


def _heading(campaign: Campaign, name: str) -> str:
    order = [*(parameter.name for parameter in campaign.parameters), *campaign.outcomes]
    return campaign.heading(name) if name in order else name


def _names(experiment: ExperimentRecord) -> list[str]:
    return [str(experiment.id), experiment.label or "–"]


def _values(campaign: Campaign, experiment: ExperimentRecord, names: Sequence[str]) -> list[str]:
    from engine.campaign.applicability import without_surplus

    conditions = without_surplus(campaign.parameters, experiment.conditions)
    return [setting(conditions.get(name)) for name in names]


def _cell(value: Value | None) -> str:
    from db.records import Reading
    from engine.campaign.numbers import written

    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    return f"{value:.5g}" if isinstance(value, Reading) else written(value, 5)
