"""Strategies by name, as a benchmark calls them.

The named ones are those of ``engine.propose``; a benchmark takes any callable of the same shape, so
that tests and notebooks can bring their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.bench.models import sources
from engine.bench.models.knowledge import KnowledgeProvider, ignorance, keywords
from engine.bench.search import baybe_loop, gp_0_1, plain_loop
from engine.campaign import Value
from engine.campaign.history import History
from engine.errors import UsageError, nearest_name
from engine.workspace.plugins import STRATEGY_PLUGINS, find_plugin, usable_names

NAMES = ("sobol", "gp", gp_0_1.NAME, "ax", "nsga2")
ALIASES = {"random": "sobol"}
BY_AX = "ax-matmcl"
"""``matmcl`` searched by Ax: ``ax-matmcl:older`` knows what ``matmcl:older`` knows."""
BASELINES = ("sobol", "random")
SCHEDULED, FULL = "refresh:scheduled", "refresh:full"
REFRESHED = (SCHEDULED, FULL)
"""Strategies whose surrogate is trained on as results come (``refreshing.py``)."""


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


def choose_evenly(
    history: History, pool: Sequence[Mapping[str, Value]], n: int, seed: int
) -> list[int]:
    """Choose the conditions nearest to settings drawn evenly all over the space.

    Rows that an optimiser left crowd where results are good, so that ``random``, which draws from
    the rows, is no fair measure of ignorance there; this is.
    """
    from engine.propose.pool import nearest_in_pool
    from engine.propose.space import Space
    from engine.propose.training_data import typical_ambient

    space = Space(history.campaign)
    X = space.encode(pool, typical_ambient(space, history.finished))
    targets = np.random.default_rng(seed).random((min(n, len(pool)), X.shape[1]))
    return nearest_in_pool(X, targets)


PEERS: Mapping[str, PoolStrategy] = {
    "even": choose_evenly,
    plain_loop.NAME: plain_loop.choose_by_botorch,
    baybe_loop.NAME: baybe_loop.choose_by_baybe,
}
"""What people use elsewhere, and chance; they choose from a pool only."""


def strategy(name: str, provider: KnowledgeProvider = ignorance) -> Strategy:
    """Return the strategy of ``engine.propose`` called ``name``, with its default settings.

    ``provider``: what ``matmcl`` knows beforehand; ``matmcl:older`` is ``matmcl`` that knows more.
    """
    if name == gp_0_1.NAME:
        return _first_release
    inner = _inner(name)

    def choose(history: History, n: int, seed: int, at: Mapping[str, float]) -> Choice:
        from engine.propose import suggest
        from engine.propose.request import ProposeRequest
        from engine.workspace.settings import ProposeSettings

        # Benchmarks search on even where nothing has passed a threshold yet.
        request = ProposeRequest(
            n=n, seed=seed, strategy=inner, at=at, explore=True, forecast=False
        )
        knowledge = keywords(history.campaign, provider)
        batch = suggest(history, request, ProposeSettings(), **knowledge)
        settings = [suggestion.conditions for suggestion in batch.suggestions]
        return Choice(settings, batch.strategy, batch.seconds)

    return choose


def pool_strategy(name: str, provider: KnowledgeProvider = ignorance) -> PoolStrategy:
    """Return the pool strategy of ``engine.propose`` called ``name``; see :func:`strategy`."""
    if name in PEERS:
        return PEERS[name]
    if name == gp_0_1.NAME:
        return gp_0_1.choose_from_pool
    inner = _inner(name)

    def choose(
        history: History, pool: Sequence[Mapping[str, Value]], n: int, seed: int
    ) -> list[int]:
        from engine.propose import choose_from_pool
        from engine.workspace.settings import ProposeSettings

        knowledge = keywords(history.campaign, provider)
        return choose_from_pool(
            history, pool, n, strategy=inner, seed=seed, settings=ProposeSettings(), **knowledge
        )

    return choose


def _first_release(history: History, n: int, seed: int, at: Mapping[str, float]) -> Choice:
    started = time.perf_counter()
    settings, led_by = gp_0_1.propose(history, n, seed, at)
    return Choice(settings, led_by, {"search": time.perf_counter() - started})


def sourced(name: str) -> str | None:
    """Return the ``matmcl…`` whose knowledge a strategy asks; ``None`` for one that asks none.

    >>> sourced("ax-matmcl:older"), sourced("gp")
    ('matmcl:older', None)
    """
    inner, colon, source = name.partition(":")
    name = f"{sources.STRATEGY}{colon}{source}" if inner == BY_AX else name
    return name if sources.is_sourced(name) else None


def _inner(name: str) -> str:
    return name.partition(":")[0] if sourced(name) else ALIASES.get(name, name)


def check_names(names: Iterable[str], *, custom: Collection[str] = ()) -> tuple[str, ...]:
    """Return the names, each once, in order; ``custom``: further ones to be taken.

    >>> check_names(["gp", "random", "gp"])
    ('gp', 'random')

    Raises:
        UsageError: a name that no strategy has.
        PluginError: another distribution's strategy that cannot be used.
    """
    offered = (*NAMES, *ALIASES, *custom, BY_AX, *sources.names())
    for name in names:
        if name in offered or name in REFRESHED:
            continue
        source = sourced(name)
        if source is not None:
            sources.check(source, "strategy")
            continue
        plugin = find_plugin(STRATEGY_PLUGINS, name)
        if plugin is not None:
            plugin.load()  # before anything is run: what cannot be imported fails here
            continue
        plugins = usable_names(STRATEGY_PLUGINS)
        choices = REFRESHED if name.startswith("refresh:") else (*offered, *plugins)
        raise UsageError(
            f"expected one of {', '.join(choices)}, got '{name}'.{nearest_name(name, choices)}",
            field="strategy",
        )
    return tuple(dict.fromkeys(names))
