"""Records of the database → what a strategy may look at."""

from __future__ import annotations

from collections.abc import Sequence

from db.records import ExperimentRecord, Status
from engine.campaign import Campaign
from engine.history import History, Run


def history_of(campaign: Campaign, experiments: Sequence[ExperimentRecord]) -> History:
    """Return the campaign's history, in the order of ``experiments``.

    Finished are completed runs with any current result of the campaign; pending those proposed or
    running; failed those without a mat. Abandoned runs are left out, and so are parameters and
    outcomes that the campaign's definition no longer names.
    """
    parameters = {parameter.name for parameter in campaign.parameters}
    outcomes = set(campaign.outcomes)
    finished, pending, failed = [], [], []
    for experiment in experiments:
        results = experiment.replicates()
        run = Run(
            conditions={k: v for k, v in experiment.conditions.items() if k in parameters},
            outcomes={k: v for k, v in results.items() if k in outcomes},
            id=experiment.id,
            label=experiment.label,
        )
        if experiment.status is Status.FAILED:
            failed.append(run)
        elif experiment.status.is_pending:
            pending.append(run)
        elif experiment.status is Status.COMPLETED and run.outcomes:
            finished.append(run)
    return History(campaign, tuple(finished), tuple(pending), tuple(failed))
