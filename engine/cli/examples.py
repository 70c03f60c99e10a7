"""An example of every command, shown at the end of its help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import typer

EXAMPLES = {
    "init": "--from runs.xlsx --objective maximize:strength",
    "import": "runs.xlsx --dry-run",
    "export": "runs.xlsx",
    "log": "41 elongation.longitudinal=88 --micrograph 41a.tif",
    "status": "--json",
    "show": "41",
    "undo": "--dry-run",
    "pretrain": "--source archive",
    "refresh": "--due",
    "propose": "--n 8 --at temperature=22 --at humidity=55",
    "replay": "7",
    "score": "candidates.csv --out ranked.csv",
    "preview": "--set voltage=18 --set concentration=18",
    "predict": "--set voltage=18 --set concentration=18 --drives",
    "retrieve": "--micrograph 41a.tif --k 6",
    "report": "--out report.html --open",
    "serve": "--port 8765",
    "watch": "inbox --once",
    "doctor": "--fix",
    "demo": "--folder demo --rounds 3",
    "micrograph add": "41a.tif --experiment 41 --nm-per-pixel 25",
    "micrograph import": "micrographs --nm-per-pixel 25",
    "micrograph show": "3 --out 3.png",
    "micrograph correct": "3 --exclude 0,0,60,40",
    "micrograph measure": "--missing",
    "micrograph remove": '3 --note "of another mat"',
    "micrograph read": "pictures --out table.csv --fibres f.csv",
    "micrograph check": "--false-share 0.1",
    "curve add": "41.csv --experiment 41 --width 10",
    "curve list": "--experiment 41",
    "curve show": "3 --png 3.png",
    "curve fit": "--all --dry-run",
    "curve remove": "3",
    "campaign show": "--json",
    "campaign revise": '--note "wider range of voltages"',
    "campaign list": "--json",
    "campaign use": "nanofibre",
    "campaign sync": "--force",
    "campaign create": "--file second.toml",
    "db path": "--json",
    "db upgrade": "--config config.toml",
    "db check": "--json",
    "db backup": "backups/monday.db",
    "db copy": "--to postgresql+psycopg://lab@server/spinneret",
    "source add": "archive --table archive.xlsx",
    "source list": "--json",
    "source show": "archive",
    "source remove": "archive",
    "models list": "--kind surrogate",
    "models show": "3",
    "models compare": "3 4",
    "models promote": '3 --reason "reads the new collector"',
    "models rollback": "--kind surrogate",
    "models rebuild": "3",
    "models prune": "--keep 5 --dry-run",
    "schedule run": "--json-log",
    "schedule list": "--json",
    "schedule pause": "refresh",
    "schedule resume": "refresh",
    "schedule trigger": "refresh",
    "users add": "anna --role operator",
    "users list": "--json",
    "users role": "anna admin",
    "users password": "anna",
    "users remove": "anna",
    "users token": "anna --name balance --scope operator --days 90",
    "users tokens": "--json",
    "users revoke": "3",
    "bench closed-loop": "--strategy gp --seeds 20 --out loop.json",
    "bench replay": "--table archive.xlsx --strategy gp --seeds 20",
    "bench suite": "--seeds 5 --out suite.json",
    "bench accuracy": "--table archive.xlsx --folds 5",
    "bench latency": "--n 8 --observations 40",
}
"""The words behind ``engine COMMAND``, by the command."""


def add_examples(app: typer.Typer, prefix: tuple[str, ...] = ()) -> None:
    """Let the help of each command, and of each below a group, end in its example."""
    for command in app.registered_commands:
        name = command.name or _name_of(command.callback)
        typed = " ".join((*prefix, name))
        if typed in EXAMPLES:
            command.epilog = f"Example: `engine {typed} {EXAMPLES[typed]}`"
    for group in app.registered_groups:
        inner = group.typer_instance
        if inner is not None:
            add_examples(inner, (*prefix, str(group.name or inner.info.name)))


def _name_of(callback: Any) -> str:
    return str(callback.__name__).replace("_", "-")
