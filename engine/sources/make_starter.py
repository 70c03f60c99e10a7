"""Make the starter that ships with the package: MatMCL pretrained on simulated labs.

``python -m engine.sources.make_starter`` writes ``engine/sources/starter/``; 20 minutes on two
cores at the most. The ensemble (:mod:`engine.lab.ensemble`) has seen no measured table, and its
held-out labs, by which the printed figures are taken, are not those of the benchmarks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from engine.compute import limit_threads, versions
from engine.lab.ensemble import PRETRAINING_SEEDS
from engine.sources.ensemble_data import EnsembleDesign, ensemble_tensors, starter_vocabulary
from engine.sources.serving_surrogate import STARTER
from surrogate.matmcl.checkpoint import WEIGHTS, save_checkpoint
from surrogate.matmcl.config import MatMCLConfig, TrainSettings
from surrogate.matmcl.data import SourceTensors
from surrogate.matmcl.loss import lab_likelihood
from surrogate.matmcl.model import MatMCL
from surrogate.matmcl.train import train

# A larger one (12 deviations, width 192, 6,000 steps on 4,000 labs) had better densities on unseen
# labs and did no better in a campaign (docs/notes/surrogate.md).
N_LABS, N_STEPS, N_HELD_OUT = 3000, 4000, 200
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
    config = config or MatMCLConfig()
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

        data = ensemble_tensors(
            EnsembleDesign(PRETRAINING_SEEDS[:labs]), vocabulary, config, show_drawn
        )
        unseen = ensemble_tensors(
            # From the far end of the range, which no shipped model has learnt from.
            EnsembleDesign(PRETRAINING_SEEDS[-held_out:], pictures=0),
            vocabulary,
            config,
            show_drawn,
        )
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

        settings = TrainSettings(steps=steps, seed=seed, contrastive_every=4)
        train(model, [data], settings, progress=show_losses)
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


def measure(model: MatMCL, held_out: SourceTensors) -> dict[str, float]:
    """Say how well a model knows labs that it has not seen.

    Returns:
        ``nlpd``: negative log density of a standardised outcome under the learned prior over labs
        (1.42 for a standard normal); ``r2``: of the mean head alone, mean over the outcomes.
    """
    model.eval()
    with torch.no_grad():
        H = model.heads(held_out.table)
        Y = held_out.outcomes
        density = lab_likelihood(H, Y, held_out.lab, model.log_noise[0]).sum()
        error = torch.nansum((Y - H[..., 0]) ** 2, dim=0)
        r2 = 1.0 - error / torch.nansum(Y**2, dim=0)
    return {"nlpd": float(-density / (~torch.isnan(Y)).sum()), "r2": float(r2.mean())}


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
