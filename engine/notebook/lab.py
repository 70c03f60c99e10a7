"""A campaign's folder from Python: the same functions as the command line, the same database.

The database is opened for each call and closed again, so that a notebook that stays open for a week
holds nothing that a colleague waits for.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from db.records import Value
from engine.campaign import Campaign
from engine.errors import UsageError
from engine.notebook.arguments import Folder, paths_of, run_word, statuses_of
from engine.notebook.batch import Batch
from engine.notebook.fitted_model import FittedModel
from engine.notebook.frames import SOURCE, as_file, forecast_cells, runs_frame, units_of
from engine.notebook.html import table_html
from engine.notebook.run import LabRun, LoggedRun, read_run, with_run
from engine.notebook.shown_progress import shown_progress
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.experiments.importers.importing import ImportReport
    from engine.experiments.undo import Undone


class Lab:
    """A campaign in its folder: its runs, what to run next, what to expect.

    What is wrong raises what the command line would say: :class:`engine.UsageError`,
    :class:`engine.DataError`, :class:`engine.StateError` and their relatives, all of them
    :class:`engine.SpinneretError`.
    """

    def __init__(self, config: Path, campaign_id: int) -> None:
        self.config = config.absolute()
        self.campaign_id = campaign_id
        self._fitted = FittedModel()

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """Open configuration and database, and close them again."""
        with Workspace.open(self.config) as workspace:
            yield workspace.in_campaign(self.campaign_id)

    @property
    def campaign(self) -> Campaign:
        """The campaign as it is recorded."""
        with self.workspace() as workspace, workspace.database.read() as tx:
            return workspace.active_campaign(tx)[1]

    def add(
        self, runs: pd.DataFrame | Folder, *, update: bool = False, dry_run: bool = False
    ) -> ImportReport:
        """Bring runs in: a frame with a row for each run, or a file as `engine import` reads it.

        Args:
            runs: headings as the campaign's, units in brackets if need be; beside them ``label``,
                ``replicate``, ``status``, ``failed``, ``note``.
            update: where it differs from what is recorded, record corrections.
            dry_run: tell what would be done; write nothing.

        Raises:
            ImportRefusedError: something in it is wrong; nothing was written.
        """
        from engine.experiments.importers.importing import import_file

        with self.workspace() as workspace, shown_progress() as progress:
            if isinstance(runs, str | Path):
                return import_file(
                    workspace, Path(runs), update=update, dry_run=dry_run, progress=progress
                )
            with as_file(runs) as path:
                return import_file(workspace, path, update=update, dry_run=dry_run, detail=SOURCE)

    def propose(
        self,
        n: int | None = None,
        *,
        at: Mapping[str, float] | None = None,
        fixed: Mapping[str, Value] | None = None,
        max_distinct: Mapping[str, int] | None = None,
        strategy: str | None = None,
        seed: int | None = None,
        robust: bool = False,
        explore: bool = False,
        replicates: bool = False,
        record: bool = True,
    ) -> Batch:
        """Choose the next ``n`` runs and record them, as `engine propose` does.

        Args:
            n: runs in the batch (1 to 100); as configured (8) if left out.
            at: today's room, by name; what is not stated is averaged over recent readings.
            fixed: parameters to hold.
            max_distinct: at most so many values of a parameter in the batch.
            strategy: matmcl, gp, sobol, ax, ax-matmcl or nsga2; as configured if left out.
            seed: drawn and recorded if left out.
            robust: judge each setting by the worst of the recent rooms.
            explore: where no run reaches a threshold yet, search all trade-offs.
            replicates: let settings that were run already be proposed again.
            record: whether to write it down.

        Raises:
            UsageError, ModelError: it cannot be asked, or the data do not allow it.
        """
        from engine.loop import propose, read_snapshot
        from engine.propose.request import ProposeRequest

        with self.workspace() as workspace, shown_progress() as progress:
            settings = workspace.settings.propose
            request = ProposeRequest(
                n=settings.n if n is None else n,
                seed=secrets.randbelow(2**31) if seed is None else seed,
                strategy=strategy or settings.strategy,
                at=at or {},
                robust=robust,
                fixed=fixed or {},
                max_distinct=max_distinct or {},
                explore=explore,
                replicates=replicates,
            )
            proposed = propose(workspace, request, record=record, preview=False, progress=progress)
            history = read_snapshot(workspace).history
        ids = tuple(id_ for id_ in proposed.experiment_ids if id_ is not None)
        return Batch(proposed.campaign, proposed.batch, proposed.batch_id, ids, history.finished)

    def log(
        self,
        experiment: int | str | None,
        results: Mapping[str, float] | None = None,
        *,
        conditions: Mapping[str, Value] | None = None,
        actual: Mapping[str, Value] | None = None,
        micrograph: Folder | Sequence[Folder] = (),
        curve: Folder | Sequence[Folder] = (),
        failed: str | None = None,
        label: str | None = None,
        note: str | None = None,
        replicate: bool = False,
        correct: bool = False,
        which: int | None = None,
        running: bool = False,
        abandon: bool = False,
    ) -> LoggedRun:
        """Record what became of a run, as `engine log` does; a notebook shows the run.

        Args:
            experiment: its id or label; ``None`` for a run that nobody proposed, with
                ``conditions`` (and a ``label`` if it has one).
            results: values by outcome, in the campaign's units.
            conditions: settings and room of a new run.
            actual: conditions of a known run that were not as proposed, and its room.
            micrograph: a picture, or several.
            curve: what a tensile tester exported, or several of it; its values are results.
            failed: why there was nothing to measure, one of the campaign's kinds of failure.
            label: a new run's name.
            note: anything worth knowing.
            replicate: add to values that are there.
            correct: replace them (``which``: the replicate meant).
            running: it is spun, results are awaited.
            abandon: leave it out of everything.

        Raises:
            UsageError, DataError, NotFoundError, StateError: it cannot be recorded; nothing was.
        """
        from engine.experiments.entries import Entry
        from engine.experiments.record import record

        entry = Entry(
            experiment=None if experiment is None else run_word(experiment),
            label=label,
            conditions=conditions or {},
            actual=actual or {},
            results=results or {},
            replicate=replicate,
            correct=correct,
            which=which,
            failure=failed,
            abandon=abandon,
            running=running,
            note=note,
            micrographs=paths_of(micrograph),
            curves=paths_of(curve),
        )
        if experiment is None and not entry.conditions:
            raise UsageError("expected a run's id or label, or the conditions of a new run")
        with self.workspace() as workspace:
            return with_run(workspace, record(workspace, entry, detail="from Python"))

    def undo(self, *, dry_run: bool = False) -> Undone:
        """Take back the last change of your own, as `engine undo` does; a second call, one more.

        Raises:
            NotFoundError, StateError: there is nothing to take back, or something rests on it.
        """
        from db.session import login_name
        from engine.experiments.undo import undo

        with self.workspace() as workspace:
            return undo(workspace, login_name(), is_dry_run=dry_run)

    def run(self, experiment: int | str) -> LabRun:
        """Return one run by its id (a number) or its label; a notebook shows it.

        Raises:
            NotFoundError, UsageError: there is none, or the label could mean two.
        """
        with self.workspace() as workspace:
            return read_run(workspace, run_word(experiment))

    def runs(self, status: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Return the campaign's runs, a row for each: settings, room, means of replicates, status.

        Args:
            status: only runs that stand so: proposed, running, completed, failed, abandoned.
        """
        statuses = statuses_of(status)
        with self.workspace() as workspace, workspace.database.read() as tx:
            record, campaign = workspace.active_campaign(tx)
            return runs_frame(campaign, tx.experiments.find(record.id, status=statuses))

    def front(self) -> pd.DataFrame:
        """Return the runs that no other run beats in every objective, best first in the first one.

        By means of replicates; runs that break a constraint are left out.
        """
        from engine.results.figures import on_front_ids
        from engine.results.material import gather

        with self.workspace() as workspace:
            material = gather(workspace)
        best = on_front_ids(material)
        frame = runs_frame(material.campaign, [e for e in material.experiments if e.id in best])
        objective = material.campaign.objectives[0]
        return frame.sort_values(objective.outcome, ascending=objective.goal == "minimize")

    def predict(self, conditions: pd.DataFrame, *, level: float | None = None) -> pd.DataFrame:
        """Return a frame's rows with what to expect of them.

        Args:
            conditions: a row for each setting; the room may be left out.
            level: of the intervals; as configured (0.9) if left out.

        Returns:
            The frame with ``NAME.mean``, ``NAME.lower`` and ``NAME.upper`` of each outcome and
            ``p_success``; ``attrs["notes"]`` says what was assumed.

        Raises:
            ImportRefusedError, DataError: a setting is missing or cannot be.
            ModelError: too few results to learn from.
        """
        from engine.experiments.importers.table import read_conditions
        from engine.predictions.predict import predict

        with self.workspace() as workspace, shown_progress() as progress:
            with workspace.database.read() as tx:
                campaign = workspace.active_campaign(tx)[1]
            with as_file(conditions) as path:
                limit = workspace.settings.imports.max_rows
                table, rows = read_conditions(path, campaign, max_rows=limit)
            answer = predict(workspace, rows, level=level, drives=False, progress=progress)
        cells = [
            {**forecast_cells(row.outcomes), "p_success": row.p_success} for row in answer.rows
        ]
        expected = pd.DataFrame(cells, index=conditions.index)
        frame = conditions.drop(columns=[c for c in expected if c in conditions]).join(expected)
        frame.attrs["units"] = units_of(campaign, list(map(str, frame.columns)))
        frame.attrs["notes"] = (*table.notes, *answer.notes)
        return frame

    def report(self, out: Folder | None = None) -> Path:
        """Write the campaign's page, and return where it is (see `engine report`)."""
        from engine.report.write import write_report

        with self.workspace() as workspace, shown_progress() as progress:
            path = None if out is None else Path(out)
            return write_report(workspace, out=path, progress=progress).page

    def plot_front(self) -> Any:
        """Draw the runs in the plane of two objectives, with the front and what is awaited.

        Raises:
            UsageError: the campaign has one objective.
        """
        from engine.notebook.figures import figure_of
        from engine.results.fronts import fronts
        from engine.results.material import gather
        from engine.results.plots import front_plot

        with self.workspace() as workspace:
            drawn = fronts(gather(workspace))
        if not drawn:
            raise UsageError(
                "a front is drawn between two objectives, and the campaign has one; plot_progress "
                "draws the best value so far"
            )
        return figure_of(front_plot(drawn[0]))

    def plot_progress(self) -> Any:
        """Draw what has been reached after each run: the hypervolume beyond the thresholds."""
        from engine.notebook.figures import figure_of
        from engine.results.figures import hypervolume_growth
        from engine.results.material import gather
        from engine.results.plots import progress_plot

        with self.workspace() as workspace:
            return figure_of(progress_plot(hypervolume_growth(gather(workspace))))

    def plot_slices(
        self,
        *parameters: str,
        outcomes: Sequence[str] | None = None,
        at: Mapping[str, Value] | int | str | None = None,
    ) -> Any:
        """Draw expected outcomes over one parameter or several, all else held.

        Args:
            parameters: over which ones; all of them if none is named.
            outcomes: of which outcomes; the objectives' if left out.
            at: the other settings: by name, or the id or label of a run; the first run of the
                front if left out.

        Raises:
            UsageError, NotFoundError: an unknown parameter, outcome or run.
            ModelError: too few results to learn from.
        """
        from engine.notebook.figures import slices_figure
        from engine.predictions.slices import slices

        with self.workspace() as workspace, shown_progress() as progress:
            forecaster, snapshot = self._fitted.at(workspace, progress)
            level = workspace.settings.propose.level
            conditions = self._conditions_at(workspace, at)
        campaign = snapshot.campaign
        chosen = outcomes or list(dict.fromkeys(o.outcome for o in campaign.objectives))
        cuts = {outcome: slices(forecaster, conditions, outcome, level) for outcome in chosen}
        names = parameters or [cut.parameter for cut in next(iter(cuts.values()))]
        return slices_figure(campaign, names, cuts)

    def _conditions_at(
        self, workspace: Workspace, at: Mapping[str, Value] | int | str | None
    ) -> dict[str, Value]:
        from engine.workspace.lookup import find_experiment

        if isinstance(at, Mapping):
            return dict(at)
        if at is None:
            best = self.front()
            runs = best if len(best) else self.runs("completed")
            at = int(runs.index[0])
        with workspace.database.read() as tx:
            record, campaign = workspace.active_campaign(tx)
            run = find_experiment(tx, record, str(at))
        names = {parameter.name for parameter in campaign.parameters}
        return {name: value for name, value in run.conditions.items() if name in names}

    def __repr__(self) -> str:
        return f"<campaign '{self.campaign.name}' in {self.config.parent}>"

    def _repr_html_(self) -> str:
        runs = self.runs()
        counts = runs["status"].value_counts()
        states = ", ".join(f"{n} {status}" for status, n in counts.items()) or "no runs yet"
        campaign = self.campaign
        columns = ["label", *(p.name for p in campaign.parameters), *campaign.wanted_outcomes]
        newest = runs.tail(5)
        remarks = [name for name in ("failed", "note") if newest[name].notna().any()]
        newest = newest[[*columns, "status", *remarks]]
        newest.attrs = runs.attrs
        return table_html(f"{campaign.name}: {states}", newest, remarks=("The newest runs.",))
