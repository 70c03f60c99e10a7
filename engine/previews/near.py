"""Real micrographs beside previews: those of the runs made under the nearest conditions.

Distance is Euclidean over the stated numbers, each in units of its range, divided by the root of
their count; a choice that differs counts as 1. So 0 is the very same setting and 1 the other end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from db.records import ExperimentRecord, MicrographRecord, Status
from engine.campaign import Campaign, Value
from engine.previews.expected_statistics import shown_of
from engine.workspace import Workspace

N_NEAR = 2
FAR = 0.35
"""From this distance to the nearest finished run on a preview is warned of."""


@dataclass(frozen=True)
class NearMicrograph:
    """A real micrograph of a run at ``distance``; ``shown``: its statistics."""

    experiment_id: int
    name: str
    path: Path
    nm_per_pixel: float | None
    crop: tuple[int, int, int, int] | None
    rotation_axis: str | None
    distance: float
    shown: Mapping[str, float]


def nearest_micrographs(
    workspace: Workspace, campaign: Campaign, conditions: Sequence[Mapping[str, Value]]
) -> tuple[list[tuple[tuple[NearMicrograph, ...], float | None]], list[str]]:
    """Return for each row its nearest real micrographs and the distance of the nearest run."""
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        finished = (Status.COMPLETED, Status.FAILED)
        briefs = tx.experiments.briefs(record.id, (), status=finished)
        pictured = tx.experiments.find(record.id, status=finished, pictured=True)
    nearest_rows = []
    for row in conditions:
        # The id breaks ties; experiments themselves cannot be compared.
        ranked = sorted((distance(campaign, row, e.conditions), e.id, e) for e in pictured)
        near = [
            _near(workspace, e, e.micrographs[0], d)
            for d, _, e in ranked[:N_NEAR]
            if math.isfinite(d)
        ]
        nearest = min((distance(campaign, row, e.conditions) for e in briefs), default=math.inf)
        nearest_rows.append((tuple(near), nearest if math.isfinite(nearest) else None))
    notes = [] if pictured else ["no run of this campaign has a micrograph yet to compare with"]
    return nearest_rows, notes


def distance(
    campaign: Campaign, conditions: Mapping[str, Value], made_under: Mapping[str, Value]
) -> float:
    """Return how far two settings are from one another over what ``conditions`` states."""
    squares = []
    for parameter in campaign.parameters:
        a, b = conditions.get(parameter.name), made_under.get(parameter.name)
        if a is None or b is None:
            continue
        if isinstance(a, str) or isinstance(b, str):
            squares.append(0.0 if a == b else 1.0)
            continue
        low, high = parameter.bounds
        if high > low:
            squares.append(((a - b) / (high - low)) ** 2)
        else:
            squares.append(float(abs(a - b) > parameter.resolution))
    return math.sqrt(sum(squares) / len(squares)) if squares else math.inf


def remote(
    campaign: Campaign, conditions: Mapping[str, Value], nearest: float | None
) -> tuple[str, ...]:
    """Return a warning where conditions are far from every finished run."""
    if nearest is None or nearest < FAR:
        return ()
    settings = ", ".join(
        f"{name} {value:g}" if not isinstance(value, str) else f"{name} {value}"
        for name, value in conditions.items()
        if name in {p.name for p in campaign.controlled}
    )
    return (
        f"{settings}: the nearest finished run is {nearest:.2f} of the ranges away; the preview "
        "rests on what the generator was trained on, not on this campaign",
    )


def _near(
    workspace: Workspace, run: ExperimentRecord, picture: MicrographRecord, d: float
) -> NearMicrograph:
    return NearMicrograph(
        run.id,
        run.name,
        workspace.data_dir / picture.path,
        picture.nm_per_pixel,
        picture.crop,
        picture.rotation_axis,
        d,
        shown_of(picture.statistics),
    )
