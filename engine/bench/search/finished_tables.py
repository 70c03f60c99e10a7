"""Finished campaigns as benchmarks see them: which columns were set, and which were wanted.

The tables themselves are no part of the project; :data:`TABLES` says only what their columns mean.
Rows of equal settings are replicates of one run. A table of one's own joins by a TOML file:

.. code-block:: toml

    [tables.inks]
    file = "inks.csv"
    inputs = ["share A [%]", "share B [%]", "dye"]
    minimize = ["cost"]
    maximize = ["colour"]
"""

from __future__ import annotations

import csv
import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from engine.campaign import Campaign
from engine.campaign.history import Run
from engine.errors import DataError, NotFoundError, UsageError, nearest_name, place

MATMCL = "nanofibre_200"
_WORTH = 0.25
"""An objective's threshold is the quartile that three runs in four pass."""


class FinishedTable(BaseModel):
    """One table: ``file`` below the folder of data, its input columns, what was wanted of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    inputs: tuple[str, ...] = ()
    maximize: tuple[str, ...] = ()
    minimize: tuple[str, ...] = ()


TABLES: Mapping[str, FinishedTable] = {
    "agnp": FinishedTable(
        file="campaigns/agnp.csv",
        inputs=("QAgNO3(%)", "Qpva(%)", "Qtsc(%)", "Qseed(%)", "Qtot(uL/min)"),
        minimize=("loss",),
    ),
    "alkox": FinishedTable(
        file="campaigns/alkox.csv",
        inputs=("catalase", "peroxidase", "alcohol_oxidase", "ph"),
        maximize=("conversion",),
    ),
    "autoam": FinishedTable(
        file="campaigns/autoam.csv",
        inputs=("Prime Delay", "Print Speed", "X Offset Correction", "Y Offset Correction"),
        maximize=("Score",),
    ),
    "crossed_barrel": FinishedTable(
        file="crossed_barrel/Crossed_barrel_dataset.csv",
        inputs=("n", "theta", "r", "t"),
        maximize=("toughness",),
    ),
    "p3ht": FinishedTable(
        file="campaigns/p3ht.csv",
        inputs=(
            "P3HT content (%)",
            "D1 content (%)",
            "D2 content (%)",
            "D6 content (%)",
            "D8 content (%)",
        ),
        maximize=("Conductivity (measured) (S/cm)",),
    ),
    "perovskite": FinishedTable(
        file="campaigns/perovskite.csv",
        inputs=("CsPbI", "FAPbI", "MAPbI"),
        minimize=("Instability index",),
    ),
    "photo_pce10": FinishedTable(
        file="campaigns/photo_pce10.csv",
        inputs=("mat_1", "mat_2", "mat_3", "mat_4"),
        minimize=("degradation",),
    ),
    "pva_diameter": FinishedTable(
        file="pva_diameter/pva_96.csv",
        inputs=(
            "solution_concentration",
            "voltage_kv",
            "flow_rate_ml/h",
            "tip_collector_distance_cm",
        ),
        minimize=("fiber_diameter_nm", "fiber_diameter_variation_nm"),
    ),
    "redoxmers": FinishedTable(
        file="campaigns/redoxmers.csv",
        inputs=("r1_label", "r3_label", "r4_label", "r5_label"),
        minimize=("abs_lam_diff", "ered", "gsol"),
    ),
    "suzuki_i": FinishedTable(
        file="campaigns/suzuki_i.csv",
        inputs=("ligand", "res_time", "temperature", "catalyst_loading"),
        maximize=("yield", "turnover"),
    ),
    MATMCL: FinishedTable(file="matmcl/nanofibre_200.csv"),
}
"""The tables of the suite; :data:`MATMCL` is read by its own importer and template."""


def read_definitions(path: Path) -> dict[str, FinishedTable]:
    """Read further tables from a TOML file with ``[tables.NAME]``.

    Raises:
        NotFoundError: there is no such file.
        DataError: it is no TOML, or a table lacks what it needs.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotFoundError(f"{place(path)}: expected a TOML file, {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{place(path)}: expected TOML: {error}") from error
    tables = document.get("tables")
    if not isinstance(tables, dict) or not tables:
        raise DataError(f"{place(path)}: expected [tables.NAME] with file, inputs, maximize …")
    try:
        return {name: FinishedTable(**entry) for name, entry in tables.items()}
    except (ValidationError, TypeError) as error:
        raise DataError(f"{place(path)}: {error}") from error


def read_finished(folder: Path, name: str, table: FinishedTable) -> tuple[Campaign, list[Run]]:
    """Return the campaign that a table's columns describe, and its runs with their replicates.

    Numeric inputs become ranges from the least to the largest value that was run, words become
    choices. Rows in which a value is missing are left out.

    Raises:
        NotFoundError: the file is not there.
        DataError: a column is missing, or no row is whole.
    """
    if name == MATMCL:
        from engine.bench.search.replay import read_pool
        from engine.lab.virtual import nanofibre_campaign

        campaign = nanofibre_campaign()
        return campaign, read_pool(folder / table.file, campaign, table_format="matmcl")
    goals = dict.fromkeys(table.maximize, "maximize") | dict.fromkeys(table.minimize, "minimize")
    rows = _rows(folder / table.file, [*table.inputs, *goals])
    replicates: dict[tuple[str | float, ...], list[list[float]]] = {}
    for row in rows:
        values = [_number(row[column]) for column in goals]
        if "" in (row[column].strip() for column in table.inputs) or not np.isfinite(values).all():
            continue
        setting = tuple(_value(row[column]) for column in table.inputs)
        replicates.setdefault(setting, []).append(values)
    if not replicates:
        raise DataError(f"{place(folder / table.file)}: expected rows with every column filled")
    averages = [np.mean(values, axis=0) for values in replicates.values()]
    inputs = [f"input_{i + 1}" for i in range(len(table.inputs))]
    outcomes = [f"outcome_{i + 1}" for i in range(len(goals))]
    campaign = Campaign(
        name=name,
        parameters=tuple(
            _parameter(inputs[i], column, [setting[i] for setting in replicates])
            for i, column in enumerate(table.inputs)
        ),
        properties=tuple({"name": outcome} for outcome in outcomes),
        objectives=tuple(
            _objective(outcome, goal, [float(values[i]) for values in averages])
            for i, (outcome, goal) in enumerate(zip(outcomes, goals.values(), strict=True))
        ),
    )
    runs = [
        Run(
            dict(zip(inputs, setting, strict=True)),
            {outcome: tuple(row[i] for row in values) for i, outcome in enumerate(outcomes)},
        )
        for setting, values in replicates.items()
    ]
    return campaign, runs


def tables_named(
    names: Sequence[str], custom: Mapping[str, FinishedTable] | None = None
) -> dict[str, FinishedTable]:
    """Return the tables of these names, all for none.

    Raises:
        UsageError: an unknown name.
    """
    offered = {**TABLES, **(custom or {})}
    for name in names:
        if name not in offered:
            raise UsageError(
                f"expected one of {', '.join(offered)}, got '{name}'.{nearest_name(name, offered)}",
                field="tables",
            )
    return {name: offered[name] for name in names or offered}


def _rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    if not path.is_file():
        raise NotFoundError(f"{place(path)}: expected a finished table, found no such file")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        headings = list(reader.fieldnames or ())
        missing = [column for column in columns if column not in headings]
        if missing:
            raise DataError(
                f"{place(path)}: expected the columns {', '.join(missing)}; it has "
                f"{', '.join(headings)}"
            )
        return list(reader)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _value(text: str) -> str | float:
    number = _number(text)
    return number if math.isfinite(number) else text.strip()


def _parameter(name: str, column: str, values: Sequence[str | float]) -> dict[str, Any]:
    if any(isinstance(value, str) for value in values):
        return {"name": name, "description": column, "choices": sorted({*map(str, values)})}
    return {
        "name": name,
        "description": column,
        "low": min(map(float, values)),
        "high": max(map(float, values)),
    }


def _objective(outcome: str, goal: str, averages: Sequence[float]) -> dict[str, Any]:
    share = _WORTH if goal == "maximize" else 1.0 - _WORTH
    return {"outcome": outcome, "goal": goal, "threshold": float(np.quantile(averages, share))}
