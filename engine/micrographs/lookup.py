"""A recorded micrograph by its number, and where its file lies."""

from __future__ import annotations

from pathlib import Path

from db.records import MicrographRecord
from db.transaction import Transaction
from engine.errors import NotFoundError, by_voice, place
from engine.workspace import Workspace


def find_micrograph(tx: Transaction, workspace: Workspace, id_: int) -> MicrographRecord:
    """Return a micrograph of a run of the active campaign.

    Raises:
        NotFoundError: there is none of that number, or it was taken away from its run.
    """
    campaign, _ = workspace.active_campaign(tx)
    record = tx.micrographs.get(id_)
    run = tx.experiments.get(record.experiment_id) if record is not None else None
    if record is None or run is None or run.campaign_id != campaign.id:
        raise NotFoundError(
            f"there is no micrograph {id_} in the campaign '{campaign.name}'"
            + by_voice("; `engine show ID` lists a run's micrographs", "")
        )
    if tx.micrographs.is_removed(id_):
        raise NotFoundError(f"micrograph {id_} was removed from experiment {run.id}")
    return record


def file_of(workspace: Workspace, record: MicrographRecord) -> Path:
    """Return where a micrograph's file lies.

    Raises:
        NotFoundError: it is gone.
    """
    path = workspace.data_dir / record.path
    if not path.is_file():
        raise NotFoundError(
            f"micrograph {record.id} ({record.original_name}) is recorded, but its file "
            f"{place(path)} is gone; put it back from a copy of the data folder"
        )
    return path
