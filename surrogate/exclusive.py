"""One thread at a time in GPyTorch: whatever fits a model or asks one takes this lock.

GPyTorch keeps its settings in class attributes and evaluates kernels lazily, both for the whole
process: two threads that ask one model, or one that asks while another fits, get wrong numbers now
and then, without an error. Every function of :mod:`surrogate` that touches a GPyTorch model is
:func:`exclusive`; code that calls a model by itself (Ax's generation) enters :data:`MODELS`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# Reentrant: weighing the sources fits models, fitting asks them.
MODELS = threading.RLock()


def exclusive(function: Callable[P, R]) -> Callable[P, R]:
    """Let one thread at a time into ``function``, and into every other that is exclusive.

    >>> @exclusive
    ... def ask(question):
    ...     return f"{question}: 42"
    >>> ask("strength")
    'strength: 42'
    """

    @wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with MODELS:
            return function(*args, **kwargs)

    return alone
