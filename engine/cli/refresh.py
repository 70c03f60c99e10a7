"""``engine refresh``: models learn the new results, and are promoted if they are no worse."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from db.records import ModelKind
from engine.cli.progress import progress_bar
from engine.errors import UsageError, spell
from engine.terminal.labels import LABELS
from engine.terminal.options import ConfigOption, DeviceOption, JsonOption
from engine.terminal.output import console, grid, print_json, say, warn

if TYPE_CHECKING:
    from engine.refresh.request import Plan, Refreshed

GRACE_S = 8.0
"""How long a step may take to end after SIGTERM."""


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(refresh)


def refresh(
    *,
    kind: Annotated[
        ModelKind, typer.Option("--kind", help="What to train: the surrogate or the generator.")
    ] = ModelKind.SURROGATE,
    full: Annotated[
        bool, typer.Option("--full", help="From the starter on, on everything; else incrementally.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and why; train nothing.")
    ] = False,
    due: Annotated[
        bool, typer.Option("--due", help="Only if a trigger of [refresh] is pulled.")
    ] = False,
    accept_suspicious: Annotated[
        bool,
        typer.Option(
            "--accept-suspicious", help="Learn from results that contradict the others, too."
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of everything drawn at random.")] = 0,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Updates at most.",
            show_default="40; 600 with --full; 400 and 300 for the generator",
        ),
    ] = None,
    device: DeviceOption = "auto",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the surrogate on the new results; promote it only if it is not worse than others.

    Those are the current model and a plain Gaussian process.

    With --kind generator, train the generator of previews on from the lab's own micrographs; it
    serves if it tells micrographs that no training saw better than the one that serves.

    The surrogate is judged on recipes that no training sees, beside the champion and plain Gaussian
    processes. New results that contradict the others are told and not learnt from. What serves
    keeps serving until the very end; Ctrl-C or SIGTERM keeps what was trained, and the next refresh
    goes on. A candidate that is not promoted is no error: the exit code is 0.
    """
    # Within the command, here and in all of them: `engine --help` loads neither SQLAlchemy nor
    # torch.
    from engine.refresh.plan import plan
    from engine.refresh.request import RefreshRequest
    from engine.refresh.run import refresh as refresh_now
    from engine.workspace import Workspace

    if kind is ModelKind.GENERATOR and (full or accept_suspicious):
        raise UsageError(
            "--kind generator: expected neither --full nor --accept-suspicious: it is always "
            "trained on from the one that serves, by micrographs and not by results"
        )
    request = RefreshRequest(
        kind=kind,
        full=full,
        seed=seed,
        steps=steps,
        device=device,
        accept_suspicious=accept_suspicious,
    )
    with Workspace.open(config) as workspace:
        if dry_run or due:
            planned = plan(workspace, request)
            if dry_run or not planned.is_due:
                _print_plan(planned, as_json=as_json)
                return
            trigger = "; ".join(reason.partition(":")[0] for reason in planned.reasons)
            request = replace(request, trigger=trigger, only_if_due=True)
        with progress_bar() as progress, stopped_by_sigterm() as should_stop:
            refreshed = refresh_now(workspace, request, progress, should_stop)
    for note in refreshed.notes:
        warn(note)
    if as_json:
        from engine.documents.models import RefreshedOut

        print_json(RefreshedOut.model_validate(refreshed))
    else:
        _print(refreshed)


@contextmanager
def stopped_by_sigterm(grace_s: float = GRACE_S) -> Iterator[Callable[[], bool]]:
    """Turn SIGTERM into a flag that is asked between steps; a long step is given up after a while.

    Giving up is a kill like any other: the training is on the disk, and the next refresh closes the
    record and goes on.
    """
    is_stopping = threading.Event()
    # Python lets the main thread alone set handlers.
    # https://docs.python.org/3/library/signal.html#signals-and-threads
    if threading.current_thread() is not threading.main_thread():
        yield is_stopping.is_set
        return
    timers: list[threading.Timer] = []

    def ask(*_: object) -> None:
        is_stopping.set()
        # A thread's: the main thread may be inside a fit, which no Python signal handler
        # interrupts.
        timer = threading.Timer(grace_s, _give_up, (grace_s,))
        timer.daemon = True
        timer.start()
        timers.append(timer)

    former_handler = signal.signal(signal.SIGTERM, ask)
    try:
        yield is_stopping.is_set
    finally:
        signal.signal(signal.SIGTERM, former_handler)
        for timer in timers:
            timer.cancel()


def _give_up(grace_s: float) -> None:
    sys.stderr.write(
        f"stopped {grace_s:g} s after SIGTERM in the middle of a step; what was trained is kept, "
        "`engine refresh` goes on from there\n"
    )
    sys.stderr.flush()
    # `sys.exit` would end this thread alone.
    os._exit(128 + signal.SIGTERM)


def _print_plan(planned: Plan, *, as_json: bool) -> None:
    if as_json:
        document = {name: value for name, value in vars(planned).items() if name != "champion_id"}
        print_json({"champion": planned.champion_id, **document})
        return
    for reason in planned.reasons or ("no trigger of [refresh] is pulled",):
        typer.echo(f"{'due' if planned.is_due else 'not due'}: {reason}")
    typer.echo(
        f"new since the last training: {planned.n_results} runs with results, "
        f"{planned.n_micrographs} micrographs"
    )
    begin = "the starter" if planned.champion_id is None else f"model {planned.champion_id}"
    begin = "the starter" if planned.mode == "full" else begin
    sources = ", ".join(planned.sources) or "no source besides the simulated labs"
    of_all = f" of {planned.n_finished + planned.n_left_out:,}" if planned.n_left_out else ""
    if planned.kind == "generator":
        typer.echo(
            f"would train the generator from {begin} on, and judge on {planned.n_judged} "
            "micrographs that no training sees"
        )
    else:
        typer.echo(
            f"would train {'in full' if planned.mode == 'full' else 'incrementally'} from {begin} "
            f"on {planned.n_finished}{of_all} own runs and {sources}, and judge on "
            f"{planned.n_judged} recipes that no training sees"
        )
    if planned.problem is not None:
        warn(planned.problem)


def _print(refreshed: Refreshed) -> None:
    gate = refreshed.report.get("gate")
    if gate:
        rows = []
        for name, r2 in gate["r2"].items():
            difference = gate["against"].get(name)
            rows.append(
                [
                    name,
                    f"{r2:.3f}",
                    f"{gate['log_density'][name]:.3f}",
                    "–"
                    if difference is None
                    else f"{difference['d_r2']:+.3f} ± {difference['se_r2']:.3f}",
                    "–" if difference is None else ("yes" if difference["loses"] else "no"),
                ]
            )
        headings = ["", "R² [–]", "log density [nat]", "candidate: R² more", "candidate worse"]
        console().print(grid(headings, rows))
    typer.echo(
        f"refresh {refreshed.refresh_id} ({refreshed.mode}): {refreshed.outcome}: "
        f"{spell(refreshed.reason, 'cli', LABELS)}"
    )
    if refreshed.model_id is not None:
        typer.echo(f"model {refreshed.model_id}: {refreshed.artifact}")
    if refreshed.former_id is not None:
        typer.echo(f"model {refreshed.former_id} retired; `engine models rollback` brings it back")
    if refreshed.outcome == "interrupted":
        say("`engine refresh` goes on from there")
