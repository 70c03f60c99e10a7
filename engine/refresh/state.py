"""Where an interrupted training is kept until the next refresh takes it up again."""

from __future__ import annotations

from pathlib import Path

from db.records import ModelKind
from engine.registry.files import FOLDER
from engine.workspace import Workspace


def state_folder(workspace: Workspace, campaign_id: int, kind: ModelKind) -> Path:
    """Return the folder of a campaign's interrupted training of a kind."""
    # A name with a dot, by which `registry.versions.orphans` leaves it alone.
    return workspace.data_dir / FOLDER / f".refresh-{kind}-{campaign_id}"
