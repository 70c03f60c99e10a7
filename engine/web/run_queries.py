"""Which runs a page or a program asks for: the address in the words of the engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urlencode

from db.records import ExperimentRecord, Status
from engine.campaign import Campaign
from engine.errors import NotFoundError, UsageError
from engine.results.run_list import (
    Rule,
    RunQuery,
    RunTable,
    known_name,
    read_order,
    read_rules,
    read_table,
)
from engine.web.site import Site

PER_PAGE = 50
FEWEST_COMPARED, MOST_COMPARED = 2, 4

# A bound's field on the page, and its sign in a rule.
_SIGNS = {"min": ">=", "max": "<=", "is": "="}

_YES, _NO = ("yes", "true", "1", "on"), ("no", "false", "0", "off")


@dataclass(frozen=True)
class ListAddress:
    """An address of the list: query, columns, page, and the pairs that it was made of."""

    query: RunQuery
    columns: tuple[str, ...]
    page: int
    pairs: tuple[tuple[str, str], ...]

    def link(self, **changes: str | Sequence[str]) -> str:
        """Return the address's query with other values; the first page, unless it is named."""
        pairs = [(k, v) for k, v in self.pairs if v and k not in changes and k != "page"]
        for name, value in changes.items():
            values = [value] if isinstance(value, str) else value
            pairs += [(name, one) for one in values if one]
        return f"?{urlencode(pairs)}" if pairs else ""

    def typed(self, name: str) -> str:
        """Return what a field of the form holds."""
        return next((value for key, value in self.pairs if key == name), "")

    def sorted_by(self, name: str) -> str:
        """Return the order that a heading leads to: the largest first, then the other way."""
        is_down = self.query.sort == name and self.query.descending
        return name if is_down else f"-{name}"


def read_asked(campaign: Campaign, pairs: Iterable[tuple[str, str]]) -> ListAddress:
    """Read an address of the list; what it does not know is left aside.

    Raises:
        UsageError: a value that cannot be.
    """
    pairs = tuple((key, value.strip()) for key, value in pairs)
    by_name: dict[str, list[str]] = {}
    rules: list[Rule] = []
    for key, value in pairs:
        if value:
            by_name.setdefault(key, []).append(value)
        if value and is_bound(key):
            start, _, name = key.partition(":")
            rules += read_rules(campaign, [f"{name}{_SIGNS[start]}{value}"], key)
    first = {key: values[0] for key, values in by_name.items()}
    query = run_query(
        campaign,
        search=first.get("q", ""),
        status=by_name.get("status", ()),
        since=first.get("since"),
        until=first.get("until"),
        front=_is_yes(first.get("front", "no"), "front"),
        where=by_name.get("where", ()),
        sort=first.get("sort", "-id"),
    )
    query = replace(query, rules=(*rules, *query.rules))
    columns = tuple(known_name(campaign, name, "column") for name in by_name.get("column", ()))
    number = first.get("page", "1")
    if not (number.isascii() and number.isdigit() and int(number[:9]) > 0):
        raise UsageError(f"expected a page from 1 on, got '{number}'", field="page")
    return ListAddress(query, columns or usual_columns(campaign), int(number[:9]), pairs)


def is_bound(key: str) -> bool:
    """Whether a parameter of the address bounds a value: ``min:voltage``.

    >>> is_bound("min:voltage"), is_bound("minimum")
    (True, False)
    """
    start, colon, _ = key.partition(":")
    return bool(colon) and start in _SIGNS


def run_query(
    campaign: Campaign,
    *,
    search: str = "",
    status: Iterable[str] = (),
    since: str | date | None = None,
    until: str | date | None = None,
    front: bool = False,
    where: Sequence[str] = (),
    sort: str = "-id",
) -> RunQuery:
    """Return a query made of words.

    Raises:
        UsageError: a value that cannot be.
    """
    states = set()
    for word in status:
        if word not in set(Status):
            raise UsageError(f"expected one of {', '.join(Status)}, got '{word}'", field="status")
        states.add(Status(word))
    name, descending = read_order(campaign, sort)
    return RunQuery(
        search=search,
        status=frozenset(states),
        since=_day(since, "since"),
        until=_day(until, "until"),
        front=front,
        rules=read_rules(campaign, where),
        sort=name,
        descending=descending,
    )


def usual_columns(campaign: Campaign) -> tuple[str, ...]:
    """Return the columns of a list that nobody chose: objectives, then parameters."""
    objectives = [objective.outcome for objective in campaign.objectives]
    return (*objectives, *(parameter.name for parameter in campaign.parameters))


def all_columns(campaign: Campaign) -> list[str]:
    """Return what may be a column."""
    further_names = [name for name in campaign.outcomes if name not in usual_columns(campaign)]
    return [*usual_columns(campaign), *further_names, *(fact.name for fact in campaign.facts)]


def run_table(site: Site, *, is_exact: bool = False) -> RunTable:
    """Return the campaign's runs; read once for each change (``is_exact``: of the very last)."""
    overview = site.overview(is_exact=is_exact)

    def read() -> RunTable:
        with site.workspace.database.read() as tx:
            front = [point.id for point in overview.front]
            return read_table(tx, overview.record.id, overview.campaign, front)

    return site.cached("run table", read, watermark=overview.watermark, is_exact=is_exact)


def runs_of(site: Site, ids: Sequence[int]) -> list[ExperimentRecord]:
    """Return these runs of the campaign, in this order.

    Raises:
        NotFoundError: one that it has not.
    """
    if any(not 0 < id_ < 2**63 for id_ in ids):
        raise NotFoundError(f"there is no run {max(ids)}")
    with site.workspace.database.read() as tx:
        record, _ = site.workspace.active_campaign(tx)
        runs = {run.id: run for run in tx.experiments.get_all(ids)}
    for id_ in ids:
        if id_ not in runs or runs[id_].campaign_id != record.id:
            raise NotFoundError(f"there is no run {id_} in the campaign '{record.name}'")
    return [runs[id_] for id_ in ids]


def compared(site: Site, ids: Sequence[int]) -> list[ExperimentRecord]:
    """Return two to four runs to be laid side by side.

    Raises:
        UsageError: fewer or more.
        NotFoundError: one that the campaign has not.
    """
    chosen = list(dict.fromkeys(ids))
    if not FEWEST_COMPARED <= len(chosen) <= MOST_COMPARED:
        raise UsageError(
            f"expected {FEWEST_COMPARED} to {MOST_COMPARED} runs to compare, got {len(chosen)}",
            field="id",
        )
    return runs_of(site, chosen)


def differing(campaign: Campaign, runs: Sequence[ExperimentRecord]) -> list[str]:
    """Return the parameters whose values the runs do not share."""
    names = [parameter.name for parameter in campaign.parameters]
    return [name for name in names if len({run.conditions.get(name) for run in runs}) > 1]


def _is_yes(word: str, name: str) -> bool:
    if word.casefold() not in (*_YES, *_NO):
        raise UsageError(f"expected yes or no, got '{word}'", field=name)
    return word.casefold() in _YES


def _day(word: str | date | None, name: str) -> date | None:
    if word is None or isinstance(word, date):
        return word
    try:
        return date.fromisoformat(word)
    except ValueError:
        raise UsageError(f"expected a day such as 2026-05-31, got '{word}'", field=name) from None
