"""Strategies: from what is known to what to run next.

``suggest``, ``choose_from_pool``, ``rank_conditions`` and ``Forecaster`` load torch when they are
first asked for; ``engine.propose.request`` never does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.propose.forecaster import Forecaster
    from engine.propose.pool import choose_from_pool, rank_conditions
    from engine.propose.suggestion import suggest

__all__ = ["Forecaster", "choose_from_pool", "rank_conditions", "suggest"]

_HOMES = {
    "Forecaster": "engine.propose.forecaster",
    "choose_from_pool": "engine.propose.pool",
    "rank_conditions": "engine.propose.pool",
    "suggest": "engine.propose.suggestion",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
