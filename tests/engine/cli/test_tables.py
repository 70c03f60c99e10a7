"""Tables of narrow screens: folded, never cut."""

from __future__ import annotations

import io
import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rich.console import Console

from engine.campaign import Campaign
from engine.campaign.numbers import as_set
from engine.cli import batch_view
from engine.cli.output import interval
from engine.propose.request import Forecast
from engine.terminal.output import grid


def printed(table: Any, width: int) -> str:
    screen = Console(file=io.StringIO(), width=width, highlight=False)
    screen.print(table)
    return screen.file.getvalue()  # type: ignore[attr-defined]


numbers = st.floats(min_value=1e-4, max_value=1e8, allow_nan=False)
widths = st.integers(60, 120)
names = st.text("abcdefghij_", min_size=1, max_size=18)


def campaign_of(parameters: list[str], outcomes: list[str]) -> Campaign:
    return Campaign.model_validate(
        {
            "name": "hypothesis",
            "parameters": [
                {"name": f"p{i}_{name}", "unit": "mL/h", "low": 0, "high": 1e9}
                for i, name in enumerate(parameters)
            ],
            "properties": [
                {"name": f"o{i}_{name}", "unit": "MPa", "directions": ["transverse"]}
                for i, name in enumerate(outcomes)
            ],
            "objectives": [
                {"outcome": f"o{i}_{name}.transverse", "goal": "maximize", "threshold": 0}
                for i, name in enumerate(outcomes)
            ],
        }
    )


@hypothesis_settings(max_examples=25)
@given(st.data(), widths)
def test_every_number_of_a_batch_stands_in_its_table(data, width) -> None:
    campaign = campaign_of(
        data.draw(st.lists(names, min_size=1, max_size=14)),
        data.draw(st.lists(names, min_size=1, max_size=3)),
    )
    suggestions = [
        SimpleNamespace(
            conditions={p.name: data.draw(numbers) for p in campaign.controlled},
            outcomes={
                name: Forecast(*sorted(data.draw(st.tuples(numbers, numbers, numbers))))
                for name in campaign.wanted_outcomes
            },
            p_success=0.87, nearest=None, reason="space-filling", ambient={}, order=1,
        )
        for _ in range(2)
    ]  # fmt: skip
    batch = SimpleNamespace(
        notes=(), suggestions=suggestions, strategy="gp", sources=(), beliefs={}
    )
    screen = Console(file=io.StringIO(), width=width, highlight=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_view, "console", lambda **_: screen)
        batch_view.show_batch(campaign, batch, [41, 42], to_stderr=False)  # type: ignore[arg-type]
    text = screen.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    # Any number: with its neighbours, so that no part of a longer one passes for it.
    words = set(re.split(r"\s+", text))
    for suggestion in suggestions:
        assert {as_set(value) for value in suggestion.conditions.values()} <= words
        for forecast in suggestion.outcomes.values():
            assert interval(forecast) in text


cells = st.one_of(
    numbers.map(as_set),
    st.lists(st.text("abcdef–", min_size=1, max_size=20), max_size=4).map(" ".join),
    st.sampled_from(["–", "", "poly(vinyl alcohol)", "10.2 (9.79–11)"]),
)


@hypothesis_settings(max_examples=60)
@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(
            st.lists(names, min_size=n, max_size=n),
            st.lists(st.lists(cells, min_size=n, max_size=n), min_size=1, max_size=3),
        )
    ),
    widths,
)
def test_every_word_of_a_table_stays_whole(content, width) -> None:
    headings, rows = content
    text = printed(grid(headings, rows), width)
    assert max(map(len, text.splitlines())) <= width
    words = text.split()
    for cell in (cell for row in rows for cell in row):
        for word in cell.split():
            assert word in words


def test_a_table_that_fits_is_one_table() -> None:
    text = printed(grid(["run", "voltage [kV]"], [["1", "18"], ["2", "20.5"]]), 60)
    assert text.count("run") == 1
    assert [line.split() for line in text.splitlines() if line.strip()] == [
        ["voltage"], ["run", "[kV]"], ["─" * 15], ["1", "18"], ["2", "20.5"],
    ]  # fmt: skip


def test_what_does_not_fit_goes_below_with_the_runs_named_again() -> None:
    headings = ["run", *(f"parameter_number_{i} [mL/h]" for i in range(6))]
    text = printed(grid(headings, [["41", *(f"{i}.25" for i in range(6))]]), 60)
    assert text.count("41") == 3
    assert [f"{i}.25" in text for i in range(6)] == [True] * 6


def test_one_word_wider_than_the_screen_goes_on_in_the_next_line() -> None:
    word = "a" * 70 + "b" * 40
    text = printed(grid(["file", "n"], [[word, "7"]]), 60)
    letters = "".join(line.split()[0] for line in text.splitlines() if "a" in line or "b" in line)
    assert letters == word
    assert re.search(r"\b7\b", text)
