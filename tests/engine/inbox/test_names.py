"""Whose a file is, by its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.inbox.names import compile_pattern, is_called, is_finished_name, runs_named


@pytest.mark.parametrize(
    ("pattern", "name", "run"),
    [
        ("{run}_{n}", "41_2", "41"),
        ("{run}_{n}", "PA6_a_003", "PA6_a"),
        ("{run}_{n}", "41", None),
        ("{run}", "Müller 1", "Müller 1"),
        ("SEM-{run}-{any}", "sem-7-x20k-b", "7"),
        ("{any}#{run}", "2026-11#S1", "S1"),
        ("({run})", "(a)", "a"),
    ],
)
def test_the_run_in_a_name(pattern: str, name: str, run: str | None) -> None:
    match = compile_pattern(pattern).fullmatch(name)
    assert (match and match["run"]) == run


@given(
    st.text(st.characters(categories=("L", "N")), min_size=1, max_size=12),
    st.integers(0, 10**6),
    st.sampled_from(["{run}_{n}", "lab {run} ({n})", "{n}.{run}", "[{run}]+{n}"]),
)
def test_a_name_made_by_a_pattern_is_read_by_it(run: str, number: int, pattern: str) -> None:
    name = pattern.replace("{run}", run).replace("{n}", str(number))
    match = compile_pattern(pattern).fullmatch(name)
    assert match is not None
    assert match["run"] == run


@pytest.mark.parametrize("pattern", ["", "{n}", "{run}{run}", "{run}_{date}", "plain"])
def test_patterns_that_cannot_be_are_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="expected a name with"):
        compile_pattern(pattern)


def test_each_pattern_has_its_say() -> None:
    assert runs_named(Path("x/S_1.tif"), ["{run}_{n}", "{run}"]) == ["S", "S_1"]
    assert runs_named(Path("x/S1.tif"), ["{run}_{n}"]) == []


def test_names_of_files_that_are_not_done() -> None:
    names = ["a.tif.part", ".a.tif", "~$b.xlsx", "a.tmp", "c.CRDOWNLOAD"]
    assert not any(is_finished_name(Path(name)) for name in names)
    assert is_finished_name(Path("a.part.tif"))
    assert is_called(Path("Worksheet 3.CSV"), ["worksheet*"])
