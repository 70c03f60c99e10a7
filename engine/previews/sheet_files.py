"""Where contact sheets go, and what stands on them: of a batch, or of what was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.campaign import Campaign, Value
from engine.previews.contact_sheet import SheetRow, draw_sheet, sheet_bytes
from engine.previews.preview import Previews
from engine.previews.store import FOLDER, write_png
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.loop import ProposedBatch


def write_batch_sheet(
    workspace: Workspace, proposed: ProposedBatch, path: Path | None = None
) -> Path | None:
    """Write the contact sheet of a batch; ``None`` for a dry run that names no file.

    Raises:
        DataError, StateError: it cannot be written; the batch stands all the same.
    """
    if proposed.previews is None or (path is None and proposed.batch_id is None):
        return None
    place = path or sheets_folder(workspace) / f"batch-{proposed.batch_id}.png"
    rows = [
        SheetRow(
            f"run {'–' if id_ is None else id_}",
            condition_words(proposed.campaign, s.conditions),
            item,
        )
        for (id_, s), item in zip(proposed.numbered, proposed.previews.items, strict=True)
    ]
    named = "a dry run" if proposed.batch_id is None else f"batch {proposed.batch_id}"
    write_sheet(place, f"What to expect of {named}", proposed.previews, rows)
    return place


def write_sheet(path: Path, title: str, previews: Previews, rows: Sequence[SheetRow]) -> None:
    """Write a contact sheet whole.

    Raises:
        DataError, StateError: it cannot be written.
    """
    subtitle = f"drawn by {previews.name} {previews.generator[:12]}, seed {previews.seed}"
    write_png(path, sheet_bytes(draw_sheet(title, subtitle, rows, previews.level)))


def sheets_folder(workspace: Workspace) -> Path:
    """Return where contact sheets go if nobody says."""
    return workspace.data_dir / FOLDER / "sheets"


def condition_words(campaign: Campaign, conditions: Mapping[str, Value]) -> list[str]:
    """Return conditions as short lines, two a line."""
    words = []
    for parameter in campaign.parameters:
        value = conditions.get(parameter.name)
        if value is not None:
            shown = value if isinstance(value, str) else f"{value:.4g}"
            words.append(f"{parameter.name.replace('_', ' ')} {shown} {parameter.unit}".rstrip())
    return [", ".join(words[place : place + 2]) for place in range(0, len(words), 2)]
