"""From the database to the report's files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.campaign import Value
from engine.errors import DataError, ModelError, by_voice, marked
from engine.predictions.sensitivity import Sensitivity, sensitivity
from engine.results.material import Material, gather
from surrogate.private_files import make_folder
from surrogate.progress import Progress, silent

if TYPE_CHECKING:
    from engine.workspace import Workspace


@dataclass(frozen=True)
class Written:
    """What was written, and from what."""

    page: Path
    pictures: tuple[Path, ...]
    campaign: str
    n_finished: int
    hypervolume: float
    remark: str | None


def default_page(workspace: Workspace, campaign: str) -> Path:
    """Return where the page goes if nobody says: the data folder's ``reports``."""
    name = re.sub(r"[^\w.-]+", "-", campaign)
    return workspace.data_dir / "reports" / f"{name}.html"


def write_report(
    workspace: Workspace,
    *,
    out: Path | None = None,
    pictures: Path | None = None,
    progress: Progress = silent,
) -> Written:
    """Write the active campaign's page, and its figures as PNG into ``pictures`` if it is given.

    Raises:
        NotFoundError: there is no active campaign.
        DataError, StateError: a file or folder cannot be written.
    """
    from engine.report.curves import copy_pictures, curve_section
    from engine.report.page import render_page
    from engine.report.previews import preview_section
    from engine.results.figures import hypervolume_growth
    from engine.workspace.files import write_aside

    progress("reading the records")
    material = gather(workspace)
    if material.previews:
        from engine.report.previews import measure_previewed

        progress("measuring new micrographs of runs that were drawn")
        measure_previewed(workspace)
        material = gather(workspace)
    progress("asking the model which parameter moves what")
    indices, remark = model_sensitivity(material, workspace)
    progress("drawing the page")
    page = out or default_page(workspace, material.campaign.name)
    section = preview_section(material, workspace.data_dir) if material.previews else None
    curves = curve_section(material, workspace)
    html = render_page(
        material, sensitivity=indices, remark=remark, previews=section, curves=curves
    )
    files: list[Path] = []
    try:
        make_folder(page.parent)
        write_aside(page, html)
        if pictures is not None:
            from engine.report.png import write_pictures

            progress("drawing the pictures")
            files = write_pictures(material, pictures, indices)
            files += copy_pictures(curves, pictures) if curves is not None else []
    except OSError as error:
        raise DataError(
            f"the report cannot be written: {by_voice(str(error), error.strerror or 'no access')}. "
            f"Name another place{by_voice(' with --out or --png', '')}."
        ) from error
    volumes = hypervolume_growth(material).volumes
    return Written(
        page=page,
        pictures=tuple(files),
        campaign=material.campaign.name,
        n_finished=sum(1 for e in material.experiments if e.status == "completed"),
        hypervolume=volumes[-1] if volumes else 0.0,
        remark=remark,
    )


def model_sensitivity(
    material: Material, workspace: Workspace
) -> tuple[Sensitivity | None, str | None]:
    """Fit the model to everything known and ask it; or say why that cannot be done yet."""
    from engine.loop import knowledge_for, read_snapshot

    campaign = material.campaign
    snapshot = read_snapshot(workspace)
    history = snapshot.history
    needed = 2 * (len(campaign.parameters) + 1)
    if history.n_finished < needed:
        return None, (
            f"{history.n_finished} finished runs are too few to tell: with "
            f"{len(campaign.parameters)} parameters this starts at {needed}."
        )
    from engine.propose import Forecaster
    from engine.propose.learnable import assess

    measured = [
        outcome
        for outcome in campaign.outcomes
        if sum(bool(run.outcomes.get(outcome)) for run in history.finished) >= needed
    ]
    if not measured:
        return None, f"No outcome has been measured on {needed} runs yet."
    problems = assess(history, measured).problems
    outcomes = [outcome for outcome in measured if outcome not in problems]
    unlearnt = [
        f"{campaign.heading(outcome)} cannot be learnt: {problem}."
        for outcome, problem in problems.items()
    ]
    if not outcomes:
        return None, " ".join(unlearnt)
    try:
        settings = workspace.settings.propose
        knowledge = knowledge_for(campaign, settings.strategy, snapshot.checkpoint)
        forecaster = Forecaster.fit(history, settings, outcomes=outcomes, knowledge=knowledge)
    except ModelError as error:
        return None, f"The model could not be fitted: {marked(error)}"

    def predict(conditions: Sequence[Mapping[str, Value]]) -> dict[str, list[float]]:
        forecasts = forecaster.predict(conditions)
        return {name: [row[name].mean for row in forecasts] for name in outcomes}

    remarks = [*([f"The model is {history.left_out}"] if history.left_out else []), *unlearnt]
    rules = [*map(str, campaign.parameter_constraints), *(e.message for e in campaign.exclusions)]
    if rules:
        remarks.append(f"Only settings that keep these are asked: {'; '.join(rules)}.")
    return sensitivity(campaign, outcomes, predict), " ".join(remarks) or None
