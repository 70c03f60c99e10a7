"""Runs searched, filtered, sorted: in one table of columns, quick at ten thousand of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from db.records import Status, Value
from db.transaction import Transaction
from db.words import nfc
from engine.campaign import Campaign
from engine.campaign.vocabulary import Vocabulary, split_heading
from engine.errors import UsageError, nearest_name

FIXED = ("id", "label", "status", "date")
"""What a list can be sorted by besides parameters and outcomes."""

_RULE = re.compile(r"\s*(.+?)\s*(>=|<=|!=|=|>|<)\s*(.*?)\s*", re.DOTALL)


@dataclass(frozen=True)
class Rule:
    """A bound on a parameter or outcome: ``voltage >= 18``, ``polymer = PCL``."""

    name: str
    sign: str
    value: float | str

    def holds(self, value: Value | None) -> bool:
        """Whether a run's value keeps to it; a run without the value does not."""
        if value is None:
            return False
        if isinstance(value, str) or isinstance(self.value, str):
            # Days of facts, as they are kept, are in the order of their letters.
            if self.sign not in ("=", "!="):
                first, second = str(value), str(self.value)
                is_beyond = first > second if ">" in self.sign else first < second
                return is_beyond or (first == second and "=" in self.sign)
            is_same = str(value).casefold() == str(self.value).casefold()
            return is_same if self.sign == "=" else self.sign == "!=" and not is_same
        # As typed: 0.1 + 0.2 is 0.3 to whoever reads seven digits.
        close = math.isclose(value, self.value, rel_tol=1e-9, abs_tol=1e-300)
        return {
            ">=": value >= self.value or close,
            "<=": value <= self.value or close,
            ">": value > self.value and not close,
            "<": value < self.value and not close,
            "=": close,
            "!=": not close,
        }[self.sign]


@dataclass(frozen=True)
class RunQuery:
    """Which runs, in which order; everything together must hold.

    Attributes:
        search: a part of the label, the note or a fact, or a run's number.
        status: only runs that stand so; empty: all.
        since: first day that a run was recorded on (UTC).
        until: last day.
        front: only runs that no other dominates.
        rules: bounds on conditions and on means of outcomes.
        sort: a name of :data:`FIXED`, a parameter or an outcome; runs without it come last.
        descending: the largest first.
    """

    search: str = ""
    status: frozenset[Status] = frozenset()
    since: date | None = None
    until: date | None = None
    front: bool = False
    rules: tuple[Rule, ...] = ()
    sort: str = "id"
    descending: bool = True

    @property
    def is_by_status_only(self) -> bool:
        """Whether it asks for the newest runs of some status, and nothing else."""
        return self == RunQuery(status=self.status)


@dataclass(frozen=True)
class ListedRun:
    """What a list is made of: conditions as run, means of outcomes."""

    id: int
    label: str | None
    status: Status
    note: str | None
    at: datetime
    conditions: Mapping[str, Value]
    means: Mapping[str, float]
    facts: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> Value | None:
        """Return a condition, a fact or an outcome's mean."""
        value = self.means.get(name, self.conditions.get(name))
        return self.facts.get(name) if value is None else value


@dataclass(frozen=True)
class RunTable:
    """Every run of a campaign, in the order of their numbers; ``front`` holds the front's."""

    runs: tuple[ListedRun, ...]
    front: frozenset[int] = field(default_factory=frozenset)

    def chosen(self, query: RunQuery) -> list[int]:
        """Return the numbers of the runs that a query asks for, in its order."""
        runs = [run for run in self.runs if self._fits(run, query)]
        # Twice, each stable: whatever the order, runs without the value come last.
        runs.sort(key=lambda run: _key(run, query.sort), reverse=query.descending)
        runs.sort(key=lambda run: _place(run, query.sort) is None)
        return [run.id for run in runs]

    def _fits(self, run: ListedRun, query: RunQuery) -> bool:
        if query.status and run.status not in query.status:
            return False
        if query.front and run.id not in self.front:
            return False
        day = run.at.astimezone(UTC).date()
        if (query.since and day < query.since) or (query.until and day > query.until):
            return False
        if query.search and not _is_found(run, nfc(query.search).casefold().strip()):
            return False
        return all(rule.holds(run.value(rule.name)) for rule in query.rules)


def read_table(
    tx: Transaction, campaign_id: int, campaign: Campaign, front: Iterable[int]
) -> RunTable:
    """Return every run of a campaign as a list needs it; ``front``: the runs on it."""
    heads = tx.experiments.heads(campaign_id)
    briefs = tx.experiments.briefs(campaign_id, campaign.outcomes, status=tuple(Status))
    runs = []
    for brief in briefs:
        label, note, at = heads[brief.id]
        runs.append(
            ListedRun(
                brief.id,
                label,
                brief.status,
                note,
                at,
                brief.conditions,
                brief.means,
                brief.facts,
            )
        )
    return RunTable(tuple(runs), frozenset(front))


def read_rules(
    campaign: Campaign, texts: Sequence[str], field_name: str = "where"
) -> tuple[Rule, ...]:
    """Read bounds such as ``voltage>=18`` or ``polymer=PCL``.

    Raises:
        UsageError: no bound, an unknown name, or no number for what holds numbers.
    """
    rules = []
    for word in texts:
        match = _RULE.fullmatch(word)
        if match is None:
            raise UsageError(
                f"expected a bound such as voltage>=18, got '{word}'", field=field_name
            )
        name, sign, text = match.groups()
        full_name = known_name(campaign, name, field_name)
        if full_name in _days(campaign):
            rules.append(Rule(full_name, sign, _as_day(text, field_name)))
            continue
        if full_name in _worded(campaign):
            if sign not in ("=", "!="):
                raise UsageError(f"{full_name} holds words: expected = or !=", field=field_name)
            rules.append(Rule(full_name, sign, text))
            continue
        try:
            number = float(text.replace(",", ".") if "." not in text else text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise UsageError(
                f"expected a number after '{name}{sign}', got '{text}'", field=field_name
            )
        rules.append(Rule(full_name, sign, number))
    return tuple(rules)


def _worded(campaign: Campaign) -> set[str]:
    categorical = {p.name for p in campaign.parameters if p.is_categorical}
    return categorical | {fact.name for fact in campaign.facts}


def _days(campaign: Campaign) -> set[str]:
    return {fact.name for fact in campaign.facts if fact.kind == "date"}


def _as_day(text: str, field_name: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        problem = f"expected a day such as 2026-05-31, got '{text}'"
        raise UsageError(problem, field=field_name) from None


def known_name(
    campaign: Campaign, word: str, field_name: str, further_names: Sequence[str] = ()
) -> str:
    """Return the name of the parameter or outcome that ``word`` means, in any spelling.

    Raises:
        UsageError: there is none, with the nearest.
    """
    facts = [fact.name for fact in campaign.facts]
    names = [*further_names, *(p.name for p in campaign.parameters), *campaign.outcomes, *facts]
    if word in names:
        return word
    vocabulary = Vocabulary(campaign, reserved={})
    meaning = vocabulary.lookup(word) or vocabulary.lookup(split_heading(word)[0])
    if meaning is None:
        raise UsageError(f"unknown name '{word}'.{nearest_name(word, names)}", field=field_name)
    return meaning[1]


def read_order(campaign: Campaign, word: str) -> tuple[str, bool]:
    """Return what ``voltage`` or ``-voltage`` (the largest first) sorts by, and whether down.

    Raises:
        UsageError: an unknown name.
    """
    name = word.removeprefix("-")
    return known_name(campaign, name, "sort", FIXED), word.startswith("-")


def _is_found(run: ListedRun, word: str) -> bool:
    if word == str(run.id):
        return True
    texts = (run.label, run.note, *run.facts.values())
    return any(word in nfc(text).casefold() for text in texts if text)


def _place(run: ListedRun, name: str) -> Value | datetime | None:
    if name in FIXED:
        return {"id": run.id, "label": run.label, "status": run.status.value, "date": run.at}[name]
    return run.value(name)


def _key(run: ListedRun, name: str) -> tuple[int, float, str, int]:
    value = _place(run, name)
    if isinstance(value, datetime):
        return (0, value.timestamp(), "", run.id)
    if isinstance(value, str):
        # Labels are often numbers: 9 before 10.
        digits = re.match(r"\d{1,15}", value)
        return (1, float(digits[0]) if digits else math.inf, value.casefold(), run.id)
    return (0, -math.inf if value is None else float(value), "", run.id)
