"""``engine demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.terminal.options import JsonOption
from engine.terminal.output import console, grid, print_json

if TYPE_CHECKING:
    from engine.campaign import Campaign
    from engine.demo import Played, Round, Score
    from engine.propose.request import Forecast


def demo(
    *,
    folder: Annotated[
        Path | None,
        typer.Option(help="A new or empty folder to play in.", show_default="demo/<date and time>"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the lab and of the proposals.", min=0)] = 0,
    rounds: Annotated[int, typer.Option(help="Batches.")] = 3,
    n: Annotated[int, typer.Option("--n", help="Runs in a batch.")] = 8,
    history: Annotated[int, typer.Option(help="Virtual runs made before the first batch.")] = 24,
    curves: Annotated[
        bool, typer.Option("--curves", help="Log the batches by tensile curves, not by values.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the folder even if the demo is stopped or fails.")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Play the whole loop on a virtual lab: propose, spin, log, three times over.

    Makes a database of its own in a new folder, a history of virtual runs, then batches that are
    spun and logged; ends with the report.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from engine.demo import Audience, DemoConfig, new_folder, play, remove_unfinished

    config = DemoConfig(rounds=rounds, n=n, history=history, seed=seed, curves=curves)
    place = folder or new_folder()
    was_there = place.exists()
    screen = console(to_stderr=json_)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    screen.print(f"A virtual lab, played in {place}", markup=False)
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("setting up", total=config.n_steps)

        def step(stage: str) -> None:
            bar.update(task, description=stage, advance=1)

        audience = Audience(
            step=step,
            begun=lambda campaign, score: _print_start(screen, campaign, score),
            round=lambda campaign, played: _print_round(screen, campaign, played),
        )
        try:
            played = play(place, config, audience)
        except BaseException:
            if not keep and not was_there:
                remove_unfinished(place)
            raise
    if json_:
        print_json(_document(played, config.seed))
    _print_end(screen, played)


def _print_start(screen: Any, campaign: Campaign, score: Score) -> None:
    screen.print(f"{score.n_runs} runs to begin with, spread over the design space.")
    screen.print(_score_line(campaign, score), markup=False)


def _print_round(screen: Any, campaign: Campaign, played: Round) -> None:
    from engine.results.material import rounded, setting

    room = ", ".join(
        f"{name} {setting(value)} {campaign.unit_of(name)}".rstrip()
        for name, value in played.ambient.items()
    )
    outcomes = [objective.outcome for objective in campaign.objectives]
    headings = ["run", *(_stacked(campaign.heading(p.name)) for p in campaign.controlled)]
    for outcome in outcomes:
        headings += [f"{_stacked(campaign.heading(outcome))}\nexpected", "measured"]
    rows = []
    for tried in played.tried:
        row = [str(tried.experiment_id)]
        row += [setting(tried.suggestion.conditions[p.name]) for p in campaign.controlled]
        failed = (tried.result.failure or "").replace("_", " ")
        for outcome in outcomes:
            expected = tried.suggestion.outcomes.get(outcome)
            row.append(_expected(expected) if expected else "–")
            row.append(failed or rounded(tried.result.outcomes.get(outcome), 3))
        rows.append(row)
    screen.print()
    screen.print(
        grid(headings, rows, title=f"Round {played.number}, by {played.strategy}; the room: {room}")
    )
    for note in played.notes:
        screen.print(note, markup=False)
    if played.sheet is not None:
        screen.print("The mats to expect:", end=" ")
        screen.print(str(played.sheet), markup=False, soft_wrap=True)
    screen.print(_score_line(campaign, played.score), markup=False)


def _stacked(heading: str) -> str:
    """Put direction and unit under the name, to keep the table narrow."""
    name, _, unit = heading.partition(" ")
    name, _, direction = name.partition(".")
    return f"{name}\n{f'{direction} {unit}'.strip()}"


def _expected(forecast: Forecast) -> str:
    from engine.results.material import rounded

    lower, upper = rounded(forecast.lower, 3), rounded(forecast.upper, 3)
    return f"{rounded(forecast.mean, 3)} ({lower} … {upper})"


def _print_end(screen: Any, played: Played) -> None:
    last = played.rounds[-1].score
    screen.print(
        f"\nFrom {played.start.fraction:.0%} to {last.fraction:.0%} of the true front in "
        f"{last.n_runs - played.start.n_runs} runs.",
        markup=False,
    )
    screen.print("Report:", end=" ")
    screen.print(str(played.report), markup=False, soft_wrap=True)


def _score_line(campaign: Campaign, score: Score) -> str:
    from engine.results.material import rounded

    unit = " · ".join(filter(None, (campaign.unit_of(o.outcome) for o in campaign.objectives)))
    return (
        f"Hypervolume after {score.n_runs} runs, judged without noise: {rounded(score.true)} of "
        f"the true front's {rounded(score.front)} {unit} ({score.fraction:.0%}); as measured "
        f"{rounded(score.measured)}."
    )


def _document(played: Played, seed: int) -> dict[str, Any]:
    return {
        "folder": str(played.folder),
        "campaign": played.campaign.name,
        "seed": seed,
        "report": str(played.report),
        "start": _score_document(played.start),
        "rounds": [
            {
                "batch": round_.batch_id,
                "strategy": round_.strategy,
                "ambient": dict(round_.ambient),
                "notes": list(round_.notes),
                "sheet": None if round_.sheet is None else str(round_.sheet),
                "runs": [
                    {
                        "experiment": tried.experiment_id,
                        "order": tried.suggestion.order,
                        "conditions": dict(tried.suggestion.conditions),
                        "expected": {
                            name: {"mean": f.mean, "lower": f.lower, "upper": f.upper}
                            for name, f in tried.suggestion.outcomes.items()
                        },
                        "measured": dict(tried.result.outcomes),
                        "failure": tried.result.failure,
                        "reason": tried.suggestion.reason,
                    }
                    for tried in round_.tried
                ],
                "score": _score_document(round_.score),
            }
            for round_ in played.rounds
        ],
    }


def _score_document(score: Score) -> dict[str, float]:
    return {
        "runs": score.n_runs,
        "measured": score.measured,
        "true": score.true,
        "front": score.front,
        "fraction": score.fraction,
    }


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(demo)
