"""Rows that no database takes, and how each refusal is told."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from rows import OUTCOME, add_batch, add_picture, proposal

from db.errors import ConflictError
from db.records import CampaignRecord, NewExperiment, Origin, Status
from db.session import Database
from db.transaction import Transaction

Attempt = Callable[[Transaction, CampaignRecord, int], object]


IMPOSSIBLE: dict[str, tuple[Attempt, str]] = {
    "a label twice": (
        lambda tx, c, _: tx.experiments.add(
            c, [NewExperiment(Origin.IMPORT, Status.COMPLETED, label="M1")]
        ),
        "experiment of that label",
    ),
    "an unknown origin": (
        lambda tx, c, _: tx.experiments.add(c, [NewExperiment("heaven", Status.RUNNING)]),  # type: ignore[arg-type]
        "origin",
    ),
    "an unknown status": (
        lambda tx, c, _: tx.experiments.add(c, [NewExperiment(Origin.MANUAL, "done")]),  # type: ignore[arg-type]
        "status",
    ),
    "a failed run without its kind": (
        lambda tx, c, _: tx.experiments.add(c, [NewExperiment(Origin.MANUAL, Status.FAILED)]),
        "needs its kind of failure",
    ),
    "a condition that is no number": (
        lambda tx, _, id_: tx.experiments.set_actual(id_, {"voltage": math.nan}),
        "condition",
    ),
    "an infinite condition": (
        lambda tx, _, id_: tx.experiments.set_actual(id_, {"voltage": -math.inf}),
        "condition is infinite",
    ),
    "a value that is no number": (
        lambda tx, _, id_: tx.measurements.add(id_, OUTCOME, [math.nan]),
        "value",
    ),
    "an infinite value": (
        lambda tx, _, id_: tx.measurements.add(id_, OUTCOME, [math.inf]),
        "measured value is infinite",
    ),
    "a replicate twice": (
        lambda tx, _, id_: tx.measurements.add(id_, OUTCOME, [1.0], first_replicate=2),
        "recorded already",
    ),
    "a replicate 0": (
        lambda tx, _, id_: tx.measurements.add(id_, OUTCOME, [1.0], first_replicate=0),
        "count from 1",
    ),
    "a measurement of nothing": (
        lambda tx, _, id_: tx.measurements.add(id_ + 100, OUTCOME, [1.0]),
        "names another one that does not exist",
    ),
    "a picture twice": (
        lambda tx, _, id_: [add_picture(tx, id_), add_picture(tx, id_)],
        "micrograph already",
    ),
    "a picture without size": (
        lambda tx, _, id_: add_picture(tx, id_, width_px=0),
        "picture has no size",
    ),
    "a short hash": (lambda tx, _, id_: add_picture(tx, id_, sha256="abc"), "sha256"),
    "a crop box outside": (
        lambda tx, _, id_: add_picture(tx, id_, crop=(0, 0, 11, 10)),
        "crop box",
    ),
    "a pixel size from nowhere": (
        lambda tx, _, id_: add_picture(tx, id_, nm_per_pixel=5.0),
        "where it was read from",
    ),
    "an interval upside down": (
        lambda tx, c, _: add_batch(tx, c, proposal(1, predictions={OUTCOME: (1.0, 2.0, 0.0)})),
        "lower end lies above",
    ),
    "a certain interval": (
        lambda tx, c, _: add_batch(tx, c, proposal(1, level=1.0)),
        "between 0 and 1",
    ),
    "a probability above 1": (
        lambda tx, c, _: add_batch(tx, c, proposal(1, p_success=1.1)),
        "probability of success",
    ),
    "one place for two": (
        lambda tx, c, _: add_batch(tx, c, proposal(1), proposal(1)),
        "one place in the order",
    ),
    "a near one that is not there": (
        lambda tx, c, _: add_batch(tx, c, proposal(1, nearest_experiment_id=4711)),
        "does not exist",
    ),
    "a revision of another campaign": (
        lambda tx, c, _: tx.experiments.add(
            CampaignRecord(
                c.id, c.name, c.revision_id + 1, 2, {}, is_active=True, created_at=c.created_at
            ),
            [NewExperiment(Origin.MANUAL, Status.RUNNING)],
        ),
        "does not exist",
    ),
}


@pytest.mark.parametrize(("attempt", "message"), IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_wrong_rows_are_impossible(
    database: Database,
    campaign: CampaignRecord,
    experiment_id: int,
    attempt: Attempt,
    message: str,
) -> None:
    with database.read() as tx:
        before = (tx.watermark(), tx.experiments.find(campaign.id))
    with pytest.raises(ConflictError, match=message), database.write("try") as tx:
        attempt(tx, campaign, experiment_id)
    with database.read() as tx:
        assert (tx.watermark(), tx.experiments.find(campaign.id)) == before
