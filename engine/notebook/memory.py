"""Without a folder: a batch from data in memory, for people who have a loop of their own."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from db.records import Status
from engine.campaign import Campaign, Value
from engine.campaign.history import History, Run
from engine.errors import UsageError
from engine.notebook.batch import Batch
from engine.notebook.frames import read_through, units_of
from engine.notebook.html import table_html
from engine.propose.request import SOURCED_STRATEGIES, ProposeRequest
from engine.workspace.settings import ImportSettings, ProposeSettings

if TYPE_CHECKING:
    from engine.experiments.importers.runs import ImportedRun


def history(campaign: Campaign, runs: pd.DataFrame | None = None, *, first_id: int = 1) -> History:
    """Return what is known so far, from a frame with a row for each run (or replicate).

    A row without results is a run that is under way. Runs are numbered in their order.

    Args:
        campaign: what is searched.
        runs: headings as the campaign's; beside them ``label``, ``replicate``, ``status`` and
            ``failed`` are understood, as in a file.
        first_id: the number of the first run.

    Raises:
        ImportRefusedError: something in the frame is wrong; carries every problem found.
    """
    from engine.experiments.importers.table import read_runs

    if runs is None or not len(runs):
        return History(campaign)
    limit = ImportSettings().max_rows
    table = read_through(runs, lambda path: read_runs(path, campaign, max_rows=limit))
    numbered = list(enumerate(table.runs, first_id))
    return History(
        campaign,
        finished=tuple(_run(id_, r) for id_, r in numbered if r.status is Status.COMPLETED),
        pending=tuple(_run(id_, r) for id_, r in numbered if r.status.is_pending),
        failed=tuple(_run(id_, r) for id_, r in numbered if r.status is Status.FAILED),
    )


def _run(id_: int, run: ImportedRun) -> Run:
    outcomes = {
        name: tuple(values[number] for number in sorted(values))
        for name, values in run.outcomes.items()
    }
    return Run(run.all_conditions, outcomes, id=id_, label=run.label)


def suggest(
    history: History,
    n: int = 8,
    *,
    at: Mapping[str, float] | None = None,
    fixed: Mapping[str, Value] | None = None,
    max_distinct: Mapping[str, int] | None = None,
    strategy: str = "matmcl",
    seed: int | None = None,
    robust: bool = False,
    explore: bool = False,
    replicates: bool = False,
    settings: Mapping[str, float] | None = None,
) -> Batch:
    """Choose the next ``n`` runs from what is known; nothing is recorded.

    The same function as `engine propose` goes by, with the starter that ships with the package for
    campaigns that spin.

    Args:
        history: of :func:`history`.
        n: runs in the batch (1 to 100).
        at: the room, by name.
        fixed: parameters to hold.
        max_distinct: at most so many values of a parameter in the batch.
        strategy: matmcl, gp, sobol, ax, ax-matmcl, nsga2, or one of another distribution.
        seed: the same data and seed give the same batch; drawn if left out.
        robust: judge each setting by the worst of the recent rooms.
        explore: where no run reaches a threshold yet, search all trade-offs.
        replicates: let settings that were run already be proposed again.
        settings: of ``[propose]`` in a configuration, e.g. ``{"mc_samples": 128}``.

    Raises:
        UsageError, ModelError: it cannot be asked, or the data do not allow it.
    """
    from pydantic import ValidationError

    from engine.propose import suggest as choose
    from engine.workspace.validation import describe_validation

    try:
        chosen = ProposeSettings.model_validate(dict(settings or {}))
    except ValidationError as error:
        raise UsageError(describe_validation(error, ProposeSettings, "settings")) from None
    request = ProposeRequest(
        n=n,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        strategy=strategy,
        at=at or {},
        robust=robust,
        fixed=fixed or {},
        max_distinct=max_distinct or {},
        explore=explore,
        replicates=replicates,
    )
    knowledge = None
    if strategy in SOURCED_STRATEGIES:
        from engine.sources.knowledge import starter_knowledge
        from engine.sources.spinning import spins

        if spins(history.campaign).is_spinning:
            knowledge = starter_knowledge(history.campaign)
    answer = choose(history, request, chosen, knowledge)
    return Batch(history.campaign, answer, finished=history.finished)


class Loop:
    """Ask and tell, in memory.

    >>> from engine.campaign import Campaign, Objective, Parameter, Property
    >>> campaign = Campaign(
    ...     name="glue",
    ...     parameters=[Parameter(name="heat", unit="°C", low=20, high=80)],
    ...     properties=[Property(name="strength", unit="MPa")],
    ...     objectives=[Objective(outcome="strength", threshold=0)],
    ... )
    >>> loop = Loop(campaign)
    >>> batch = loop.ask(2, seed=1)
    >>> loop.tell(batch.settings().assign(strength=[1.0, 2.0]))
    >>> loop
    <loop of 'glue': 2 finished, 0 under way, 0 failed>

    What was asked for and not told yet counts as under way: a second batch goes elsewhere.
    """

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self.history = History(campaign)

    def ask(self, n: int = 8, **options: object) -> Batch:
        """Return the next batch; its runs are under way from now on.

        ``options`` are those of :func:`suggest`.
        """
        batch = suggest(self.history, n, **options)  # type: ignore[arg-type]
        pending = tuple(
            Run({**item.conditions, **item.ambient}, id=self._next_id + place)
            for place, item in enumerate(batch.answer.suggestions)
        )
        self.history = replace(self.history, pending=(*self.history.pending, *pending))
        return batch

    def tell(self, runs: pd.DataFrame) -> None:
        """Take results: a row for each run, proposed by :meth:`ask` or not.

        A row with the settings of a run under way ends that run; to take back a result, begin a new
        loop from the frame without it.

        Raises:
            ImportRefusedError: something in the frame is wrong; nothing of it was taken.
        """
        new = history(self.campaign, runs, first_id=self._next_id)
        ended = [self._setting(run) for run in (*new.finished, *new.failed, *new.pending)]
        pending = [run for run in self.history.pending if self._setting(run) not in ended]
        self.history = History(
            self.campaign,
            finished=(*self.history.finished, *new.finished),
            pending=(*pending, *new.pending),
            failed=(*self.history.failed, *new.failed),
        )

    @property
    def _next_id(self) -> int:
        return 1 + max((run.id or 0 for run in self.history.runs), default=0)

    def _setting(self, run: Run) -> tuple[tuple[str, Value], ...]:
        names = [p.name for p in self.campaign.controlled if p.name in run.conditions]
        return tuple(
            (name, value if isinstance(value, str) else float(f"{value:.9g}"))
            for name, value in ((name, run.conditions[name]) for name in names)
        )

    def __repr__(self) -> str:
        h = self.history
        return (
            f"<loop of '{self.campaign.name}': {len(h.finished)} finished, "
            f"{len(h.pending)} under way, {len(h.failed)} failed>"
        )

    def _repr_html_(self) -> str:
        rows = [
            {
                "run": run.id,
                **run.conditions,
                **{name: sum(values) / len(values) for name, values in run.outcomes.items()},
            }
            for run in self.history.runs[-5:]
        ]
        frame = pd.DataFrame(rows).set_index("run") if rows else pd.DataFrame()
        frame.attrs["units"] = units_of(self.campaign, list(frame.columns))
        return table_html(repr(self).strip("<>"), frame)
