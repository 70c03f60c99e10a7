"""Which pretrained surrogate serves a campaign. Loads no numerical library."""

from __future__ import annotations

import json
from pathlib import Path

from db.records import ModelKind, SourceKind
from db.transaction import Transaction
from engine.campaign import Campaign
from engine.errors import ModelError
from engine.registry.files import problems
from engine.registry.serving_version import serving
from engine.sources.definition import ENSEMBLE, OWN
from engine.sources.spinning import spins
from engine.workspace import Workspace

STARTER = Path(__file__).parent / "starter"
"""The checkpoint that ships with the package."""


def serving_folder(workspace: Workspace, tx: Transaction, campaign_id: int) -> Path | None:
    """Return the checkpoint that serves a campaign: its champion, or else the starter.

    A champion whose files are gone or altered is left aside for the one before it, which is said
    in the log. ``[surrogate] pretrained`` may ask for the starter alone, or for none.
    """
    setting = workspace.settings.surrogate.pretrained
    if setting == "none":
        return None
    if setting == "auto":
        findings = serving(workspace.data_dir, tx, campaign_id, ModelKind.SURROGATE)
        if findings.folder is not None:
            return findings.folder
    return STARTER


def knowing_folder(
    workspace: Workspace, tx: Transaction, campaign_id: int, campaign: Campaign
) -> Path | None:
    """Return the checkpoint whose knowledge proposals and forecasts of a campaign rest on.

    It is the one that serves; none, where all it has learnt from are simulated electrospinning labs
    and the campaign does not spin, unless the user gave it simulated labs as a source.
    """
    folder = serving_folder(workspace, tx, campaign_id)
    if folder is None or spins(campaign).is_spinning:
        return folder
    if _learnt_from(folder) - {ENSEMBLE, OWN}:
        return folder
    sources = tx.sources.find(campaign_id)
    return folder if any(source.kind is SourceKind.SIMULATED for source in sources) else None


def _learnt_from(folder: Path) -> set[str]:
    try:
        card = json.loads((folder / "matmcl.json").read_text(encoding="utf-8"))
        return set(card["sources"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"the pretrained surrogate cannot be used: {error}") from error


def starter_sha256() -> str:
    """Return the SHA-256 of the starter's weights."""
    return str(json.loads((STARTER / "matmcl.json").read_text(encoding="utf-8"))["sha256"])


def folder_of(workspace: Workspace, tx: Transaction, campaign_id: int, sha256: str) -> Path:
    """Return the checkpoint whose weights have this SHA-256, as a batch recorded it.

    Raises:
        ModelError: neither the starter nor any version of the campaign is that one, or its files
            are not as they were recorded.
    """
    if starter_sha256() == sha256:
        return STARTER
    wrong: list[str] = []
    # By hash, whatever its status: a batch is replayed with what chose it, not with what serves
    # now.
    for version in tx.models.all_of(campaign_id):
        if version.sha256 == sha256:
            findings = problems(workspace.data_dir, version)
            if not findings:
                return workspace.data_dir / version.artifact_path
            wrong += findings
    if wrong:
        raise ModelError(
            f"the batch was chosen with a surrogate that is not as it was: {'; '.join(wrong)}. It "
            "cannot be computed again."
        )
    raise ModelError(
        f"the batch was chosen with the pretrained surrogate {sha256[:12]}, which this version of "
        "the package does not ship and the database does not list: it cannot be computed again."
    )
