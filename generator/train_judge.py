"""Teach the judge of edges on drawn mats: ``python -m generator.train_judge``, some minutes.

It writes ``generator/judge.safetensors``, which the package ships.
"""

from __future__ import annotations

import argparse
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from generator.judge import BEAD, FIRST_BIN, N_CLASSES, NONE, WEIGHTS, soft_bins
from generator.lesson_scenes import LessonScene, draw_lesson_scene
from generator.outlines import N_FEATURES, Image, context_of, find_outlines, noise_of, patches

WIDTHS = (384, 160)
# About a pixel from the edge: nearer it is undecided, farther a thin fibre ends.
INSIDE_PX = 0.9
# Blur moves where an edge is seen; with this it is still the edge of the fibre that it belongs to.
INSIDE_PER_BLUR = 0.5
EDGES_A_SCENE = 160


class Lesson(NamedTuple):
    """Patches and the truth behind them; float32, (n, …).

    ``outline``, ``bead``: 1 or 0; ``diameter`` of the fibre [px]; ``swelling``: how many times as
    thick it is at this place.
    """

    patches: Image
    outline: Image
    bead: Image
    diameter: Image
    swelling: Image


def lesson(drawn: LessonScene, rng: np.random.Generator, limit: int = EDGES_A_SCENE) -> Lesson:
    """Look at a drawn mat's edges."""
    scene, deep = drawn.scene, INSIDE_PX + INSIDE_PER_BLUR * drawn.blur
    outlines = find_outlines(scene.grey, noise_of(scene.grey), limit, rng)
    looks = patches(scene.grey, outlines, context_of(scene.grey))

    def nearest(depth: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        y, x = (np.rint(part).astype(np.intp) for part in outlines.at(depth))
        return np.clip(y, 0, scene.grey.shape[0] - 1), np.clip(x, 0, scene.grey.shape[1] - 1)

    inside, outside = nearest(deep), nearest(-deep)
    # What lies higher owns the edge.
    outline = scene.order[inside] > scene.order[outside]
    diameter = scene.diameter[inside]
    swelling = scene.local[inside] / np.maximum(diameter, 1e-3)
    columns = (outline, scene.bead[inside], diameter, swelling)
    return Lesson(looks, *(np.asarray(part, dtype=np.float32) for part in columns))


def gathered(n_scenes: int, seed: int) -> Lesson:
    """Return the lessons of so many mats."""
    rng = np.random.default_rng(seed)
    return _joined([lesson(draw_lesson_scene(rng), rng) for _ in range(n_scenes)])


def _joined(parts: list[Lesson]) -> Lesson:
    return Lesson(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def network() -> nn.Sequential:
    """Return the perceptron before it has learned: logarithm of the swelling, and class logits."""
    first, second = WIDTHS
    return nn.Sequential(
        nn.Linear(N_FEATURES, first), nn.ReLU(),
        nn.Linear(first, second), nn.ReLU(), nn.Linear(second, 1 + N_CLASSES),
    )  # fmt: skip


def classes(lessons: Lesson) -> Image:
    """Return the true class of each edge, (n, classes); rows add to 1."""
    truth = np.zeros((len(lessons.outline), N_CLASSES), dtype=np.float32)
    truth[:, NONE] = 1.0 - lessons.outline
    truth[:, BEAD] = lessons.outline * lessons.bead
    plain = lessons.outline * (1.0 - lessons.bead)
    truth[:, FIRST_BIN:] = plain[:, None] * soft_bins(lessons.diameter)
    return truth


def loss_of(out: Tensor, truth: Tensor, swelling: Tensor) -> tuple[Tensor, list[float]]:
    """Return the loss and its parts: class (cross-entropy), logarithm of the swelling (squares)."""
    kind = -(truth * out[:, 1:].log_softmax(1)).sum(1).mean()
    outline = 1.0 - truth[:, NONE]
    # Only where there is an outline: elsewhere nothing has a thickness.
    thick = ((out[:, 0] - swelling) ** 2 * outline).sum() / outline.sum().clamp_min(1.0)
    return kind + thick, [float(kind.detach()), float(thick.detach())]


def train(lessons: Lesson, *, epochs: int, seed: int, rate: float = 2e-3) -> nn.Sequential:
    """Teach a new perceptron; AdamW in batches of 1,024, one cycle of the learning rate."""
    torch.manual_seed(seed)
    model = network()
    swelling = np.log(np.maximum(lessons.swelling, 1.0))
    columns = [torch.from_numpy(part) for part in (lessons.patches, classes(lessons), swelling)]
    n = len(swelling)
    size = min(1024, n)
    steps = epochs * (n // size)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-3)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, max(steps, 2), pct_start=0.1)
    for epoch in range(epochs):
        order = torch.randperm(n)
        pictures = []
        for start in range(0, n - size + 1, size):
            patch, truth, thick = (column[order[start : start + size]] for column in columns)
            loss, parts = loss_of(model(patch), truth, thick)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            cycle.step()
            pictures.append(parts)
        centre = np.mean(pictures, axis=0)
        print(f"{epoch + 1}/{epochs} class {centre[0]:.3f} swelling {centre[1]:.3f}", flush=True)
    return model


def save(model: nn.Sequential, prior: Image, path: Path) -> None:
    """Write the weights, and the classes' shares in the lessons."""
    from safetensors.numpy import save_file

    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    save_file({**weights, "prior": np.ascontiguousarray(prior)}, path)


def main() -> None:
    """Draw, teach, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=6000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=500)
    parser.add_argument("--processes", type=int, default=1, help="that draw")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name(WEIGHTS))
    options = parser.parse_args()
    # So that the weights do not depend on how many cores there are.
    torch.set_num_threads(1)
    n = options.processes
    with Pool(n) as pool:
        parts = pool.starmap(gathered, [(options.scenes // n, options.seed + i) for i in range(n)])
    lessons = _joined(parts)
    print(
        f"{len(lessons.outline)} edges, {lessons.outline.mean():.0%} of them outlines", flush=True
    )
    model = train(lessons, epochs=options.epochs, seed=options.seed)
    save(model, classes(lessons).mean(axis=0), options.out)


if __name__ == "__main__":
    main()
