r"""Nearest neighbours on the unit sphere, and how good a ranking is. Pure tensors.

Notation
--------
==========  ==================================================================  =========
symbol      meaning                                                             shape
==========  ==================================================================  =========
q, g        embeddings of queries and of the gallery                            (·, r)
s           similarity, cos ∠(q_i, g_j)                                         (q, n)
rank        1 + how many of the gallery are more similar than the true one,     (q,)
            ties counted half
==========  ==================================================================  =========

By chance the median rank is (n + 1) / 2, and the share of ranks up to k is k / n.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from surrogate.errors import InputError


def unit(vectors: Tensor) -> Tensor:
    """Scale vectors (n, r) to length one; zeros stay zero."""
    return functional.normalize(vectors, dim=-1)


def mean_direction(vectors: Tensor, owner: Tensor, n: int) -> Tensor:
    """Average unit vectors (t, r) by owner (t,), 0 … n − 1, and scale to length one: (n, r).

    An owner without vectors gets zeros, whose similarity to everything is 0.

    Raises:
        InputError: shapes do not fit, or an owner is out of range.
    """
    if vectors.ndim != 2 or owner.shape != vectors.shape[:1]:
        raise InputError(
            f"expected vectors (t, r) and owners (t,), got {tuple(vectors.shape)} and "
            f"{tuple(owner.shape)}"
        )
    if len(owner) and not (int(owner.min()) >= 0 and int(owner.max()) < n):
        raise InputError(f"expected owners from 0 to {n - 1}, got others")
    total = vectors.new_zeros(n, vectors.shape[1]).index_add_(0, owner, vectors)
    return unit(total)


def cosine_similarity(queries: Tensor, gallery: Tensor) -> Tensor:
    """Return s (q, n) of embeddings (q, r) and (n, r), −1 … 1.

    Raises:
        InputError: shapes do not fit.
    """
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise InputError(
            f"expected queries (q, r) and a gallery (n, r), got {tuple(queries.shape)} and "
            f"{tuple(gallery.shape)}"
        )
    return unit(queries) @ unit(gallery).T


def ranks(similarity: Tensor, target: Tensor | None = None) -> Tensor:
    """Return the rank (q,) of each query's true partner in s (q, n); 1 is best, ties count half.

    ``target``: (q,) places of the true partners; ``None``: query i belongs to i.

    Raises:
        InputError: shapes do not fit.
    """
    place = torch.arange(len(similarity)) if target is None else target
    if similarity.ndim != 2 or place.shape != similarity.shape[:1]:
        raise InputError(
            f"expected s (q, n) and targets (q,), got {tuple(similarity.shape)} and "
            f"{tuple(place.shape)}"
        )
    if len(place) and int(place.max()) >= similarity.shape[1]:
        raise InputError(f"expected targets below {similarity.shape[1]}, got {int(place.max())}")
    truth_similarity = similarity.gather(1, place.unsqueeze(1))
    n_closer = (similarity > truth_similarity).sum(dim=1)
    # Less the true partner itself.
    equal = (similarity == truth_similarity).sum(dim=1) - 1
    return 1.0 + n_closer + 0.5 * equal
