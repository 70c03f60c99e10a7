"""Strategies by name, as a benchmark calls them.

The named ones are those of ``engine.propose``; a benchmark takes any callable of the same shape, so
that tests and notebooks can bring their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.campaign import Value
from engine.errors import UsageError, nearest_name
from engine.history import History

NAMES = ("sobol", "gp", "ax", "nsga2")
ALIASES = {"random": "sobol"}
BASELINES = ("sobol", "random")


@dataclass(frozen=True)
class Choice:
    """Settings to run next; ``led_by`` says who chose (``sobol`` during a cold start of ``gp``)."""

    settings: Sequence[Mapping[str, Value]]
    led_by: str
    seconds: Mapping[str, float] = field(default_factory=dict)


Strategy = Callable[[History, int, int, Mapping[str, float]], Choice]
"""(history, how many, seed, today's room) → choice."""

PoolStrategy = Callable[[History, Sequence[Mapping[str, Value]], int, int], list[int]]
"""(history, settings to choose from, how many, seed) → their indices."""


def strategy(name: str) -> Strategy:
    """Return the strategy of ``engine.propose`` called ``name``, with its default settings."""
    inner = ALIASES.get(name, name)

    def choose(history: History, n: int, seed: int, at: Mapping[str, float]) -> Choice:
        from engine.propose import suggest
        from engine.propose.request import ProposeRequest
        from engine.settings import ProposeSettings

        # Benchmarks search on even where nothing has passed a threshold yet.
        request = ProposeRequest(
            n=n, seed=seed, strategy=inner, at=at, explore=True, forecast=False
        )
        batch = suggest(history, request, ProposeSettings())
        settings = [suggestion.conditions for suggestion in batch.suggestions]
        return Choice(settings, batch.strategy, batch.seconds)

    return choose


def pool_strategy(name: str) -> PoolStrategy:
    """Return the pool strategy of ``engine.propose`` called ``name``."""
    inner = ALIASES.get(name, name)

    def choose(
        history: History, pool: Sequence[Mapping[str, Value]], n: int, seed: int
    ) -> list[int]:
        from engine.propose import choose_from_pool
        from engine.settings import ProposeSettings

        return choose_from_pool(
            history, pool, n, strategy=inner, seed=seed, settings=ProposeSettings()
        )

    return choose


def check_names(names: Iterable[str], *, brought: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the names, each once, in order.

    Raises:
        UsageError: a name that is neither known nor brought along.
    """
    known = (*NAMES, *ALIASES, *brought)
    for name in names:
        if name not in known:
            raise UsageError(
                f"--strategy: expected one of {', '.join(known)}, got '{name}'."
                f"{nearest_name(name, known)}"
            )
    return tuple(dict.fromkeys(names))
