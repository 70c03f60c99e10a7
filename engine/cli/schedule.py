"""``engine schedule``: refreshes, reports, backups and pruning at their times."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.completion import complete_job
from engine.terminal.options import ConfigOption, JsonOption
from engine.terminal.output import console, grid, print_json, say, warn

if TYPE_CHECKING:
    from engine.jobs.schedule import ScheduleStatus

_HELP = "The scheduler: refreshes, reports, backups and pruning at their times."
_JobArgument = Annotated[
    str,
    typer.Argument(help="watch, refresh, report, backup or prune.", autocompletion=complete_job),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode=None)
    group.command()(run)
    group.command("list")(list_)
    for command in (pause, resume, trigger):
        group.command()(command)
    app.add_typer(group, name="schedule")


def run(
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Answer Prometheus here, on 127.0.0.1.", show_default="none"
        ),
    ] = None,
    json_log: Annotated[
        bool, typer.Option("--json-log", help="One JSON line for each event on standard error.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Run the jobs of config.toml until stopped (SIGTERM or Ctrl-C).

    Several may run on one database: one works, the others stand by and take over when it is gone;
    no due job runs twice. What was missed runs once. SIGTERM ends within 10 s: a refresh under way
    keeps what it trained and goes on the next time.
    """
    import logging

    from engine import logs
    from engine.errors import StateError
    from engine.jobs.scheduler import Scheduler
    from engine.workspace import Workspace

    logs.set_up(as_json=json_log or None, level=logging.INFO)
    with Workspace.open(config) as workspace:
        scheduler = Scheduler(workspace)
        for number in (signal.SIGTERM, signal.SIGINT):
            # Before the first job: a SIGTERM in between would else be a kill.
            signal.signal(number, lambda *_: scheduler.stop())
        server = None
        if metrics_port is not None:
            from engine.jobs.metrics import serve

            try:
                server, _ = serve(workspace, lambda: scheduler.is_working, metrics_port)
            except OSError as error:
                raise StateError(
                    f"--metrics-port {metrics_port}: {error.strerror}; choose another"
                ) from error
        is_clean = scheduler.run()
        if server is not None:
            server.shutdown()
    if not is_clean:  # a job that does not stop would hold the process up
        sys.stderr.flush()
        os._exit(0)


def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the jobs: when they are due, what became of them last, and who runs them."""
    from engine.jobs.schedule import schedule_status
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        schedule = schedule_status(workspace)
    if as_json:
        from engine.documents.jobs import ScheduleOut

        print_json(ScheduleOut.build(schedule))
    else:
        _print(schedule)


def pause(job: _JobArgument, config: ConfigOption = None) -> None:
    """Let a job wait until it is resumed; a run under way goes on."""
    from engine.jobs.schedule import pause as pause_now
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        pause_now(workspace, job)
    typer.echo(f"{job} is paused")


def resume(job: _JobArgument, config: ConfigOption = None) -> None:
    """Let a paused job run at its times again."""
    from engine.jobs.schedule import resume as resume_now
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        moment = resume_now(workspace, job)
    next_run = "" if moment is None else f", next at {moment:%Y-%m-%d %H:%M} {moment.tzname()}"
    typer.echo(f"{job} runs again{next_run}")


def trigger(job: _JobArgument, config: ConfigOption = None) -> None:
    """Let a job run now: as soon as the scheduler looks, which takes it some seconds."""
    from engine.jobs.schedule import trigger as trigger_now
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        has_scheduler = trigger_now(workspace, job)
    typer.echo(f"{job} is due now")
    if not has_scheduler:
        warn("no scheduler is at work: it runs as soon as `engine schedule run` is started")


def _print(schedule: ScheduleStatus) -> None:
    from engine.jobs.schedule import about

    rows = []
    for scheduled in schedule.jobs:
        last = scheduled.last
        next_run_at = scheduled.job.next_run_at
        rows.append(
            [
                scheduled.job.id,
                about(scheduled.job.definition),
                scheduled.times,
                "paused" if next_run_at is None else f"{next_run_at:%Y-%m-%d %H:%M:%S}",
                "–" if last is None else f"{last.started_at:%Y-%m-%d %H:%M:%S}",
                "–" if last is None else str(last.outcome),
            ]
        )
    headings = ["job", "what", "when", "next [UTC]", "last [UTC]", "outcome"]
    console().print(grid(headings, rows))
    for scheduled in schedule.jobs:
        if scheduled.last is not None and scheduled.last.outcome == "failed":
            warn(f"{scheduled.job.id}: {scheduled.last.detail}")
    if schedule.holder is None:
        say("no scheduler is at work: start one with `engine schedule run`")
    else:
        typer.echo(
            f"run by {schedule.holder.owner}, last heard of at "
            f"{schedule.holder.heartbeat_at:%Y-%m-%d %H:%M:%S} UTC"
        )
