"""Conditions of a run: numbers and names, as proposed and as really run."""

from __future__ import annotations

from enum import StrEnum

Value = float | str


class Stage(StrEnum):
    """Whether conditions are as proposed or as really run; both are kept."""

    PROPOSED = "proposed"
    ACTUAL = "actual"
