"""What can go wrong while learning.

SurrogateError
├── FitError           no hyperparameters could be found for these data
└── InputError         tensors of the wrong shape, or not finite
"""

from __future__ import annotations


class SurrogateError(Exception):
    """The surrogate could not do what was asked."""


class FitError(SurrogateError):
    """No hyperparameters could be found for these data."""


class InputError(SurrogateError):
    """Tensors have the wrong shape, or are not finite where they must be."""
