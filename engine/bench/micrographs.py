"""``python -m engine.bench.micrographs``: fibres of drawn micrographs against what was drawn."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.bench.harness.results import check_folders
from engine.bench.harness.screen import print_line, print_where, progress_bar, report_screen, show
from engine.bench.harness.tasks import threads
from engine.bench.options import OutOption, SeedOption, ThreadsOption, study
from engine.errors import UsageError
from engine.terminal.options import JsonOption
from engine.terminal.output import grid

METHODS = "methods"


def micrographs(
    n: Annotated[
        int, typer.Option("--n", min=1, help="Mats (of each group), one picture of each.")
    ] = 20,
    seed: SeedOption = 1,
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            help="methods: other tools' ways beside ours, in seven groups of pictures. Ours alone, "
            "all that it measures: lab (pictures as a lab takes them) or small (tiles).",
        ),
    ] = METHODS,
    n_threads: ThreadsOption = 1,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure drawn mats, and compare with what was drawn.

    Each picture is held against its own truth; standard errors are held against the mat's, of
    which they speak. Needs scikit-image (extra `peers`) for other tools' ways.
    """
    from engine.bench.pictures.micrographs import KINDS, bench_micrographs

    check_folders(out)
    if kind == METHODS:
        _compare(n, seed, n_threads, out, as_json)
        return
    if kind not in KINDS:
        raise UsageError(f"expected {METHODS}, {' or '.join(KINDS)}, got '{kind}'", field="kind")
    with threads(n_threads), progress_bar(n, "mats", stages_add_up=False) as progress:
        document = bench_micrographs(n, seed, kind, out=out, progress=progress)
    show(document, lambda: print_micrographs(document, n_threads), as_json=as_json, files=(out,))


def _compare(n: int, seed: int, n_threads: int, out: Path | None, as_json: bool) -> None:
    if find_spec("skimage") is None:
        raise UsageError(
            "other tools' ways need scikit-image: install the extra `peers`, or take lab or small",
            field="kind",
        )
    from engine.bench.pictures.cylinders import GROUPS
    from engine.bench.pictures.method_comparison import compare_methods

    n_pictures = n * (1 + len(GROUPS))
    with threads(n_threads), progress_bar(n_pictures, "pictures", stages_add_up=False) as progress:
        document = compare_methods(n, seed, out=out, progress=progress)
    show(document, lambda: print_methods(document, n_threads), as_json=as_json, files=(out,))


def print_methods(document: Mapping[str, Any], n_threads: int) -> None:
    """Print a line for each group and method."""
    screen = report_screen()
    headings = ["pictures", "method", "n", "median error [%]", "≤ 5 % [%]", "≤ 10 % [%]",
                "SD / true SD [–]", "in 90 % interval [%]", "time [s]"]  # fmt: skip
    rows = [
        [
            line["group"],
            line["method"],
            str(line["n"]),
            *(_percent(line[name]) for name in ("median_error", "within_5", "within_10")),
            "–" if line["sd_ratio"] is None else f"{line['sd_ratio']:.2f}",
            _percent(line["within_interval"], 0),
            f"{line['seconds']:.1f}",
        ]
        for line in document["lines"]
    ]
    screen.print(grid(headings, rows))
    config = document["config"]
    print_line(screen, f"{config['n']} pictures a group, seed {config['seed']}")
    print_where(screen, document, f"{n_threads} {'thread' if n_threads == 1 else 'threads'}")


def _percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{100.0 * value:.{digits}f}"


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


app = study(micrographs, "micrographs --n 20 --seed 1")

if __name__ == "__main__":
    app()
