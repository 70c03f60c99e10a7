import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.campaign import Campaign
from engine.propose.batch import DistinctLimits, order_to_run, pick_greedily
from engine.propose.sampling import Sampler
from engine.propose.space import Space


class Coverage(torch.nn.Module):
    """A submodular function with a known greedy answer: the weight of elements newly covered."""

    def __init__(self, members: torch.Tensor, weights: torch.Tensor) -> None:
        super().__init__()
        self.members, self.weights = members, weights
        self.covered = torch.zeros(members.shape[1], dtype=torch.bool)

    def set_X_pending(self, X: torch.Tensor) -> None:  # noqa: N802 -- BoTorch's name
        self.covered = self.members[X.reshape(-1).long()].any(dim=0)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        new = self.members[X.reshape(-1).long()] & ~self.covered
        return (new * self.weights).sum(dim=1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 8), st.integers(60, 150))
def test_lazy_greedy_is_greedy(seed: int, n: int, c: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    members = torch.rand(c, 30, generator=generator) < 0.15
    weights = torch.rand(30, generator=generator, dtype=torch.double) + 0.1
    choice = pick_greedily(
        Coverage(members, weights),
        torch.arange(c, dtype=torch.double),
        torch.empty(0, dtype=torch.double),
        n,
        bonus=np.zeros(c),
        allowed=lambda picks: np.ones(c, dtype=bool),
    )
    covered = torch.zeros(30, dtype=torch.bool)
    for pick, value in zip(choice.picks, choice.values, strict=True):
        gains = ((members & ~covered) * weights).sum(dim=1)
        assert abs(float(gains[pick]) - value) < 1e-9
        assert value >= float(gains.max()) - 1e-9
        covered |= members[pick]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 10))
def test_few_distinct_values_of_what_is_hard_to_change(seed: int, limit: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    pool = np.stack([rng.integers(0, 6, 80), rng.random(80)], axis=1).astype(float)
    limits = DistinctLimits({0: limit})
    values = torch.from_numpy(rng.random(80))
    acquisition = Coverage(torch.eye(80, dtype=torch.bool), values)
    choice = pick_greedily(
        acquisition,
        torch.arange(80, dtype=torch.double),
        torch.empty(0, dtype=torch.double),
        n,
        bonus=np.zeros(80),
        allowed=lambda picks: limits.allowed(pool, [pool[i] for i in picks]),
    )
    assert len(set(choice.picks)) == len(choice.picks)
    assert len({pool[i, 0] for i in choice.picks}) <= limit


def test_probability_of_success_enters_as_a_factor() -> None:
    acquisition = Coverage(torch.eye(2, dtype=torch.bool), torch.tensor([1.0, 0.9]).double())
    choice = pick_greedily(
        acquisition,
        torch.arange(2, dtype=torch.double),
        torch.empty(0, dtype=torch.double),
        1,
        bonus=np.log([0.1, 1.0]),
        allowed=lambda picks: np.ones(2, dtype=bool),
    )
    assert choice.picks == [1]


def test_order_changes_hard_parameters_least_from_the_last_run(toy: Campaign) -> None:
    space = Space(toy)
    settings_ = np.array([[0.1, 0.0], [0.2, 2.0], [0.3, 0.0], [0.4, 1.0], [0.5, 2.0]])
    order = order_to_run(space, settings_, np.array([0.0, 2.0]))
    assert order == [1, 4, 3, 0, 2]
    changes = np.count_nonzero(np.diff(settings_[order, 1]))
    assert changes == 2


def test_order_is_kept_where_nothing_is_hard_to_change(mixture: Campaign) -> None:
    space = Space(mixture)
    assert order_to_run(space, Sampler(space).sample(5, 0), None) == [0, 1, 2, 3, 4]
