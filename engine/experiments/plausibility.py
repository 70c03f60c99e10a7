"""Is a new value far from what was predicted, or from everything seen? A warning, never a refusal.

==========  =====================================================================
symbol      meaning
==========  =====================================================================
m           median of the campaign's own values of an outcome
s           robust standard deviation: 1.4826 × median absolute deviation from m
N_SDS       how many s (or predicted standard deviations) count as far
==========  =====================================================================

Where noise grows with the value (``scale = "log"``), all of it is done on the logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from db.records import PredictionRecord
from engine.campaign import Campaign
from engine.campaign.numbers import written
from engine.errors import by_voice, field

# A unit error is off by far more.
N_SDS = 8.0
MIN_VALUES = 8
# 1 / Φ⁻¹(¾): of a normal.
_MAD_TO_SD = 1.4826


def far_from_expected(
    campaign: Campaign,
    results: Mapping[str, float],
    *,
    earlier: Mapping[str, Sequence[float]],
    predictions: Sequence[PredictionRecord],
    experiment: int | str = "ID",
) -> list[str]:
    """Return a warning for each of ``results`` that lies far off.

    ``earlier``: what other runs of the campaign gave, by outcome. ``predictions``: what was said of
    this one. ``experiment`` is what the warning calls it.
    """
    mend = "a slip? " + by_voice(
        f"`engine log {experiment} --correct` mends it", f"{field('correct')} mends it"
    )
    predicted = {prediction.outcome: prediction for prediction in predictions}
    warnings = []
    for outcome, value in results.items():
        heading = campaign.heading(outcome)
        is_log = campaign.property_of(outcome).scale == "log"
        prediction = predicted.get(outcome)
        if prediction is not None and _is_far_from_prediction(value, prediction):
            warnings.append(
                f"{heading} = {value:g} is far from what was predicted, "
                f"{written(prediction.mean, 4)} "
                f"({written(prediction.lower, 4)} … {written(prediction.upper, 4)}); {mend}"
            )
        elif is_far_from_seen(value, earlier[outcome], is_log=is_log):
            warnings.append(
                f"{heading} = {value:g} is far from everything seen so far, "
                f"{written(min(earlier[outcome]), 4)} … {written(max(earlier[outcome]), 4)}; {mend}"
            )
    return warnings


def is_far_from_seen(value: float, values: Sequence[float], *, is_log: bool = False) -> bool:
    """Whether ``value`` is more than ``N_SDS`` robust standard deviations from the median.

    Fewer than ``MIN_VALUES`` values, or values without spread, tell nothing.
    """
    if is_log:
        if value <= 0 or any(earlier <= 0 for earlier in values):
            return False
        value, values = math.log(value), [math.log(earlier) for earlier in values]
    if len(values) < MIN_VALUES:
        return False
    centre = _median(values)
    spread = _MAD_TO_SD * _median([abs(earlier - centre) for earlier in values])
    return spread > 0 and abs(value - centre) > N_SDS * spread


def _is_far_from_prediction(value: float, prediction: PredictionRecord) -> bool:
    """Whether ``value`` is ``N_SDS`` predicted standard deviations from the mean, on its side."""
    low, high = reach(prediction, N_SDS)
    return low < high and not low <= value <= high


def reach(prediction: PredictionRecord, n_sds: float) -> tuple[float, float]:
    """Return what lies ``n_sds`` predicted standard deviations below and above the mean.

    Each side has a standard deviation of its own, as skewed intervals have.
    """
    # Imported where used: most results come without a prediction.
    from statistics import NormalDist

    z = NormalDist().inv_cdf(0.5 + prediction.level / 2)
    downwards = max(0.0, prediction.mean - prediction.lower) / z * n_sds
    upwards = max(0.0, prediction.upper - prediction.mean) / z * n_sds
    return prediction.mean - downwards, prediction.mean + upwards


def _median(values: Sequence[float]) -> float:
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
