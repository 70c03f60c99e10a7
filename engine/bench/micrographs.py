"""``python -m engine.bench.micrographs``: statistics of drawn micrographs against the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from engine.bench.harness.results import check_folders
from engine.bench.harness.screen import print_line, print_where, progress_bar, report_screen, show
from engine.bench.harness.tasks import threads
from engine.bench.options import OutOption, SeedOption, ThreadsOption, study
from engine.terminal.options import JsonOption


def micrographs(
    n: Annotated[int, typer.Option("--n", min=1, help="Mats, one picture of each.")] = 120,
    seed: SeedOption = 1,
    kind: Annotated[
        str, typer.Option("--kind", help="lab: pictures as a lab takes them; small: tiles.")
    ] = "lab",
    n_threads: ThreadsOption = 1,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure drawn mats over the whole design space, and compare with what was drawn.

    Each picture is held against its own truth; standard errors are held against the mat's, of
    which they speak.
    """
    from engine.bench.pictures.micrographs import bench_micrographs

    check_folders(out)
    with threads(n_threads), progress_bar(n, "mats", stages_add_up=False) as progress:
        document = bench_micrographs(n, seed, kind, out=out, progress=progress)
    show(document, lambda: print_micrographs(document, n_threads), as_json=as_json, files=(out,))


def print_micrographs(document: Mapping[str, Any], n_threads: int) -> None:
    """Print a line for each mat, then the summary."""
    screen, misses = report_screen(), document["misses"]
    print_line(screen, " ".join(["mat", *misses[0]]))
    for number, miss in enumerate(misses):
        print_line(screen, " ".join([str(number), *map(_cell, miss.values())]))
    for line in document["summary"]:
        print_line(screen, line)
    config = document["config"]
    print_line(screen, f"{config['n']} mats of kind {config['kind']}, seed {config['seed']}")
    print_where(screen, document, f"{n_threads} {'thread' if n_threads == 1 else 'threads'}")


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}"


app = study(micrographs, "micrographs --n 14 --kind small")

if __name__ == "__main__":
    app()
