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

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

import gpytorch
import torch
from botorch.cross_validation import efficient_loo_cv
from botorch.exceptions.errors import BotorchError, ModelFittingError
from botorch.exceptions.warnings import BotorchWarning
from botorch.fit import fit_gpytorch_mll
from botorch.models import ModelListGP, SingleTaskGP
from botorch.models.model import Model
from gpytorch.mlls import ExactMarginalLogLikelihood
from linear_operator.utils.errors import NanError, NotPSDError
from linear_operator.utils.warnings import NumericalWarning
from torch import Tensor

from surrogate.averaged_fit import fit_averaged
from surrogate.beliefs import MATS, PlainInputs
from surrogate.errors import FitError, InputError
from surrogate.exclusive import exclusive
from surrogate.sourced import Heads, SourcePrior, exact
from surrogate.sourced_gp import GPConfig, SourcedGP

# The covariance of so many points is made for the sake of its diagonal: all at once it would grow
# with their square.
_POINTS_AT_ONCE = 128


@runtime_checkable
class AskableModel(Protocol):
    """A model that answers by itself; the functions below hand their questions on to it.

    All in work space and double precision, as the functions of the same names say.
    """

    def joint_moments(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """See :func:`joint_moments`."""

    def marginal_moments(
        self, X: Tensor, *, observation_noise: bool = True
    ) -> tuple[Tensor, Tensor]:
        """See :func:`marginal_moments`."""

    def prior_variances(self, X: Tensor) -> Tensor:
        """See :func:`prior_variances`."""

    def leave_one_out(self) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """See :func:`leave_one_out`."""

    def outcomes_of(self, places: Sequence[int]) -> Model:
        """See :func:`outcomes_of`."""


@exclusive
def fit_outcomes(
    X: Tensor,
    Y: Tensor,
    *,
    inputs: PlainInputs = MATS,
    config: GPConfig | None = None,
    heads: Heads | None = None,
    prior: SourcePrior | None = None,
) -> Model:
    """Fit one GP to each column of ``Y`` and return them as one BoTorch model.

    Without ``config`` and ``heads`` it is the plain surrogate, averaged over beliefs about noise
    and smoothness (:mod:`surrogate.averaged_gp`); with either it has one fixed belief.

    Outcomes observed on the same rows are fitted together, as one batched model; that is several
    times faster than one after the other.

    Args:
        X: (n, d) conditions in the unit cube, finite.
        Y: (n, m) outcomes in work space; NaN where not measured.
        inputs: what the plain surrogate is told of the campaign.
        config: priors and budget of one fixed belief.
        heads: what sources say of conditions (:mod:`surrogate.sourced`); ``None``: plain GPs.
        prior: beliefs in the sources.

    Returns:
        A model with ``m`` outputs, in float64, in evaluation mode.

    Raises:
        InputError: shapes do not fit, X is not finite, or an outcome has fewer than two values.
        FitError: no hyperparameters could be found.

    >>> X = torch.linspace(0, 1, 8, dtype=torch.float64).unsqueeze(-1)
    >>> model = fit_outcomes(X, torch.sin(6 * X))
    >>> means, covariances = joint_moments(model, X[:3])
    >>> means.shape, covariances.shape
    (torch.Size([1, 3]), torch.Size([1, 3, 3]))
    """
    _check(X, Y)
    if config is None and heads is None:
        return fit_averaged(X, Y, inputs=inputs)
    config = config or GPConfig()
    is_measured = ~torch.isnan(Y)
    groups: dict[tuple[bool, ...], list[int]] = {}
    for outcome in range(Y.shape[-1]):
        # A batched model shares its rows among the outcomes.
        groups.setdefault(tuple(is_measured[:, outcome].tolist()), []).append(outcome)
    fitted: dict[int, Model] = {}
    for mask, outcomes in groups.items():
        rows = torch.tensor(mask, device=X.device)
        build = partial(SourcedGP, heads=heads, outcomes=outcomes, config=config, prior=prior)
        model = _fit_group(build, X[rows], Y[rows][:, outcomes], config)
        if len(groups) == 1:
            return model
        for place, outcome in enumerate(outcomes):
            fitted[outcome] = _some_of(model, [place]) if len(outcomes) > 1 else model
    return ModelListGP(*(fitted[outcome] for outcome in range(Y.shape[-1])))


def _fit_group(
    build: Callable[[Tensor, Tensor], SourcedGP], X: Tensor, Y: Tensor, config: GPConfig
) -> SourcedGP:
    """Fit to all rows, or take the hyperparameters of a sample where there are many."""
    model = build(X, Y)
    if len(X) <= config.fit_rows:
        fit_hyperparameters(model, config)
        return model
    # The same rows give the same sample: a proposal that is replayed has the same hyperparameters.
    generator = torch.Generator().manual_seed(len(X))
    rows = torch.randperm(len(X), generator=generator)[: config.fit_rows].sort().values.to(X.device)
    sample = build(X[rows], Y[rows])
    fit_hyperparameters(sample, config)
    with torch.no_grad():
        for mine, fitted in zip(model.parameters(), sample.parameters(), strict=True):
            # In order: both were built alike, whatever their rows.
            mine.copy_(fitted)
    return model.eval()


def outcomes_of(model: Model, places: Sequence[int]) -> Model:
    """Take some outcomes out of a model of :func:`fit_outcomes`, in the order of ``places``."""
    if isinstance(model, AskableModel):
        return model.outcomes_of(places)
    if isinstance(model, ModelListGP):
        chosen = [model.models[place] for place in places]
        return ModelListGP(*chosen) if len(chosen) > 1 else chosen[0]
    return _some_of(model, list(places)).eval()


def _some_of(model: SingleTaskGP, places: list[int]) -> SingleTaskGP:
    """Take outcomes out of a batched model, their inputs before the heads included."""
    subset: SingleTaskGP = model.subset_output(places)
    before_heads = getattr(model, "_original_train_inputs", None)
    if before_heads is not None and model.num_outputs > 1:
        index = places if len(places) > 1 else places[0]
        subset._original_train_inputs = tuple(x[index] for x in before_heads)
    # It was computed for all outcomes.
    subset.prediction_strategy = None
    return subset


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


def fit_hyperparameters(model: SingleTaskGP, config: GPConfig) -> SingleTaskGP:
    """Maximise the evidence (with the priors) of one model in place; return it, ready to be asked.

    Raises:
        FitError: no hyperparameters could be found.
    """
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
        # A RuntimeError is what torch raises for a factorisation that fails.
        except (ModelFittingError, BotorchError, NanError, NotPSDError, RuntimeError) as error:
            raise FitError(
                f"no hyperparameters could be found for {tuple(model.train_targets.shape)} "
                f"values: {error}"
            ) from error
    return model.eval()


@exclusive
def joint_moments(model: Model, X: Tensor) -> tuple[Tensor, Tensor]:
    """Return the joint posterior of the noise-free outcomes, each outcome by itself.

    Args:
        model: from :func:`fit_outcomes`.
        X: (p, d) points in the unit cube.

    Returns:
        Means (m, p) and covariances (m, p, p) in work space, on the device of X.
    """
    if isinstance(model, AskableModel):
        return model.joint_moments(X)
    means, covariances = [], []
    home = X.device
    X = X.to(device_of_model(model))
    members = model.models if isinstance(model, ModelListGP) else [model]
    # `debug` warns where training inputs are predicted, which is on purpose here.
    # https://docs.gpytorch.ai/en/stable/settings.html
    with torch.no_grad(), gpytorch.settings.debug(False), exact():
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


@exclusive
def marginal_moments(
    model: Model, X: Tensor, *, observation_noise: bool = True
) -> tuple[Tensor, Tensor]:
    """Return means and variances of each point by itself.

    Args:
        model: from :func:`fit_outcomes`.
        X: (p, d) points in the unit cube.
        observation_noise: of a new measurement, or of the outcome without noise.

    Returns:
        Means and variances (p, m) in work space, on the device of X.
    """
    if isinstance(model, AskableModel):
        return model.marginal_moments(X, observation_noise=observation_noise)
    means, variances = [], []
    with torch.no_grad(), exact():
        # Points together: one by one as a batch, each would carry the training data along.
        for part in X.to(device_of_model(model)).split(_POINTS_AT_ONCE):
            posterior = model.posterior(part, observation_noise=observation_noise)
            means.append(posterior.mean.to(X.device))
            variances.append(posterior.variance.to(X.device))
    return torch.cat(means), torch.cat(variances)


@exclusive
def prior_variances(model: Model, X: Tensor) -> Tensor:
    """Return (p, m): the variance of each outcome at X (p, d) before any result, without noise.

    In work space; the level of an outcome, which is always learnt, is not counted.
    """
    if isinstance(model, AskableModel):
        return model.prior_variances(X)
    columns = []
    points = X.to(device_of_model(model))
    with torch.no_grad():
        for member in model.models if isinstance(model, ModelListGP) else [model]:
            inputs = member.transform_inputs(points)
            if member.num_outputs > 1:
                inputs = inputs.expand(member.num_outputs, *inputs.shape)
            variance = member.forward(inputs).variance.reshape(member.num_outputs, -1)
            columns.append(variance * member.outcome_transform.stdvs.reshape(-1, 1) ** 2)
    return torch.cat(columns).T.to(X.device)


def device_of_model(model: Model) -> torch.device:
    """Return where a model lives."""
    tensors = (*model.parameters(), *model.buffers())
    return tensors[0].device if tensors else torch.device("cpu")


@exclusive
def leave_one_out(
    model: Model,
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Predict each observation from all the others, hyperparameters held (exact, closed form).

    Rasmussen & Williams 2006, eqs. 5.10–5.12, as BoTorch computes them, in standardised units.

    Returns:
        For each outcome: the observed values (n,), leave-one-out means (n,) and variances (n,),
        with the observation's noise, on the CPU. Of the averaged model n counts conditions, the
        values being means of their replicates; of the others it counts rows.
    """
    if isinstance(model, AskableModel):
        return model.leave_one_out()
    members: Sequence[SingleTaskGP] = (
        list(model.models) if isinstance(model, ModelListGP) else [model]
    )
    observed: list[Tensor] = []
    means: list[Tensor] = []
    variances: list[Tensor] = []
    for member in members:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore", NumericalWarning)  # replicates need jitter
            # Not untransformed: callers compare errors in units of the outcome's spread.
            results = efficient_loo_cv(member, untransform=False)
            parts = (results.observed_Y, results.posterior.mean, results.posterior.variance)
        for column, part in zip((observed, means, variances), parts, strict=True):
            column.extend(part[:, 0, :].T.cpu())  # (n, 1, m): one point is left out of each fold
    return observed, means, variances
