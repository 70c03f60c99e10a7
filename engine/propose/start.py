"""The first runs of a campaign whose sources know something: where they expect the front.

No result is at hand, so nothing has units yet: the heads speak in standardised outcomes, and an
outcome's threshold stands at the middle of what they expect over the space. Where a target lies
nobody can say before there are results; the other objectives lead alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.campaign import Campaign, Value
from engine.campaign.front import gains_of
from engine.propose.acquisition import Goal, build_acquisition
from engine.propose.batch import DistinctLimits, pick_greedily
from engine.propose.room import Room
from engine.propose.sampling import Sampler
from engine.propose.space import Space
from engine.workspace.settings import ProposeSettings
from surrogate.labs.population import Population
from surrogate.sourced import Heads, SourcePrior, prior_draws
from surrogate.trust import trusted

Array = NDArray[np.float64]

GUIDED_SHARE = 0.5
"""Share of the first batch that lies where sources expect the front; 0 fills the space alone.

On 36 seeds it is 10 points ahead of none after 8 runs, 3 after 16, and 1 ± 1.5 behind from 24 on; a
quarter does as a half (docs/notes/surrogate.md).
"""


def guided_settings(
    space: Space,
    campaign: Campaign,
    heads: Heads,
    labs: Population | None,
    n: int,
    *,
    room: Room,
    settings: ProposeSettings,
    seed: int,
    excluded: set[tuple[int, ...]],
    limits: DistinctLimits,
    fixed: Mapping[str, Value],
) -> Array:
    """Return up to ``n`` new settings (≤ n, c) that promise most hypervolume a priori.

    Args:
        space: the campaign's.
        campaign: its objectives count; outcome constraints wait for results.
        heads: of the wanted outcomes, objectives first.
        labs: simulated labs with the same outcomes, or ``None``: heads speak for themselves.
        n: how many.
        room: judged in its typical reading.
        settings: how many settings to look at, how many draws.
        seed: of both.
        excluded: settings that may not come again.
        limits: on distinct values.
        fixed: parameters that are held.
    """
    unique = {
        space.key(row): row for row in Sampler(space).sample(settings.raw_samples, seed, fixed)
    }
    pool = np.array([row for key, row in unique.items() if key not in excluded])
    leading = [j for j, o in enumerate(campaign.objectives) if o.goal != "target"]
    if not len(pool) or not leading:
        return np.empty((0, len(space.controlled)))
    X = torch.from_numpy(space.cube(pool, np.tile(room.typical, (len(pool), 1))))
    k = len(leading)
    with torch.no_grad():
        draws = _draws(heads, labs, X, settings.mc_samples, seed)
    objectives = [campaign.objectives[j] for j in leading]
    draws = torch.from_numpy(gains_of(draws[..., leading].numpy(), objectives))
    reference = draws.mean(dim=(0, 1))
    points = torch.cat([reference.expand(len(draws), 1, k), draws], dim=1)
    choice = pick_greedily(
        build_acquisition(points, torch.zeros(1, dtype=torch.long), Goal(reference)),
        torch.arange(1, points.shape[1], dtype=points.dtype),
        torch.zeros(0, dtype=points.dtype),
        n,
        bonus=np.zeros(len(pool)),
        allowed=lambda picks: limits.allowed(pool, [pool[i] for i in picks]),
    )
    return pool[choice.picks]


def _draws(heads: Heads, labs: Population | None, X: Tensor, n: int, seed: int) -> Tensor:
    """Return what may be expected at X (p, d) before any result, (n, p, m)."""
    prior = SourcePrior()
    if labs is None:
        return prior_draws(heads(X), heads.layout, prior, n, seed)
    draws = labs.draws(X, n, seed)
    other_sources = trusted(heads, [name != labs.name for name in heads.layout.names])
    if other_sources is None:
        return draws
    # Own campaigns come with the weight that they are expected to have, labs with what is left.
    return (1 - prior.weight) * draws + prior_draws(
        other_sources(X), other_sources.layout, prior, n, seed
    )
