"""What curves add, at toy size: who sees what, and how it is scored."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from engine.bench import curves as study
from engine.bench.models.curves import CurveConfig, _Data, _drawn, bench_curves, summary
from engine.errors import UsageError

TINY = CurveConfig(runs=20, test=10, n_seeds=1, steps=2, shares=(0.5,))


def test_strengths_alone_are_logged_of_some_runs_and_curves_stay_with_theirs() -> None:
    drawn = _drawn("standard", 30, 0)
    data = _Data.from_runs(drawn, 20, 0.5, 0)
    is_strength = np.array([name.startswith("fracture") for name in data.places])
    logged = data.is_logged[:, list(data.places.values())]
    assert logged[:, is_strength].all()
    assert logged[:, ~is_strength].all(axis=1).sum() == 10
    assert logged[:, ~is_strength].any(axis=1).sum() == 10
    place = data.places["elongation.transverse"]
    values = data.Y[:20][data.is_logged[:, place], place]
    assert (values.mean(), values.std()) == (pytest.approx(0, abs=1e-9), pytest.approx(1))
    curves, present = data.curves_at(slice(20, 30))
    for row, of_run in enumerate(drawn.curves[20:]):
        assert int(present[row].sum()) == len(of_run)
        for curve in of_run:
            direction = data.vocabulary.directions.index(curve.direction)
            assert present[row, direction]
            assert (curves[row, direction] == curve.samples).all()


def test_the_study_runs_prints_and_is_kept(tmp_path) -> None:
    out = tmp_path / "out.json"
    words = ["--runs", "20", "--test", "10", "--seeds", "1", "--steps", "2", "--shares", "0.5"]
    result = CliRunner().invoke(study.app, [*words, "--out", str(out)])
    assert result.exit_code == 0, result.output
    for expected in ("strength given", "curve given", "NLPD", "numpy", "1 job of 1 thread"):
        assert expected in result.stdout
    document = json.loads(out.read_text())
    assert {(row["model"], row["way"]) for row in document["summary"]} == {
        ("without curves", "conditions"),
        ("without curves", "strength given"),
        ("with curves", "conditions"),
        ("with curves", "curve given"),
    }
    again = bench_curves(TINY)
    assert again["summary"] == document["summary"]


def test_seeds_are_summed_up() -> None:
    from engine.bench.harness.tasks import Trace

    traces = [
        Trace("with curves, 0.25", seed, ({"way": "conditions", "r2": r2, "nlpd": 1.0},), ())
        for seed, r2 in enumerate((0.2, 0.6))
    ]
    (row,) = summary(traces)
    assert (row["model"], row["share"], row["way"]) == ("with curves", 0.25, "conditions")
    assert row["r2"]["mean"] == pytest.approx(0.4)
    assert (row["r2"]["least"], row["r2"]["greatest"]) == (0.2, 0.6)


@pytest.mark.parametrize("change", [{"runs": 5}, {"shares": (0.0,)}, {"n_seeds": 0}])
def test_sizes_that_cannot_be_are_refused(change: dict) -> None:
    with pytest.raises(UsageError, match="expected"):
        CurveConfig(**change)
