"""What can go wrong while learning.

SurrogateError
├── FitError           no hyperparameters could be found for these data
├── InputError         tensors of the wrong shape, or not finite
└── CheckpointError    a stored model that cannot be used: damaged, foreign, or of other parameters
"""

from __future__ import annotations


class SurrogateError(Exception):
    """The surrogate could not do what was asked."""


class FitError(SurrogateError):
    """No hyperparameters could be found for these data."""


class InputError(SurrogateError):
    """Tensors have the wrong shape, or are not finite where they must be."""


class CheckpointError(SurrogateError):
    """A stored model cannot be used: damaged, a pickle, or not what was asked for."""
