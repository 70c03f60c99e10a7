"""How far two mats are apart in what was measured, and a shortlist ordered by it.

MatMCL's latent knows more of a mat than its diameter and order, but each of these less sharply than
a measurement does. So the latent makes a shortlist, and measured diameter and order put it in
order, in units of what counts as the same: 10 % in diameter, 0.1 in order. On virtual mats the
first is right far more often than the latent's own first (docs/benchmarks.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHORTLIST = 20
LOG_DIAMETER = float(np.log(1.1))
ORDER = 0.1


def apart(difference: Array) -> Array:
    """Return how far apart mats are, (…), of differences (…, 2) in ln diameter and order.

    1 is as far as still counts as the same; infinite where a difference is.
    """
    scaled = difference / np.array([LOG_DIAMETER, ORDER])
    return np.asarray(np.sqrt((scaled**2).sum(axis=-1)))


def shortlisted(similarity: Array, difference: Array, k: int) -> NDArray[np.intp]:
    """Return the places of the ``k`` first.

    The :data:`SHORTLIST` (or ``k``, if that is more) most similar, nearest in measured statistics
    first; those that were not measured come after them, most similar first.

    Args:
        similarity: (n,) to the query.
        difference: (n, 2) in ln diameter and order, NaN where not known.
        k: how many to return.
    """
    order = np.argsort(-similarity, kind="stable")[: max(SHORTLIST, k)]
    off = apart(np.nan_to_num(difference[order], nan=np.inf))
    return order[np.argsort(off, kind="stable")][:k]
