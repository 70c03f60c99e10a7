"""The BoTorch model class of the surrogate: one GP for each outcome, with heads or without.

:func:`surrogate.gp.fit_outcomes` builds its models of this class, and Ax can be handed it as a
``botorch_model_class``: same kernel, priors, mean and covariance either way.

Kernel and priors are those of :mod:`surrogate.gp`, the heads' part is that of
:mod:`surrogate.sourced`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from botorch.models import SingleTaskGP
from botorch.models.transforms.input import ChainedInputTransform, InputTransform
from botorch.models.transforms.outcome import OutcomeTransform, Standardize
from botorch.utils.datasets import SupervisedDataset
from botorch.utils.types import DEFAULT, _DefaultType
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import Kernel, MaternKernel, ScaleKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.priors import LogNormalPrior
from torch import Tensor

from surrogate.errors import InputError
from surrogate.sourced import Extension, Heads, SourcePrior


@dataclass(frozen=True)
class GPConfig:
    """Priors (location and scale of log-normals, standardised outcomes) and the fit's budget.

    ``fit_rows``: with more rows than this, hyperparameters are fitted to a sample of so many; the
    posterior is exact on all rows all the same.
    """

    # Chosen on closed-loop seeds and virtual labs that no reported number uses: with it the 90 %
    # interval covers 85 % from 24 runs and 88 % from 48; a wider one covered 79 and 86 %
    # (docs/architecture.md, decision 16).
    noise: tuple[float, float] = (-0.5, 0.5)
    outputscale: tuple[float, float] = (-0.7, 1.0)
    lengthscale: tuple[float, float] = (0.5, 0.7)
    max_iterations: int = 200
    gradient_tolerance: float = 1e-3
    min_noise: float = 1e-4
    # With it 2,000 runs take 2.8 times as long as 200 (docs/benchmarks.md, "Latency").
    fit_rows: int = 320


class SourcedGP(SingleTaskGP):
    """An exact GP batched over m outcomes, unfitted; its mean and kernel may know the sources.

    Args:
        train_X: (n, d) conditions; in the unit cube once ``input_transform`` has seen them.
        train_Y: (n, m) outcomes in work space, none missing.
        train_Yvar: (n, m) variances of the means given as ``train_Y``; ``None``: learned.
        outcome_transform: standardisation by default, ``None`` for outcomes standardised already.
        input_transform: takes ``train_X`` to the unit cube that the heads read.
        heads: what sources say of conditions; ``None``: a plain GP.
        outcomes: (m,) place of each column of ``train_Y`` among the outcomes of ``heads``; the
            first m by default.
        config: priors; with heads, that of the outputscales is ``prior.residual``.
        prior: beliefs in the sources.

    Raises:
        InputError: as many ``outcomes`` as columns of ``train_Y`` were expected.
    """

    def __init__(
        self,
        train_X: Tensor,
        train_Y: Tensor,
        train_Yvar: Tensor | None = None,
        outcome_transform: OutcomeTransform | _DefaultType | None = DEFAULT,
        input_transform: InputTransform | None = None,
        *,
        heads: Heads | None = None,
        outcomes: Sequence[int] | None = None,
        config: GPConfig | None = None,
        prior: SourcePrior | None = None,
    ) -> None:
        config, prior = config or GPConfig(), prior or SourcePrior()
        if heads is not None:
            config = replace(config, outputscale=prior.residual)
        m = train_Y.shape[-1]
        places = list(range(m)) if outcomes is None else list(outcomes)
        if len(places) != m:
            raise InputError(f"expected the places of {m} outcomes among the heads, got {places}")
        if outcome_transform is DEFAULT:
            outcome_transform = Standardize(m=m, batch_shape=train_X.shape[:-2])
        batch_shape = torch.Size([*train_X.shape[:-2], *([m] if m > 1 else [])])
        # Heads and kernel are built for the cube, before BoTorch has applied the transform itself.
        cube = self._cube(train_X, input_transform)
        kernel = _kernel(cube.shape[-1], config, batch_shape)
        mean = None
        if heads is not None:
            extension = Extension.build(heads, places, cube, prior, batch_shape)
            # The heads' kernel last: `head_weights` looks for it there.
            kernel, mean = kernel + extension.kernel, extension.mean
            input_transform = (
                extension.transform
                if input_transform is None
                # In this order: the heads read the unit cube.
                else ChainedInputTransform(cube=input_transform, heads=extension.transform)
            )
        super().__init__(
            train_X,
            train_Y,
            train_Yvar,
            likelihood=_likelihood(config, batch_shape) if train_Yvar is None else None,
            covar_module=kernel,
            mean_module=mean,
            outcome_transform=outcome_transform,
            input_transform=input_transform,
        )
        # BoTorch's own, private table for `subset_output`; it knows its default modules only.
        self._subset_batch_dict = self._batched(batch_shape) if m > 1 else {}

    @classmethod
    def construct_inputs(
        cls,
        training_data: SupervisedDataset,
        *,
        heads: Heads | None = None,
        outcomes: Sequence[int] | None = None,
        config: GPConfig | None = None,
        prior: SourcePrior | None = None,
        categorical_features: Sequence[int] | None = None,
    ) -> dict[str, Any]:
        """Return the constructor's arguments; the options are those of Ax's ``model_options``.

        Raises:
            InputError: Ax has named choices as columns: the heads know none of them.
        """
        if categorical_features:
            raise InputError(
                f"expected numbers only, got named choices in columns {list(categorical_features)}"
            )
        inputs: dict[str, Any] = super().construct_inputs(training_data)
        return inputs | {"heads": heads, "outcomes": outcomes, "config": config, "prior": prior}

    @staticmethod
    def _cube(X: Tensor, input_transform: InputTransform | None) -> Tensor:
        if input_transform is None:
            return X
        with torch.no_grad():
            cube: Tensor = input_transform.to(X).preprocess_transform(X)
        return cube

    def _batched(self, batch_shape: torch.Size) -> dict[str, int]:
        """Say which dimension counts the outcomes, for BoTorch to take single ones out."""
        lead = len(batch_shape)
        dimensions = {
            name: lead - 1 - parameter.ndim
            for name, parameter in self.named_parameters()
            if parameter.shape[:lead] == batch_shape
        }
        return dimensions | {
            name: -2 for name, _ in self.named_buffers() if name.endswith("read.columns")
        }


def _likelihood(config: GPConfig, batch_shape: torch.Size) -> GaussianLikelihood:
    return GaussianLikelihood(
        noise_prior=LogNormalPrior(*config.noise),
        noise_constraint=GreaterThan(
            config.min_noise, transform=None, initial_value=math.exp(config.noise[0])
        ),
        batch_shape=batch_shape,
    )


def _kernel(d: int, config: GPConfig, batch_shape: torch.Size) -> Kernel:
    def matern(n_lengthscales: int | None) -> MaternKernel:
        return MaternKernel(
            nu=2.5,
            ard_num_dims=n_lengthscales,
            # The raw conditions: without it the kernel would read the appended heads as further
            # ones.
            active_dims=tuple(range(d)),
            batch_shape=batch_shape,
            lengthscale_prior=LogNormalPrior(*config.lengthscale),
            # BoTorch's own lower end; below it a mat next door tells nothing.
            # https://github.com/meta-pytorch/botorch/blob/main/botorch/models/utils/gpytorch_modules.py
            lengthscale_constraint=GreaterThan(2.5e-2, transform=None, initial_value=1.0),
        )

    ard, isotropic = matern(d), matern(None)
    return _scaled(ard, config, batch_shape) + _scaled(isotropic, config, batch_shape)


def _scaled(kernel: Kernel, config: GPConfig, batch_shape: torch.Size) -> ScaleKernel:
    return ScaleKernel(
        kernel,
        batch_shape=batch_shape,
        outputscale_prior=LogNormalPrior(*config.outputscale),
        outputscale_constraint=GreaterThan(
            1e-4, transform=None, initial_value=math.exp(config.outputscale[0])
        ),
    )
