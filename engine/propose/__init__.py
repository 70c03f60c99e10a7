"""Strategies: from what is known to what to run next. Heavy: import it only where it is used."""

from engine.propose.forecaster import Forecaster
from engine.propose.suggest import choose_from_pool, rank_conditions, suggest

__all__ = ["Forecaster", "choose_from_pool", "rank_conditions", "suggest"]
