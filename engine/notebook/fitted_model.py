"""The model behind a lab's figures: fitted once for each state of the records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.workspace import Workspace
from surrogate.progress import Progress

if TYPE_CHECKING:
    from engine.loop import Snapshot
    from engine.propose.forecaster import Forecaster


class FittedModel:
    """Holds the last fit, and the state of the records that it learnt from."""

    def __init__(self) -> None:
        self._state: tuple[int, int] | None = None
        self._fit: tuple[Forecaster, Snapshot] | None = None

    def at(self, workspace: Workspace, progress: Progress) -> tuple[Forecaster, Snapshot]:
        """Return the model of everything recorded, and what it learnt from.

        Raises:
            ModelError: too few results to learn from.
        """
        from engine.compute import limit_threads
        from engine.loop import knowledge_for, read_snapshot
        from engine.propose.forecaster import Forecaster

        snapshot = read_snapshot(workspace)
        state = (snapshot.watermark, snapshot.record.revision_id)
        if self._fit is None or self._state != state:
            settings = workspace.settings.propose
            limit_threads(workspace.settings.compute.threads)
            progress(f"learning from {snapshot.history.n_finished} runs")
            knowledge = knowledge_for(snapshot.campaign, settings.strategy, snapshot.checkpoint)
            forecaster = Forecaster.fit(snapshot.history, settings, knowledge=knowledge)
            self._state, self._fit = state, (forecaster, snapshot)
        return self._fit
