"""``engine status`` and ``engine show``: where the campaign stands, and everything of one run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

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
        found = campaign_status(workspace)
        drift = workspace.drift(found.record)
    if drift is not None:
        warn(drift)
    if as_json:
        from engine.documents.campaigns import StatusOut

        print_json(StatusOut.model_validate(found))
    else:
        _print_status(found)


def _print_status(found: CampaignStatus) -> None:
    campaign = found.campaign
    counts = ", ".join(f"{n} {status.value}" for status, n in found.counts.items() if n)
    typer.echo(
        f"campaign '{found.record.name}', revision {found.record.revision}: "
        f"{counts or 'no experiments yet; `engine propose` suggests the first ones'}"
    )
    names = [parameter.name for parameter in campaign.parameters]
    headings = ["id", "label", *map(campaign.heading, names)]
    if found.pending:
        rows = [[*_names(e), *_values(e, names), e.status.value] for e in found.pending]
        _print_grid([*headings, "status"], rows, "Pending")
    shown = campaign.wanted_outcomes
    if found.latest:
        from engine.results.status import mean_of

        rows = [
            [*_names(e), *_values(e, names), *(_shown(mean_of(e, name)) for name in shown)]
            for e in found.latest
        ]
        _print_grid([*headings, *map(campaign.heading, shown)], rows, "Last results")
        rows = [_best_row(best, campaign) for best in found.best]
        _print_grid(["objective", "goal", "threshold", "best", "id", "beyond"], rows, "Best so far")
        typer.echo(f"beyond every threshold: {found.n_beyond_all}")
        if campaign.constraints:
            held = ", ".join(map(str, campaign.constraints))
            typer.echo(f"breaking a constraint ({held}), counted nowhere else: {found.n_breaking}")


def _best_row(best: Best, campaign: Campaign) -> list[str]:
    return [
        campaign.heading(best.objective.outcome),
        best.objective.goal,
        _shown(best.objective.threshold),
        _shown(best.value),
        str(best.experiment.id) if best.experiment else "–",
        str(best.n_beyond),
    ]


def show(
    experiment: Annotated[str, typer.Argument(metavar="ID", help="The run's number or label.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything of one run: conditions, results with corrections, predictions, pictures."""
    from engine.workspace import Workspace, definition_of
    from engine.workspace.lookup import find_experiment

    with Workspace.open(config) as workspace, workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        found = find_experiment(tx, record, experiment)
        campaign = definition_of(record)
        measurements = tx.measurements.all_of(found.id)
        predictions = tx.batches.predictions_of(found.id)
    if as_json:
        from engine.documents.experiments import ShownExperimentOut

        print_json(ShownExperimentOut.of(found, campaign, measurements, predictions))
    else:
        _print_experiment(found, campaign, measurements, predictions)


def _print_experiment(
    found: ExperimentRecord,
    campaign: Campaign,
    measurements: Sequence[MeasurementRecord],
    predictions: Sequence[PredictionRecord],
) -> None:
    label = f" ('{found.label}')" if found.label else ""
    kind = f" ({found.failure.value})" if found.failure else ""
    typer.echo(
        f"experiment {found.id}{label}: {found.status.value}{kind}, from {found.origin.value}, "
        f"recorded {found.created_at.astimezone():%Y-%m-%d %H:%M} by {found.created_by}"
    )
    if found.note:
        typer.echo(f"note: {found.note}")
    if found.proposal is not None:
        typer.echo(
            f"proposed in batch {found.proposal.batch_id} as run {found.proposal.order}: "
            f"{found.proposal.reason} (chance of success {found.proposal.p_success:.0%})"
        )
    rows = [
        [_heading(campaign, name), _shown(found.proposed.get(name)), _shown(found.actual.get(name))]
        for name in _known_first(campaign, found.conditions)
    ]
    _print_grid(["condition", "proposed", "as run"], rows)
    if measurements:
        superseded = {m.supersedes_id for m in measurements}
        rows = [
            [
                _heading(campaign, m.outcome),
                str(m.replicate),
                _shown(m.value),
                "superseded" if m.id in superseded else ("correction" if m.revision > 1 else ""),
                f"{m.recorded_at.astimezone():%Y-%m-%d %H:%M}",
                m.recorded_by,
                m.note or "",
            ]
            for m in measurements
        ]
        _print_grid(["result", "replicate", "value", "", "recorded", "by", "note"], rows)
    if predictions:
        _print_predictions(found, campaign, predictions)
    for picture in found.micrographs:
        size = f"{picture.width_px} × {picture.height_px} px"
        typer.echo(f"micrograph {picture.id}: {picture.original_name}, {size}, {picture.path}")


def _print_predictions(
    found: ExperimentRecord, campaign: Campaign, predictions: Sequence[PredictionRecord]
) -> None:
    from engine.results.status import mean_of

    rows = [
        [
            _heading(campaign, prediction.outcome),
            _shown(prediction.mean),
            f"{_shown(prediction.lower)} … {_shown(prediction.upper)}",
            _shown(mean_of(found, prediction.outcome)),
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
    known = [parameter.name for parameter in campaign.parameters]
    return [name for name in known if name in names] + [n for n in names if n not in known]


def _heading(campaign: Campaign, name: str) -> str:
    known = [*(parameter.name for parameter in campaign.parameters), *campaign.outcomes]
    return campaign.heading(name) if name in known else name


def _names(experiment: ExperimentRecord) -> list[str]:
    return [str(experiment.id), experiment.label or "–"]


def _values(experiment: ExperimentRecord, names: Sequence[str]) -> list[str]:
    return [_shown(experiment.conditions.get(name)) for name in names]


def _shown(value: Value | None) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else f"{value:.5g}"
