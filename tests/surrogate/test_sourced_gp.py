"""The model class by itself: the same model as ``fit_outcomes`` builds, and what Ax hands it."""

from __future__ import annotations

import pytest
import torch
from botorch.models.transforms.input import Normalize
from botorch.models.transforms.outcome import Standardize
from botorch.utils.datasets import SupervisedDataset
from torch import Tensor

from surrogate.errors import InputError
from surrogate.gp import fit_hyperparameters, fit_outcomes
from surrogate.sourced import HeadLayout, head_weights
from surrogate.sourced_gp import GPConfig, SourcedGP

D, M = 3, 2
SLOPES = torch.tensor([[2.0, -1.0], [0.5, 1.5], [-1.0, 0.3]], dtype=torch.double)
CONFIG = GPConfig(max_iterations=30)


class Slopes:
    """Heads of a source that knows the slopes, and one smooth deviation."""

    layout = HeadLayout(("older",), (1,))

    def __call__(self, X: Tensor) -> Tensor:
        return torch.stack([(X - 0.5) @ SLOPES, torch.sin(X @ SLOPES)], dim=-1)


@pytest.fixture(scope="module")
def data() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    X = torch.rand(14, D, generator=generator, dtype=torch.double)
    noise = torch.randn(14, M, generator=generator, dtype=torch.double)
    return X, (X - 0.5) @ SLOPES + 0.3 * noise


@pytest.mark.parametrize("heads", [None, Slopes()])
def test_it_is_the_model_that_fit_outcomes_builds(
    data: tuple[Tensor, Tensor], heads: Slopes | None
) -> None:
    X, Y = data
    together = fit_outcomes(X, Y, config=CONFIG, heads=heads)
    itself = fit_hyperparameters(SourcedGP(X, Y, heads=heads, config=CONFIG), CONFIG)
    assert isinstance(together, SourcedGP)
    assert torch.equal(itself.posterior(X).mean, together.posterior(X).mean)
    assert torch.equal(itself.posterior(X).variance, together.posterior(X).variance)


@pytest.mark.parametrize("place", [0, 1])
def test_raw_inputs_and_one_outcome_give_what_the_batch_gives(
    data: tuple[Tensor, Tensor], place: int
) -> None:
    X, Y = data
    low, high = torch.tensor([1.0, -2.0, 10.0]).double(), torch.tensor([3.0, 0.0, 50.0]).double()
    raw = low + X * (high - low)
    together = fit_outcomes(X, Y, config=CONFIG, heads=Slopes())
    inputs = SourcedGP.construct_inputs(
        SupervisedDataset(raw, Y[:, [place]], feature_names=["a", "b", "c"], outcome_names=["y"]),
        heads=Slopes(),
        outcomes=[place],
        config=CONFIG,
    )
    model = SourcedGP(
        **inputs,
        input_transform=Normalize(D, bounds=torch.stack([low, high])),
        outcome_transform=Standardize(m=1),
    )
    alone = fit_outcomes(X, Y[:, [place]], config=CONFIG).eval()
    model = fit_hyperparameters(model, CONFIG)
    expected = together.posterior(X).mean[:, place]
    assert torch.allclose(model.posterior(raw).mean[:, 0], expected, atol=0.02)
    assert not torch.allclose(alone.posterior(X).mean[:, 0], expected, atol=0.02)
    assert torch.allclose(
        head_weights(model, 1, 1)[0], head_weights(together, M, 1)[place], atol=0.02
    )


def test_known_noise_takes_the_place_of_learned_noise(data: tuple[Tensor, Tensor]) -> None:
    X, Y = data
    known = SourcedGP(X, Y, torch.full_like(Y, 1e-6), heads=Slopes()).eval()
    learned = SourcedGP(X, Y, heads=Slopes()).eval()
    errors = [(model.posterior(X).mean - Y).abs().max() for model in (known, learned)]
    assert errors[0] < 0.1 * errors[1]


def test_gradients_reach_raw_inputs(data: tuple[Tensor, Tensor]) -> None:
    X, Y = data
    bounds = torch.tensor([[0.0] * D, [2.0] * D], dtype=torch.double)
    model = SourcedGP(X, Y, input_transform=Normalize(D, bounds=bounds), heads=Slopes()).eval()
    point = X[:2].clone().requires_grad_(True)
    model.posterior(point).mean.sum().backward()
    assert point.grad is not None
    assert (point.grad != 0).all()


def test_what_it_cannot_model_is_refused(data: tuple[Tensor, Tensor]) -> None:
    X, Y = data
    with pytest.raises(InputError, match="places of 2 outcomes"):
        SourcedGP(X, Y, heads=Slopes(), outcomes=[0])
    dataset = SupervisedDataset(X, Y, feature_names=["a", "b", "c"], outcome_names=["y", "z"])
    with pytest.raises(InputError, match="named choices in columns"):
        SourcedGP.construct_inputs(dataset, categorical_features=[1])
