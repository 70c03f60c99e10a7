"""Many processes log results at once, and the server goes away in the middle if you like.

By hand, from the root of the repository (a server is started for it, with fsync as in a lab)::

    python tests/load/writers.py --database postgresql --writers 16 --results 5000
    python tests/load/writers.py --database sqlite --writers 4 --results 1000
    python tests/load/writers.py --database postgresql --writers 16 --results 5000 --away 20

Each writer calls what ``engine log --new`` calls, again after an error that says that nothing was
written, as a person would. At the end every result must be there once, and none that nobody logged.
``--schedulers 2`` runs two ``engine schedule run`` beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from postgres_server import PostgresServer, execute, libpq  # noqa: E402

from db.records import Status  # noqa: E402
from db.schema import check  # noqa: E402
from engine.initialising import initialise  # noqa: E402
from engine.workspace import Workspace  # noqa: E402

WRITER = """
import json, sys, time
from db.errors import DatabaseError, OutcomeUnknownError
from engine.entries import Entry
from engine.recording import record
from engine.workspace import Workspace
who, n = sys.argv[1], int(sys.argv[2])
slowest, failures = 0.0, []
while True:
    try:
        workspace = Workspace.open()
        break
    except DatabaseError as error:
        failures.append(f"{type(error).__name__}: {error}")
        time.sleep(0.2)
with workspace:
    for i in range(n):
        conditions = {"flow_rate": 0.4, "concentration": 18.0, "voltage": 18.0,
                      "collector_speed": 400.0}
        entry = Entry(label=f"{who}-{i}", conditions=conditions,
                      results={"elongation.longitudinal": 50.0 + i % 50})
        while True:
            began = time.monotonic()
            try:
                record(workspace, entry)
            except OutcomeUnknownError as error:
                failures.append(f"unknown: {error}")
                with workspace.database.read() as tx:
                    campaign, _ = workspace.active_campaign(tx)
                    if tx.experiments.labelled(campaign.id, entry.label) is not None:
                        break
            except DatabaseError as error:
                failures.append(f"{type(error).__name__}: {error}")
                time.sleep(0.2)
            else:
                slowest = max(slowest, time.monotonic() - began)
                break
print(json.dumps({"slowest_s": slowest, "failures": failures}))
"""


@dataclass(frozen=True)
class Outcome:
    """What became of it: ``n_rows`` must be ``n_results``; ``findings`` are of ``db check``."""

    database: str
    writers: int
    n_results: int
    n_rows: int
    n_distinct: int
    seconds: float
    slowest_s: float
    failures: tuple[str, ...]
    findings: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether every result is there once and the database is sound."""
        return self.n_rows == self.n_distinct == self.n_results and not self.findings


def run(
    folder: Path,
    *,
    database: str,
    writers: int,
    results: int,
    away_s: float = 0.0,
    durable: bool = True,
    schedulers: int = 0,
) -> Outcome:
    """Let ``writers`` processes log ``results`` together into a fresh campaign in ``folder``."""
    server = PostgresServer(durable=durable) if database == "postgresql" else None
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("SPINNERET_CONFIG", None)
    try:
        if server is not None:
            execute(server.url(), "CREATE DATABASE lab")
            environment["SPINNERET_DATABASE__URL"] = server.url("lab")
            os.environ["SPINNERET_DATABASE__URL"] = server.url("lab")
        initialise(folder / "config.toml")
        beside = [_scheduler(folder, environment) for _ in range(schedulers)]
        shares = [results // writers + (i < results % writers) for i in range(writers)]
        began = time.monotonic()
        processes = [_writer(folder, environment, f"w{i}", share) for i, share in enumerate(shares)]
        breaker = threading.Thread(target=_go_away, args=(server, results // 5, away_s))
        if server is not None and away_s:
            breaker.start()
        answers = [_answer(process) for process in processes]
        seconds = time.monotonic() - began
        if breaker.ident is not None:
            breaker.join()
        for process in beside:
            process.terminate()
            process.communicate(timeout=60)
        return _outcome(folder, database, writers, results, seconds, answers)
    finally:
        os.environ.pop("SPINNERET_DATABASE__URL", None)
        if server is not None:
            server.remove()


def _writer(
    folder: Path, environment: dict[str, str], who: str, share: int
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, who, str(share)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _scheduler(folder: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "engine.cli.app", "schedule", "run"],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"a writer ended with {process.returncode}: {err}")
    return dict(json.loads(out))


def _go_away(server: PostgresServer, after: int, seconds: float) -> None:
    """Stop the server in the middle of it all, as a crash does, and start it again."""
    while count_rows(server.url("lab")) < after:
        time.sleep(0.1)
    server.stop("immediate")
    time.sleep(seconds)
    server.start()


def count_rows(url: str) -> int:
    """Return how many results are recorded."""
    import psycopg

    with psycopg.connect(libpq(url)) as connection:
        found = connection.execute("SELECT count(*) FROM measurements").fetchone()
    return 0 if found is None else int(found[0])


def _outcome(
    folder: Path,
    database: str,
    writers: int,
    results: int,
    seconds: float,
    answers: Sequence[dict[str, Any]],
) -> Outcome:
    with Workspace.open(folder / "config.toml") as workspace:
        with workspace.database.read() as tx:
            campaign, _ = workspace.active_campaign(tx)
            experiments = tx.experiments.list(campaign.id, status=[Status.COMPLETED])
        findings = check(workspace.database.url)
    values = [(e.label, m.value) for e in experiments for m in e.measurements]
    return Outcome(
        database,
        writers,
        results,
        len(values),
        len({label for label, _ in values}),
        round(seconds, 1),
        round(max(answer["slowest_s"] for answer in answers), 2),
        tuple(failure for answer in answers for failure in answer["failures"]),
        tuple(findings),
    )


def main() -> None:
    """Run it once and print what became of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--results", type=int, default=5000)
    parser.add_argument("--away", type=float, default=0.0, help="seconds without the server")
    parser.add_argument("--schedulers", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(
            Path(folder),
            database=given.database,
            writers=given.writers,
            results=given.results,
            away_s=given.away,
            schedulers=given.schedulers,
        )
    shown = {**asdict(outcome), "failures": len(outcome.failures), "kinds": _kinds(outcome)}
    print(json.dumps(shown, indent=2))
    sys.exit(0 if outcome.holds else 1)


def _kinds(outcome: Outcome) -> list[str]:
    return sorted({failure[:160] for failure in outcome.failures})


if __name__ == "__main__":
    main()
