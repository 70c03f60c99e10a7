"""What lies behind an edge: the outline of a fibre or not, how thick that fibre is, or a bead.

A perceptron with two hidden layers on a patch across the edge (:mod:`generator.outlines`), taught
on drawn mats of every look (:mod:`generator.scenes`, :mod:`generator.train_judge`). An edge is
turned and scaled before it is shown, so that little is left to be learned: 90,000 weights do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from generator.outlines import Array, Image

N_BINS = 24
NONE, BEAD, FIRST_BIN = 0, 1, 2
N_CLASSES = FIRST_BIN + N_BINS
# From what is hardly a pixel's edge to more than a patch is deep, in equal steps of the logarithm.
CENTRES: NDArray[np.float64] = np.geomspace(1.5, 32.0, N_BINS)
WEIGHTS = "judge.safetensors"
BIN_STEP = float(np.log(CENTRES[1] / CENTRES[0]))
BIN_VARIANCE = BIN_STEP**2 / 6.0
"""Of ln diameter, that the bins themselves add: what lies between two is shared out to both."""

FAINTEST_PX = 2.4
"""Of thinner fibres there is no telling from noise, at whatever scale a picture is looked at."""

SMOOTHING = 0.1
"""Share of a bin that goes to either neighbour in each round: without, the shares of a few edges
break up into spikes; with more, spreads are told too large."""

EXPECTED = 0.3
"""Weight of the shares of none, beads and fibres that the judge expects, beside those of the
picture: what is rare would else be explained away."""


@dataclass(frozen=True)
class Judge:
    """The perceptron's weights by name, as they lie in the file.

    Classes of an edge: none (no fibre's outline on this side), a bead's outline, and the outline of
    a fibre of each diameter :data:`CENTRES` [px]. ``prior``: their shares in what it learned from.
    """

    weights: dict[str, Image]

    @property
    def prior(self) -> Array:
        """Return (:data:`N_CLASSES`,) shares."""
        return self.weights["prior"].astype(np.float64)

    def __call__(self, patches: Image) -> tuple[Image, Image]:
        """Judge (n, features) patches.

        Returns:
            (n, :data:`N_CLASSES`) probabilities; (n,) how many times as thick as its fibre it is.
        """
        hidden = patches
        for layer in ("0", "2"):
            hidden = np.maximum(hidden @ self._of(layer, "weight").T + self._of(layer, "bias"), 0.0)
        out = hidden @ self._of("4", "weight").T + self._of("4", "bias")
        logits = out[:, 1:]
        # Less the largest: the exponential cannot overflow. `initial` for no patches at all.
        raised = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-1e9))
        # A bead is as thick as its fibre at least; e^2.5 is twelve times.
        return raised / raised.sum(axis=1, keepdims=True), np.exp(np.clip(out[:, 0], 0.0, 2.5))

    def _of(self, layer: str, name: str) -> Image:
        return self.weights[f"{layer}.{name}"]


def adapted(
    probabilities: Image,
    prior: Array,
    length: Array,
    *,
    start: Array | None = None,
    steps: int = 40,
) -> tuple[Array, Image]:
    """Return what a picture holds of each class, and the edges' classes in the light of that.

    The judge expects what it learned from; a picture has shares of its own. They are found by
    expectation maximisation (Saerens, Latinne and Decaestecker, Neural Computation 14, 21 (2002)),
    smoothed over neighbouring diameters in each round (Silverman, Jones, Wilson and Nychka, J. R.
    Stat. Soc. B 52, 271 (1990)). No law of diameters is assumed: two populations stay two.

    Args:
        probabilities: (n, classes) probabilities.
        prior: (classes,) shares that they expect.
        length: (n,) weights.
        start: shares to begin with, ``prior`` without.
        steps: of the iteration.

    Returns:
        (classes,) shares of the length; (n, classes) probabilities.
    """
    without_noise = np.where(_IS_NOISE, 0.0, probabilities)
    without_noise[:, NONE] += probabilities[:, _IS_NOISE].sum(axis=1)
    likelihood = (without_noise / np.maximum(prior, 1e-6)).astype(np.float32)
    weight = (length / length.sum()).astype(np.float32)
    share = np.array(prior if start is None else start, dtype=np.float64)
    # Without these rounds thick fibres are read too thin and thin ones too thick.
    for _ in range(steps):
        joint = likelihood @ share.astype(np.float32)
        share *= (weight / np.maximum(joint, 1e-12)) @ likelihood
        share[:FIRST_BIN] += EXPECTED * prior[:FIRST_BIN]
        fibres = share[FIRST_BIN:].sum() + EXPECTED * prior[FIRST_BIN:].sum()
        share[FIRST_BIN:] = _smoothed(share[FIRST_BIN:], fibres)
        share /= share.sum()
    joint_share = likelihood * share.astype(np.float32)
    return share, joint_share / np.maximum(joint_share.sum(axis=1, keepdims=True), 1e-12)


_IS_NOISE = np.concatenate([np.zeros(FIRST_BIN, dtype=np.bool_), CENTRES < FAINTEST_PX])


def _smoothed(bins: Array, total: float) -> Array:
    """Return shares of sum ``total``, each mixed with its neighbours'."""
    padded = np.pad(bins, 1, mode="edge")
    mixed = SMOOTHING * (padded[:-2] + padded[2:]) + (1.0 - 2.0 * SMOOTHING) * bins
    return np.asarray(total * mixed / max(float(mixed.sum()), 1e-12))


@lru_cache(maxsize=1)
def the_judge() -> Judge:
    """Return the one that the package ships."""
    return Judge(load(files("generator").joinpath(WEIGHTS).read_bytes()))


def soft_bins(diameter: NDArray[np.floating]) -> Image:
    """Return (…, :data:`N_BINS`) shares of the two bins beside each diameter [px]."""
    last = N_BINS - 1
    step = np.log(CENTRES[-1] / CENTRES[0]) / last
    place = np.log(np.maximum(diameter, 1e-6) / CENTRES[0]) / step
    place = np.clip(place, 0.0, last)
    return np.maximum(0.0, 1.0 - np.abs(place[..., None] - np.arange(N_BINS))).astype(np.float32)
