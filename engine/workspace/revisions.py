"""``engine campaign``: edits become revisions, and none may contradict what is recorded."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.records import CampaignRecord, ExperimentRecord
from engine.campaign import Campaign, Parameter
from engine.campaign.applicability import unaccounted
from engine.errors import CampaignError, NotFoundError, StateError, by_voice, nearest_name
from engine.workspace.workspace import Workspace, definition_of

_EXPORT = by_voice("`engine export`", "export")


@dataclass(frozen=True)
class Revised:
    """What ``engine campaign revise`` did: no ``differences``, no new revision.

    ``experiments``: those that were there, where there is one.
    """

    record: CampaignRecord
    differences: tuple[str, ...]
    former: Campaign | None = None
    experiments: tuple[ExperimentRecord, ...] = ()


def revise(workspace: Workspace, campaign: Campaign, *, note: str | None = None) -> Revised:
    """Record ``campaign`` as the next revision of the active campaign, if it differs.

    Raises:
        StateError: it is another campaign than the active one.
        CampaignError: it contradicts recorded data; the message tells everything that does.
    """
    with workspace.database.write("revise", detail=f"campaign {campaign.name}") as tx:
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
        changes = differences(old, campaign)
        if not changes:
            return Revised(record, ())
        # In the transaction that writes: a run logged in between could contradict.
        experiments = tx.experiments.find(record.id)
        problems = contradictions(old, campaign, experiments)
        if problems:
            listed = "\n".join(f"  {problem}" for problem in problems)
            raise CampaignError(
                f"the edit contradicts what is recorded in '{record.name}'; nothing was changed.\n"
                f"{listed}\n  A search of another kind is another campaign: give it a name of its "
                f"own{by_voice(' and run `engine campaign create --file FILE`', '')}."
            )
        return Revised(
            tx.campaigns.revise(record.id, campaign.definition(), note=note),
            tuple(changes),
            old,
            tuple(experiments),
        )


def create(workspace: Workspace, campaign: Campaign, *, note: str | None = None) -> CampaignRecord:
    """Record a further campaign and make it the active one.

    Raises:
        StateError: there is one of that name.
    """
    with workspace.database.write("create", detail=f"campaign {campaign.name}") as tx:
        if tx.campaigns.get(campaign.name) is not None:
            raise StateError(
                f"there is a campaign '{campaign.name}' already; choose another name, or record an "
                f"edit of it{by_voice(' with `engine campaign revise`', '')}"
            )
        return tx.campaigns.create(campaign.name, campaign.definition(), note=note)


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


def differences(old: Campaign, new: Campaign) -> list[str]:
    """Return what differs between two definitions, a line for each key, in the file's words."""
    lines: list[str] = []
    former, edited = old.definition(), new.definition()
    for key in sorted(former.keys() | edited.keys()):
        if key == "exclusions":
            lines += _differences_of_exclusions(old, new)
        elif key in _NAMED:
            lines += _differences_of_items(key, former.get(key, []), edited.get(key, []))
        elif former.get(key) != edited.get(key):
            lines.append(f"{key}: {_as_text(former.get(key))} → {_as_text(edited.get(key))}")
    return lines


# Lists whose entries are told apart by a name: compared one by one, whatever their order.
_NAMED = {"parameters": "name", "properties": "name", "objectives": "outcome"}


def _differences_of_items(
    section: str, former: Sequence[Mapping[str, Any]], edited: Sequence[Mapping[str, Any]]
) -> list[str]:
    key = _NAMED[section]
    old = {item[key]: item for item in former}
    new = {item[key]: item for item in edited}
    lines = [f"{section}: '{name}' removed" for name in old if name not in new]
    lines += [f"{section}: '{name}' added" for name in new if name not in old]
    for name in old.keys() & new.keys():
        lines += [
            f"{section}: '{name}' {field}: "
            f"{_as_text(old[name].get(field))} → {_as_text(new[name].get(field))}"
            for field in sorted(old[name].keys() | new[name].keys())
            if old[name].get(field) != new[name].get(field)
        ]
    # The order is the tables' and forms'; beside other differences it is noise.
    if not lines and list(old) != list(new):
        lines.append(f"{section}: order {', '.join(old)} → {', '.join(new)}")
    return sorted(lines)


def _differences_of_exclusions(old: Campaign, new: Campaign) -> list[str]:
    former, edited = ({str(e): e.note for e in c.exclusions} for c in (old, new))
    lines = [f"exclusions: '{text}' removed" for text in former if text not in edited]
    lines += [f"exclusions: '{text}' added" for text in edited if text not in former]
    lines += [
        f"exclusions: '{text}' note: {former[text]!r} → {note!r}"
        for text, note in edited.items()
        if former.get(text, note) != note
    ]
    return lines or ["exclusions: order or spelling"]


def _as_text(value: Any) -> str:
    if value is None:
        return "default"
    return f"{value:g}" if isinstance(value, float) else repr(value)


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
                "which is no longer among the choices. Keep it there and retire it, retired = "
                f"{json.dumps(retired, ensure_ascii=False)}: its runs stay and teach, and none is "
                "proposed"
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
        f"experiments have no value of it: give it a default (what they had, default = 15.0, or "
        'default = "unknown"), or import a table with their labels and its column first'
        for name, n in counts.items()
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
