"""Make the starter that ships with the package: MatMCL pretrained on simulated labs.

``python -m engine.sources.make_starter`` writes ``engine/sources/starter/``; 20 minutes on two
cores at the most. Half of the labs have ranges of their own, half those of the nanofibre template.
The ensemble (:mod:`engine.lab.ensemble`) has seen no measured table, and its held-out labs, by
which the printed figures are taken, are not those of the benchmarks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from engine.compute import limit_threads, versions
from engine.lab.ensemble import PRETRAINING_SEEDS
from engine.lab.virtual import nanofibre_campaign
from engine.sources.ensemble_data import (
    UNITS,
    EnsembleDesign,
    ensemble_tensors,
    joined,
    specimen_noise,
    starter_vocabulary,
)
from engine.sources.serving_surrogate import STARTER
from surrogate.matmcl.checkpoint import WEIGHTS, save_checkpoint
from surrogate.matmcl.config import MatMCLConfig, TrainSettings
from surrogate.matmcl.data import SourceTensors
from surrogate.matmcl.lab_latent import joint_likelihood, lab_places
from surrogate.matmcl.model import MatMCL
from surrogate.matmcl.train import train

N_LABS, N_STEPS, N_HELD_OUT = 5000, 5000, 200
N_DIRECTIONS = 64
"""Coordinates of a lab: 64 hold 98 % of what moves in labs that were not seen, 8 three quarters."""

N_NOISE_LABS = 400
LABS_AT_ONCE = 64

# It goes into the wheel, which everybody downloads.
MAX_BYTES = 8 * 2**20


def make_starter(
    folder: Path,
    *,
    labs: int = N_LABS,
    steps: int = N_STEPS,
    held_out: int = N_HELD_OUT,
    seed: int = 0,
    config: MatMCLConfig | None = None,
    console: Console | None = None,
) -> Mapping[str, float]:
    """Draw the ensemble, train on it, write the checkpoint, and return its figures.

    Args:
        folder: where the checkpoint goes.
        labs: simulated labs to learn from.
        steps: of training.
        held_out: labs that the figures are taken from.
        seed: of the training.
        config: the model's shape.
        console: for progress.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    config = replace(config or MatMCLConfig(n_deviations=N_DIRECTIONS), n_labs=labs)
    vocabulary = starter_vocabulary()
    started = time.perf_counter()
    with _bars(console) as bars:
        drawing = bars.add_task(f"drawing {labs} labs", total=labs + held_out)

        def show_drawn(
            stage: str,
            completed: int = 0,
            total: int = 0,
            numbers: Mapping[str, float] | None = None,
        ) -> None:
            bars.advance(drawing)

        def drawn(seeds: Sequence[int], settings: int, pictures: int) -> SourceTensors:
            """Half of the seeds with ranges of their own, half with the template's."""
            half = (len(seeds) + 1) // 2
            designs = (
                EnsembleDesign(seeds[:half], settings, pictures),
                EnsembleDesign(seeds[half:], settings, pictures, campaign=nanofibre_campaign()),
            )
            parts = [d for d in designs if len(d.labs)]
            return joined([ensemble_tensors(d, vocabulary, config, show_drawn) for d in parts])

        data = drawn(PRETRAINING_SEEDS[:labs], 64, 2)
        # From the far end of the range, which no shipped model has learnt from.
        unseen = drawn(PRETRAINING_SEEDS[-held_out:], 64, 0)
        torch.manual_seed(seed)
        model = MatMCL(config, vocabulary)
        training = bars.add_task("training", total=steps)

        def show_losses(
            stage: str,
            completed: int = 0,
            total: int = 0,
            numbers: Mapping[str, float] | None = None,
        ) -> None:
            losses = (f"{k} {v:.3f}" for k, v in (numbers or {}).items() if k != "rate")
            bars.update(training, completed=completed, description=f"{stage} ({', '.join(losses)})")

        settings = TrainSettings(
            steps=steps, seed=seed, contrastive_every=4, labs_per_batch=32, rows_per_lab=32
        )
        train(model, [data], settings, progress=show_losses)
    keep_labs(model, data)
    figures = {**measure(model, unseen), "labs": float(labs), "steps": float(steps)}
    figures["minutes"] = (time.perf_counter() - started) / 60
    save_checkpoint(
        folder,
        model,
        extra={"figures": figures, "settings": settings.to_dict(), "versions": versions()},
        data_watermark=f"ensemble, pretraining seeds 0-{labs - 1}",
        seed=seed,
        dtype="float16",
    )
    return figures


def keep_labs(model: MatMCL, data: SourceTensors) -> None:
    """Put every lab where its own responses place it, with the units and the specimens' noise."""
    units = [UNITS[name] for name in model.vocabulary.outcomes]
    half = PRETRAINING_SEEDS[: N_NOISE_LABS // 2]
    design = EnsembleDesign(half, campaign=nanofibre_campaign())
    labs = [EnsembleDesign(half).lab(s) for s in half] + [design.lab(s) for s in half]
    with torch.no_grad():
        model.lab_points.copy_(places_of(model, data))
        model.lab_unit.copy_(torch.tensor(units))
        model.lab_noise.copy_(torch.from_numpy(specimen_noise(labs, model.vocabulary)))


def places_of(model: MatMCL, data: SourceTensors) -> Tensor:
    """Return where the labs of ``data`` lie, (L, K)."""
    places = []
    model.eval()
    with torch.no_grad():
        for first in range(0, int(data.lab.max()) + 1, LABS_AT_ONCE):
            rows = (data.lab >= first) & (data.lab < first + LABS_AT_ONCE)
            H = model.heads(data.table[rows])
            y, lab = data.outcomes[rows], data.lab[rows] - first
            places.append(lab_places(H, y, lab, model.log_noise[0]))
    return torch.cat(places)


def measure(model: MatMCL, held_out: SourceTensors) -> dict[str, float]:
    """Say how well a model knows labs that it has not seen.

    Returns:
        ``nlpd``: negative log density of an outcome in units that labs share, under the learned
        prior over labs (1.42 for a standard normal); ``r2``: of the mean head alone; ``held``:
        share of what moves that a lab's place explains, told by every second of its settings and
        judged in the others. Both over all outcomes together.
    """
    model.eval()
    with torch.no_grad():
        H, Y, lab = model.heads(held_out.table), held_out.outcomes, held_out.lab
        density = joint_likelihood(H, Y, lab, model.log_noise[0]).sum()
        seen_rows = torch.arange(len(lab)) % 2 == 0
        z = lab_places(H[seen_rows], Y[seen_rows], lab[seen_rows], model.log_noise[0]).to(H)

        def residual(expected: Tensor) -> float:
            error = Y - expected
            labs = torch.zeros(int(lab.max()) + 1, Y.shape[1]).index_add(
                0, lab[~seen_rows], error[~seen_rows]
            )
            # About the lab's mean: levels are not the heads' business.
            mean = labs / torch.bincount(lab[~seen_rows]).unsqueeze(-1)
            return float((error[~seen_rows] - mean[lab[~seen_rows]]).square().sum())

        total = residual(torch.zeros_like(Y))
        common = residual(H[..., 0])
        placed = residual(H[..., 0] + (H[..., 1:] * z[lab].unsqueeze(1)).sum(dim=-1))
    return {
        "nlpd": float(-density / (~torch.isnan(Y)).sum()),
        "r2": 1 - common / total,
        "held": 1 - placed / total,
    }


def _bars(console: Console | None) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console
    )


def main() -> None:
    """Make the starter from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=STARTER, help="folder of the checkpoint")
    parser.add_argument("--labs", type=int, default=N_LABS)
    parser.add_argument("--steps", type=int, default=N_STEPS)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    limit_threads(0)
    console = Console()
    figures = make_starter(
        options.out, labs=options.labs, steps=options.steps, seed=options.seed, console=console
    )
    size = (options.out / WEIGHTS).stat().st_size
    console.print({**figures, "bytes": size})
    if size > MAX_BYTES:
        raise SystemExit(f"expected at most {MAX_BYTES} bytes to ship, got {size}")


if __name__ == "__main__":
    main()
