"""How long a proposal takes: ours beside the default generation of Ax, on the same data.

Both get the same history, the same room and the same number of suggestions, in the same process,
one after the other; libraries are imported (and BoTorch's C++ kernel, which Ax gains from, is
compiled) first and told separately. What is compared is the generation alone: fit, acquisition and
optimisation, without rebuilding Ax's experiment and without our forecasts. Ax runs with our threads
and with as many as there are cores (its own default); the ratio is against the faster of the two.
Then the whole program, ``engine propose --json``, from start to exit, on the same runs.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from engine.bench.harness.environment import environment
from engine.bench.harness.tasks import threads
from engine.bench.search.strategies import Strategy, strategy
from engine.campaign import Campaign
from engine.campaign.history import History, Run
from engine.errors import ModelError, UsageError
from engine.host import usable_cores
from engine.lab import VirtualLab
from surrogate.progress import Progress, silent

KIND = "latency"
COMMAND = (sys.executable, "-m", "engine.cli.app")
PROCESS_LIMIT_S = 600.0
NOT_GENERATION = ("explain", "total")
NEEDED = {"ax": ("engine.propose.ax_adapter", "ax.api.client")}


@dataclass(frozen=True)
class LatencyConfig:
    """What is timed. ``threads``: ours; ``peer``: ``ax`` or none, with each of ``peer_threads``.

    No ``peer_threads`` means ours, and one for each core (Ax's own default).

    Raises:
        UsageError: numbers that make no benchmark.
    """

    n: int = 8
    observations: int = 200
    seed: int = 0
    repeats: int = 1
    threads: int = 1
    peer: str | None = "ax"
    peer_threads: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for option, value, least in (
            ("n", self.n, 1),
            ("observations", self.observations, 2),
            ("seed", self.seed, 0),
            ("repeats", self.repeats, 1),
            ("threads", self.threads, 1),
            ("ax_threads", min(self.peer_threads, default=1), 1),
        ):
            if value < least:
                raise UsageError(f"expected at least {least}, got {value}", field=option)


def virtual_runs(n: int, seed: int) -> tuple[Campaign, list[Run]]:
    """Return the nanofibre campaign and ``n`` successful virtual runs spread over its settings."""
    from engine.propose.sampling import Sampler
    from engine.propose.space import Space

    lab = VirtualLab()
    rng = np.random.default_rng(seed)
    space = Space(lab.campaign)
    runs: list[Run] = []
    for conditions in space.conditions_of(Sampler(space).sample(2 * n + 16, seed)):
        ambient = lab.room(rng)
        result = lab.run(conditions, ambient, rng)
        if result.failure is None and len(runs) < n:
            outcomes = {name: (value,) for name, value in result.outcomes.items()}
            runs.append(Run({**conditions, **ambient}, outcomes))
    return lab.campaign, runs


def latency(
    config: LatencyConfig,
    campaign: Campaign,
    runs: Sequence[Run],
    *,
    ours: Strategy | None = None,
    peer: Strategy | None = None,
    process: Callable[[], float] | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Time everything and return the document. ``process`` times the whole program once."""
    history = History(campaign, tuple(runs))
    at = _middle(campaign)  # one room for all: today's would differ between machines
    document: dict[str, Any] = {
        "kind": KIND,
        "config": {
            "n": config.n,
            "observations": len(runs),
            "seed": config.seed,
            "repeats": config.repeats,
            "at": at,
        },
        "campaign": campaign.definition(),
        "environment": environment(),
        "measured": [],
    }
    entries = [_Entry("gp", ours or strategy("gp"), config.threads)]
    if config.peer is not None:
        counts = config.peer_threads or sorted({config.threads, usable_cores()})
        entries += [_Entry(config.peer, peer or strategy(config.peer), count) for count in counts]
    n_stages = len(entries) + (process is not None)
    for index, entry in enumerate(entries):
        noun = "thread" if entry.threads == 1 else "threads"
        progress(f"{entry.name}, {entry.threads} {noun}", index, n_stages)
        document["measured"].append(_time(entry, history, config, at))
    if process is not None:
        progress("engine propose, the whole process", len(entries), n_stages)
        document["process_seconds"] = [process() for _ in range(config.repeats)]
    document["ratio"] = _ratio(document["measured"])
    return document


@dataclass(frozen=True)
class _Entry:
    name: str
    strategy: Strategy
    threads: int


def _time(
    entry: _Entry, history: History, config: LatencyConfig, at: Mapping[str, float]
) -> dict[str, Any]:
    """Return the seconds of each repeat, in all and by part."""
    imported = _import_for(entry.name)
    repeats: list[dict[str, float]] = []
    with threads(entry.threads):
        for _ in range(config.repeats):
            started = time.perf_counter()
            choice = entry.strategy(history, config.n, config.seed, at)
            total = time.perf_counter() - started
            parts = {part: float(value) for part, value in choice.seconds.items()}
            generation = sum(parts[part] for part in parts if part not in NOT_GENERATION) or total
            repeats.append({**parts, "generation": generation, "total": total})
    if len(choice.settings) != config.n:
        raise ModelError(
            f"{entry.name}: expected {config.n} suggestions to time, got {len(choice.settings)}"
        )
    return {
        "strategy": entry.name,
        "led_by": choice.led_by,
        "threads": entry.threads,
        "import_seconds": imported,
        "seconds": repeats,
        "median": float(np.median([repeat["generation"] for repeat in repeats])),
    }


def _ratio(measured: Sequence[Mapping[str, Any]]) -> float | None:
    """Return how many times longer the peer generates, at its fastest."""
    if len(measured) < 2:
        return None
    return float(min(entry["median"] for entry in measured[1:]) / measured[0]["median"])


def _import_for(name: str) -> float:
    """Import what a strategy needs, so that its first call is timed without; return the seconds."""
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Ax's own, about its own modules
        from engine.propose.fused_kernel import load_fused_kernel

        if name == "ax":
            load_fused_kernel()
        for module in NEEDED.get(name, ("engine.propose.suggestion",)):
            import_module(module)
    return time.perf_counter() - started


def _middle(campaign: Campaign) -> dict[str, float]:
    return {p.name: sum(p.bounds) / 2 for p in campaign.ambient}


def propose_process(
    campaign: Campaign,
    runs: Sequence[Run],
    *,
    n: int,
    seed: int,
    threads: int,
    template: str = "nanofibre",
) -> Callable[[], float]:
    """Return a function that times ``engine propose --n … --json`` in a workspace of its own.

    The workspace is made by the program itself (``engine init``, ``engine import``), each time
    anew, so that every repeat starts from the same runs; only ``propose`` is timed.
    """

    def seconds() -> float:
        with tempfile.TemporaryDirectory(prefix="spinneret-latency-") as folder:
            table = Path(folder) / "runs.csv"
            write_table(table, campaign, runs)
            _engine(["init", "--template", template], folder, threads)
            _engine(["import", table.name], folder, threads)
            arguments = ["propose", "--n", str(n), "--seed", str(seed), "--json"]
            for name, value in _middle(campaign).items():
                arguments += ["--at", f"{name}={value:g}"]
            started = time.perf_counter()
            _engine(arguments, folder, threads)
            return time.perf_counter() - started

    return seconds


def write_table(path: Path, campaign: Campaign, runs: Sequence[Run]) -> None:
    """Write runs as ``engine import`` reads them: a row for each, labelled by its number."""
    names = [p.name for p in campaign.parameters]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["label", *map(campaign.heading, [*names, *campaign.outcomes])])
        for number, run in enumerate(runs, start=1):
            results = [float(np.mean(run.outcomes[o])) if run.outcomes.get(o) else ""
                       for o in campaign.outcomes]  # fmt: skip
            conditions = [run.conditions.get(name, "") for name in names]
            writer.writerow([number, *conditions, *results])


def _engine(arguments: Sequence[str], folder: str, threads: int) -> None:
    # Settings of whoever runs this must not reach the timed program; our threads must.
    env = {k: v for k, v in os.environ.items() if not k.startswith("SPINNERET_")}
    env["SPINNERET_COMPUTE__THREADS"] = str(threads)
    env["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    try:
        process = subprocess.run(  # noqa: S603 -- our own program, our own arguments
            [*COMMAND, *arguments],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=PROCESS_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelError(
            f"`engine {' '.join(arguments)}` took longer than {PROCESS_LIMIT_S:g} s"
        ) from None
    if process.returncode != 0:
        raise ModelError(f"`engine {' '.join(arguments)}` failed: {process.stderr.strip()[-2000:]}")
