"""``python -m engine.bench.retrieval``: from conditions to their micrographs, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from engine.bench.harness.pool import jobs_of
from engine.bench.harness.results import check_folders
from engine.bench.harness.screen import (
    print_line,
    print_where,
    progress_bar,
    report_screen,
    show,
)
from engine.bench.options import (
    FirstSeedOption,
    JobsOption,
    OutOption,
    PlotOption,
    ResumeOption,
    study,
)
from engine.terminal.options import JsonOption
from engine.terminal.output import grid


def retrieval(
    n: Annotated[int, typer.Option("--n", help="Held-out conditions.")] = 100,
    runs: Annotated[int, typer.Option("--runs", help="Mats to train on: the gallery.")] = 500,
    seeds: Annotated[int, typer.Option("--seeds", "--seed", help="Repetitions.")] = 3,
    first_seed: FirstSeedOption = 0,
    steps: Annotated[int, typer.Option("--steps", help="Of the training.")] = 600,
    tiles: Annotated[int, typer.Option("--tiles", help="Tiles of each picture.")] = 16,
    px: Annotated[int, typer.Option("--px", help="Side of a picture, at 60 nm a pixel.")] = 512,
    out: OutOption = None,
    resume: ResumeOption = False,
    plot: PlotOption = None,
    jobs: JobsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Look for held-out micrographs by their conditions, and the other way round.

    MatMCL is trained on virtual mats; then held-out conditions look for their own micrograph, held-
    out micrographs for their own conditions, and both for mats like theirs in the gallery: as
    `engine retrieve` does it, beside chance, MatMCL's latent alone, neighbours in hand-made
    statistics, both together, and the true mats, which no picture surpasses.
    """
    from engine.bench.pictures import retrieval as bench

    config = bench.RetrievalConfig(
        n=n,
        runs=runs,
        n_seeds=seeds,
        first_seed=first_seed,
        steps=steps,
        tiles=tiles,
        picture_px=px,
    )
    check_folders(out, plot)
    n_jobs = jobs_of(jobs)
    with progress_bar(config.n_seeds * config.n_steps, "steps") as progress:
        document = bench.retrieval(config, jobs=n_jobs, out=out, resume=resume, progress=progress)
    if plot is not None:
        from engine.bench.harness.plots import plot_retrieval

        plot_retrieval(document, plot)
    show(document, lambda: print_retrieval(document, n_jobs), as_json=as_json, files=(out, plot))


def print_retrieval(document: Mapping[str, Any], jobs: int) -> None:
    """Print a retrieval document: both ways, every method, 95 % intervals."""
    screen, summary, config = report_screen(), document["summary"], document["config"]
    seeds = summary["seeds"]
    print_line(
        screen,
        f"{config['n']} held-out mats a seed, seeds {seeds[0]} to {seeds[-1]}, "
        f"{config['runs']} mats to train on and to search ({config['tiles']} tiles each, "
        f"{config['steps']} steps); 95 % bootstrap intervals over queries",
    )
    chance = summary["chance"]
    for way in next(iter(summary["methods"].values())):
        print_line(screen, way)
        rows = [
            ["chance", *(f"{100 * chance[f'recall@{k}']:.0f}" for k in (1, 5, 10)),
             f"{chance['median rank']:.1f}", "–", "–", "–", "–"],
            *(_row(name, method[way]) for name, method in summary["methods"].items()),
        ]  # fmt: skip
        headings = ["method", "recall@1 [%]", "recall@5 [%]", "recall@10 [%]", "median rank",
                    "hit [%]", "diameter [%]", "order [%]", "hit@5 [%]"]  # fmt: skip
        screen.print(grid(headings, rows))
    print_line(
        screen,
        "hit: the first of the gallery truly shows a mean diameter within 10 % and an order "
        "within 0.1 of the query's; hit@5: share of the five first",
    )
    print_line(
        screen,
        "what conditions promise is the mean lot's mat; of their own pictures "
        f"{100 * summary['own pictures']:.0f} % look like it",
    )
    times = ", ".join(f"{part} {s:.0f} s" for part, s in summary["seconds"].items())
    print_line(screen, f"mean time of a seed: {times}")
    print_where(screen, document, f"{jobs} {'process' if jobs == 1 else 'processes'}, 1 thread")


def _row(name: str, scores: Mapping[str, Any]) -> list[str]:
    cells = [name]
    for score in ("recall@1", "recall@5", "recall@10"):
        cells.append(_with_interval(scores[score], 100.0, 0))
    cells.append(_with_interval(scores["median rank"], 1.0, 1))
    for score in ("hit", "hit diameter", "hit order", "hit@5"):
        cells.append(_with_interval(scores[score], 100.0, 0))
    return cells


def _with_interval(score: Mapping[str, Any], scale: float, digits: int) -> str:
    low, high = (f"{scale * x:.{digits}f}" for x in _pair(score["interval"]))
    return f"{scale * score['value']:.{digits}f} ({low} … {high})"


def _pair(bounds: Sequence[float]) -> tuple[float, float]:
    low, high = bounds
    return low, high


app = study(retrieval, "retrieval --n 100 --runs 300 --px 256 --seeds 1")

if __name__ == "__main__":
    app()
