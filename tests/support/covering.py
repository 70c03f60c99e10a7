"""Of a test over a grid of cases: as few as hold every value of each axis once.

A test marked ``matrix`` is parametrised along several axes (strategies, campaigns, kinds of
search). The product of these grows faster than what it finds: a fault nearly always lies in one
value. So each value is tried once, beside changing values of the others, and the whole product
by ``pytest --every-case``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

Case = Mapping[str, object]
"""The value on each axis, by the name of the axis."""


def cover(cases: Sequence[Case]) -> list[int]:
    """Return which of the cases hold every value of every axis, in their order.

    Greedy: the next case is the one with the most values that none has had yet, then with values
    that were had least often, then the first.

    >>> grid = [{"strategy": i, "space": j} for i in range(3) for j in range(2)]
    >>> [(grid[k]["strategy"], grid[k]["space"]) for k in cover(grid)]
    [(0, 0), (1, 1), (2, 0)]
    """
    uses = Counter(dict.fromkeys((value for case in cases for value in case.items()), 0))
    chosen: list[int] = []
    while not all(uses.values()):
        best = max(
            (i for i in range(len(cases)) if i not in chosen),
            key=lambda i: (
                sum(not uses[value] for value in cases[i].items()),
                -sum(uses[value] for value in cases[i].items()),
            ),
        )
        chosen.append(best)
        uses.update(cases[best].items())
    return sorted(chosen)
