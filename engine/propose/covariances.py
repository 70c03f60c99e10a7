"""Covariances of runs and candidates as a search needs them: some columns of a large matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from botorch.models.model import Model
from numpy.typing import NDArray
from torch import Tensor

from engine.propose.acquisition import joint_of_points
from surrogate.asked_points import AskedPoints
from surrogate.averaged_gp import AveragedGP

Array = NDArray[np.float64]


class Covariances(Protocol):
    """Of p points, for each of k objectives by itself."""

    def variances(self, objective: int) -> Array:
        """Return (p,) the variance of each point."""

    def columns(self, objective: int, places: Sequence[int]) -> Array:
        """Return (p, q) the covariances of all points with those at ``places``."""


@dataclass(frozen=True)
class Matrices:
    """Covariances that are there as a whole: ``values`` (k, p, p)."""

    values: Array

    def variances(self, objective: int) -> Array:
        """See :class:`Covariances`."""
        return np.diagonal(self.values[objective])

    def columns(self, objective: int, places: Sequence[int]) -> Array:
        """See :class:`Covariances`."""
        return np.ascontiguousarray(self.values[objective][:, list(places)])


@dataclass(frozen=True)
class Asked:
    """Covariances that the model works out when they are asked for."""

    points: AskedPoints

    def variances(self, objective: int) -> Array:
        """See :class:`Covariances`."""
        return self.points.variance[objective].numpy()

    def columns(self, objective: int, places: Sequence[int]) -> Array:
        """See :class:`Covariances`."""
        return self.points.columns(objective, places).numpy()


def moments_of_points(model: Model, X: Tensor, owner: Tensor) -> tuple[Array, Covariances]:
    """Return means (m, p) and the covariances of points, the mean over each one's rows.

    ``X`` (r, d); ``owner`` (r,) the point that each row belongs to, in order.
    """
    is_one_row_each = len(owner) == int(owner[-1]) + 1
    if is_one_row_each and isinstance(model, AveragedGP) and model.theta.device == X.device:
        points = model.asked(X)
        return points.mean.numpy(), Asked(points)
    mean, covariance = joint_of_points(model, X, owner)
    return mean.numpy(), Matrices(covariance.numpy())
