"""An experiment by what a person calls it: its id or its label."""

from __future__ import annotations

from db.records import CampaignRecord, ExperimentRecord
from db.session import Transaction
from engine.errors import NotFoundError, by_voice, nearest_name


def find_experiment(
    tx: Transaction, campaign: CampaignRecord, word: str, *, is_label: bool = False
) -> ExperimentRecord:
    """Return the experiment of that id (digits) or label (anything else) in the campaign.

    Raises:
        NotFoundError: there is none; the message names what comes near.
    """
    if word.isascii() and word.isdigit() and not is_label:
        # Larger is no id: SQLite's driver raises OverflowError, PostgreSQL an error that ends the
        # transaction.
        run = tx.experiments.get(int(word)) if int(word) < 2**63 else None
        if run is not None and run.campaign_id == campaign.id:
            return run
        if run is not None:
            owner = tx.campaigns.by_id(run.campaign_id)
            raise NotFoundError(
                f"experiment {word} belongs to the campaign '{owner.name if owner else '?'}', "
                f"not to '{campaign.name}'; "
                + by_voice("switch with `engine campaign use`", "switch to that campaign first")
            )
        id_ = tx.experiments.labelled(campaign.id, word)
        hint = f" The label '{word}' is experiment {id_}." if id_ is not None else ""
        pointer = by_voice(" `engine status` lists them", "")
        raise NotFoundError(f"there is no experiment {word}.{hint}{pointer}")
    id_ = tx.experiments.labelled(campaign.id, word)
    if id_ is None:
        labels = tx.experiments.labels(campaign.id)
        raise NotFoundError(
            f"no experiment is labelled '{word}'.{nearest_name(word, labels)}"
            + by_voice(" `engine status` lists the ids", "")
        )
    run = tx.experiments.get(id_)
    assert run is not None  # noqa: S101 -- its label was read in this transaction
    return run
