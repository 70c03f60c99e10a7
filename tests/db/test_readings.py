from __future__ import annotations

import json
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.records import Reading, is_censored, reading

numbers = st.floats(0.1, 1e4)


@given(numbers, st.floats(0, 1e3), st.integers(2, 64), st.booleans())
def test_specimens_have_the_mean_scatter_and_number(value, sd, n, is_ratio) -> None:
    specimens = Reading(value, sd=sd, n=n).specimens(is_ratio=is_ratio)
    assert len(specimens) == n
    assert statistics.fmean(specimens) == pytest.approx(value, rel=1e-9, abs=1e-9 * sd)
    if is_ratio:
        assert min(specimens) > 0
    else:
        assert statistics.stdev(specimens) == pytest.approx(sd, rel=1e-6, abs=1e-9 * value)


def test_a_reading_is_a_number_and_is_shown_whole() -> None:
    limit, mean = Reading(0.5, bound="below"), Reading(12.25, sd=0.5, n=4)
    assert (limit + 1, mean * 2) == (1.5, 24.5)
    assert (f"{limit:.3g}", str(mean), f"{mean:.2g}") == (
        "<0.5",
        "12.25 ± 0.5 (n = 4)",
        "12 ± 0.5 (n = 4)",
    )
    assert json.dumps([limit, mean]) == "[0.5, 12.25]"
    assert is_censored(limit)
    assert not is_censored(mean)
    assert not is_censored(0.5)
    assert type(reading(1.0)) is float


@pytest.mark.parametrize("details", [{"sd": -1.0}, {"sd": float("nan")}, {"n": 0}])
def test_what_is_no_scatter_is_refused(details) -> None:
    with pytest.raises(ValueError, match="scatter of 0 or more"):
        Reading(1.0, **details)
