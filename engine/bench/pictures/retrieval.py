"""Does MatMCL find the micrograph of given conditions, and the conditions of a micrograph?

For each seed: mats of the virtual lab to train on (the gallery), others at other settings held
out; MatMCL is trained on the former alone. Then each held-out condition looks for its own picture
among the held-out ones, each held-out picture for its own conditions, and both for mats like
theirs in the gallery.

=================  ==============================================================================
recall@k           share of queries whose own partner is among the k first
median rank        of the own partner, 1 to n; (n + 1) / 2 by chance
hit                of the first in the gallery: its true mean diameter within 10 %, its true order
                   within 0.1 of the query's. A picture's truth is what it truly shows; that of
                   conditions the mat that they promise, the mean lot's: who asks what mats of
                   these conditions look like means that, not one lot's accident
hit@5              the share that hits of the five first
own pictures       share of the held-out pictures that would hit for their own conditions: how far
                   single lots and small pictures stray from the promise
=================  ==============================================================================
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.bench.harness.results import ResultFile
from engine.bench.harness.tasks import Task, Trace, seed_by_seed
from engine.bench.pictures.retrieval_mats import Mats, spin, vocabulary
from engine.bench.pictures.retrieval_methods import Scores, all_scores
from engine.errors import UsageError
from engine.lab.virtual import nanofibre_campaign
from engine.retrieval.matching import LOG_DIAMETER, ORDER
from surrogate.matmcl.config import MatMCLConfig, TrainSettings
from surrogate.matmcl.data import SourceTensors
from surrogate.matmcl.model import MatMCL
from surrogate.matmcl.train import train
from surrogate.progress import Progress, silent
from surrogate.retrieval import ranks

Array = NDArray[np.float64]
Marks = NDArray[np.bool_]

KIND = "retrieval"
CUTS = (1, 5, 10)
WAYS = ("conditions → micrograph", "micrograph → conditions")
FIRST = 5
RESAMPLES = 2000
_SOURCE = "virtual"


@dataclass(frozen=True)
class RetrievalConfig:
    """What is run.

    ``n``: held-out mats. ``runs``: training mats, the gallery. ``steps``: of the training.
    ``tiles``: of each picture of ``picture_px`` × ``picture_px`` pixels at 60 nm.

    Raises:
        UsageError: a size that cannot be.
    """

    n: int = 100
    runs: int = 500
    n_seeds: int = 3
    first_seed: int = 0
    steps: int = 600
    tiles: int = 16
    picture_px: int = 512
    tile_px: int = 96
    nm_per_pixel: float = 100.0
    temperature: float = 0.1
    dropout: float = 0.0

    def __post_init__(self) -> None:
        lows = {"n": 10, "runs": 30, "n_seeds": 1, "first_seed": 0, "steps": 1, "tiles": 1}
        for name, low in lows.items():
            if getattr(self, name) < low:
                raise UsageError(
                    f"expected at least {low}, got {getattr(self, name)}",
                    field="seeds" if name == "n_seeds" else name,
                )
        least_px = int(np.ceil(self.tile_px * self.nm_per_pixel / 60.0))
        if self.picture_px < least_px:
            raise UsageError(
                f"expected at least {least_px} (one tile at 60 nm a pixel), got {self.picture_px}",
                field="px",
            )

    @property
    def tasks(self) -> list[Task]:
        """One a seed."""
        return seed_by_seed([KIND], self.first_seed, self.n_seeds)

    @property
    def model(self) -> MatMCLConfig:
        """The model's shape."""
        return MatMCLConfig(
            n_deviations=0,
            tile_px=self.tile_px,
            nm_per_pixel=self.nm_per_pixel,
            temperature=self.temperature,
            dropout=self.dropout,
            contrastive_weight=1.0,
        )

    @property
    def n_steps(self) -> int:
        """Steps of the progress bar for one seed."""
        return self.n + self.runs + self.steps


def retrieval(
    config: RetrievalConfig,
    *,
    jobs: int = 1,
    out: Path | None = None,
    resume: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Run the benchmark; return its document, which is kept in ``out`` as seeds finish.

    Raises:
        DataError: ``out`` cannot be written, or holds another benchmark.
        UsageError: ``resume`` without ``out``, or ``out`` holds an unfinished run.
    """
    file = ResultFile(out, KIND, asdict(config))
    file.begin(resume=resume)
    file.fill(config.tasks, _Work(config), jobs=jobs, progress=progress)
    return file.write({"complete": True, "summary": summary(file.traces, config)})


@dataclass(frozen=True)
class _Work:
    """One seed, in whatever process."""

    config: RetrievalConfig

    def __call__(self, task: Task, progress: Progress) -> Trace:
        def advance(n: int) -> None:
            progress(str(task), n, self.config.n_steps)

        ranks_and_hits, seconds = run_seed(self.config, task.seed, advance)
        return Trace(task.strategy, task.seed, (ranks_and_hits,), ({"seconds": seconds},))


def run_seed(
    config: RetrievalConfig, seed: int, advance: Callable[[int], None] = lambda n: None
) -> tuple[dict[str, Any], dict[str, float]]:
    """Spin, train and score one seed; return ranks and hits, and seconds by part.

    ``advance`` is told how many steps of :attr:`RetrievalConfig.n_steps` are behind.
    """
    started = time.perf_counter()
    mats = spin(
        config.n + config.runs,
        seed,
        picture_px=config.picture_px,
        n_tiles=config.tiles,
        config=config.model,
        advance=advance,
    )
    gallery, held_out = mats.part(slice(config.runs)), mats.part(slice(config.runs, None))
    spun = time.perf_counter()
    model = fitted(config, gallery, seed, lambda n: advance(config.n + config.runs + n))
    trained = time.perf_counter()
    methods = {
        name: judged(scores, gallery, held_out)
        for name, scores in all_scores(gallery, held_out, model).items()
    }
    thick, turned = hits(held_out.visible, held_out.promised)
    seconds = {
        "spin": spun - started,
        "train": trained - spun,
        "score": time.perf_counter() - trained,
    }
    return {"methods": methods, "own pictures": float((thick & turned).mean())}, seconds


def fitted(
    config: RetrievalConfig, mats: Mats, seed: int, advance: Callable[[int], None] = lambda n: None
) -> MatMCL:
    """Train a model on mats, from scratch."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MatMCL(config.model, vocabulary(nanofibre_campaign()), (_SOURCE,))
    n, k = mats.tiles.shape[:2]
    outcomes = (mats.outcomes - mats.outcomes.mean(axis=0)) / mats.outcomes.std(axis=0)
    source = SourceTensors(
        _SOURCE,
        mats.T,
        torch.as_tensor(outcomes, dtype=torch.float32),
        torch.zeros(n, dtype=torch.long),
        mats.tiles.flatten(0, 1),
        torch.arange(n).repeat_interleave(k),
    )
    settings = TrainSettings(steps=config.steps, rows_per_batch=128, seed=seed, device="cpu")
    train(model, [source], settings, progress=lambda stage, completed=0, *_: advance(completed))
    return model


def judged(scores: Scores, gallery: Mats, held_out: Mats) -> dict[str, Any]:
    """Return ranks of the own partners both ways, and which queries hit in the gallery."""
    judgements: dict[str, Any] = {}
    among = (scores.conditions_among, scores.picture_among.T)
    queries = (held_out.promised, held_out.visible)
    tables = (scores.conditions_gallery, scores.picture_gallery)
    for way, matrix, truth, table in zip(WAYS, among, queries, tables, strict=True):
        first = gallery.visible[np.argsort(-table, axis=1, kind="stable")[:, :FIRST]]  # (n, 5, ·)
        thick, turned = hits(first, truth[:, None])
        judgements[way] = {
            "ranks": ranks(torch.from_numpy(matrix.copy())).tolist(),
            "diameter": thick[:, 0].tolist(),
            "order": turned[:, 0].tolist(),
            "five": (thick & turned).mean(axis=1).tolist(),
        }
    return judgements


def hits(mats: Array, truth: Array) -> tuple[Marks, Marks]:
    """Return where the diameter and where the order (columns 0 and 1) count as the truth's."""
    # Diameters compare as ratios, orders as differences.
    thick = np.abs(np.log(mats[..., 0] / truth[..., 0])) <= LOG_DIAMETER
    return thick, np.abs(mats[..., 1] - truth[..., 1]) <= ORDER


# -- summary --------------------------------------------------------------------------------------


def summary(traces: Sequence[Trace], config: RetrievalConfig) -> dict[str, Any]:
    """Return means over all queries of all seeds, with 95 % intervals and the spread over seeds."""
    ordered = sorted(traces, key=lambda trace: trace.seed)
    methods = list(ordered[0].runs[0]["methods"]) if ordered else []
    return {
        "seeds": [trace.seed for trace in ordered],
        "queries": config.n * len(ordered),
        "chance": {
            **{f"recall@{k}": k / config.n for k in CUTS},
            "median rank": (config.n + 1) / 2,
        },
        "methods": {
            name: {
                way: _of_way([trace.runs[0]["methods"][name][way] for trace in ordered])
                for way in WAYS
            }
            for name in methods
        },
        "own pictures": float(np.mean([trace.runs[0]["own pictures"] for trace in ordered]))
        if ordered
        else None,
        "seconds": {
            part: float(np.mean([trace.rounds[0]["seconds"][part] for trace in ordered]))
            for part in ("spin", "train", "score")
        }
        if ordered
        else {},
    }


def _of_way(seeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rank = np.array([seed["ranks"] for seed in seeds])
    thick, turned = (np.array([seed[k] for seed in seeds]) for k in ("diameter", "order"))
    scores: dict[str, Array] = {f"recall@{k}": (rank <= k).astype(float) for k in CUTS}
    scores |= {
        "hit": (thick & turned).astype(float),
        "hit diameter": thick.astype(float),
        "hit order": turned.astype(float),
        f"hit@{FIRST}": np.array([seed["five"] for seed in seeds]),
    }
    described: dict[str, Any] = {
        name: _described(values, lambda drawn: drawn.mean(axis=-1))
        for name, values in scores.items()
    }
    return described | {"median rank": _described(rank, lambda drawn: np.median(drawn, axis=-1))}


def _described(values: Array, statistic: Any) -> dict[str, Any]:
    """Return a statistic of values (seeds, queries): all, interval over queries, by seed."""
    rng = np.random.default_rng(0)
    flat = values.ravel()
    draws = statistic(flat[rng.integers(flat.size, size=(RESAMPLES, flat.size))])
    by_seed = [float(statistic(row)) for row in values]
    return {
        "value": float(statistic(flat)),
        "interval": [float(q) for q in np.quantile(draws, [0.025, 0.975])],
        "by_seed": by_seed,
        "sd_over_seeds": float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else None,
    }
