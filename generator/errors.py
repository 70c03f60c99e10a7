"""What can go wrong while learning to draw mats, or drawing them.

::

    GeneratorError
    ├── InputError        a configuration, shape or number that cannot be
    ├── TrainingError     the loss is no longer finite
    └── CheckpointError   files that are missing, damaged, foreign, or do not belong together
"""

from __future__ import annotations


class GeneratorError(Exception):
    """Anything that the generator refuses."""


class InputError(GeneratorError, ValueError):
    """A configuration, shape or number that cannot be."""


class TrainingError(GeneratorError):
    """A training that cannot go on."""


class CheckpointError(GeneratorError):
    """Files that are missing, damaged, foreign, or do not belong together."""
