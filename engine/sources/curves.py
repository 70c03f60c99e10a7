"""Tensile curves as a model reads them: those of runs in the database, and single readings.

A curve that was cut, slipped, cycled or did not break, or of which stress or strain is not known,
is missing: its form is not the mat's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from db.transaction import Transaction
from engine.campaign import Campaign
from engine.curves.kept import evaluation_of
from engine.curves.outcomes import curve_outcomes
from engine.curves.properties.evaluate import Evaluation
from engine.errors import CampaignError
from surrogate.matmcl.curves import CURVE_POINTS, resample_curve
from surrogate.matmcl.vocabulary import Vocabulary

MOST_CURVES = 4096
"""Of one campaign; the newest are learnt from."""


@dataclass(frozen=True)
class RunCurve:
    """One specimen's curve as a model reads it, (g + 2,), and the direction it was pulled in."""

    direction: str | None
    samples: Tensor


@dataclass(frozen=True)
class CurveTensors:
    """Curves (c, g + 2), the row and the place of the direction of each, (c,) int64."""

    curves: Tensor
    owner: Tensor
    direction: Tensor


def learnable_curve(evaluation: Evaluation, n_points: int = CURVE_POINTS) -> Tensor | None:
    """Return a curve from its origin to its break as a model reads it; none where it is unsound."""
    curve, part = evaluation.curve, evaluation.cut
    is_known = curve.has_strain and curve.has_stress
    if not (is_known and part.ending == "broken" and part.is_sound):
        return None
    inside = slice(part.start, part.end + 1)
    strain = curve.x[inside] - evaluation.origin
    if len(strain) < 8 or strain[-1] <= 0 or curve.y[inside].max() <= 0:
        return None
    return resample_curve(strain, curve.y[inside], n_points)


def curves_of_runs(
    tx: Transaction,
    campaign_id: int,
    experiment_ids: Collection[int],
    *,
    n_points: int = CURVE_POINTS,
    watermark: int | None = None,
) -> dict[int, tuple[RunCurve, ...]]:
    """Return the learnable curves of runs by experiment; runs without one are missing.

    Args:
        tx: reads.
        campaign_id: whose runs.
        experiment_ids: which of them.
        n_points: the grid's.
        watermark: as they stood then.

    Raises:
        DataError: samples that are gone or damaged.
    """
    records = [
        record
        for record in tx.curves.find(campaign_id, watermark=watermark)
        if not record.is_withdrawn and record.experiment_id in experiment_ids
    ]
    curves: dict[int, tuple[RunCurve, ...]] = {}
    for record in sorted(records, key=lambda record: record.id)[-MOST_CURVES:]:
        samples = learnable_curve(evaluation_of(tx, record), n_points)
        if samples is not None:
            former = curves.get(record.experiment_id, ())
            curves[record.experiment_id] = (*former, RunCurve(record.direction, samples))
    return curves


def curve_tensors(
    curves: Sequence[Sequence[RunCurve]], places: Mapping[str | None, int]
) -> CurveTensors | None:
    """Return the curves of rows in their order; none where there is none in any known direction.

    ``places``: of each direction (:func:`direction_places`).
    """
    chosen = [
        (row, places[curve.direction], curve.samples)
        for row, of_row in enumerate(curves)
        for curve in of_row
        if curve.direction in places
    ]
    if not chosen:
        return None
    return CurveTensors(
        torch.stack([samples for _, _, samples in chosen]),
        torch.tensor([row for row, _, _ in chosen]),
        torch.tensor([place for _, place, _ in chosen]),
    )


def direction_places(
    campaign: Campaign, outcome_places: Mapping[str, int], vocabulary: Vocabulary
) -> dict[str | None, int]:
    """Return where a campaign's directions stand among those of a model.

    ``outcome_places``: of the campaign's outcomes among the model's.
    """
    try:
        outcomes = curve_outcomes(campaign)
    except CampaignError:  # it measures nothing that a curve gives
        return {}
    places: dict[str | None, int] = {}
    for outcome in outcomes:
        for direction in outcome.prop.directions or (None,):
            place = outcome_places.get(outcome.outcome(direction) or "")
            if place is not None:
                theirs = vocabulary.outcomes[place].partition(".")[2]
                places.setdefault(direction, vocabulary.directions.index(theirs))
    return places
