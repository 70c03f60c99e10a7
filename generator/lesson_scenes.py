"""Drawn mats for the judge's lessons: also what instruments make of a mat at their worst.

The painter is that of :mod:`generator.scenes`. Wider than there: blur of up to half a fibre, up to
fifteen layers, rims from none to narrow and several times as bright, two populations, few electrons
a pixel.

======  ==================================================================
d       mean diameter of the fibres [px]
σ       standard deviation of the blur [px]
======  ==================================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from generator import scenes
from generator.outlines import resized
from generator.scenes import Plane, Scene

HANDY_PX, ALL_PX = (4.0, 14.0), (2.2, 22.0)
MOST_LAYERS = 15.0
MOST_FIBRES = 700
BLUR_OF_DIAMETER = (0.05, 0.5)
ELECTRONS = (6.0, 500.0)


@dataclass(frozen=True)
class LessonScene:
    """A scene, and how far its blur moves an edge: ``blur`` is σ [px]."""

    scene: Scene
    blur: float


def draw_lesson_scene(rng: np.random.Generator, side: int = 144) -> LessonScene:
    """Draw a random mat of ``side`` × ``side`` pixels."""
    planes = {name: np.zeros((side, side), dtype=np.float32) for name in scenes._LAYERS}
    planes["grey"] += scenes._ground(rng, side)
    style = _style(rng)
    middle = _log_uniform(rng, *(HANDY_PX if rng.random() < 0.7 else ALL_PX))
    layers = _log_uniform(rng, 0.25, MOST_LAYERS)
    reach = 0.5 * math.sqrt(2.0) * side
    n = int(np.clip(layers * 2.0 * reach / middle, 2, MOST_FIBRES))
    diameters = _diameters(rng, middle, n)
    angles = rng.uniform(0, math.pi) + scenes._tilts(rng, n)
    dim, gamma = rng.uniform(0.15, 0.9), rng.uniform(0.5, 2.0)
    for i in range(n):
        depth = (i + 1) / n
        brightness = (dim + (1.0 - dim) * depth**gamma) * math.exp(0.08 * rng.standard_normal())
        fibre = scenes._Fibre(float(diameters[i]), float(angles[i]), brightness)
        scenes._paint(planes, rng, style, fibre, reach)
    if rng.random() < 0.12:
        scenes._particles(planes, rng, middle)
    blur = _blur(rng, middle)
    grey = _photographed(planes["grey"], rng, blur)
    return LessonScene(Scene(grey, *(planes[name] for name in scenes._LAYERS[1:])), blur)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _style(rng: np.random.Generator) -> scenes._Style:
    style = scenes._style(rng)
    kind = rng.random()
    if kind < 0.2:  # as even as a ribbon
        return replace(style, rim=rng.uniform(-0.1, 0.1))
    if kind < 0.5:  # narrow and bright, as edges are under a beam
        return replace(style, rim=rng.uniform(0.5, 2.5), rim_power=_log_uniform(rng, 3.0, 20.0))
    return style


def _diameters(rng: np.random.Generator, middle: float, n: int) -> NDArray[np.float64]:
    means = np.full(n, middle)
    spread = rng.uniform(0.02, 0.6)
    if rng.random() < 0.3:
        spread = rng.uniform(0.02, 0.3)
        ratio = math.sqrt(_log_uniform(rng, 1.5, 4.0))
        means = np.where(rng.random(n) < rng.uniform(0.2, 0.8), middle / ratio, middle * ratio)
    sigma = math.sqrt(math.log1p(spread**2))
    # Log-normal of mean `means`, hence less σ²/2.
    return np.asarray(means * np.exp(sigma * rng.standard_normal(n) - 0.5 * sigma**2))


def _blur(rng: np.random.Generator, diameter: float) -> float:
    if rng.random() < 0.5:
        return float(max(0.0, rng.uniform(-0.2, 1.0)))
    return _log_uniform(rng, *BLUR_OF_DIAMETER) * diameter


def _photographed(grey: Plane, rng: np.random.Generator, blur: float) -> Plane:
    """Blur, charge, distort, and count electrons as instruments do."""
    side = grey.shape[0]
    grey = ndi.gaussian_filter(grey, blur)
    if rng.random() < 0.3:
        grey = grey * (1.0 + 0.15 * scenes._cloud(rng, side, rng.uniform(25.0, 80.0)))
    picture = np.asarray(np.maximum(grey, 0.0) ** rng.uniform(0.7, 1.5), dtype=np.float32)
    # Made coarse and, at the end, fine again, as a thin fibre's picture is to be looked at.
    coarse = rng.uniform(1.1, 2.5) if rng.random() < 0.35 else 1.0
    if coarse > 1.0:
        picture = np.maximum(resized(picture, coarse), 0.0)
    noise = rng.standard_normal(picture.shape)
    if rng.random() < 0.25:  # compressed, or smoothed by the instrument
        noise = ndi.gaussian_filter(noise, rng.uniform(0.0, 1.0))
        noise /= noise.std()
    if rng.random() < 0.6:
        mean = float(picture.mean()) + 1e-3
        size = np.sqrt(picture * mean / _log_uniform(rng, *ELECTRONS))
    else:
        size = np.full_like(picture, rng.uniform(0.0, 0.4) * (float(picture.std()) + 1e-3))
    picture = picture + (size * noise).astype(np.float32)
    if coarse > 1.0:
        picture = resized(picture, picture.shape[0] / side, (side, side))
    return picture
