"""The report's section of tensile curves: each run's over one another, with what was found."""

from __future__ import annotations

import base64
import shutil
from dataclasses import dataclass
from pathlib import Path

from db.errors import DatabaseError
from db.records import CurveRecord
from engine.errors import SpinneretError
from engine.results.figures import on_front_ids
from engine.results.material import Material
from engine.workspace import Workspace

MOST_RUNS = 8


@dataclass(frozen=True)
class CurveCard:
    """One run: its curves drawn, as a data URI, and a line for each specimen."""

    run: str
    picture: str
    path: Path
    lines: tuple[str, ...]


@dataclass(frozen=True)
class CurveSection:
    """What the page shows of tensile curves; ``text`` says of how many."""

    cards: tuple[CurveCard, ...]
    text: str


def curve_section(material: Material, workspace: Workspace) -> CurveSection | None:
    """Return the curves of the best runs and of the newest; none where there are no curves."""
    by_run: dict[int, list[CurveRecord]] = {}
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        for curve in tx.curves.find(record.id):
            if not curve.is_withdrawn:
                by_run.setdefault(curve.experiment_id, []).append(curve)
    runs = {run.id: run for run in material.experiments if run.id in by_run}
    if not runs:
        return None
    best = on_front_ids(material)
    # The front first, then the newest.
    order = sorted(runs, key=lambda id_: (id_ not in best, -id_))[:MOST_RUNS]
    cards = []
    for id_ in order:
        card = _card(runs[id_].name, id_, by_run[id_], workspace)
        if card is not None:
            cards.append(card)
    n = sum(map(len, by_run.values()))
    text = f"{n} curves of {len(runs)} runs"
    if len(runs) > len(order):
        text += f"; shown are {len(order)}: those on the front, then the newest"
    return CurveSection(tuple(cards), text + ".")


def copy_pictures(section: CurveSection, folder: Path) -> list[Path]:
    """Copy the drawings into a folder, by the runs' names; return the files."""
    files = []
    for number, card in enumerate(section.cards, 1):
        files.append(folder / (f"curves-{number}.png" if number > 1 else "curves.png"))
        shutil.copyfile(card.path, files[-1])
    return files


def _card(name: str, id_: int, curves: list[CurveRecord], workspace: Workspace) -> CurveCard | None:
    from engine.curves.pictures import run_picture

    try:
        path = run_picture(workspace, f"id:{id_}")
    # One run's damaged samples cost the report that drawing, and nothing else.
    except (SpinneretError, DatabaseError):
        return None
    content = base64.b64encode(path.read_bytes()).decode()
    lines = tuple(_line(curve) for curve in curves)
    return CurveCard(name, f"data:image/png;base64,{content}", path, lines)


def _line(curve: CurveRecord) -> str:
    results = curve.fit.results or {}
    direction = f", {curve.direction}" if curve.direction else ""
    missing = [v["property"].replace("_", " ") for v in results["values"]
               if v["outcome"] is not None and v["value"] is None]  # fmt: skip
    parts = [*results["findings"]]
    if missing:
        parts.append(f"missing: {', '.join(missing)}")
    name = f"{curve.specimen}{direction}, replicate {curve.replicate} ({curve.original_name})"
    return f"{name}: {'; '.join(parts)}" if parts else name
