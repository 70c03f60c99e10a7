"""That a refresh is due: said once, by the command whose results made it so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.refresh.due import due
from engine.terminal.output import say

if TYPE_CHECKING:
    from engine.workspace import Workspace


class DueRemark:
    """Made before results are recorded; :meth:`print_once` afterwards tells if they made it due."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._was_due = False
        with workspace.database.read() as tx:
            record, _ = workspace.active_campaign(tx)
            moments = [
                measurement.recorded_at
                for run in tx.experiments.get_all(tx.overviews.latest(record.id, 1))
                for measurement in run.measurements
            ]
            if moments:
                # As it stood when the newest result came: it was said then, also of one too old.
                settings = workspace.settings.refresh
                self._was_due = due(tx, record.id, settings, moment=max(moments)).is_due

    def reasons(self) -> tuple[str, ...]:
        """Return why a refresh is due now, if it is. Nothing is ever trained here."""
        with self._workspace.database.read() as tx:
            record, _ = self._workspace.active_campaign(tx)
            return due(tx, record.id, self._workspace.settings.refresh).reasons

    def print_once(self, reasons: tuple[str, ...]) -> None:
        """Say the first reason, unless it was said before."""
        if reasons and not self._was_due:
            say(
                f"a refresh is due ({reasons[0]}): run `engine refresh`, or let the scheduler do it"
            )
