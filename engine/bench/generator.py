"""``python -m engine.bench.generator``: are the mats of previews the mats that come?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.bench.harness.results import check_folders
from engine.bench.harness.screen import print_line, print_where, report_screen, show
from engine.bench.harness.tasks import threads
from engine.bench.options import OutOption, SeedOption, ThreadsOption, study
from engine.terminal.options import JsonOption
from engine.terminal.output import console, grid


def generator(
    n: Annotated[int, typer.Option("--n", help="Held-out conditions.")] = 40,
    pictures: Annotated[int, typer.Option("--pictures", help="Of each of them.")] = 8,
    slow: Annotated[
        int,
        typer.Option("--slow", help="Conditions drawn by 1,000 steps of DDPM as well; 0: none."),
    ] = 4,
    judged: Annotated[
        int,
        typer.Option(
            "--judged", help="Other conditions that teach a judge drawn from true; 0: none."
        ),
    ] = 60,
    seed: SeedOption = 0,
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar="FOLDER", help="A generator.", show_default="the starter"),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(
            "--work",
            metavar="FOLDER",
            help="Where its training kept the pictures it learned from; drawn anew without.",
        ),
    ] = None,
    n_threads: ThreadsOption = 1,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold a generator to account on conditions that no training has seen.

    For each condition of the virtual lab pictures are drawn, and twice as many true micrographs
    made, every one of a lot of its own. The ratio is the Wasserstein distance of generated to true
    ones over that of two sets of true ones: 1 is perfect. Beside it stand the nearest training
    micrographs and the same networks sampled by 1,000 steps of DDPM.
    """
    from engine.bench.pictures.generator import GeneratorBenchConfig, bench_generator, kept_lessons
    from engine.previews.serving_generator import STARTER

    config = GeneratorBenchConfig(n, pictures, slow, seed, judged)
    check_folders(out, None)
    folder = model or STARTER
    with threads(n_threads), console(to_stderr=True).status("starting") as status:
        document = bench_generator(
            config,
            folder=folder,
            lessons=None if work is None else kept_lessons(folder, work),
            out=out,
            progress=lambda stage, *_: status.update(f"{stage} …"),
        )
    show(document, lambda: print_generator(document, n_threads), as_json=as_json, files=(out,))


def print_generator(document: Mapping[str, Any], n_threads: int) -> None:
    """Print the document: distances, correlations, latents, memory, speed."""
    screen, config, speed = report_screen(), document["config"], document["speed"]
    print_line(
        screen,
        f"{config['n']} held-out conditions, {config['pictures']} pictures each, seed "
        f"{config['seed']}; distance to true micrographs ÷ distance between true ones, 95 % "
        "bootstrap intervals over conditions; r: correlation of the mean with the truth",
    )
    kernel = document["kernel_distance"]
    rows = [
        [name, *_row(scores), f"{kernel[name]:.1f}"] for name, scores in document["methods"].items()
    ]
    headings = [
        "method", "diameter", "orientation", "porosity", "sets: diameter", "sets: order",
        "sets: porosity", "r diameter", "r order", "KID × 10³",
    ]  # fmt: skip
    screen.print(grid(headings, rows))
    memory = document["nearest_in_training"]
    print_line(
        screen,
        "nearest training picture, root mean square of grey values: generated "
        f"{memory['generator']['median']:.1f} (least {memory['generator']['least']:.1f}), true "
        f"held-out ones {memory['true']['median']:.1f} (least {memory['true']['least']:.1f})",
    )
    if "blind_look" in document:
        look = document["blind_look"]
        print_line(
            screen,
            f"a judge taught on other conditions tells {look['accuracy']:.0%} of {look['n']} "
            f"pictures right, half of them drawn ({look['lower']:.0%}–{look['upper']:.0%}); it "
            f"takes {look['drawn_as_true']:.0%} of the drawn ones for true",
        )
    single = speed["one_alone"]
    print_line(
        screen,
        f"{speed['cpu_seconds_per_picture']:.2f} s of one core a picture "
        f"({speed['seconds_per_picture']:.2f} s by the clock), one alone "
        f"{single['cpu_seconds']:.2f} s ({single['seconds']:.2f} s)",
    )
    if "ddpm" in document:
        _print_ddpm(screen, document["ddpm"])
    print_where(screen, document, f"{n_threads} {'thread' if n_threads == 1 else 'threads'}")


def _print_ddpm(screen: Any, ddpm: Mapping[str, Any]) -> None:
    print_line(
        screen,
        f"DDPM of 1,000 steps on {ddpm['conditions']} of them: "
        f"{ddpm['seconds_per_picture']['cpu']:.1f} s of one core a picture, "
        f"{ddpm['times_slower']['cpu']:.0f} times the generator's in the same run",
    )
    rows = [
        [name, *_row(ddpm[key])]
        for name, key in (("generator", "generator"), ("DDPM, 1,000 steps", "ddpm"))
    ]
    headings = [
        "on these conditions", "diameter", "orientation", "porosity", "sets: diameter",
        "sets: order", "sets: porosity", "r diameter", "r order",
    ]  # fmt: skip
    screen.print(grid(headings, rows))


def _row(scores: Mapping[str, Any]) -> list[str]:
    truth = scores["correlation_with_truth"]
    return [
        *map(_ratio, scores["distance"].values()),
        *map(_ratio, scores["distance_of_sets"].values()),
        f"{truth['diameter']:.2f}",
        f"{truth['order']:.2f}",
    ]


def _ratio(ratio: Mapping[str, float]) -> str:
    return f"{ratio['ratio']:.2f} ({ratio['lower']:.2f}–{ratio['upper']:.2f})"


app = study(generator, "generator --n 40 --slow 0 --out generator.json")

if __name__ == "__main__":
    app()
