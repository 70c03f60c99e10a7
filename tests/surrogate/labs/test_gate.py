"""Whether the labs are believed: evidence decides, and nothing is worse than plain."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from toy_labs import M, campaign, toy

from surrogate.errors import InputError
from surrogate.gp import fit_outcomes, marginal_moments
from surrogate.labs import gate
from surrogate.labs.gate import fit_among_labs
from surrogate.labs.model import LabsModel
from surrogate.sourced import HeadLayout


class Older:
    """An own campaign that knows the trends of ``toy_labs``, times ``sign``."""

    layout = HeadLayout(("older",), (0,))

    def __init__(self, sign: float) -> None:
        self.sign = sign

    def __call__(self, X: Tensor) -> Tensor:
        _, _, z = campaign(4)
        H = toy().basis(X)
        return (self.sign * 2 * (H[..., 0] + H[..., 1:] @ z)).unsqueeze(-1)


@pytest.mark.parametrize("seed", range(3))
def test_true_labs_are_believed_and_misleading_ones_left_aside(seed: int) -> None:
    X, Y, _ = campaign(16, seed)
    model, use = fit_among_labs(X, Y, toy())
    assert isinstance(model, LabsModel)
    assert use[0].used
    assert use[0].trust > 0.5
    X, Y, _ = campaign(24, seed, flipped=True)
    model, use = fit_among_labs(X, Y, toy())
    assert not use[0].used
    assert use[0].trust < 0.5
    assert use[0].weights == (0.0,) * M
    at = torch.rand(5, 2, dtype=torch.double, generator=torch.Generator().manual_seed(seed))
    plain, same = marginal_moments(fit_outcomes(X, Y), at), marginal_moments(model, at)
    assert torch.equal(plain[0], same[0])
    assert torch.equal(plain[1], same[1])


def test_an_own_campaign_stands_beside_the_labs_or_alone() -> None:
    X, Y, _ = campaign(16)
    model, use = fit_among_labs(X, Y, toy(), Older(1.0))
    assert [u.name for u in use] == ["ensemble", "older"]
    assert use[1].used
    assert len(use[1].weights) == M
    assert isinstance(model, LabsModel)
    _, use = fit_among_labs(X, Y, toy(), Older(-1.0))
    assert [u.used for u in use] == [True, False]
    _, use = fit_among_labs(X, Y, None, Older(1.0))
    assert [u.name for u in use] == ["older"]


def test_the_same_results_give_the_same_model_to_the_last_bit() -> None:
    X, Y, _ = campaign(20)
    at = torch.rand(5, 2, dtype=torch.double, generator=torch.Generator().manual_seed(3))
    first, _ = fit_among_labs(X, Y, toy())
    again, _ = fit_among_labs(X.clone(), Y.clone(), toy())
    assert torch.equal(marginal_moments(first, at)[0], marginal_moments(again, at)[0])
    assert torch.equal(marginal_moments(first, at)[1], marginal_moments(again, at)[1])


def test_an_outcome_that_no_lab_has_is_learnt_beside_the_others() -> None:
    X, Y, _ = campaign(24)
    gloss = 30 + 4 * X[:, :1]
    population = toy()
    unit = torch.cat([population.unit, torch.zeros(1, dtype=torch.double)])
    noise = torch.block_diag(population.noise, torch.zeros(1, 1, dtype=torch.double))

    def wider(X: Tensor) -> Tensor:
        H = population.basis(X)
        return torch.cat([H, torch.zeros_like(H[..., :1, :])], dim=-2)

    known = type(population)(wider, population.points, unit, noise, torch.zeros(M + 1).bool())
    model, use = fit_among_labs(X, torch.cat([Y, gloss], dim=-1), known)
    assert use[0].used
    mean, _ = marginal_moments(model, X)
    assert float((mean[:, -1:] - gloss).abs().max()) < 1.0


def test_many_rows_take_their_hyperparameters_from_a_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "FIT_ROWS", 12)
    monkeypatch.setattr(gate, "GATE_ROWS", 12)
    X, Y, _ = campaign(60)
    model, _ = fit_among_labs(X, Y, toy())
    assert isinstance(model, LabsModel)
    assert model.state.solved.alpha.shape == (60, M)


def test_much_that_is_missing_of_many_rows_is_left_to_the_plain_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "MOST_RAGGED_VALUES", 40)
    X, Y, _ = campaign(16)
    Y[0, 0] = torch.nan
    model, use = fit_among_labs(X, Y, toy())
    assert not isinstance(model, LabsModel)
    assert not use[0].used


def test_an_outcome_without_two_values_is_refused() -> None:
    X, Y, _ = campaign(8)
    Y[1:, 2] = torch.nan
    with pytest.raises(InputError, match="two values"):
        fit_among_labs(X, Y, toy())
