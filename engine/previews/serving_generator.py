"""Which generator serves a campaign. Loads no numerical library."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from db.records import ModelKind
from db.transaction import Transaction
from engine.registry.serving_version import serving
from engine.workspace import Workspace

STARTER = Path(__file__).parent / "starter"
"""The generator that ships with the package."""

ENCODERS = "encoders"
"""Its own encoders, in a folder beside its parts."""


@dataclass(frozen=True)
class Serving:
    """A generator's folder; ``model_version_id`` is ``None`` for the starter."""

    folder: Path
    name: str
    model_version_id: int | None = None


def serving_generator(workspace: Workspace, tx: Transaction, campaign_id: int) -> Serving | None:
    """Return the generator that serves a campaign: its champion, or else the starter, if any.

    A champion whose files are gone or altered is left aside for the one before it.
    ``[generator] pretrained`` may ask for the starter alone, or for none.
    """
    choice = workspace.settings.generator.pretrained
    if choice == "none":
        return None
    if choice == "auto":
        champion = serving(workspace.data_dir, tx, campaign_id, ModelKind.GENERATOR)
        if champion.version is not None and champion.folder is not None:
            return Serving(champion.folder, f"generator {champion.version.id}", champion.version.id)
    if (STARTER / "generator.json").is_file():
        return Serving(STARTER, "the starter")
    return None
