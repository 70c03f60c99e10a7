"""Records of the database → what a strategy may look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from db.records import CampaignRecord, ExperimentBrief, ExperimentRecord, Status
from db.session import Transaction
from engine.campaign import Campaign
from engine.campaign.history import History, Run

_DONE = (Status.COMPLETED, Status.FAILED)
_PENDING = tuple(status for status in Status if status.is_pending)


def remember(
    tx: Transaction,
    record: CampaignRecord,
    campaign: Campaign,
    *,
    most: int,
    watermark: int | None = None,
) -> History:
    """Return the campaign's history, learning from an informative part of it if it is large.

    Args:
        tx: what is read.
        record: the campaign.
        campaign: its definition.
        most: finished runs to learn from.
        watermark: everything as it stood when this change had been written.
    """
    if sum(tx.experiments.count(record.id).values()) <= most:
        return history_of(campaign, tx.experiments.list(record.id, watermark=watermark))
    from engine.experiments.informative import choose_runs

    briefs = tx.experiments.briefs(
        record.id, campaign.wanted_outcomes, status=_DONE, watermark=watermark
    )
    chosen = choose_runs(campaign, briefs, most)
    done = tx.experiments.get_all(chosen.ids, watermark=watermark)
    pending = tx.experiments.list(record.id, status=_PENDING, watermark=watermark)
    history = history_of(campaign, sorted([*done, *pending], key=lambda one: one.id))
    return replace(history, others=_others(campaign, chosen.others))


def learnable(
    tx: Transaction, record: CampaignRecord, campaign: Campaign, *, most: int
) -> tuple[list[ExperimentRecord], int]:
    """Return the experiments that a training looks at, and how many finished ones it does not.

    Of a campaign of up to ``most`` finished runs these are all. Of a larger one, half are an
    informative part (:mod:`engine.experiments.informative`), up to a quarter the newest with
    micrographs, and the rest the newest: on those a candidate is judged, and they are what is
    doubted first.
    """
    n_finished = tx.experiments.count(record.id).get(Status.COMPLETED, 0)
    if n_finished <= most:
        return tx.experiments.list(record.id), 0
    from engine.experiments.informative import choose_runs

    briefs = tx.experiments.briefs(record.id, campaign.wanted_outcomes, status=_DONE)
    finished = [one.id for one in briefs if one.status is Status.COMPLETED]
    chosen = set(choose_runs(campaign, briefs, most // 2).ids)
    chosen |= set(tx.experiments.pictured(record.id, newest=most // 4))
    n_chosen = len(chosen.intersection(finished))
    for id_ in reversed(finished):
        if n_chosen >= most:
            break
        n_chosen += id_ not in chosen
        chosen.add(id_)
    return list(tx.experiments.get_all(sorted(chosen))), len(finished) - n_chosen


def _others(campaign: Campaign, briefs: Sequence[ExperimentBrief]) -> tuple[Run, ...]:
    parameters = {parameter.name for parameter in campaign.parameters}
    return tuple(
        Run({k: v for k, v in one.conditions.items() if k in parameters}, id=one.id)
        for one in briefs
    )


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
