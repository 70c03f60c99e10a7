"""Drawings of curves as files: drawn once for each reading, and a cache only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from db.records import CurveRecord
from db.transaction import Transaction
from engine.curves.kept import find_curve
from engine.curves.show import curves_of_run, shown_curve, write_png
from engine.workspace import Workspace
from surrogate.private_files import make_folder

RENDITIONS = "renditions"


def curve_picture(workspace: Workspace, id_: int) -> Path:
    """Return a PNG of a curve with what was found on it.

    Raises:
        NotFoundError: no such curve.
        DataError: damaged samples, or a file that cannot be written.
    """
    with workspace.database.read() as tx:
        return _drawn(tx, workspace, [find_curve(tx, workspace, id_)])


def run_picture(workspace: Workspace, experiment: str) -> Path:
    """Return a PNG of a run's curves over one another.

    Raises:
        NotFoundError: no such run, or it has none.
        DataError: damaged samples, or a file that cannot be written.
    """
    with workspace.database.read() as tx:
        return _drawn(tx, workspace, curves_of_run(tx, workspace, experiment))


def _drawn(tx: Transaction, workspace: Workspace, records: Sequence[CurveRecord]) -> Path:
    # By the readings that are drawn: another one is another file.
    name = "-".join(f"{record.fit.id}" for record in records[:20])
    path = workspace.data_dir / RENDITIONS / f"curves-{len(records)}-{name}.png"
    if not path.is_file():
        make_folder(path.parent)
        write_png([shown_curve(tx, record) for record in records], path)
    return path
