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
engine retrieve     what that command does (:mod:`engine.retrieval.matching`)
true mats           what no picture surpasses: own partners by the fit of what is truly shown to
                    what is truly promised, in the gallery the mat that is truly nearest
==================  ===================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from engine.bench.pictures.retrieval_mats import Mats, looks, settings_of, standardised
from engine.lab.virtual import nanofibre_campaign
from engine.retrieval.expected import MeasuredRun, StatisticsModel
from engine.retrieval.matching import (
    LOG_DIAMETER,
    ORDER,
    Matcher,
    for_conditions,
    for_picture,
    log_ratio,
)
from surrogate.gp import fit_outcomes, leave_one_out
from surrogate.matmcl.model import MatMCL
from surrogate.retrieval import cosine_similarity, mean_direction
from surrogate.sourced_gp import GPConfig

Array = NDArray[np.float64]

N_DIRECTIONS = 8
LATENT_WEIGHT = 0.2
# Keeps covariances invertible where two statistics of few mats go together.
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
            [model.vision_latent(tiles.unsqueeze(1).float() / 255.0) for tiles in flat.split(64)]
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
        self.model = fit_outcomes(self._cube(X), torch.from_numpy(features), config=GPConfig())
        observed, predicted, _ = leave_one_out(self.model)
        spread = features.std(axis=0, ddof=1)
        residuals = (
            np.stack([(y - m).numpy() for y, m in zip(observed, predicted, strict=True)], axis=1)
            * spread
        )
        covariance = np.cov(residuals.T).reshape(len(spread), len(spread))
        self.precision: Array = np.asarray(
            np.linalg.inv(covariance + _RIDGE * np.eye(len(spread))), dtype=float
        )

    def _cube(self, X: Array) -> torch.Tensor:
        return torch.from_numpy((X - self._low) / np.where(self._width > 0, self._width, 1.0))

    def mean(self, mats: Mats) -> Array:
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
    a, b = a @ root, b @ root
    square = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2.0 * a @ b.T
    return np.maximum(square, 0.0)


def leading_directions(train: Array, *queries: Array) -> tuple[Array, ...]:
    """Return (·, q) principal coordinates, of the training rows' own, each of unit spread."""
    centre = train.mean(axis=0)
    _, values, axes = np.linalg.svd(train - centre, full_matrices=False)
    q = min(N_DIRECTIONS, int((values > 1e-6 * values[0]).sum()))
    scale = values[:q] / np.sqrt(len(train) - 1)
    return tuple((rows - centre) @ axes[:q].T / scale for rows in (train, *queries))


@dataclass(frozen=True)
class Scores:
    """One method's scores: of held-out conditions × held-out pictures, as a condition ranks
    pictures and as a picture ranks conditions, (n, n) both; of held-out conditions, and of held-out
    pictures, × gallery pictures (n, N).
    """

    conditions_among: Array
    picture_among: Array
    conditions_gallery: Array
    picture_gallery: Array

    @classmethod
    def even(cls, among: Array, conditions_gallery: Array, picture_gallery: Array) -> Self:
        """One score of a pair, whoever asks."""
        return cls(among, among, conditions_gallery, picture_gallery)


def all_scores(train: Mats, test: Mats, model: MatMCL) -> dict[str, Scores]:
    """Score every pair by every method; the gallery is ``train``."""
    gallery, query = latents_of(model, train), latents_of(model, test)
    latent = Scores.even(
        _cosine(query.t, query.v), _cosine(query.t, gallery.v), _cosine(query.v, gallery.v)
    )
    hand = (
        standardised(train.measured, train.measured),
        standardised(test.measured, train.measured),
    )
    statistics = _expected(train, test, *hand)
    return {
        "latent": latent,
        "expected latent": _expected(
            train, test, *leading_directions(gallery.vision, query.vision)
        ),
        "statistics": statistics,
        "statistics, latent": _blended(statistics, latent),
        "engine retrieve": _by_the_engine(train, test, latent),
        "true mats": _by_truth(train, test),
    }


def _expected(train: Mats, test: Mats, gallery: Array, queries: Array) -> Scores:
    """Score by features of the gallery's and of the queries' pictures, (·, q) both."""
    expectation = Expectation(train, gallery)
    promised = expectation.mean(test)
    return Scores.even(
        expectation.score(promised, queries),
        expectation.score(promised, gallery),
        expectation.score(queries, gallery),
    )


def _by_the_engine(train: Mats, test: Mats, latent: Scores) -> Scores:
    runs = [
        MeasuredRun(i, None, row, Y, 1)
        for i, (row, Y) in enumerate(zip(train.conditions, train.measured, strict=True))
    ]
    matcher = Matcher.prepare(StatisticsModel.fit(nanofibre_campaign(), runs), runs)
    promised = matcher.expect(test.conditions)
    among = for_conditions(matcher, promised, test.measured)
    first = for_conditions(matcher, promised, train.measured)
    alike = for_picture(matcher, test.measured, train.measured)
    return Scores(
        _or_latent(among, latent.conditions_among),
        matcher.fit(promised, test.measured),
        _or_latent(first, latent.conditions_gallery),
        _or_latent(alike, latent.picture_gallery),
    )


def _or_latent(score: Array, similarity: Array) -> Array:
    """Put those without a score behind all others, most similar first."""
    is_scored = np.isfinite(score)
    floor = score[is_scored].min() - 3.0 if is_scored.any() else 0.0
    return np.where(is_scored, score, floor + similarity)


def _cosine(a: Array, b: Array) -> Array:
    return np.asarray(cosine_similarity(torch.from_numpy(a), torch.from_numpy(b)).numpy())


def _blended(statistics: Scores, latent: Scores) -> Scores:
    def blend(name: str) -> Array:
        rooted = -np.sqrt(-getattr(statistics, name))
        return _even(rooted) + LATENT_WEIGHT * _even(getattr(latent, name))

    return Scores.even(
        blend("conditions_among"), blend("conditions_gallery"), blend("picture_gallery")
    )


def _even(score: Array) -> Array:
    return np.asarray((score - score.mean()) / score.std())


def _by_truth(train: Mats, test: Mats) -> Scores:
    """Hits cannot be more; recall is that of the laws, with the spread of lots and of pictures."""
    true, promised = looks(train.visible), looks(train.promised)
    slope, start = _line(promised, true)
    expected = promised * slope + start
    R = np.cov((true - expected).T) + _RIDGE * np.diag(true.var(axis=0))
    fit = log_ratio(looks(test.promised) * slope + start, looks(test.visible), expected, R)
    return Scores.even(fit, _near(test.promised, train.visible), _near(test.visible, train.visible))


def _line(x: Array, y: Array) -> tuple[Array, Array]:
    """Return slopes and starts (q,) of the columns of y on those of x."""
    slope = ((x - x.mean(axis=0)) * (y - y.mean(axis=0))).mean(axis=0) / x.var(axis=0)
    return slope, y.mean(axis=0) - slope * x.mean(axis=0)


def _near(queries: Array, gallery: Array) -> Array:
    """Return −(a, b), the farther of diameter and order in units of what still hits."""
    thick = np.abs(np.log(queries[:, None, 0] / gallery[None, :, 0])) / LOG_DIAMETER
    turned = np.abs(queries[:, None, 1] - gallery[None, :, 1]) / ORDER
    return -np.maximum(thick, turned)
