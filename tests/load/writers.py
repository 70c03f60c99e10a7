"""Many processes log results at once, and the server goes away in the middle if you like.

By hand, from the root of the repository (a server is started for it, with fsync as in a lab)::

    python tests/load/writers.py --database postgresql --writers 16 --results 5000
    python tests/load/writers.py --database sqlite --writers 4 --results 1000
    python tests/load/writers.py --database postgresql --writers 16 --results 5000 --away 20

Each writer calls what ``engine log --new`` calls, with mats of the virtual lab, again after an
error that says that nothing was written, as a person would. At the end every result must be there
once, whole, and none that nobody logged. ``--schedulers 2`` runs two ``engine schedule run`` too:
then every trigger that was pulled must have led to one training, no two of them at once.
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
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from postgres_server import PostgresServer, execute, libpq  # noqa: E402

from db.records import Status  # noqa: E402
from db.schema import check  # noqa: E402
from engine.refresh.due import due  # noqa: E402
from engine.workspace import Workspace  # noqa: E402
from engine.workspace.init import initialise  # noqa: E402

WRITER = """
import json, sys, time
import numpy as np
from db.errors import DatabaseError, OutcomeUnknownError
from engine.experiments.entries import Entry
from engine.lab.virtual import VirtualLab
from engine.experiments.record import record
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
lab, rng = VirtualLab(), np.random.default_rng(list(who.encode()))
columns = {p.name: rng.choice(np.asarray(p.levels, dtype=float), n)
           for p in lab.campaign.controlled}
rooms = [lab.room(rng) for _ in range(n)]
shown = columns | {name: np.array([room[name] for room in rooms]) for name in rooms[0]}
truth = lab.truth_columns(shown)
with workspace:
    for i in range(n):
        conditions = {name: float(values[i]) for name, values in columns.items()} | rooms[i]
        results = {name: float(truth[name][i] * np.exp(0.1 * rng.standard_normal()))
                   for name in ("fracture_strength.longitudinal", "elongation.longitudinal")}
        entry = Entry(label=f"{who}-{i}", conditions=conditions, results=results)
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


WHOLE = Counter(["fracture_strength.longitudinal", "elongation.longitudinal"])


@dataclass(frozen=True)
class Outcome:
    """What became of it: ``n_rows`` must be ``n_results``; ``findings`` are of ``db check``.

    ``looks``: how often a scheduler looked whether a refresh was due; ``refreshes``: what became of
    those it began; ``faults``: what is wrong with them.
    """

    database: str
    writers: int
    n_results: int
    n_rows: int
    n_distinct: int
    seconds: float
    slowest_s: float
    failures: tuple[str, ...]
    findings: tuple[str, ...]
    looks: int = 0
    refreshes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every result is there once, the database is sound, and so are refreshes."""
        is_whole = self.n_rows == self.n_distinct == self.n_results
        return is_whole and not self.findings and not self.faults


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
        if beside:
            _await_refreshes(folder)
        for process in beside:
            process.terminate()
            process.communicate(timeout=60)
        return _outcome(folder, database, writers, results, seconds, answers, schedulers)
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


def _await_refreshes(folder: Path, most_s: float = 900.0) -> None:
    """Wait until the schedulers have nothing left to do."""
    until = time.monotonic() + most_s
    with Workspace.open(folder / "config.toml") as workspace:
        while time.monotonic() < until:
            with workspace.database.read() as tx:
                campaign, _ = workspace.active_campaign(tx)
                news = due(tx, campaign.id, workspace.settings.refresh)
                if not news.is_due and not tx.refreshes.running():
                    return
            time.sleep(1.0)


def faults_of(workspace: Workspace) -> list[str]:
    """Return what is wrong with the refreshes that schedulers began."""
    least = workspace.settings.refresh.min_new_results
    with workspace.database.read() as tx:
        campaign, _ = workspace.active_campaign(tx)
        made = sorted(tx.refreshes.find(campaign.id), key=lambda one: one.id)
        claims = Counter((run.job_id, run.due_at) for run in tx.schedule.runs())
        news = [tx.refreshes.n_new(campaign.id, one.watermark or 0)[0] for one in made]
        left = due(tx, campaign.id, workspace.settings.refresh)
    found = [f"{job} of {moment} ran {n} times" for (job, moment), n in claims.items() if n > 1]
    if left.is_due:
        found.append(f"still due: {', '.join(left.reasons)}")
    for (former, n_former), (one, n_one) in pairwise(zip(made, news, strict=True)):
        if former.finished_at is None or former.finished_at > one.started_at:
            found.append(f"refreshes {former.id} and {one.id} ran at once")
        if former.outcome.is_verdict and n_former - n_one < least:
            found.append(f"refresh {one.id} after {n_former - n_one} new results")
    return found


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
        found = connection.execute("SELECT count(*) FROM experiments").fetchone()
    return 0 if found is None else int(found[0])


def _outcome(
    folder: Path,
    database: str,
    writers: int,
    results: int,
    seconds: float,
    answers: Sequence[dict[str, Any]],
    schedulers: int,
) -> Outcome:
    with Workspace.open(folder / "config.toml") as workspace:
        with workspace.database.read() as tx:
            campaign, _ = workspace.active_campaign(tx)
            experiments = tx.experiments.find(campaign.id, status=[Status.COMPLETED])
            looks = tx.schedule.runs("watch")
            refreshes = tx.refreshes.find(campaign.id)
        findings = check(workspace.database.url)
        faults = faults_of(workspace) if schedulers else []
    whole = [e.label for e in experiments if Counter(m.outcome for m in e.measurements) == WHOLE]
    return Outcome(
        database,
        writers,
        results,
        len(whole),
        len(set(whole)),
        round(seconds, 1),
        round(max(answer["slowest_s"] for answer in answers), 2),
        tuple(failure for answer in answers for failure in answer["failures"]),
        tuple(findings),
        len(looks),
        tuple(f"{one.id}: {one.outcome}: {one.trigger}" for one in reversed(refreshes)),
        tuple(faults),
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
