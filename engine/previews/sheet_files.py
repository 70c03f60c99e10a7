"""Where contact sheets go, and how they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.campaign import Campaign, Value
from engine.campaign.numbers import written
from engine.previews.contact_sheet import SheetRow, draw_sheet, sheet_bytes
from engine.previews.preview import Previews
from engine.previews.store import FOLDER, write_png
from engine.workspace import Workspace


def write_sheet(path: Path, title: str, previews: Previews, rows: Sequence[SheetRow]) -> None:
    """Write a contact sheet whole.

    Raises:
        DataError: it cannot be written.
    """
    subtitle = f"drawn by {previews.name} {previews.generator[:12]}, seed {previews.seed}"
    write_png(path, sheet_bytes(draw_sheet(title, subtitle, rows, previews.level)))


def sheets_folder(workspace: Workspace) -> Path:
    """Return where contact sheets go if nobody says."""
    return workspace.data_dir / FOLDER / "sheets"


def condition_lines(campaign: Campaign, conditions: Mapping[str, Value]) -> list[str]:
    """Return conditions as short lines, two a line."""
    items = []
    for parameter in campaign.parameters:
        value = conditions.get(parameter.name)
        if value is not None:
            number = value if isinstance(value, str) else written(value, 4)
            items.append(f"{parameter.name.replace('_', ' ')} {number} {parameter.unit}".rstrip())
    return [", ".join(items[place : place + 2]) for place in range(0, len(items), 2)]
