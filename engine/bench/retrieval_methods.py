r"""Ways to match conditions and micrographs, each as one score for every pair.

Notation
--------
=======  ===========================================================================  =========
symbol   meaning                                                                      shape
=======  ===========================================================================  =========
t, v     MatMCL's projected latents of conditions and of pictures (mean of tiles)      (·, r)
F        features of a picture: hand-made statistics, or leading directions of the     (·, q)
         vision latents of the training pictures
μ(x)     what conditions x lead one to expect of F: one GP each, on training mats      (·, q)
Σ        covariance of the training mats' leave-one-out residuals F − μ                (q, q)
s        score; higher is more alike                                                   (a, b)
=======  ===========================================================================  =========

==================  ===================================================================
latent              s = cos(t, v); of two pictures cos(v, v')
statistics          −(F − μ)ᵀ Σ⁻¹ (F − μ), F hand-made
expected latent     the same, F from the vision latents
statistics, latent  the former two's scores (root of the distance; cosine), each brought to
                    one spread, the latent's with a fifth of the weight
re-ordered          `engine retrieve`'s own way: the latent's 20 first, ordered by how far
                    measured diameter and order are from those expected, or measured
true mats           the hidden structures themselves, with the lots' own covariance
==================  ===================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.bench.retrieval_mats import Mats, settings_of, standardised
from engine.retrieval.ordering import SHORTLIST, apart
from surrogate.gp import fit_outcomes, leave_one_out
from surrogate.matmcl.model import MatMCL
from surrogate.retrieval import cosine_similarity, mean_direction

Array = NDArray[np.float64]

N_DIRECTIONS = 8
LATENT_WEIGHT = 0.2
_RIDGE = 1e-3


@dataclass(frozen=True)
class Latents:
    """Projected latents t (n, r) and v (n, r), and vision latents before projection (n, l)."""

    t: Array
    v: Array
    vision: Array


def latents_of(model: MatMCL, mats: Mats) -> Latents:
    """Encode mats."""
    n, k = mats.tiles.shape[:2]
    flat = mats.tiles.flatten(0, 1)
    with torch.no_grad():
        t = model.project(model.table_latent(mats.T)).double()
        vision = torch.cat(
            [model.vision_latent(some.unsqueeze(1).float() / 255.0) for some in flat.split(64)]
        )
        projected = model.project(vision).double()
    v = mean_direction(projected, torch.arange(n).repeat_interleave(k), n)
    inner = vision.double().reshape(n, k, -1).mean(dim=1)
    return Latents(t.numpy(), v.numpy(), inner.numpy())


class Expectation:
    """GPs from conditions to features, with the covariance of what they leave unexplained."""

    def __init__(self, mats: Mats, features: Array) -> None:
        X = settings_of(mats)
        self._low, self._width = X.min(axis=0), np.ptp(X, axis=0)
        self.model = fit_outcomes(self._cube(X), torch.from_numpy(features))
        observed, means, _ = leave_one_out(self.model)
        spread = features.std(axis=0, ddof=1)
        left = (
            np.stack([(y - m).numpy() for y, m in zip(observed, means, strict=True)], axis=1)
            * spread
        )
        covariance = np.cov(left.T).reshape(len(spread), len(spread))
        self.precision: Array = np.asarray(
            np.linalg.inv(covariance + _RIDGE * np.eye(len(spread))), dtype=float
        )

    def _cube(self, X: Array) -> torch.Tensor:
        return torch.from_numpy((X - self._low) / np.where(self._width > 0, self._width, 1.0))

    def of(self, mats: Mats) -> Array:
        """Return μ (n, q)."""
        with torch.no_grad():
            mean: Array = self.model.posterior(self._cube(settings_of(mats))).mean.numpy()
        return mean

    def score(self, a: Array, b: Array) -> Array:
        """Return s (a, b) of features (a, q) and (b, q)."""
        return -distance(a, b, self.precision)


def distance(a: Array, b: Array, precision: Array) -> Array:
    """Return the squared Mahalanobis distances (a, b) of (a, q) and (b, q)."""
    root = np.linalg.cholesky(precision)
    left, right = a @ root, b @ root
    square = (left**2).sum(1)[:, None] + (right**2).sum(1)[None] - 2.0 * left @ right.T
    return np.maximum(square, 0.0)


def leading_directions(train: Array, *others: Array) -> tuple[Array, ...]:
    """Return (·, q) principal coordinates, of the training rows' own, each of unit spread."""
    centre = train.mean(axis=0)
    _, values, axes = np.linalg.svd(train - centre, full_matrices=False)
    q = min(N_DIRECTIONS, int((values > 1e-6 * values[0]).sum()))
    scale = values[:q] / np.sqrt(len(train) - 1)
    return tuple((rows - centre) @ axes[:q].T / scale for rows in (train, *others))


@dataclass(frozen=True)
class Scores:
    """One method's scores: of held-out conditions × held-out pictures (n, n); of held-out
    conditions, and held-out pictures, × gallery pictures (n, N).
    """

    among: Array
    conditions_gallery: Array
    picture_gallery: Array


def all_scores(train: Mats, test: Mats, model: MatMCL) -> dict[str, Scores]:
    """Score every pair by every method; the gallery is ``train``."""
    gallery, query = latents_of(model, train), latents_of(model, test)
    found = {
        "latent": Scores(
            _cosine(query.t, query.v), _cosine(query.t, gallery.v), _cosine(query.v, gallery.v)
        )
    }
    hand = (
        standardised(train.measured, train.measured),
        standardised(test.measured, train.measured),
    )
    seen = leading_directions(gallery.vision, query.vision)
    for name, (known, asked) in (("statistics", hand), ("expected latent", seen)):
        expectation = Expectation(train, known)
        promised = expectation.of(test)
        found[name] = Scores(
            expectation.score(promised, asked),
            expectation.score(promised, known),
            expectation.score(asked, known),
        )
        if name == "statistics":
            expected = promised * _spread(train) + np.nanmean(train.measured, axis=0)
    found["statistics, latent"] = _blended(found["statistics"], found["latent"])
    found["re-ordered"] = Scores(
        found["latent"].among,
        _reordered(found["latent"].conditions_gallery, expected, train.measured),
        _reordered(found["latent"].picture_gallery, test.measured, train.measured),
    )
    found["true mats"] = _by_truth(train, test)
    return found


def _spread(mats: Mats) -> Array:
    return np.asarray(np.nanstd(mats.measured, axis=0))


def _reordered(score: Array, asked: Array, known: Array) -> Array:
    """Order the first of each row by ln diameter and order, columns 0 and 1 of the statistics."""
    off = apart(np.nan_to_num(asked[:, None, :2] - known[None, :, :2], nan=np.inf))
    least = np.sort(score, axis=1)[:, -SHORTLIST:][:, :1]
    return np.where(score >= least, -off, -np.inf)


def _cosine(a: Array, b: Array) -> Array:
    return np.asarray(cosine_similarity(torch.from_numpy(a), torch.from_numpy(b)).numpy())


def _blended(statistics: Scores, latent: Scores) -> Scores:
    def one(name: str) -> Array:
        rooted = -np.sqrt(-getattr(statistics, name))
        return _even(rooted) + LATENT_WEIGHT * _even(getattr(latent, name))

    return Scores(one("among"), one("conditions_gallery"), one("picture_gallery"))


def _even(score: Array) -> Array:
    return np.asarray((score - score.mean()) / score.std())


def _by_truth(train: Mats, test: Mats) -> Scores:
    """Match hidden structures with the lots' true covariance: what no picture can surpass."""
    covariance = np.cov((train.lot - train.lot_promised).T) + 1e-6 * np.eye(4)
    precision = np.asarray(np.linalg.inv(covariance), dtype=float)
    return Scores(
        -distance(test.lot_promised, test.lot, precision),
        -distance(test.lot_promised, train.lot, precision),
        -distance(test.lot, train.lot, precision),
    )
