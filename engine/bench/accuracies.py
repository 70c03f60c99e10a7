"""``python -m engine.bench.accuracies``: held-out runs of every finished table, predicted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.bench.harness.results import check_folders, write_json
from engine.bench.harness.screen import print_line, print_where, progress_bar, report_screen, show
from engine.bench.options import OutOption, SeedOption, by_commas, study
from engine.terminal.options import JsonOption
from engine.terminal.output import grid
from surrogate.progress import Progress, silent

MODELS = ("gp", "botorch")


def accuracies(
    data: Annotated[
        Path, typer.Option("--data", envvar="SPINNERET_DATA", help="Folder of the finished tables.")
    ] = Path("../shared/data"),
    tables: Annotated[str | None, typer.Option("--tables", help="Names by commas.")] = None,
    folds: Annotated[int, typer.Option("--folds", min=2, help="Parts of each table.")] = 10,
    seed: SeedOption = 0,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the plain model with BoTorch's default on every finished table, by the same folds."""
    from engine.bench.search.finished_tables import tables_named

    check_folders(out)
    named = tables_named(by_commas([tables] if tables else []))
    n_fits = len(named) * folds * len(MODELS)
    with progress_bar(n_fits, "fits", stages_add_up=False) as progress:
        document = accuracy_of_tables(
            data,
            named,
            folds=folds,
            seed=seed,
            progress=progress,
            keep=None if out is None else partial(write_json, out),
        )
    show(document, lambda: print_accuracies(document), as_json=as_json, files=(out,))


def accuracy_of_tables(
    folder: Path,
    tables: Mapping[str, Any],
    *,
    folds: int = 10,
    seed: int = 0,
    progress: Progress = silent,
    keep: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Return mean R², NLPD and coverage over the outcomes of each table, and what they differ by.

    ``keep`` is given all of it after each table.

    Raises:
        NotFoundError, DataError: a table is not there, or not as described.
        UsageError: more folds than recipes.
    """
    from engine.bench.models.accuracy import AccuracyConfig, accuracy
    from engine.bench.search.finished_tables import read_finished

    rows: dict[str, Any] = {}
    for name, table in tables.items():

        def hear(
            stage: str,
            completed: int = 0,
            total: int = 0,
            numbers: Mapping[str, float] | None = None,
            *,
            name: str = name,
            n_before: int = len(rows) * folds * len(MODELS),
        ) -> None:
            progress(f"{name}: {stage}", n_before + completed, total, numbers)

        campaign, runs = read_finished(folder, name, table)
        config = AccuracyConfig(
            table=name, folds=folds, seed=seed, models=MODELS, against=("botorch",)
        )
        document = accuracy(config, campaign, runs, progress=hear)
        rows[name] = {"n": len(runs), **document["summary"]}
        if keep is not None:
            keep(_document(rows, folds, seed))
    return _document(rows, folds, seed)


def _document(rows: Mapping[str, Any], folds: int, seed: int) -> dict[str, Any]:
    from engine.bench.harness.environment import environment

    return {
        "kind": "accuracies",
        "folds": folds,
        "seed": seed,
        "environment": environment(),
        "tables": dict(rows),
    }


def print_accuracies(document: Mapping[str, Any]) -> None:
    """Print a line for each table."""
    table = grid(
        ["table", "runs", *(f"{m} {score}" for m in MODELS for score in ("R²", "NLPD", "in 90 %"))],
        [
            [name, str(row["n"]), *(text for model in MODELS for text in _scores(row, model))]
            for name, row in document["tables"].items()
        ],
        title=f"held-out runs, {document['folds']} folds, means over the outcomes",
    )
    screen = report_screen()
    screen.print(table)
    print_where(screen, document, "1 thread")
    print_line(screen, f"seed {document['seed']}, split by recipe")


def _scores(row: Mapping[str, Any], model: str) -> tuple[str, ...]:
    scores = row["models"][model]
    return (
        f"{scores['mean_r2']:.3f}",
        f"{scores['mean_nlpd']:.3f}",
        f"{100 * scores['mean_coverage']:.1f} %",
    )


app = study(accuracies, "accuracies --tables autoam,alkox --folds 10 --out accuracies.json")

if __name__ == "__main__":
    app()
