"""What a preview asked for by itself is to show: the campaign's own forecast of fibre diameter."""

from __future__ import annotations

from collections.abc import Mapping

from engine.campaign import Campaign, Value
from engine.campaign.applicability import lacking
from engine.errors import ModelError
from engine.predictions.predict import predict
from engine.previews.diameter import measured_diameter
from engine.propose.request import Forecast
from engine.workspace import Workspace
from surrogate.progress import Progress, silent


def forecast_for_preview(
    workspace: Workspace,
    campaign: Campaign,
    conditions: Mapping[str, Value],
    *,
    progress: Progress = silent,
) -> tuple[list[Mapping[str, Forecast]], str | None]:
    """Return what is forecast of conditions, as ``preview_conditions`` takes it, or why nothing is.

    Nothing is fitted, and nothing said, where the campaign measures no fibre diameter.
    """
    diameter = measured_diameter(campaign)
    if diameter is None:
        return [], None
    if reason := not_forecast(campaign, conditions):
        return [], reason
    try:
        predicted = predict(workspace, [conditions], drives=False, progress=progress)
    except ModelError as error:
        return [], f"the diameter is the generator's own: {error}"
    return [predicted.rows[0].outcomes], None


def not_forecast(campaign: Campaign, conditions: Mapping[str, Value]) -> str | None:
    """Return why nothing can be forecast of conditions: a parameter that nobody stated."""
    missing = [parameter.name for parameter in lacking(campaign.controlled, conditions)]
    if not missing:
        return None
    return (
        f"the diameter is the generator's own: the campaign's forecast needs {', '.join(missing)}"
    )
