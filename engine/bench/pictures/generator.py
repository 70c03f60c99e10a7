"""Is the mat of a preview the mat that comes? The generator against the virtual lab's truth.

Conditions are drawn anew, seeds that no training has; for each: n generated pictures, and twice n
true micrographs, every one of a lot of its own, all at the generator's scale and measured alike.

======================  ===========================================================================
generator               as `engine preview` draws
DDPM, 1,000 steps       the same networks, sampled by 1,000 steps of ancestral sampling in pixel
                        space, prior too, as MatMCL's published generator does; on few conditions:
                        it is slow
nearest training        the one micrograph in training whose conditions are nearest
8 nearest training      the n nearest ones
true                    the second set of true micrographs: what perfection would score
======================  ===========================================================================
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.bench.harness.environment import environment
from engine.bench.harness.results import write_json
from engine.bench.pictures.blind_look import BlindLook, blind_look
from engine.bench.pictures.generator_scores import (
    NAMES,
    Looks,
    correlation,
    kernel_distance,
    nearest_distances,
    pair_distances,
    ratio,
    set_distances,
)
from engine.bench.pictures.held_out_mats import Truth, draw_truth
from engine.documents import finite
from engine.errors import ModelError, UsageError, place
from engine.lab.virtual import VirtualLab
from engine.previews.encoders import NM_PER_PIXEL, image_embeddings
from engine.previews.lessons import Lessons
from engine.previews.painter import Painter, open_painter
from engine.previews.serving_generator import STARTER, Serving
from engine.previews.training import reduced
from engine.sources.axes import axes_of, match_axes
from engine.sources.encoding import encode_axes
from generator.checkpoint import load_generator, read_card
from generator.config import GeneratorConfig
from generator.drawing import Noise, laid
from generator.folding import labels_of, unfold
from generator.noise import N_STEPS, training_scheduler
from generator.pipeline import MicrostructurePipeline
from surrogate.progress import Progress, silent

Array = NDArray[np.float64]

# A stream of its own: trainings of the generator draw from others.
_HELD_OUT = 4002
_JUDGED = 4003
ORDER = ("diameter", "order", "porosity")


@dataclass(frozen=True)
class GeneratorBenchConfig:
    """What is run: ``n`` conditions, ``pictures`` of each; ``slow`` of them for the DDPM (0: none).

    ``judged``: conditions, beside these, whose pictures teach a judge to tell drawn from true
    (0: none).

    Raises:
        UsageError: a size that cannot be.
    """

    n: int = 40
    pictures: int = 8
    slow: int = 4
    seed: int = 0
    judged: int = 60

    def __post_init__(self) -> None:
        for name, low, high in (
            ("n", 3, 1000),
            ("pictures", 2, 64),
            ("slow", 0, 1000),
            ("judged", 0, 1000),
        ):
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"expected {low} to {high}, got {getattr(self, name)}", field=name)


def bench_generator(
    config: GeneratorBenchConfig,
    *,
    folder: Path = STARTER,
    lessons: Lessons | None = None,
    out: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Run the benchmark; return its document, written to ``out`` as well.

    Args:
        config: what is run.
        folder: of the generator.
        lessons: what it was trained on: for the nearest training micrographs; drawn anew by the
            generator's own card if not given.
        out: a JSON file.
        progress: told what is being done.

    Raises:
        ModelError: the generator cannot be loaded.
    """
    painter = open_painter(Serving(folder, folder.name))
    card = read_card(folder)
    shape = card.config
    progress(f"spinning {config.n} held-out conditions")
    truth = _truth(config, config.n, config.pictures, shape, _HELD_OUT)
    campaign = VirtualLab().campaign
    progress(f"drawing {config.n * config.pictures} pictures")
    begun, cpu = time.perf_counter(), time.process_time()
    drawn = np.stack(
        [
            painter.of_conditions(campaign, [row], config.pictures, config.seed + place)[0]
            for place, row in enumerate(truth.conditions)
        ]
    )
    count = config.n * config.pictures
    speed: dict[str, Any] = {
        "pictures": count,
        "seconds_per_picture": (time.perf_counter() - begun) / count,
        "cpu_seconds_per_picture": (time.process_time() - cpu) / count,
    }
    progress("drawing one alone")
    speed["one_alone"] = _seconds_of_single(painter, truth.conditions[0])
    if lessons is None:
        progress("drawing what it was trained on")
        lessons = _lessons_of(painter, card.extra, card.seed)
    training = reduced(lessons.tiles, shape.side_px)
    near = _nearest(painter, lessons, truth.conditions, config.pictures)
    methods = {
        "generator": drawn,
        "nearest training micrograph": training[near[:, :1]],
        f"{config.pictures} nearest training micrographs": training[near],
        "true": truth.second,
    }
    progress("measuring")
    real = _looks(truth.first, shape.nm_per_pixel)
    looks = {name: _looks(pictures, shape.nm_per_pixel) for name, pictures in methods.items()}
    table = {
        name: _scores(drawn_looks, real, looks["true"], truth, config.seed)
        for name, drawn_looks in looks.items()
    }
    document: dict[str, Any] = {
        "kind": "generator",
        "config": asdict(config),
        "generator": card.sha256,
        "shape": shape.to_dict(),
        "environment": environment(),
        "methods": table,
        "speed": speed,
    }
    if config.slow:
        progress(f"drawing {config.slow * config.pictures} pictures by DDPM, {N_STEPS} steps")
        pipeline = load_generator(folder, encoders_sha256=card.encoders_sha256)
        document["ddpm"] = _ddpm(painter, pipeline, config, truth, real, looks)
    progress("comparing latents and training pictures")
    document["kernel_distance"] = _kernel(painter, methods, truth.first)
    document["nearest_in_training"] = _memory(methods, training)
    if config.judged:
        progress("teaching a judge to tell drawn from true")
        document["blind_look"] = asdict(_blind_look(painter, config, drawn, truth))
    if out is not None:
        write_json(out, finite(document))
    return document


def _blind_look(
    painter: Painter, config: GeneratorBenchConfig, drawn: NDArray[np.uint8], truth: Truth
) -> BlindLook:
    """Ask a judge, taught on conditions of its own, of one drawn and one true picture of each."""
    shape = painter.drawer.config
    taught = _truth(config, config.judged, 2, shape, _JUDGED)
    campaign = VirtualLab().campaign
    lessons = painter.of_conditions(campaign, taught.conditions, 4, config.seed)
    true = np.concatenate([taught.first, taught.second])
    flat = (-1, shape.side_px, shape.side_px)
    return blind_look(
        (lessons.reshape(flat), true.reshape(flat)), (drawn[:, 0], truth.second[:, 0]), config.seed
    )


def _truth(
    config: GeneratorBenchConfig, n: int, n_pictures: int, shape: GeneratorConfig, stream: int
) -> Truth:
    rng = np.random.default_rng([stream, config.seed])
    return draw_truth(n, n_pictures, rng, shape.side_px, shape.nm_per_pixel)


def _looks(sets: NDArray[np.uint8], nm_per_pixel: float) -> list[Looks]:
    """Measure sets of pictures, (conditions, n, s, s)."""
    return [Looks.measured(pictures, nm_per_pixel) for pictures in sets]


def _scores(
    drawn: Sequence[Looks], real: Sequence[Looks], true: Sequence[Looks], truth: Truth, seed: int
) -> dict[str, Any]:
    """Return ratios with intervals, and correlations over the conditions."""
    n = len(drawn)
    pairs = np.array([pair_distances(a, b) for a, b in zip(drawn, real[:n], strict=True)])
    ideal = np.array([pair_distances(a, b) for a, b in zip(true[:n], real[:n], strict=True)])
    sets = np.array([set_distances(a, b) for a, b in zip(drawn, real[:n], strict=True)])
    best = np.array([set_distances(a, b) for a, b in zip(true[:n], real[:n], strict=True)])
    middle = np.array([_of_measured(looks.averages, np.mean) for looks in drawn])
    measured = np.array([_of_measured(looks.averages, np.mean) for looks in real[:n]])
    spread = np.array([_of_measured(looks.averages, np.std) for looks in drawn])
    return {
        "distance": {k: ratio(pairs[:, i], ideal[:, i], seed) for i, k in enumerate(NAMES)},
        "distance_of_sets": {k: ratio(sets[:, i], best[:, i], seed) for i, k in enumerate(ORDER)},
        "correlation_with_truth": {
            "diameter": correlation(middle[:, 0], truth.diameter[:n]),
            "order": correlation(middle[:, 1], truth.order[:n]),
        },
        "correlation_with_measured": {
            k: correlation(middle[:, i], measured[:, i]) for i, k in enumerate(ORDER)
        },
        "bias": {
            k: float(_of_measured(middle - measured, np.mean)[i]) for i, k in enumerate(ORDER)
        },
        "spread": {k: float(_of_measured(spread, np.mean)[i]) for i, k in enumerate(ORDER)},
        "found": float(np.mean([~np.isnan(looks.averages[:, 0]) for looks in drawn])),
    }


def _of_measured(values: Array, statistic: Callable[[Array], Any]) -> Array:
    """Return a statistic of each column (n, 3) over its numbers; ``nan`` where it has none."""
    columns = [column[~np.isnan(column)] for column in values.T]
    return np.array([float(statistic(column)) if column.size else np.nan for column in columns])


def _seconds_of_single(
    painter: Painter, row: dict[str, float], repeats: int = 5
) -> dict[str, float]:
    """Return the seconds of a single picture, the median of a few."""
    campaign = VirtualLab().campaign
    wall, cpu = [], []
    for seed in range(repeats):
        begun, spent = time.perf_counter(), time.process_time()
        painter.of_conditions(campaign, [row], 1, seed)
        wall.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - spent)
    return {"seconds": float(np.median(wall)), "cpu_seconds": float(np.median(cpu))}


def _ddpm(
    painter: Painter,
    pipeline: MicrostructurePipeline,
    config: GeneratorBenchConfig,
    truth: Truth,
    real: Sequence[Looks],
    looks: dict[str, list[Looks]],
) -> dict[str, Any]:
    """Draw by ancestral sampling; time both ways of drawing, the same pictures at a time."""
    campaign = VirtualLab().campaign
    rows = truth.conditions[: config.slow]
    seconds: dict[str, dict[str, float]] = {}
    drawn: list[NDArray[np.uint8]] = []
    for name in ("fast", "slow"):
        begun, cpu = time.perf_counter(), time.process_time()
        if name == "fast":
            for place, row in enumerate(rows):
                painter.of_conditions(campaign, [row], config.pictures, config.seed + place)
        else:
            drawn = [_ancestral(painter, pipeline, row, config.pictures, place) for place, row in
                     enumerate(rows)]  # fmt: skip
        count = len(rows) * config.pictures
        seconds[name] = {
            "wall": (time.perf_counter() - begun) / count,
            "cpu": (time.process_time() - cpu) / count,
        }
    ancestral = _looks(np.stack(drawn), painter.nm_per_pixel)
    subset = {name: method[: config.slow] for name, method in looks.items()}
    return {
        "conditions": config.slow,
        "seconds_per_picture": seconds["slow"],
        "generator_seconds_per_picture": seconds["fast"],
        "times_slower": {k: seconds["slow"][k] / seconds["fast"][k] for k in ("wall", "cpu")},
        "ddpm": _scores(ancestral, real, subset["true"], truth, config.seed),
        "generator": _scores(subset["generator"], real, subset["true"], truth, config.seed),
    }


def _ancestral(
    painter: Painter, pipeline: MicrostructurePipeline, row: dict[str, float], n: int, seed: int
) -> NDArray[np.uint8]:
    """Draw n pictures of one row by 1,000 steps of both diffusions."""
    campaign = VirtualLab().campaign
    vocabulary = painter.encoders.vocabulary
    table = encode_axes(match_axes(axes_of(campaign), vocabulary), vocabulary, [row])
    luck = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        c = pipeline.prior.condition(
            painter.encoders.table_latent(torch.from_numpy(table).float())
        ).repeat(n, 1)
        e = torch.randn(n, pipeline.prior.config.embedding_dim, generator=luck)
        scheduler = training_scheduler("v_prediction")
        for time_ in scheduler.timesteps:
            v = pipeline.prior(e, time_.expand(n), c)
            e = scheduler.step(v, int(time_), e, generator=luck).prev_sample
        shape = pipeline.shape
        noise = Noise.drawn(shape, n, luck)
        mats = laid(shape, pipeline.prior, e, noise) if shape.is_laid else None
        x = noise.places
        scheduler = training_scheduler(str(pipeline.scheduler.config.prediction_type))
        labels = labels_of(e)
        for time_ in scheduler.timesteps:
            visible = x if mats is None else torch.cat([x, mats.sketch], dim=1)
            v = pipeline.unet(
                visible, time_, encoder_hidden_states=None, class_labels=labels
            ).sample
            x = scheduler.step(v, int(time_), x, generator=luck).prev_sample
        pictures = unfold(x, pipeline.config.fold)
        return np.asarray(pictures.numpy())


def kept_lessons(folder: Path, work: Path) -> Lessons:
    """Read the pictures that a generator learned from, as `make_starter` kept them.

    Raises:
        UsageError: they are not there.
        ModelError: there is no generator.
    """
    from engine.previews.make_starter import lessons_folder, read_lessons
    from generator.errors import GeneratorError

    try:
        card = read_card(folder)
    except GeneratorError as error:
        raise ModelError(str(error)) from error
    extra = card.extra
    lessons = lessons_folder(
        work, card.config, int(extra["standard"]), int(extra["wide"]), card.seed
    )
    try:
        return read_lessons(lessons)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"expected what the training kept in {place(lessons)}: {error}", field="work"
        ) from error


def _lessons_of(painter: Painter, extra: Any, seed: int) -> Lessons:
    from engine.previews.encoders import encoder_vocabulary
    from engine.previews.lessons import draw_lessons

    return draw_lessons(
        encoder_vocabulary(),
        standard=int(extra["standard"]),
        wide=int(extra["wide"]),
        side_px=painter.encoders.config.tile_px,
        nm_per_pixel=NM_PER_PIXEL,
        seed=seed,
    )


def _nearest(
    painter: Painter, lessons: Lessons, rows: Sequence[dict[str, float]], n: int
) -> NDArray[np.intp]:
    """Return the n training runs nearest to each row in standardised conditions, (rows, n)."""
    vocabulary = painter.encoders.vocabulary
    axes = match_axes(axes_of(VirtualLab().campaign), vocabulary)
    table = encode_axes(axes, vocabulary, list(rows))
    training = lessons.table[..., 0]
    sd = training.std(axis=0)
    # A condition that training never varied tells no runs apart: an infinite spread, no distance.
    spread = np.where(sd < 1e-9, np.inf, sd)
    gap = ((table[:, None, :, 0] - training[None]) / spread) ** 2
    return np.asarray(np.argsort(gap.sum(axis=-1), axis=1, kind="stable")[:, :n])


def _kernel(
    painter: Painter, methods: dict[str, NDArray[np.uint8]], real: NDArray[np.uint8]
) -> dict[str, float]:
    """Return KID-like distances to the first set of true micrographs, ×10³."""
    zoom = painter.encoders.config.tile_px // real.shape[-1]

    def embedded(pictures: NDArray[np.uint8]) -> Array:
        flat = pictures.reshape(-1, *pictures.shape[-2:])
        return image_embeddings(
            painter.encoders, flat.repeat(zoom, axis=1).repeat(zoom, axis=2)
        ).double().numpy()  # fmt: skip

    reference = embedded(real)
    centre, scale = reference.mean(axis=0), np.maximum(reference.std(axis=0), 1e-6)
    reference = (reference - centre) / scale
    return {
        name: 1e3 * kernel_distance((embedded(pictures) - centre) / scale, reference)
        for name, pictures in methods.items()
    }


def _memory(
    methods: dict[str, NDArray[np.uint8]], training: NDArray[np.uint8]
) -> dict[str, dict[str, float]]:
    """Return how near generated and true held-out pictures come to a training picture."""
    distances = {}
    for name in ("generator", "true"):
        nearest = nearest_distances(methods[name].reshape(-1, *training.shape[1:]), training)
        distances[name] = {"least": float(nearest.min()), "median": float(np.median(nearest))}
    return distances
