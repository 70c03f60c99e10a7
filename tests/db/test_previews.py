"""Previews in the database: with their runs, in one transaction, and never alone half-written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from db.errors import ConflictError
from db.records import CampaignRecord, NewPreview, NewProposal
from db.session import Database

PREVIEW = NewPreview(
    generator="ab" * 32,
    seed=7,
    n_pictures=4,
    request={"conditions": {"voltage": 18.0}},
    level=0.9,
    statistics={"pictures": [{"order": 0.1}], "expected": {}},
    sha256="cd" * 32,
    path="previews/cd/x.png",
)
PROPOSAL = NewProposal(
    conditions={"voltage": 18.0}, order=1, p_success=1.0, reason_kind="space_filling", reason="",
    nearest_experiment_id=None, acquisition_value=None, predictions={}, level=0.9, preview=PREVIEW,
)  # fmt: skip


def propose(
    database: Database, campaign: CampaignRecord, proposals: list[NewProposal]
) -> list[int]:
    with database.write("propose") as tx:
        _, ids = tx.batches.add(
            campaign, strategy="gp", seed=1, request={}, watermark=0, versions={},
            proposals=proposals,
        )  # fmt: skip
    return ids


def test_come_with_their_proposal(database: Database, campaign: CampaignRecord) -> None:
    first, second = propose(
        database, campaign, [PROPOSAL, replace(PROPOSAL, order=2, preview=None)]
    )
    with database.read() as tx:
        (row,) = tx.previews.all_of(campaign.id)
        assert tx.previews.of_experiment(first) == [row]
        assert tx.previews.of_experiment(second) == []
    assert (row.experiment_id, row.preview) == (first, PREVIEW)
    assert row.batch_id is not None


def test_of_no_run(database: Database, campaign: CampaignRecord) -> None:
    with database.write("preview") as tx:
        id_ = tx.previews.add(campaign.id, PREVIEW)
    with database.read() as tx:
        (row,) = tx.previews.all_of(campaign.id)
    assert (row.id, row.experiment_id, row.batch_id) == (id_, None, None)


@pytest.mark.parametrize("words", [{"n_pictures": 0}, {"level": 1.0}, {"generator": "short"}])
def test_one_that_cannot_be_takes_its_batch_along(
    database: Database, campaign: CampaignRecord, words: dict[str, object]
) -> None:
    bad = replace(PROPOSAL, preview=replace(PREVIEW, **words))
    with pytest.raises(ConflictError):
        propose(database, campaign, [bad])
    with database.read() as tx:
        assert tx.batches.all_of(campaign.id) == []
        assert tx.previews.all_of(campaign.id) == []
