"""A table → its specimens: blocks side by side, an axis each, or a column that names them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.curves.reading.numbers import NumberStyle, is_missing, looks_numeric
from engine.curves.reading.quantities import (
    CANONICAL,
    DIMENSIONS,
    Quantity,
    Unit,
    plain_words,
    read_unit,
    split_unit,
)
from engine.curves.reading.records import Array, Channel, RawCurve, Specimen
from engine.curves.reading.tables import Heading, Row, Table
from engine.errors import DataError, UsageError

MIN_POINTS = 10
_PULL: tuple[Quantity, ...] = ("extension", "strain", "true strain", "position")
_HOLD: tuple[Quantity, ...] = ("force", "stress", "true stress")
_NUMBERED = re.compile(r"[\s._-]*\(?#?(\d{1,3})\)?$")
# Below: a ratio; above: per cent; between, nobody can tell.
_RATIO_AT_MOST, _PERCENT_AT_LEAST = 1.5, 15.0


@dataclass(frozen=True)
class Block:
    """The columns of one specimen in a table."""

    name: str
    headings: tuple[Heading, ...]


def read_specimens(
    table: Table, style: NumberStyle, units: Mapping[str, str], *, number_from: int = 1
) -> list[RawCurve]:
    """Return the curves of a table.

    Args:
        table: rows under one header.
        style: how its numbers are written.
        units: units by quantity, as the user states them; they stand before the file's.
        number_from: the first number for specimens without a name.

    Raises:
        UsageError: a unit that measures something else.
        DataError: a heading and its unit contradict one another.
    """
    curves = []
    for offset, block in enumerate(_blocks(table)):
        name = block.name or _title(table) or str(number_from + offset)
        for part, rows in _parts(table, block):
            curve = _curve(part or name, block, rows, style, units)
            if curve is not None:
                curves.append(curve)
    return curves


def _title(table: Table) -> str:
    for title in reversed(table.titles):
        key, _, value = title.partition(":")
        if plain_words(key) in ("test run", "specimen", "sample", "specimen label", "sample name",
                                "specimen name", "specimen id", "probe"):  # fmt: skip
            return value.strip()
        if re.fullmatch(r"(specimen|sample|probe|próbka|éprouvette|test run)[\s_#]*\w{1,20}",
                        title, re.IGNORECASE):  # fmt: skip
            return title
    return ""


def _blocks(table: Table) -> list[Block]:
    headings = [h for h in table.headings if h.quantity is not None]
    axes = sorted({h.axis for h in headings if h.quantity in _HOLD and h.axis})
    if len(axes) > 1:
        shared = [h for h in headings if not h.axis]
        return [
            Block(axis, (*shared, *(h for h in headings if h.axis == axis),
                         *(_across(h) for h in headings if h.axis not in ("", axis)
                           and h.quantity == "size")))
            for axis in axes
        ]  # fmt: skip
    groups = _side_by_side(headings)
    blocks = []
    for group in groups:
        end = max(h.index for h in group) + 1
        label = next((cell for cell in table.labels[min(h.index for h in group) : end] if cell), "")
        if not label and len(groups) == 1 and table.headings:
            # Bluehill Universal: the first cell of the headings is the specimen's number.
            label = next((h.text for h in table.headings if looks_numeric(h.text)), "")
        blocks.append(Block(label.strip(), tuple(group)))
    return blocks


def _across(heading: Heading) -> Heading:
    """Return the other axis's size, which is this axis's width."""
    return replace(heading, quantity="other", text=f"across {heading.text}")


def _side_by_side(headings: Sequence[Heading]) -> list[list[Heading]]:
    groups = _split_where_repeated(headings, [h.text for h in headings])
    if len(groups) > 1:
        return groups
    bases = [_NUMBERED.sub("", split_unit(h.text)[0]) for h in headings]
    pulls = {b for b, h in zip(bases, headings, strict=True) if h.quantity in _PULL}
    holds = {b for b, h in zip(bases, headings, strict=True) if h.quantity in _HOLD}
    n_of = {base: bases.count(base) for base in pulls | holds}
    if any(n_of[b] > 1 for b in holds):
        n = max(n_of[b] for b in holds)
        if all(n_of[b] == n for b in pulls):
            # Force 1, Stroke 1, Force 2, Stroke 2; or Force 1, Force 2, Stroke 1, Stroke 2.
            names_seen: dict[str, int] = {}
            numbered: list[list[Heading]] = [[] for _ in range(n)]
            for base, heading in zip(bases, headings, strict=True):
                if bases.count(base) == 1:
                    for group in numbered:
                        group.append(heading)
                    continue
                numbered[min(names_seen.get(base, 0), n - 1)].append(heading)
                names_seen[base] = names_seen.get(base, 0) + 1
            return numbered
        if all(n_of[b] == 1 for b in pulls):
            # One column of strains, and a column of stresses for each specimen.
            shared = [h for h in headings if h.quantity not in _HOLD]
            return [[*shared, h] for h in headings if h.quantity in _HOLD]
    return groups


def _split_where_repeated(headings: Sequence[Heading], names: Sequence[str]) -> list[list[Heading]]:
    groups: list[list[Heading]] = [[]]
    names_seen: set[str] = set()
    for name, heading in zip(names, headings, strict=True):
        if name in names_seen:
            groups.append([])
            names_seen = set()
        names_seen.add(name)
        groups[-1].append(heading)
    return groups


def _parts(table: Table, block: Block) -> list[tuple[str, list[Row]]]:
    """Return the rows of each specimen that a column names, or all of them under no name."""
    column = next((h.index for h in block.headings if h.quantity == "specimen"), None)
    if column is None:
        return [("", table.rows)]
    parts: dict[str, list[Row]] = {}
    for row in table.rows:
        name = row[column] if column < len(row) else ""
        if name:
            parts.setdefault(name, []).append(row)
    return list(parts.items()) if len(parts) > 1 else [("", table.rows)]


def _curve(
    name: str, block: Block, rows: Sequence[Row], style: NumberStyle, units: Mapping[str, str]
) -> RawCurve | None:
    channels, notes = [], []
    for heading in block.headings:
        quantity = heading.quantity
        is_across = heading.text.startswith("across ")
        if quantity in (None, "other", "specimen", "cycle") and not is_across:
            continue
        assert quantity is not None  # noqa: S101 -- looked at in the line above
        values = _numbers(rows, heading.index, style)
        unit, note = _unit(heading, "size" if is_across else quantity, values, units)
        if note:
            notes.append(note)
        channels.append(
            Channel(quantity, heading.text, unit.text if heading.unit or note == "" else None,
                    values * unit.factor)
        )  # fmt: skip
    curve = RawCurve(name, tuple(channels), _sizes(channels), tuple(notes))
    return _whole_rows(curve)


def _numbers(rows: Sequence[Row], index: int, style: NumberStyle) -> Array:
    values = np.full(len(rows), np.nan)
    for n, row in enumerate(rows):
        if index < len(row) and not is_missing(row[index]):
            number = style.parse(row[index])
            if number is not None:
                values[n] = number
    return values


def _unit(
    heading: Heading, quantity: Quantity, values: Array, units: Mapping[str, str]
) -> tuple[Unit, str]:
    """Return a column's unit, and what is to be told of it."""
    dimension = DIMENSIONS[quantity]
    stated = units.get(quantity.removeprefix("true "))
    if stated is not None:
        unit = read_unit(stated)
        if unit is None or unit.dimension != dimension:
            raise UsageError(
                f"expected a unit of {quantity} such as {CANONICAL[dimension]}, got '{stated}'",
                field="units",
            )
        if heading.unit is not None and heading.unit.factor != unit.factor:
            return (
                unit,
                f"'{heading.text}' is read in {unit.text}, as stated, not {heading.unit.text}",
            )
        return unit, ""
    if heading.unit is not None:
        if heading.unit.dimension != dimension:
            raise DataError(
                f"the column '{heading.text}' is in {heading.unit.text}, which is no unit of "
                f"{quantity}; mend the heading, or export the table again"
            )
        return heading.unit, ""
    if heading.strange_unit:
        raise DataError(
            f"the unit '{heading.strange_unit}' of '{heading.text}' is none that is known here: "
            f"say which it is, as in {quantity.removeprefix('true ')}={CANONICAL[dimension]}",
            field="units",
        )
    if dimension == "ratio":
        return _strain_unit(heading, values)
    canonical = CANONICAL[dimension]
    return Unit(canonical, dimension, 1.0), (  # type: ignore[arg-type]
        f"the file names no unit for '{heading.text}': taken as {canonical}"
    )


def _strain_unit(heading: Heading, values: Array) -> tuple[Unit, str]:
    # Of nearly all: a single damaged number decides nothing.
    greatest = float(np.nanpercentile(np.abs(values), 99)) if np.isfinite(values).any() else 0.0
    if greatest <= _RATIO_AT_MOST:
        note = f"the file names no unit for '{heading.text}': taken as a ratio (mm/mm)"
        return Unit("mm/mm", "ratio", 1.0), note
    if greatest >= _PERCENT_AT_LEAST:
        return Unit("%", "ratio", 1e-2), f"the file names no unit for '{heading.text}': taken as %"
    if _is_true_or_engineering(heading):
        note = f"the file names no unit for '{heading.text}': taken as a ratio (mm/mm)"
        return Unit("mm/mm", "ratio", 1.0), note
    raise DataError(
        f"the file does not say whether '{heading.text}' (up to {greatest:.3g}) is a ratio or "
        "in %; say which: strain=% or strain=mm/mm",
        field="units",
    )


def _is_true_or_engineering(heading: Heading) -> bool:
    # Who tells true from engineering strain writes both as ratios.
    return re.search(r"true|engineering|eng\b", heading.text, re.IGNORECASE) is not None


def _sizes(channels: Sequence[Channel]) -> Specimen:
    """Return gauge length and width where the file tells the specimen's size row by row."""
    values: dict[str, float] = {}
    pull = next((c for c in channels if c.quantity == "extension"), None)
    for channel in channels:
        is_across = channel.heading.startswith("across ")
        if channel.quantity != "size" and not is_across:
            continue
        finite = np.isfinite(channel.values)
        if not finite.any():
            continue
        first = int(np.argmax(finite))
        start = float(channel.values[first])
        if not is_across and pull is not None and np.isfinite(pull.values[first]):
            start -= float(pull.values[first])
        if start > 0:
            values.setdefault("width_mm" if is_across else "gauge_mm", start)
    return Specimen(**values, sources=dict.fromkeys(values, "the file"))


def _whole_rows(curve: RawCurve) -> RawCurve | None:
    """Keep the rows that have all of what makes a curve; of an empty block nothing is left."""
    needed = [c for c in curve.channels if c.quantity in (*_PULL, *_HOLD)]
    kinds = {c.quantity for c in needed}
    if not kinds & set(_PULL) or not kinds & set(_HOLD):
        return None
    filled = [c for c in needed if np.isfinite(c.values).any()]
    kinds = {c.quantity for c in filled}
    if not kinds & set(_PULL) or not kinds & set(_HOLD):
        return None
    keep = np.ones(len(filled[0].values), dtype=bool)
    for channel in filled:
        # A column that was only now and then recorded costs no row.
        if np.isfinite(channel.values).mean() > 0.5 * _share(filled):
            keep &= np.isfinite(channel.values)
    lost = np.zeros_like(keep)
    last = int(np.max(np.flatnonzero(keep))) if keep.any() else -1
    lost[: last + 1] = ~keep[: last + 1]
    sparse = {c.heading for c in filled if not np.isfinite(c.values[keep]).all()}
    channels = tuple(
        replace(c, values=c.values[keep]) for c in curve.channels if c.heading not in sparse
    )
    notes = curve.notes
    if lost.any():
        notes = (*notes, f"{int(lost.sum())} rows without all of their numbers were left aside")
    return replace(curve, channels=channels, notes=notes)


def _share(channels: Sequence[Channel]) -> float:
    return max(float(np.isfinite(c.values).mean()) for c in channels)
