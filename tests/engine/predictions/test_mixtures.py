"""A mixture starts on its simplex, and slices and maps move along it."""

from __future__ import annotations

from importlib.resources import files
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.campaign import Campaign
from engine.campaign.history import History, Run
from engine.predictions.mixtures import keep_sums
from engine.predictions.slices import measured_runs, middle_of, slices, surface
from engine.propose.request import Forecast
from engine.workspace.settings import read_campaign_file

PARTS = ("polymer", "plasticiser", "filler")


@pytest.fixture(scope="module")
def blend() -> Campaign:
    return read_campaign_file(files("engine") / "templates" / "mixture.toml")


class Echo:
    """A model whose every outcome is the sum of the parts: 1 on the simplex."""

    def __init__(self, campaign: Campaign) -> None:
        self.space = SimpleNamespace(campaign=campaign)
        self.outcomes = ("toughness",)

    def predict(self, rows, level=0.9):
        totals = [sum(row[name] for name in PARTS) for row in rows]
        return [{"toughness": Forecast(total, total - 1, total + 1)} for total in totals]


def total(row) -> float:
    return sum(row[name] for name in PARTS)


def test_it_starts_at_a_sum_of_one_on_the_steps(blend) -> None:
    middle = middle_of(blend)
    assert total(middle) == pytest.approx(1.0, abs=1e-12)
    for name in PARTS:
        parameter = blend.parameter(name)
        assert parameter.problem_as_setting(middle[name]) is None
    assert not blend.broken_by(middle)


def test_slices_move_along_the_simplex(blend) -> None:
    cuts = slices(Echo(blend), middle_of(blend), "toughness", 0.9)
    for cut in cuts:
        means = [m for m, excluded in zip(cut.mean, cut.excluded, strict=True) if not excluded]
        assert means
        assert means == pytest.approx([1.0] * len(means), abs=1e-9)
        assert len(means) == len(cut.grid) or cut.parameter in PARTS


def test_maps_move_along_it_and_mark_what_cannot_be(blend) -> None:
    over = surface(Echo(blend), middle_of(blend), "toughness", "polymer", "plasticiser")
    for line, marks in zip(over.mean, over.excluded, strict=True):
        for mean, excluded in zip(line, marks, strict=True):
            assert excluded is (abs(mean - 1.0) > 1e-6)
    assert any(map(any, over.excluded))
    assert not all(map(all, over.excluded))


@given(values=st.tuples(st.floats(0.5, 1), st.floats(0, 0.4), st.floats(0, 0.3)))
def test_sums_are_kept_within_the_ranges(blend, values) -> None:
    row = dict(zip(PARTS, values, strict=True)) | {"solvent": "water"}
    blended = keep_sums(blend, row, fixed=["plasticiser"])
    assert blended["plasticiser"] == row["plasticiser"]
    assert total(blended) == pytest.approx(1.0, abs=1e-9)
    for name in PARTS:
        low, high = blend.parameter(name).bounds
        assert low - 1e-9 <= blended[name] <= high + 1e-9


def test_measured_runs_have_their_names(blend) -> None:
    history = History(
        blend,
        (
            Run({"polymer": 0.8}, {"toughness": (1.0, 3.0)}, id=7, label="168"),
            Run({"polymer": 0.7}, {"cost": (1.0,)}, id=8),
        ),
        (),
    )
    (run,) = measured_runs(history, "toughness")
    assert (run.name, run.value) == ("7 · label 168", 2.0)
