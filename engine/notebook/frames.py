"""Data frames to the engine's tables, and the engine's answers to data frames.

A frame goes the way of a file: it is written as CSV, read by the reader of ``engine import``, and
refused in the same words; only that its rows are counted as pandas counts them, from 0 on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from db.records import ExperimentRecord, Value
from engine.campaign import Campaign
from engine.campaign.applicability import without_surplus
from engine.campaign.history import Run
from engine.errors import ImportRefusedError, UsageError
from engine.experiments.importers.formula_text import csv_text
from engine.propose.request import Forecast, Suggestion

T = TypeVar("T")

SOURCE = "data frame"
_TEXTS = {"label", "note", "failed", "reason", "nearest"}
_HEADING = 1
"""Rows of the written table before the first run."""


@contextmanager
def as_file(frame: pd.DataFrame) -> Iterator[Path]:
    """Give a frame's content as a CSV file for as long as it is read.

    An index with a name is a column like any other; one without is left out.

    Raises:
        UsageError: what came is no frame, or has columns of more than one level.
        ImportRefusedError: its rows were refused; they are counted as the frame's.
    """
    if not isinstance(frame, pd.DataFrame):
        raise UsageError(
            f"expected a pandas DataFrame with a row for each run, got {type(frame).__name__}"
        )
    if frame.columns.nlevels > 1:
        raise UsageError(
            f"expected one heading for each column, got {frame.columns.nlevels} levels of them; "
            "join them first, e.g. frame.columns = frame.columns.map('.'.join)"
        )
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    rows = [[_cell(value) for value in row] for row in frame.astype(object).itertuples(index=False)]
    with tempfile.TemporaryDirectory(prefix="spinneret-") as folder:
        path = Path(folder) / f"{SOURCE}.csv"
        path.write_text(csv_text([str(name) for name in frame.columns], rows), encoding="utf-8")
        try:
            yield path
        except ImportRefusedError as error:
            raise _counted_from_0(error) from None


def read_through(frame: pd.DataFrame, read: Callable[[Path], T]) -> T:
    """Return what a reader of files makes of a frame; see :func:`as_file`."""
    with as_file(frame) as path:
        return read(path)


def _cell(value: Any) -> Value | None:
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return float(value)


def _counted_from_0(error: ImportRefusedError) -> ImportRefusedError:
    problems = [
        replace(problem, row=max(problem.row - 1 - _HEADING, 0))
        if problem.row is not None and problem.row > _HEADING
        else replace(problem, row=None)
        for problem in error.problems
    ]
    return ImportRefusedError(f"{SOURCE}, rows from 0 on", problems)


def runs_frame(campaign: Campaign, experiments: Iterable[ExperimentRecord]) -> pd.DataFrame:
    """Return recorded runs, a row for each: settings as run, means of replicates, what became.

    The index is the experiment's id; ``n_values`` counts measurements. ``attrs["units"]`` holds the
    unit of each column that has one.
    """
    rows = []
    for experiment in experiments:
        conditions = without_surplus(campaign.parameters, experiment.conditions)
        replicates = experiment.replicates()
        averages = {name: sum(row) / len(row) for name, row in replicates.items()}
        rows.append(
            {
                "experiment": experiment.id,
                "label": experiment.label,
                **{p.name: conditions.get(p.name) for p in campaign.parameters},
                **{name: averages.get(name) for name in campaign.outcomes},
                "n_values": sum(map(len, replicates.values())),
                "status": experiment.status.value,
                "failed": experiment.failure,
                "note": experiment.note,
            }
        )
    names = [p.name for p in campaign.parameters]
    columns = ["experiment", "label", *names, *campaign.outcomes]
    columns += ["n_values", "status", "failed", "note"]
    return _framed(campaign, rows, columns, "experiment")


def suggestions_frame(
    campaign: Campaign,
    numbered: Sequence[tuple[int | None, Suggestion]],
    nearest_name: Callable[[Run], str],
) -> pd.DataFrame:
    """Return proposed runs in the order to run them: settings, forecasts with bounds, reasons.

    For each outcome there are ``NAME.mean``, ``NAME.lower`` and ``NAME.upper``, as in a scored
    file. The index is the experiment's id, or the order for runs that are not recorded.
    """
    is_recorded = all(id_ is not None for id_, _ in numbered)
    index = "experiment" if is_recorded else "order"
    rows = [
        {
            **({"experiment": id_} if is_recorded else {}),
            "order": item.order,
            **item.conditions,
            **item.ambient,
            **forecast_cells(item.outcomes),
            "p_success": item.p_success,
            "reason": item.reason,
            "nearest": nearest_name(item.nearest) if item.nearest is not None else None,
        }
        for id_, item in numbered
    ]
    names = {name for row in rows for name in row}
    forecasts = [
        f"{outcome}.{part}" for outcome in campaign.outcomes for part in ("mean", "lower", "upper")
    ]
    columns = [
        *(["experiment"] if is_recorded else []),
        "order",
        *(p.name for p in campaign.parameters if p.name in names),
        *(name for name in forecasts if name in names),
        "p_success",
        "reason",
        "nearest",
    ]
    return _framed(campaign, rows, columns, index)


def forecast_cells(outcomes: Mapping[str, Forecast]) -> dict[str, float]:
    """Return forecasts as cells ``NAME.mean``, ``NAME.lower`` and ``NAME.upper``."""
    return {
        f"{name}.{part}": value
        for name, f in outcomes.items()
        for part, value in (("mean", f.mean), ("lower", f.lower), ("upper", f.upper))
    }


def _framed(
    campaign: Campaign, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], index: str
) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(columns)).set_index(index)
    for name in _TEXTS & {*frame.columns}:
        frame[name] = frame[name].astype("str")  # where all are empty pandas would make numbers
    frame.attrs["units"] = units_of(campaign, list(frame.columns))
    return frame


def units_of(campaign: Campaign, columns: Sequence[str]) -> dict[str, str]:
    """Return the unit of each column that is a parameter, an outcome or a part of a forecast."""
    units = {}
    names = {*(p.name for p in campaign.parameters), *campaign.outcomes}
    for column in columns:
        name = column if column in names else column.rpartition(".")[0]
        unit = campaign.unit_of(name) if name in names else ""
        if unit:
            units[column] = unit
    return units
