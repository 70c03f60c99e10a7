"""Which version serves: the champion if its files are as recorded, else the last good one.

Loads no numerical library. What had to be left aside is said in the log (`engine.logs`), so every
command that asks a model tells it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from db.records import ModelKind, ModelVersionRecord, PromotionRecord
from db.transaction import Transaction
from engine.errors import by_voice, spell
from engine.registry.files import problems

_LOG = logging.getLogger("spinneret.registry")


@dataclass(frozen=True)
class Serving:
    """What serves; no ``version``: what ships with the program, if anything does.

    ``notes``: what was left aside, and why.
    """

    version: ModelVersionRecord | None
    folder: Path | None
    notes: tuple[str, ...] = ()


def serving(data_dir: Path, tx: Transaction, campaign_id: int, kind: ModelKind) -> Serving:
    """Return the version of a kind that serves a campaign.

    The champion serves. Where its files are gone or altered, the version that served before it
    does, and so on; in the end what ships with the program.
    """
    notes: list[str] = []
    for version in _in_order(tx, campaign_id, kind):
        findings = problems(data_dir, version)
        if not findings:
            folder = data_dir / version.artifact_path
            if notes:
                notes.append(f"model {version.id}, which served before, serves until that is mended"
                             + by_voice(f" (`engine models promote {version.id}` makes it last)",
                                        " (promoting it makes it last)"))  # fmt: skip
            return _logged(Serving(version, folder, tuple(notes)))
        # Pruning was asked for; nobody needs to hear of it at each command.
        if not version.is_pruned:
            notes += findings
    if notes:
        mend = by_voice("`engine refresh --full` trains anew", "a full refresh trains anew")
        notes.append(f"what ships with the program serves; {mend}")
    return _logged(Serving(None, None, tuple(notes)))


def _logged(selected: Serving) -> Serving:
    for note in selected.notes:
        _LOG.warning(spell(note, "cli"))
    return selected


def _in_order(tx: Transaction, campaign_id: int, kind: ModelKind) -> list[ModelVersionRecord]:
    """Return the champion, then what served before it, newest first."""
    champion = tx.models.champion(campaign_id, kind)
    if champion is None:
        return []
    by_id = {version.id: version for version in tx.models.all_of(campaign_id)}
    former = stack(list(tx.models.promotions(campaign_id, kind)))[:-1]
    ids = [id_ for id_ in reversed(former) if id_ is not None and id_ != champion.id]
    return [champion, *(by_id[id_] for id_ in dict.fromkeys(ids))]


def stack(promotions: list[PromotionRecord]) -> list[int | None]:
    """Return what served, each once, with what a rollback took back left out; the last serves.

    ``None`` stands for what ships with the program.
    """
    order: list[int | None] = [None]
    for promotion in promotions:
        # By the reason's first word: the table of promotions has no column for it.
        is_back = (promotion.reason or "").startswith(ROLLBACK)
        if is_back and promotion.model_version_id in order:
            del order[order.index(promotion.model_version_id) + 1 :]
        else:
            order = [id_ for id_ in order if id_ != promotion.model_version_id or id_ is None]
            order.append(promotion.model_version_id)
    return order


ROLLBACK = "rollback"
"""The first word of the reason of a promotion that takes others back."""
