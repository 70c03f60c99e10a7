"""Strategies: from what is known to what to run next.

``suggest``, ``choose_from_pool``, ``rank_conditions`` and ``Forecaster`` load torch when they are
first asked for; ``engine.propose.request`` never does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.propose.choosing import choose_from_pool, rank_conditions, suggest
    from engine.propose.forecaster import Forecaster

__all__ = ["Forecaster", "choose_from_pool", "rank_conditions", "suggest"]

_HOMES = {"Forecaster": "engine.propose.forecaster"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "engine.propose.choosing")), name)
