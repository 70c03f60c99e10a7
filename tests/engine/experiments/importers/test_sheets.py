"""Sheets as people write them (``tests/data/tables``), each with what must come out of it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.campaign import Campaign
from engine.errors import ImportRefusedError, grouped
from engine.experiments.importers.table import read_runs

SHEETS = Path(__file__).resolve().parents[3] / "data" / "tables"
EXPECTED = json.loads((SHEETS / "expected.json").read_text(encoding="utf-8"))
MATS = Campaign(
    name="mats",
    parameters=[
        {
            "name": "flow_rate",
            "unit": "mL/h",
            "low": 0.1,
            "high": 2,
            "minimum": 0,
            "aliases": ["flow"],
        },
        {"name": "voltage", "unit": "kV", "low": 10, "high": 30},
        {"name": "solvent", "choices": ["DMF", "water"]},
        {
            "name": "humidity",
            "unit": "%",
            "role": "ambient",
            "low": 20,
            "high": 80,
            "maximum": 100,
            "aliases": ["RH"],
        },
    ],
    properties=[
        {"name": "strength", "unit": "MPa", "minimum": 0},
        {"name": "diameter", "unit": "nm", "minimum": 0},
    ],
    objectives=[{"outcome": "strength", "threshold": 5}],
)


def test_every_sheet_has_its_answer() -> None:
    assert {path.name for path in SHEETS.iterdir()} == {*EXPECTED, "expected.json"}
    assert len(EXPECTED) >= 25


@pytest.mark.parametrize("name", EXPECTED)
def test_what_comes_out(name) -> None:
    answer = EXPECTED[name]
    if "problems" in answer:
        with pytest.raises(ImportRefusedError) as caught:
            read_runs(SHEETS / name, MATS, max_rows=100, **answer["options"])
        lines = "\n".join(grouped(caught.value.problems))
        assert [problem for problem in answer["problems"] if problem not in lines] == []
        return
    table = read_runs(SHEETS / name, MATS, max_rows=100, **answer["options"])
    runs = [
        {
            "conditions": dict(run.conditions),
            "outcomes": {o: [written(v) for v in r.values()] for o, r in run.outcomes.items()},
        }
        for run in table.runs
    ]
    assert runs == answer["runs"]
    notes = "\n".join(table.warnings)
    assert [note for note in answer["notes"] if note not in notes] == []


def written(value: float) -> float | str:
    """Return a plain number as it is, one that knows more as its text."""
    return value if type(value) is float else str(value)


numbers = st.floats(0.1, 1.9).map(lambda x: round(x, 3))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    rows=st.lists(
        st.tuples(numbers, st.integers(10, 30), st.sampled_from(["DMF", "water"]), numbers),
        min_size=1,
        max_size=6,
    ),
    mark=st.sampled_from([",", ";", "\t"]),
    comma=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    style=st.sampled_from(["{n}", "{n} [{u}]", "{N} ({u})", "{n}_{u}", "{n} {u}"]),
    ending=st.sampled_from(["\n", "\r\n"]),
    has_title=st.booleans(),
)
def test_whatever_it_is_written_like(
    tmp_path, *, rows, mark, comma, encoding, style, ending, has_title
) -> None:
    """Separators, decimal signs, encodings, headings: the same numbers come out."""
    units = {"flow_rate": "mL/h", "voltage": "kV", "solvent": "", "strength": "MPa"}
    headings = [
        style.format(n=n, N=n.replace("_", " ").title(), u=u) if u else n for n, u in units.items()
    ]
    has_comma = comma and mark != ","
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=mark, lineterminator=ending)
    if has_title:
        writer.writerow(["Mats of May"])
    writer.writerow(headings)
    for row in rows:
        cells = [str(cell) for cell in row]
        writer.writerow([c.replace(".", ",") if has_comma else c for c in cells])
    path = tmp_path / "t.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    runs = read_runs(path, MATS, max_rows=99).runs
    values = [
        (*(run.conditions[n] for n in list(units)[:3]), *run.outcomes["strength"].values())
        for run in runs
    ]
    assert values == [tuple(row) for row in rows]
