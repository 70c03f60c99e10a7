from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.campaign.inequalities import format_comparison, parse_comparison


@pytest.mark.parametrize(
    ("text", "terms", "operator", "bound"),
    [
        ("a <= 3", {"a": 1.0}, "<=", 3.0),
        ("a + 2*b - c == 1", {"a": 1.0, "b": 2.0, "c": -1.0}, "==", 1.0),
        ("-a >= -2.5e-1", {"a": -1.0}, ">=", -0.25),
        ("voltage - 20*flow_rate >= 8", {"voltage": 1.0, "flow_rate": -20.0}, ">=", 8.0),
        ("elongation.longitudinal >= 40", {"elongation.longitudinal": 1.0}, ">=", 40.0),
        ("a + a = 4", {"a": 2.0}, "==", 4.0),
        ("2 a + .5b <= 1", {"a": 2.0, "b": 0.5}, "<=", 1.0),
    ],
)
def test_reads_what_people_write(text, terms, operator, bound) -> None:
    assert parse_comparison(text) == (terms, operator, bound)


@pytest.mark.parametrize(
    "text", ["", "a", "a <", "3 <= a", "a b <= 3", "a * b <= 3", "a <= b", "a < 3", "a^2 <= 3"]
)
def test_refuses_what_is_not_linear(text) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_comparison(text)


_names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}(\.[a-z]{1,5})?", fullmatch=True)
_numbers = st.floats(-1e6, 1e6, allow_nan=False).filter(lambda x: x != 0)


@given(
    st.dictionaries(_names, _numbers, min_size=1, max_size=4),
    st.sampled_from(["<=", ">=", "=="]),
    st.floats(-1e6, 1e6, allow_nan=False),
)
def test_what_is_written_reads_the_same(terms, operator, bound) -> None:
    assert parse_comparison(format_comparison(terms, operator, bound)) == (terms, operator, bound)
