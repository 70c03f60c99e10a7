"""Kill commands at random moments, over and over, and see that nothing is lost, doubled or broken.

    python tests/chaos/chaos.py --kills 100                          # SQLite
    python tests/chaos/chaos.py --kills 100 --backend postgresql     # a server of its own
    SPINNERET_TEST_POSTGRES=postgresql+psycopg://… python tests/chaos/chaos.py --backend postgresql

Each round one of log (with a micrograph), propose and refresh runs in a process of its own, which
is killed (SIGKILL): half of the times at a random moment of its usual duration, half of the times
right before a random one of its operations on files, where half-written things would come from.
After each kill:

- every result that was acknowledged is there, once; the one under way is there once or not at all;
- every batch is whole: as many proposals as were asked for;
- the model that serves is as it was recorded, and can be loaded.

Every tenth kill and in the end `engine doctor --fix` removes what was left behind, and then nothing
is left that no row refers to; the database is sound. In the end a refresh goes through as ever.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]
os.environ.setdefault("OMP_NUM_THREADS", "1")

OUTCOMES = ("fracture_strength.longitudinal", "elongation.longitudinal")
N_START, N_BATCH = 48, 2
ACTIONS = ("log", "propose", "refresh")
WEIGHTS = (4, 2, 4)
FILE_EVENTS = frozenset(
    {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "shutil.rmtree"}
)


@dataclass
class Tally:
    """What happened so far. ``results``: whether each log was acknowledged, by its value."""

    results: dict[float, bool] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    whole: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)


class Arena:
    """One workspace that is tormented."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self.luck = random.Random(seed)  # noqa: S311 -- no secret
        self.tally = Tally()
        self.picture = folder / "mat.png"

    def begin(self) -> None:
        """Make the workspace, with finished runs and a champion."""
        import numpy as np
        from PIL import Image

        from db.records import NewExperiment, Origin, Status
        from engine.bench.harness.labs import finished_runs, lab_of
        from engine.workspace.init import initialise

        initialise(self.config, template="nanofibre")
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(
            self.picture
        )
        runs = [run for run, _ in finished_runs(lab_of("standard"), N_START, 1)]
        new = [
            NewExperiment(
                Origin.MANUAL, Status.COMPLETED, actual=dict(run.conditions),
                outcomes={name: run.outcomes[name] for name in OUTCOMES},
            )
            for run in runs
        ]  # fmt: skip
        with self.open() as workspace, workspace.database.write("chaos") as tx:
            tx.experiments.add(workspace.active_campaign(tx)[0], new)
        for action in ACTIONS:  # how long each takes, and how many operations on files
            self.round(action, kill=False)

    def open(self) -> Workspace:
        """Open it, for one process alone."""
        from engine.workspace import Workspace

        return Workspace.open(self.config)

    # -- what is killed ------------------------------------------------------------------------

    def work(self, action: str, value: float) -> None:
        """Do what a command does."""
        with self.open() as workspace:
            if action == "propose":
                from engine.loop import propose
                from engine.propose.request import ProposeRequest

                seed = int(value * 1e6)
                propose(workspace, ProposeRequest(n=N_BATCH, seed=seed, strategy="sobol"))
            elif action == "refresh":
                from engine.refresh.request import RefreshRequest
                from engine.refresh.run import refresh

                seed = int(value * 1e3) % 997
                refresh(workspace, RefreshRequest(steps=6, seed=seed, full=value > 20))
        if action == "log":
            self._log(value)

    def _log(self, value: float) -> None:
        from typer.testing import CliRunner

        from engine.cli.app import app

        picture = self.folder / f"mat-{value:.9f}.png"
        content = bytearray(self.picture.read_bytes())
        picture.write_bytes(bytes(content) + f"{value:.9f}".encode())  # another picture each time
        words = ["log", "--new", "flow_rate=0.4", "concentration=18", "voltage=18",
                 "collector_speed=400", f"{OUTCOMES[1]}={value!r}", "--micrograph", str(picture),
                 "--config", str(self.config)]  # fmt: skip
        done = CliRunner().invoke(app, words)
        picture.unlink(missing_ok=True)
        if done.exit_code != 0:
            raise RuntimeError(done.output)

    # -- one round -----------------------------------------------------------------------------

    def round(self, action: str, *, kill: bool = True) -> None:
        """Run an action in a process of its own; kill it unless it is only timed."""
        value = round(self.luck.uniform(10, 30), 9)
        at_event, after_s = None, None
        if kill and self.luck.random() < 0.5:
            at_event = self.luck.randint(1, max(1, self.tally.events[action]))
        elif kill:
            after_s = self.luck.uniform(0, 1.1 * self.tally.seconds[action])
        reader, writer = os.pipe()
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            self._child(action, value, at_event, writer)
        os.close(writer)
        if after_s is not None:
            _wait(child, after_s)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        took = time.monotonic() - started
        with os.fdopen(reader) as said:
            words = said.read().split()
        if action == "log":
            self.tally.results[value] = "done" in words
        was_killed = os.WIFSIGNALED(status)
        if not was_killed and os.waitstatus_to_exitcode(status) != 0:
            raise SystemExit(f"{action} failed by itself: exit {os.waitstatus_to_exitcode(status)}")
        (self.tally.kills if was_killed else self.tally.whole)[action] += 1
        if not was_killed and not kill:
            self.tally.seconds[action] = took
            self.tally.events[action] = int(words[words.index("events") + 1])

    def _child(self, action: str, value: float, at_event: int | None, writer: int) -> None:
        seen = [0]

        def look(event: str, args: tuple[object, ...]) -> None:
            flags = args[2] if event == "open" and isinstance(args[2], int) else 0
            if event in FILE_EVENTS or flags & (os.O_WRONLY | os.O_RDWR):
                seen[0] += 1
                if at_event is not None and seen[0] >= at_event:
                    os.kill(os.getpid(), signal.SIGKILL)

        code = 1
        try:
            sys.addaudithook(look)
            self.work(action, value)
            os.write(writer, f"done events {seen[0]} ".encode())
            code = 0
        except BaseException as error:
            sys.stderr.write(f"{action}: {type(error).__name__}: {error}\n")
        finally:
            sys.stderr.flush()
            os._exit(code)

    # -- what must hold ------------------------------------------------------------------------

    def look(self) -> None:
        """See that nothing is lost, doubled, or half-written, and that the model serves."""
        from db.records import ModelKind
        from engine.registry.files import problems
        from engine.registry.serving_version import serving
        from surrogate.matmcl.checkpoint import load_checkpoint

        with self.open() as workspace, workspace.database.read() as tx:
            record, _ = workspace.active_campaign(tx)
            found = Counter(
                measurement.value
                for experiment in tx.experiments.find(record.id)
                for measurement in experiment.measurements
                if measurement.outcome == OUTCOMES[1]
            )
            for value, was_acknowledged in self.tally.results.items():
                n = found[value]
                if n > 1 or (was_acknowledged and n == 0):
                    said = "acknowledged" if was_acknowledged else "under way"
                    raise SystemExit(f"result {value}, {said}: there {n} times")
            for batch in tx.batches.all_of(record.id):
                n = len(tx.batches.proposals(batch.id))
                if n != N_BATCH:
                    raise SystemExit(f"batch {batch.id}: {n} proposals, {N_BATCH} were asked for")
            champion = tx.models.champion(record.id, ModelKind.SURROGATE)
            if champion is not None and problems(workspace.data_dir, champion):
                raise SystemExit(f"champion: {problems(workspace.data_dir, champion)}")
            now = serving(workspace.data_dir, tx, record.id, ModelKind.SURROGATE)
        if now.folder is not None:
            load_checkpoint(now.folder, parts="table")

    def mend(self) -> None:
        """Remove what was left behind; then nothing is left, and the database is sound."""
        from engine.doctor import examine

        examine(self.config, fix=True, stale_s=0.0)
        after = examine(self.config, stale_s=0.0)
        wrong = [
            one.text for one in after.findings if one.level != "fine" and one.subject != "disk"
        ]
        if wrong:
            raise SystemExit(f"after `engine doctor --fix`: {wrong}")

    def run(self, kills: int) -> None:
        """Kill so often; look after each."""
        while sum(self.tally.kills.values()) < kills:
            self.round(self.luck.choices(ACTIONS, WEIGHTS)[0])
            self.look()
            n = sum(self.tally.kills.values())
            if n % 10 == 0:
                self.mend()
                tally = self.tally
                print(f"{n} kills {dict(tally.kills)}, whole {dict(tally.whole)}", flush=True)
        self.mend()
        self.round("refresh", kill=False)
        self.look()
        self.mend()


def _wait(child: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return
        time.sleep(0.002)


@contextmanager
def database_url(backend: str, folder: Path) -> Iterator[str]:
    """Yield the URL of an empty database."""
    if backend == "sqlite":
        yield f"sqlite:///{folder / 'spinneret.db'}"
        return
    from postgres_server import PostgresServer, fresh_database

    given = os.environ.get("SPINNERET_TEST_POSTGRES")
    server = None if given else PostgresServer(durable=True)
    try:
        with fresh_database(given or server.url()) as url:  # type: ignore[union-attr]
            yield url
    finally:
        if server is not None:
            server.remove()


def preload() -> None:
    """Load what the actions need, so that a process of theirs begins at once.

    Candidates are judged by one block of recipes in place of three: what is told of them does not
    matter here, only that they are killed at every stage.
    """
    import engine.doctor
    import engine.propose
    import engine.refresh.gate
    import engine.refresh.suspicion
    import engine.refresh.training
    import engine.sources.store_champion
    from engine.compute import limit_threads

    engine.refresh.gate.BLOCKS = 1
    limit_threads(1)


def main(make: Callable[[Path, int], Arena] = Arena) -> None:
    """Torment a workspace of one's own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--backend", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args()
    preload()
    folder = Path(tempfile.mkdtemp(prefix="spinneret-chaos-"))
    started = time.monotonic()
    try:
        with database_url(words.backend, folder) as url:
            os.environ["SPINNERET_DATABASE__URL"] = url
            arena = make(folder, words.seed)
            arena.begin()
            arena.run(words.kills)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    tally = arena.tally
    print(
        f"{words.backend}: {sum(tally.kills.values())} kills {dict(tally.kills)}; "
        f"{sum(tally.results.values())} results acknowledged of {len(tally.results)}, none lost, "
        f"none doubled; {time.monotonic() - started:.0f} s, seed {words.seed}"
    )


if __name__ == "__main__":
    main()
