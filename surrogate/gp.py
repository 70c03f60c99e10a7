r"""The Gaussian-process surrogate: one GP for each outcome, fitted together where data allow.

Plain, or with the heads of sources in its mean and kernel (:mod:`surrogate.sourced`).

Notation
--------
=========  =======================================================  ==================
symbol     meaning                                                  shape
=========  =======================================================  ==================
X          conditions, scaled to the unit cube                      (n, d)
Y          outcomes in work space (log where noise grows), may      (n, m)
           hold NaN where an outcome was not measured
k          kernel: ARD Matérn-5/2 + isotropic Matérn-5/2            —
σ²         noise of one specimen, in standardised units             (m,)
=========  =======================================================  ==================

.. math:: k(x, x') = a_1\, M_{5/2}(x, x'; \ell_1 … \ell_d) + a_2\, M_{5/2}(x, x'; \ell)

The isotropic part repairs the calibration of the ARD part, which alone tends to near-linear,
overconfident fits. Priors (standardised outcomes): σ² ~ LogNormal(−0.5, 0.5), because specimens
of one mat scatter widely and few runs cannot tell noise from signal; a ~ LogNormal(−0.7, 1);
ℓ ~ LogNormal(0.5, 0.7) in the unit cube, shorter than BoTorch's dimension-scaled default, which
smooths small designs flat.

Replicates enter as rows with equal conditions: an exact GP weighs them by itself.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import gpytorch
import torch
from botorch.exceptions.errors import BotorchError, ModelFittingError
from botorch.exceptions.warnings import BotorchWarning
from botorch.fit import fit_gpytorch_mll
from botorch.models import ModelListGP, SingleTaskGP
from botorch.models.model import Model
from botorch.models.transforms.outcome import Standardize
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import Kernel, MaternKernel, ScaleKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import LogNormalPrior
from linear_operator.utils.errors import NanError, NotPSDError
from linear_operator.utils.warnings import NumericalWarning
from torch import Tensor

from surrogate.errors import FitError, InputError
from surrogate.sourced import Extension, Heads, SourcePrior


@dataclass(frozen=True)
class GPConfig:
    """Priors (location and scale of log-normals, standardised outcomes) and the fit's budget."""

    noise: tuple[float, float] = (-0.5, 0.5)
    outputscale: tuple[float, float] = (-0.7, 1.0)
    lengthscale: tuple[float, float] = (0.5, 0.7)
    max_iterations: int = 200
    gradient_tolerance: float = 1e-3
    min_noise: float = 1e-4


def fit_outcomes(
    X: Tensor,
    Y: Tensor,
    *,
    config: GPConfig | None = None,
    heads: Heads | None = None,
    prior: SourcePrior | None = None,
) -> Model:
    """Fit one GP to each column of ``Y`` and return them as one BoTorch model.

    Outcomes observed on the same rows are fitted together, as one batched model; that is several
    times faster than one after the other.

    Args:
        X: (n, d) conditions in the unit cube, finite.
        Y: (n, m) outcomes in work space; NaN where not measured.
        config: priors and budget.
        heads: what sources say of conditions (:mod:`surrogate.sourced`); ``None``: plain GPs.
        prior: beliefs in the sources.

    Returns:
        A model with ``m`` outputs, in float64, in evaluation mode.

    Raises:
        InputError: shapes do not fit, X is not finite, or an outcome has fewer than two values.
        FitError: no hyperparameters could be found.
    """
    _check(X, Y)
    config = config or GPConfig()
    prior = prior or SourcePrior()
    if heads is not None:
        config = replace(config, outputscale=prior.residual)
    seen = ~torch.isnan(Y)
    groups: dict[tuple[bool, ...], list[int]] = {}
    for outcome in range(Y.shape[-1]):
        groups.setdefault(tuple(seen[:, outcome].tolist()), []).append(outcome)
    fitted: dict[int, Model] = {}
    for mask, outcomes in groups.items():
        rows = torch.tensor(mask, device=X.device)
        extension = None
        if heads is not None:
            batch = torch.Size([len(outcomes)] if len(outcomes) > 1 else [])
            extension = Extension.build(heads, outcomes, X, prior, batch)
        model = _fit_group(X[rows], Y[rows][:, outcomes], config, extension)
        if len(groups) == 1:
            return model
        for place, outcome in enumerate(outcomes):
            fitted[outcome] = _one_of(model, place) if len(outcomes) > 1 else model
    return ModelListGP(*(fitted[outcome] for outcome in range(Y.shape[-1])))


def _one_of(model: SingleTaskGP, place: int) -> SingleTaskGP:
    """Take one outcome out of a batched model, its inputs before the heads included."""
    one: SingleTaskGP = model.subset_output([place])
    before_heads = getattr(model, "_original_train_inputs", None)
    if before_heads is not None:
        one._original_train_inputs = tuple(x[place] for x in before_heads)
    return one


def _check(X: Tensor, Y: Tensor) -> None:
    if X.ndim != 2 or Y.ndim != 2 or X.shape[0] != Y.shape[0]:
        raise InputError(
            f"expected X (n, d) and Y (n, m), got {tuple(X.shape)} and {tuple(Y.shape)}"
        )
    if not torch.isfinite(X).all():
        raise InputError("expected finite conditions, got NaN or infinity in X")
    if torch.isinf(Y).any():
        raise InputError("expected outcomes finite or NaN (not measured), got infinity in Y")
    counts = (~torch.isnan(Y)).sum(dim=0)
    if (counts < 2).any():
        raise InputError(f"expected at least two values for each outcome, got {counts.tolist()}")


def _fit_group(
    X: Tensor,
    Y: Tensor,
    config: GPConfig,
    extension: Extension | None,
) -> SingleTaskGP:
    m = Y.shape[-1]
    batch_shape = torch.Size([m]) if m > 1 else torch.Size([])
    kernel = _kernel(X.shape[-1], config, batch_shape)
    model = SingleTaskGP(
        X,
        Y,
        likelihood=_likelihood(config, batch_shape),
        covar_module=kernel if extension is None else kernel + extension.kernel,
        mean_module=None if extension is None else extension.mean,
        outcome_transform=Standardize(m=m),
        input_transform=None if extension is None else extension.transform,
    )
    # What BoTorch needs to take single outcomes out of the batch: each parameter's batch dimension.
    model._subset_batch_dict = {
        name: -parameter.ndim
        for name, parameter in model.named_parameters()
        if m > 1 and parameter.shape[:1] == batch_shape
    }
    if m > 1:
        model._subset_batch_dict |= {
            name: -2 for name, _ in model.named_buffers() if name.endswith("read.columns")
        }
    mll = ExactMarginalLogLikelihood(model.likelihood, model)
    with warnings.catch_warnings():
        # An early stop at max_iterations is a budget, not a fault; replicates need jitter.
        warnings.simplefilter("ignore", BotorchWarning)
        warnings.simplefilter("ignore", NumericalWarning)
        warnings.filterwarnings("ignore", category=UserWarning)
        try:
            fit_gpytorch_mll(
                mll,
                optimizer_kwargs={
                    "options": {"maxiter": config.max_iterations, "gtol": config.gradient_tolerance}
                },
            )
        except (ModelFittingError, BotorchError, NanError, NotPSDError, RuntimeError) as error:
            raise FitError(
                f"no hyperparameters could be found for {tuple(Y.shape)} values: {error}"
            ) from error
    return model.eval()


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
            active_dims=tuple(range(d)),
            batch_shape=batch_shape,
            lengthscale_prior=LogNormalPrior(*config.lengthscale),
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


def joint_moments(model: Model, X: Tensor) -> tuple[Tensor, Tensor]:
    """Return the joint posterior of the noise-free outcomes, each outcome by itself.

    Args:
        model: from :func:`fit_outcomes`.
        X: (p, d) points in the unit cube.

    Returns:
        Means (m, p) and covariances (m, p, p) in work space, on the device of X.
    """
    means, covariances = [], []
    home = X.device
    X = X.to(device_of_model(model))
    members = model.models if isinstance(model, ModelListGP) else [model]
    with torch.no_grad(), gpytorch.settings.debug(False):
        for member in members:
            member.eval()
            batch = member.num_outputs > 1
            inputs = member.transform_inputs(X)
            prediction = member(
                inputs.expand(member.num_outputs, *inputs.shape) if batch else inputs
            )
            transform = member.outcome_transform
            scale = transform.stdvs.reshape(-1, 1)
            shift = transform.means.reshape(-1, 1)
            mean = prediction.mean.reshape(member.num_outputs, -1)
            covariance = prediction.covariance_matrix.reshape(member.num_outputs, len(X), len(X))
            means.append(mean * scale + shift)
            covariances.append(covariance * scale.unsqueeze(-1) ** 2)
    return torch.cat(means).to(home), torch.cat(covariances).to(home)


def device_of_model(model: Model) -> torch.device:
    """Return where a model lives."""
    return next(model.parameters()).device


def leave_one_out(
    model: SingleTaskGP | ModelListGP,
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Predict each observation from all the others, hyperparameters held (exact, closed form).

    Rasmussen & Williams 2006, eqs. 5.10–5.12, in standardised units.

    Returns:
        For each outcome: the observed values (n,), leave-one-out means (n,) and variances (n,).
    """
    members: Sequence[SingleTaskGP] = (
        list(model.models) if isinstance(model, ModelListGP) else [model]
    )
    observed, means, variances = [], [], []
    with torch.no_grad():
        for member in members:
            X, y = member.train_inputs[0], member.train_targets
            prior = member.likelihood(member.forward(X))
            K = prior.covariance_matrix
            inverse = torch.cholesky_inverse(torch.linalg.cholesky(K))
            variance = 1.0 / inverse.diagonal(dim1=-2, dim2=-1)
            residual = (inverse @ (y - prior.mean).unsqueeze(-1)).squeeze(-1) * variance
            for target, mean, var in zip(
                y.reshape(-1, y.shape[-1]),
                (y - residual).reshape(-1, y.shape[-1]),
                variance.reshape(-1, y.shape[-1]),
                strict=True,
            ):
                observed.append(target.cpu())
                means.append(mean.cpu())
                variances.append(var.cpu())
    return observed, means, variances
