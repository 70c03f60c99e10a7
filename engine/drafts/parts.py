"""Columns that are a part of another one: scatter, counts of specimens, replicates side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from engine.campaign import Campaign
from engine.campaign.vocabulary import Vocabulary, loosely
from engine.drafts.columns import TableColumn, name_and_unit
from engine.experiments.importers.facets import facets_of, numbered_stem


def without_parts(
    columns: Sequence[TableColumn], sounds_measured: Sequence[str]
) -> tuple[list[TableColumn], dict[str, str]]:
    """Return the columns that stand for themselves, and of the peers what they are, by heading.

    Replicates side by side (``strength_1``, ``strength_2``) become one column of their means, if
    what they are called is among ``sounds_measured``.
    """
    remaining, parts = _without_series(columns, {loosely(word) for word in sounds_measured})
    headings = [column.heading for column in columns]
    for column in list(remaining):
        peers = [c for c in remaining if c is not column and c.content == "numbers"]
        if column.content != "numbers" or not peers:
            continue
        facets = facets_of(headings, _vocabulary(peers))
        facet = facets.get(headings.index(column.heading)) if column.heading in headings else None
        if facet is None or facet.part == "value":
            continue
        noun = {"sd": "the scatter", "sem": "the standard error", "n": "the number of specimens"}
        parts[column.heading] = noun[facet.part] + (f" of {facet.outcome}" if facet.outcome else "")
        remaining.remove(column)
    return remaining, parts


def _without_series(
    columns: Sequence[TableColumn], measured: set[str]
) -> tuple[list[TableColumn], dict[str, str]]:
    series: dict[str, list[TableColumn]] = {}
    for column in columns:
        stem = numbered_stem(column.heading)
        if stem is not None and column.content == "numbers" and _is_among(stem, measured):
            series.setdefault(loosely(stem), []).append(column)
    series = {stem: members for stem, members in series.items() if len(members) > 1}
    parts: dict[str, str] = {}
    merged: list[TableColumn] = []
    members = {id(c): group for group in series.values() for c in group}
    for column in columns:
        group = members.get(id(column))
        if group is None:
            merged.append(column)
            continue
        parts[column.heading] = (
            f"a replicate of {name_and_unit(numbered_stem(column.heading) or '')[0]}"
        )
        if column is group[0]:
            merged.append(_averages(group))
    return merged, parts


def _is_among(stem: str, measured: set[str]) -> bool:
    name, _ = name_and_unit(stem)
    return bool(({loosely(stem), loosely(name)} | set(loosely(name).split())) & measured)


def _averages(group: Sequence[TableColumn]) -> TableColumn:
    stem = numbered_stem(group[0].heading) or group[0].heading
    name, unit = name_and_unit(stem)
    averages: list[float | None] = []
    for row in zip(*(column.numbers for column in group), strict=True):
        present = [number for number in row if number is not None]
        averages.append(math.fsum(present) / len(present) if present else None)
    return replace(
        group[0], heading=stem, name=name, unit=unit or group[0].unit, numbers=tuple(averages)
    )


def _vocabulary(columns: Sequence[TableColumn]) -> Vocabulary:
    """Return the words of a campaign that measures all of these columns."""
    properties = [
        {"name": column.name, "unit": column.unit, "aliases": column.aliases} for column in columns
    ]
    return Vocabulary(
        Campaign(
            name="draft",
            parameters=[{"name": "setting_of_the_draft", "low": 0, "high": 1}],
            properties=properties,
            objectives=[{"outcome": columns[0].name, "threshold": 0.0}],
        )
    )
