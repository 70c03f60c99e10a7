"""``engine campaign``: edits become revisions, and none may contradict what is recorded."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from db.records import CampaignRecord, ExperimentRecord
from db.transaction import Transaction
from engine.campaign import Campaign, Parameter, Value
from engine.campaign.applicability import unaccounted
from engine.errors import (
    CampaignError,
    EditedMeanwhileError,
    NotFoundError,
    StateError,
    by_voice,
    nearest_name,
)
from engine.workspace.differences import Difference, differences_between
from engine.workspace.workspace import Workspace, definition_of, revision_like

_EXPORT = by_voice("`engine export`", "export")
_PAST = by_voice(
    "take theirs from a column of a table, --past name=old.xlsx:heading",
    "give the runs their values at the command line",
)


@dataclass(frozen=True)
class Past:
    """Values that runs had of a parameter before the campaign knew it, by run and parameter.

    ``notes``: what belongs to no run; ``problems``: what contradicts the record or itself.
    """

    values: Mapping[int, Mapping[str, Value]]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def within(self, experiment: ExperimentRecord) -> ExperimentRecord:
        """Return a run with its past values."""
        values = self.values.get(experiment.id, {})
        return replace(experiment, actual={**experiment.actual, **values})


MatchPast = Callable[[Sequence[ExperimentRecord]], Past]
"""Says which past values belong to which of the campaign's runs."""


@dataclass(frozen=True)
class Revised:
    """What a revision did, or with ``is_dry_run`` would do: no ``changes``, no new revision.

    ``former``: the definition before it; ``experiments``: those that were there; ``taken_back``:
    the earlier revision that it says again.
    """

    record: CampaignRecord
    changes: tuple[Difference, ...]
    former: Campaign
    experiments: tuple[ExperimentRecord, ...] = ()
    is_dry_run: bool = False
    taken_back: CampaignRecord | None = None
    past: Past | None = None

    @property
    def differences(self) -> tuple[str, ...]:
        """What changed, in the words of the configuration."""
        return tuple(map(str, self.changes))


def revise(
    workspace: Workspace,
    campaign: Campaign,
    *,
    note: str | None = None,
    based_on: int | None = None,
    dry_run: bool = False,
    past: MatchPast | None = None,
) -> Revised:
    """Record ``campaign`` as the next revision of the active campaign, if it differs.

    Args:
        workspace: with a campaign to revise.
        campaign: the new definition.
        note: why, for the record.
        based_on: the revision that was edited; another one by now is refused.
        dry_run: say what it would change, or refuse it, and record nothing.
        past: what runs had of its parameters, recorded in the same transaction.

    Raises:
        StateError: it is another campaign than the active one.
        EditedMeanwhileError: somebody revised it since ``based_on``.
        CampaignError: it contradicts recorded data; the message tells everything that does.
    """
    if dry_run:
        with workspace.database.read() as tx:
            return _revised(workspace, tx, campaign, based_on, past)
    with workspace.database.write("revise", detail=f"campaign {campaign.name}") as tx:
        # In the transaction that writes: a run logged in between could contradict.
        revised = _revised(workspace, tx, campaign, based_on, past)
        record = revised.record
        if revised.changes:
            record = tx.campaigns.revise(record.id, campaign.definition(), note=note)
        if revised.past is not None:
            for id_, values in revised.past.values.items():
                tx.experiments.set_actual(id_, values)
        return replace(revised, record=record, is_dry_run=False)


def _revised(
    workspace: Workspace,
    tx: Transaction,
    campaign: Campaign,
    based_on: int | None,
    match_past: MatchPast | None = None,
) -> Revised:
    record, old = workspace.active_campaign(tx)
    if campaign.name != record.name:
        is_recorded = tx.campaigns.get(campaign.name) is not None
        command = f"use {campaign.name}" if is_recorded else "create --file FILE"
        action = "switch to it" if is_recorded else "record it as a campaign of its own"
        raise StateError(
            f"the definition is of the campaign '{campaign.name}', the active one is "
            f"'{record.name}'; {by_voice(f'run `engine campaign {command}`', action)}, or name "
            f"it '{record.name}'"
        )
    if based_on is not None and based_on != record.revision:
        raise EditedMeanwhileError(
            f"the campaign was revised meanwhile: revision {record.revision} is recorded, you "
            f"edited revision {based_on}; look at what changed, and edit that one"
        )
    changes = differences_between(old, campaign)
    if not changes and match_past is None:
        return Revised(record, (), old, is_dry_run=True)
    experiments = tx.experiments.find(record.id)
    past = None if match_past is None else match_past(experiments)
    if past is not None:
        experiments = [past.within(run) for run in experiments]
    problems = [*(past.problems if past is not None else ())]
    problems += contradictions(old, campaign, experiments)
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise CampaignError(
            f"the edit contradicts what is recorded in '{record.name}'; nothing was changed.\n"
            f"{listed}\n  A search of another kind is another campaign: give it a name of its "
            f"own{by_voice(' and run `engine campaign create --file FILE`', '')}."
        )
    earlier = (
        revision_like(campaign.definition(), tx.campaigns.revisions(record.id)) if changes else None
    )
    return Revised(record, tuple(changes), old, tuple(experiments), True, earlier, past)


def create(
    workspace: Workspace,
    campaign: Campaign,
    *,
    note: str | None = None,
    is_active: bool = True,
    fill: Callable[[Transaction, CampaignRecord], None] | None = None,
) -> CampaignRecord:
    """Record a further campaign, and make it the active one.

    ``is_active = False`` leaves the command line in its own, if it has one. ``fill`` records what
    it begins with, in the same transaction.

    Raises:
        StateError: there is one of that name.
    """

    def work(tx: Transaction) -> CampaignRecord:
        if tx.campaigns.get(campaign.name) is not None:
            raise StateError(
                f"there is a campaign '{campaign.name}' already; choose another name, or record an "
                f"edit of it{by_voice(' with `engine campaign revise`', '')}"
            )
        record = tx.campaigns.create(
            campaign.name, campaign.definition(), note=note, is_active=is_active
        )
        if fill is not None:
            fill(tx, record)
        return record

    return workspace.database.transact("create", work, detail=f"campaign {campaign.name}")


def use(workspace: Workspace, name: str) -> CampaignRecord:
    """Make the campaign ``name`` the active one.

    Raises:
        NotFoundError: there is none of that name.
    """
    with workspace.database.write("use", detail=f"campaign {name}") as tx:
        names = [record.name for record in tx.campaigns.all()]
        if name not in names:
            raise NotFoundError(
                f"there is no campaign '{name}'.{nearest_name(name, names)} "
                f"Recorded: {', '.join(names) or 'none'}"
            )
        return tx.campaigns.use(name)


def contradictions(
    old: Campaign, new: Campaign, experiments: Sequence[ExperimentRecord]
) -> list[str]:
    """Return why ``new`` cannot hold for the recorded experiments, each with how to mend it."""
    if not experiments:
        return []
    problems = []
    followers = {parameter.name: parameter for parameter in new.parameters}
    for parameter in old.parameters:
        values = [
            e.conditions[parameter.name] for e in experiments if parameter.name in e.conditions
        ]
        if not values:
            continue
        subject = f"parameter '{parameter.name}'"
        follower = followers.get(parameter.name)
        # Without a follower its values stay in the record, and nothing reads them any more.
        if follower is not None:
            problems += _parameter_problems(subject, parameter, follower, values)
    problems += _new_controlled_problems(old, new, experiments)
    problems += _failure_problems(old, new, experiments)
    return problems + _outcome_problems(old, new, experiments)


def _parameter_problems(
    subject: str, old: Parameter, new: Parameter, values: Sequence[float | str]
) -> list[str]:
    if old.unit != new.unit:
        return [_unit_problem(subject, old.unit, new.unit, len(values))]
    if new.is_categorical and old.is_categorical:
        return _choice_problems(subject, new, values)
    bad = {problem for value in values if (problem := new.problem_with(value)) is not None}
    return [f"{subject}: recorded values cannot be ({problem})" for problem in sorted(bad)]


def _choice_problems(subject: str, new: Parameter, values: Sequence[float | str]) -> list[str]:
    problems = []
    for choice, n in Counter(values).items():
        if choice not in (new.choices or ()):
            retired = [*new.retired, choice]
            problems.append(
                f"{subject}: {n} {'experiment has' if n == 1 else 'experiments have'} '{choice}', "
                "which is no longer among the choices. Keep it there and "
                + by_voice(
                    f"retire it, retired = {json.dumps(retired, ensure_ascii=False)}",
                    "say that it can no longer be had",
                )
                + ": its runs stay and teach, and none is proposed"
            )
    return sorted(problems)


def _new_controlled_problems(
    old: Campaign, new: Campaign, experiments: Sequence[ExperimentRecord]
) -> list[str]:
    former = {parameter.name for parameter in old.controlled}
    conditions = [experiment.conditions for experiment in experiments]
    counts = Counter(p.name for c in conditions for p in unaccounted(new.controlled, c))
    # What lacked a value before is no fault of this edit.
    counts -= Counter(p.name for c in conditions for p in unaccounted(old.controlled, c))
    return [
        f"parameter '{name}' {'would need a value' if name in former else 'is new'}, and {n} "
        f"experiments have no value of it: give it a default "
        + by_voice(
            '(what they had, default = 15.0, or default = "unknown")',
            "(what they had, or that it is unknown)",
        )
        + f", or {_PAST}"
        for name, n in counts.items()
    ]


def _failure_problems(
    old: Campaign, new: Campaign, experiments: Sequence[ExperimentRecord]
) -> list[str]:
    counts = Counter(run.failure for run in experiments if run.failure is not None)
    # What was unknown before is no fault of this edit.
    before = {kind.name for kind in old.failures}
    names = {kind.name for kind in new.failures}
    return [
        f"failure '{kind}': {n} {'experiment has' if n == 1 else 'experiments have'} it. Keep it "
        "and "
        + by_voice(
            f"retire it, {{ name = {json.dumps(kind, ensure_ascii=False)}, retired = true }}",
            "retire it in the text of the definition",
        )
        + ": its runs stay, and it is no longer offered"
        for kind, n in sorted(counts.items())
        if kind in before and kind not in names
    ]


def _outcome_problems(
    old: Campaign, new: Campaign, experiments: Sequence[ExperimentRecord]
) -> list[str]:
    values: dict[str, list[float]] = {}
    for experiment in experiments:
        for measurement in experiment.measurements:
            values.setdefault(measurement.outcome, []).append(measurement.value)
    problems = []
    for outcome in old.outcomes:
        measured = values.get(outcome, [])
        if not measured:
            continue
        subject = f"outcome '{outcome}'"
        if outcome not in new.outcomes:
            problems.append(
                f"{subject} has {len(measured)} measurements: it cannot be removed or renamed "
                "(what is no longer wanted is left out of the objectives)"
            )
        elif old.unit_of(outcome) != new.unit_of(outcome):
            units = old.unit_of(outcome), new.unit_of(outcome)
            problems.append(_unit_problem(subject, *units, len(measured)))
        else:
            prop = new.property_of(outcome)
            bad = {
                problem for value in measured if (problem := prop.problem_with(value)) is not None
            }
            problems += [f"{subject}: recorded values cannot be ({p})" for p in sorted(bad)]
    return problems


def _unit_problem(subject: str, old: str, new: str, n: int) -> str:
    return (
        f"{subject}: unit '{old}' → '{new}', but {n} recorded values are in '{old}': keep the "
        f"unit, or {_EXPORT}, convert, and import into a new campaign"
    )


def revision_record(
    workspace: Workspace, revision: int | None = None
) -> tuple[CampaignRecord, Campaign]:
    """Return the active campaign, in the newest or an earlier revision.

    Raises:
        NotFoundError: no campaign is active, or it has no such revision.
    """
    with workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        if revision is None:
            return record, campaign
        records = [r for r in tx.campaigns.revisions(record.id) if r.revision == revision]
    if not records:
        raise NotFoundError(
            f"the campaign '{record.name}' has no revision {revision}, only 1 to {record.revision}"
        )
    return records[0], definition_of(records[0])
