"""Bootstrap intervals of means over seeds, as every benchmark tells them.

>>> mean_interval(np.array([[1.0]])) is None
True
>>> low, high = mean_interval(np.array([[1.0, 5.0], [3.0, 5.0]]))
>>> low.tolist(), high.tolist()
([1.0, 5.0], [3.0, 5.0])
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

N_RESAMPLES = 2000
LEVEL = 0.95


def mean_interval(values: Array, *, seed: int = 0) -> tuple[Array, Array] | None:
    """Return the percentile interval of the mean of ``values``, (seeds, ...).

    ``None`` for one seed. ``seed``: of the resamples.
    """
    if len(values) < 2:
        return None
    # A generator of its own: the same values have the same interval, whatever ran before.
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(values), size=(N_RESAMPLES, len(values)))
    resampled = values[picks].mean(axis=1)
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(resampled, [tail, 100 - tail], axis=0)
    return low, high
