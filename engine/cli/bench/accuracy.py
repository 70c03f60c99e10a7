"""``engine bench accuracy``: how well models predict the held-out runs of a finished table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import stdev
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.bench.harness.screen import (
    print_line,
    print_where,
    progress_bar,
    report_screen,
    show,
)
from engine.bench.options import (
    CampaignOption,
    FormatOption,
    TableOption,
    TemplateOption,
    by_commas,
    campaign_for,
)
from engine.errors import UsageError, field
from engine.terminal.options import JsonOption
from engine.terminal.output import grid

if TYPE_CHECKING:
    from rich.console import Console

    from engine.campaign import Campaign

Model = Mapping[str, Any]


def accuracy(
    table: TableOption = None,
    table_format: FormatOption = "table",
    campaign: CampaignOption = None,
    template: TemplateOption = None,
    folds: Annotated[int, typer.Option("--folds", help="Parts the recipes are split into.")] = 10,
    seed: Annotated[int, typer.Option("--seed", help="Seed of splits and models.")] = 0,
    repeats: Annotated[int, typer.Option("--repeats", help="How often to split anew.")] = 1,
    outcomes: Annotated[
        str | None,
        typer.Option("--outcomes", help="Outcomes by commas.", show_default="all in the table"),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="A model (they are listed under the table); repeat it to compare.",
            show_default="all",
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            help="Tell the differences to this model, paired, with 90 % intervals; repeatable.",
            show_default="botorch, gp",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Keep scores and predictions here (JSON).")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw R² with its intervals here (PNG).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Predict held-out runs of a finished table from their conditions, by several models."""
    from engine.bench.harness.results import check_folders, write_json
    from engine.bench.models import accuracy as bench
    from engine.bench.models.predictors import MODELS, check_against, check_models
    from engine.bench.search.replay import read_pool

    if table is None:
        raise UsageError(f"expected a finished table: {field('table')} FILE")
    config = bench.AccuracyConfig(
        table=table.name,
        folds=folds,
        seed=seed,
        repeats=repeats,
        outcomes=by_commas([outcomes] if outcomes else None),
        models=check_models(by_commas(models) or MODELS),
        against=by_commas(against),
    )
    check_against(config.against, config.models)
    check_folders(out, plot)
    definition = campaign_for(campaign, template, table_format)
    runs = read_pool(table, definition, table_format=table_format)
    with progress_bar(config.n_steps, "fits", stages_add_up=False) as progress:
        document = bench.accuracy(config, definition, runs, progress=progress)
    if out is not None:
        write_json(out, document)
    if plot is not None:
        from engine.bench.harness.plots import plot_accuracy

        plot_accuracy(document, plot)
    show(
        document,
        lambda: print_accuracy(document, definition),
        as_json=as_json,
        files=(out, plot),
    )


def print_accuracy(document: Mapping[str, Any], campaign: Campaign) -> None:
    """Print an accuracy document: R² by outcome, coverage and NLPD, then the models' means."""
    screen, summary = report_screen(), document["summary"]
    config, data = document["config"], document["data"]
    models: Mapping[str, Model] = summary["models"]
    first, n = config["seed"], config["repeats"]
    print_line(
        screen,
        f"{config['table']}: {data['measurements']} measurements of {data['experiments']} "
        f"experiments ({data['recipes']} recipes), each predicted without its recipe: "
        f"{config['folds']} folds, seed {first}, {n} {'split' if n == 1 else 'splits'}",
    )
    headings = [(outcome, campaign.heading(outcome)) for outcome in summary["outcomes"]]
    print_line(screen, "R² of held-out measurements, all folds together")
    rows = [
        [heading, *(f"{scores['r2'][outcome]:.3f}" for scores in models.values())]
        for outcome, heading in headings
    ]
    rows.append(["mean", *(f"{scores['mean_r2']:.3f}" for scores in models.values())])
    screen.print(grid(["outcome", *models], rows))
    dense = {name: scores for name, scores in models.items() if scores["nlpd"] is not None}
    if dense:
        print_line(
            screen,
            f"measurements inside their {_percent(config['level'], 0)} % interval, and mean −log "
            "of the density predicted per unit of the outcome (NLPD)",
        )
        screen.print(_density_grid(dense, headings))
    print_line(screen, "means over outcomes, with 95 % bootstrap intervals over recipes")
    columns = ["model", "R²", "SD of splits", "covered [%]", "NLPD [nat]", "a fold [s]"]
    screen.print(grid(columns, [_means_row(name, scores) for name, scores in models.items()]))
    _print_differences(screen, summary)
    for name, scores in models.items():
        print_line(screen, f"{name}: {scores['about']}")
    if data["outcomes_left_out"]:
        print_line(screen, f"without results to learn: {', '.join(data['outcomes_left_out'])}")
    print_where(screen, document, "1 thread")


def _density_grid(dense: Mapping[str, Model], headings: Sequence[tuple[str, str]]) -> Any:
    rows = []
    for outcome, heading in [*headings, (None, "mean")]:
        covered = [_score(scores, "coverage", outcome) for scores in dense.values()]
        nlpd = [_score(scores, "nlpd", outcome) for scores in dense.values()]
        rows.append(
            [
                heading,
                *(_percent(share) if share is not None else "–" for share in covered),
                *(f"{value:.2f}" for value in nlpd),
            ]
        )
    columns = [f"{name}.covered [%]" for name in dense] + [f"{name}.NLPD [nat]" for name in dense]
    return grid(["outcome", *columns], rows)


def _score(scores: Model, score: str, outcome: str | None) -> Any:
    if scores[score] is None:
        return None
    return scores[f"mean_{score}"] if outcome is None else scores[score][outcome]


def _print_differences(screen: Console, summary: Mapping[str, Any]) -> None:
    level = _percent(summary["difference_level"], 0)
    for reference in summary["against"]:
        rows = [
            [
                name,
                *(_difference(scores["differences"][reference], part) for part in ("r2", "nlpd")),
            ]
            for name, scores in summary["models"].items()
            if name != reference
        ]
        if rows:
            print_line(
                screen, f"less {reference}, paired by recipe, with {level} % bootstrap intervals"
            )
            screen.print(grid(["model", f"R² − {reference}", f"NLPD − {reference} [nat]"], rows))


def _difference(scores: Mapping[str, Any], part: str) -> str:
    if scores[part] is None:
        return "–"
    return f"{scores[part]:+.3f}{_interval(scores[f'{part}_interval'])}"


def _means_row(name: str, scores: Model) -> list[str]:
    covered, nlpd, repeats = (
        scores["mean_coverage"],
        scores["mean_nlpd"],
        scores["mean_r2_by_repeat"],
    )
    return [
        name,
        f"{scores['mean_r2']:.3f}{_interval(scores['mean_r2_interval'])}",
        f"{stdev(repeats):.3f}" if len(repeats) > 1 else "–",
        f"{_percent(covered)}{_interval(scores['mean_coverage_interval'], 100.0, 1)}"
        if covered is not None
        else "–",
        f"{nlpd:.3f}" if nlpd is not None else "–",
        f"{scores['seconds_per_fold']:.2f}",
    ]


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f}"


def _interval(bounds: Sequence[float] | None, scale: float = 1.0, digits: int = 3) -> str:
    if bounds is None:
        return ""
    low, high = (f"{scale * bound:.{digits}f}" for bound in bounds)
    return f" ({low} … {high})"
