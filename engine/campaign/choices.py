"""Lists of choices: when they make sense, and how they read."""

from __future__ import annotations

from collections.abc import Sequence

Value = float | str
"""A condition's value: a number in the parameter's unit, or the name of a choice."""


def check_choices(subject: str, choices: Sequence[Value], retired: Sequence[Value]) -> None:
    """Refuse a list that has no choice, one twice, or none that can be had.

    Raises:
        ValueError: says of ``subject`` what is wrong and how to mend it.
    """
    if not choices:
        raise ValueError(f"{subject} needs at least one choice, got none")
    if len(set(choices)) != len(choices):
        raise ValueError(f"{subject} names a choice twice: {tuple(choices)}")
    numbers = [choice for choice in choices if not isinstance(choice, str)]
    if numbers != sorted(numbers):
        raise ValueError(f"{subject}: list the choices in rising order")
    strange = [choice for choice in retired if choice not in choices]
    if strange:
        raise ValueError(
            f"{subject}: retired names {strange[0]!r}, which is none of the choices "
            f"({', '.join(map(str, choices))}); a choice that is retired stays among them, as runs "
            "have it"
        )
    if all(choice in retired for choice in choices):
        raise ValueError(
            f"{subject}: all of its choices are retired, so that nothing could be proposed; add "
            "one that can be had"
        )


def one_of(choices: Sequence[Value]) -> str:
    """Return choices as a message has them.

    >>> one_of(["DMF"]), one_of([1.0, 2.5])
    ('DMF', 'one of 1, 2.5')
    """
    names = [choice if isinstance(choice, str) else f"{choice:g}" for choice in choices]
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"
