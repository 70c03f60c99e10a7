"""Conditions of a run: numbers and names, as proposed and as really run."""

from __future__ import annotations

from enum import StrEnum

Value = float | str


class Stage(StrEnum):
    """Whether conditions are as proposed or as really run; both are kept.

    A fact is no condition: who made the run, when, with what. No model sees it.
    """

    PROPOSED = "proposed"
    ACTUAL = "actual"
    FACT = "fact"
