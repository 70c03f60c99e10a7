"""The JSON that ``engine export --format json`` writes → runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from db.records import reading
from db.words import nfc
from engine.campaign import Campaign, Value
from engine.campaign.applicability import surplus, unaccounted
from engine.campaign.vocabulary import same_unit
from engine.errors import DataError, ImportRefusedError, RowProblem, by_voice, nearest_name, place
from engine.experiments.importers import cells
from engine.experiments.importers.raw import refuse_too_many
from engine.experiments.importers.reading import decode_text
from engine.experiments.importers.runs import (
    ImportedRun,
    ImportedTable,
    contradiction,
    outside_warnings,
    status_of,
    surplus_warning,
    waiting_warnings,
)
from engine.experiments.importers.words import CellError, clean_label, clean_text

MAX_REPLICATE = 1_000_000


def read_runs(path: Path, campaign: Campaign, *, max_rows: int) -> ImportedTable:
    """Read an exported document. Rows are counted from 1, in the order of its experiments.

    Raises:
        NotFoundError, DataError: no such file, not JSON, or not an export.
        ImportRefusedError: an experiment in it is wrong; carries every problem found.
    """
    text, notes = decode_text(path)
    try:
        document = json.loads(text)
    # Brackets nested thousands deep end Python's recursion, not the parse.
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place(path)} is not valid JSON: {error}") from error
    experiments = document.get("experiments") if isinstance(document, dict) else None
    if not isinstance(experiments, list):
        raise DataError(
            f"{place(path)}: expected the document that "
            + by_voice("`engine export --format json` writes", "an export as JSON is")
        )
    refuse_too_many(path, len(experiments), max_rows)
    problems = _unit_problems(document, campaign)
    runs = []
    labels: dict[str, int] = {}
    left_out: Counter[str] = Counter()
    for row, entry in enumerate(experiments, 1):
        reader = _Entry(row, entry, campaign, problems)
        run = reader.read()
        left_out.update(reader.surplus)
        if run is None:
            continue
        if run.label is not None and labels.setdefault(nfc(run.label), row) != row:
            expected = f"stands in row {labels[nfc(run.label)]} too; expected each label once"
            problems.append(RowProblem(row, "label", run.label, expected))
        runs.append(run)
    if problems:
        raise ImportRefusedError(str(path), problems)
    imported = tuple(runs)
    surplus_notes = [surplus_warning(campaign.parameter(name), n) for name, n in left_out.items()]
    warnings = [*notes, *surplus_notes, *_files_left(experiments)]
    warnings += [*outside_warnings(campaign, imported), *waiting_warnings(imported)]
    return ImportedTable(str(path), imported, tuple(warnings))


def _files_left(experiments: Sequence[Any]) -> list[str]:
    """Say what the document names and does not hold: files of the data folder."""
    counts = {
        kind: sum(len(run.get(kind) or ()) for run in experiments if isinstance(run, dict))
        for kind in ("micrographs", "curves")
    }
    listed = " and ".join(f"{n} {kind}" for kind, n in counts.items() if n)
    if not listed:
        return []
    return [
        f"the document names {listed}, whose files it does not hold: values read off them are "
        "taken, the files stay in the data folder they came from"
    ]


def _unit_problems(document: Mapping[str, Any], campaign: Campaign) -> list[RowProblem]:
    units = document.get("units")
    names = {*(p.name for p in campaign.parameters), *campaign.outcomes}
    return [
        RowProblem(None, name, str(unit), f"expected the unit {campaign.unit_of(name) or '(none)'}")
        for name, unit in (units.items() if isinstance(units, dict) else ())
        if name in names and not same_unit(str(unit), campaign.unit_of(name))
    ]


class _Entry:
    """One experiment of the document."""

    def __init__(
        self, row: int, entry: Any, campaign: Campaign, problems: list[RowProblem]
    ) -> None:
        self._row = row
        self._entry = entry if isinstance(entry, dict) else {}
        self._campaign = campaign
        self._problems = problems
        self.surplus: list[str] = []
        if not isinstance(entry, dict):
            self._refuse(None, entry, "expected an experiment (an object)")

    def read(self) -> ImportedRun | None:
        """Return the run, or ``None`` with problems noted."""
        n_problems = len(self._problems)
        planned, actual = self._conditions("proposed"), self._conditions("actual")
        conditions = {**planned, **actual}
        for parameter in surplus(self._campaign.parameters, conditions):
            self.surplus.append(parameter.name)
            for stage in (planned, actual, conditions):
                stage.pop(parameter.name, None)
        for parameter in unaccounted(self._campaign.controlled, conditions):
            self._refuse(parameter.name, None, f"expected a value of {parameter.name}")
        outcomes = self._outcomes()
        n_values = sum(map(len, outcomes.values()))
        label = self._word("label", clean_label)
        note = self._word("note", clean_text)
        facts = self._facts()
        kinds = self._campaign.failures
        stated = self._word("status", partial(cells.parse_status, kinds=kinds)) or (None, None)
        failure = self._word("failure", partial(cells.parse_failure, kinds=kinds)) or stated[1]
        status = status_of(n_values, stated[0], failure)
        problem = contradiction(n_values, status, failure, kinds)
        if problem is not None and len(self._problems) == n_problems:
            self._refuse(None, None, problem)
        if len(self._problems) > n_problems:
            return None
        return ImportedRun(
            row=self._row,
            label=label,
            conditions=actual,
            planned=planned,
            outcomes=outcomes,
            status=status,
            failure=failure,
            note=note,
            facts=facts,
            is_stated=stated[0] is not None or failure is not None,
        )

    def _conditions(self, stage: str) -> dict[str, Value]:
        entries = self._entry.get(stage) or {}
        if not isinstance(entries, dict):
            self._refuse(stage, entries, "expected parameters and their values (an object)")
            return {}
        names = [parameter.name for parameter in self._campaign.parameters]
        conditions: dict[str, Value] = {}
        for name, value in entries.items():
            if name not in names:
                self._refuse(
                    name, value, f"no parameter of this campaign.{nearest_name(name, names)}"
                )
                continue
            parameter = self._campaign.parameter(name)
            number = _number(value)
            if parameter.is_numeric and number is None:
                self._refuse(name, value, f"expected {self._campaign.heading(name)} to be a number")
                continue
            checked: Value = str(value) if number is None else number
            problem = parameter.problem_with(checked)
            if problem is not None:
                self._refuse(name, value, problem)
            conditions[name] = checked
        return conditions

    def _outcomes(self) -> dict[str, dict[int, float]]:
        entries = self._entry.get("measurements") or []
        if not isinstance(entries, list) or not all(isinstance(item, dict) for item in entries):
            self._refuse("measurements", entries, "expected a list of measurements")
            return {}
        outcomes: dict[str, dict[int, float]] = {}
        for item in entries:
            name, replicate, value = (item.get(key) for key in ("outcome", "replicate", "value"))
            if name not in self._campaign.outcomes:
                near = nearest_name(str(name), self._campaign.outcomes)
                self._refuse("outcome", name, f"no outcome of this campaign.{near}")
            elif (result := _number(value)) is None:
                expected = f"expected {self._campaign.heading(str(name))} to be a number"
                self._refuse(str(name), value, expected)
            elif not isinstance(replicate, int) or not 1 <= replicate < MAX_REPLICATE:
                self._refuse("replicate", replicate, "expected a replicate's number: 1, 2, 3 …")
            elif replicate in outcomes.get(str(name), {}):
                self._refuse(str(name), value, f"replicate {replicate} stands here twice")
            else:
                problem = self._campaign.property_of(str(name)).problem_with(result)
                if problem is not None:
                    self._refuse(str(name), value, problem)
                outcomes.setdefault(str(name), {})[replicate] = self._reading(item, result)
        return outcomes

    def _facts(self) -> dict[str, str]:
        entries = self._entry.get("facts") or {}
        names = [fact.name for fact in self._campaign.facts]
        if not isinstance(entries, dict):
            self._refuse("facts", entries, "expected names and words (an object)")
            return {}
        facts: dict[str, str] = {}
        for name, value in entries.items():
            if name not in names:
                near = nearest_name(str(name), names)
                self._refuse(str(name), value, f"no fact of this campaign.{near}")
                continue
            try:
                text = cells.parse_fact(str(value), self._campaign.fact(name))
            except CellError as error:
                self._refuse(str(name), value, str(error))
                continue
            if text is not None:
                facts[name] = text
        return facts

    def _reading(self, item: Mapping[str, Any], value: float) -> float:
        """Return a value with what the document says of it besides."""
        bound, sd, n = item.get("bound"), _number(item.get("sd")), item.get("n")
        try:
            if bound not in (None, "below", "above"):
                raise ValueError
            return reading(value, bound, sd, n if isinstance(n, int) else None)
        except ValueError:
            self._refuse(
                str(item.get("outcome")),
                f"bound {bound}, sd {sd}, n {n}",
                "expected bound to be below or above, sd 0 or more, n 1 or more",
            )
            return value

    def _word(self, key: str, parse: Any) -> Any:
        value = self._entry.get(key)
        if value is None:
            return None
        try:
            return parse(str(value))
        except CellError as error:
            self._refuse(key, value, str(error))
            return None

    def _refuse(self, column: str | None, value: Any, expected: str) -> None:
        text = None if value is None else str(value)[:80]
        self._problems.append(RowProblem(self._row, column, text, expected))


def _number(value: Any) -> float | None:
    """Return a JSON number as a float, ``None`` where it is none or too large for one."""
    # `true` is an int to Python.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
