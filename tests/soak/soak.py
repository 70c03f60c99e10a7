"""Random campaigns through the whole command line: no traceback, no rule broken, nothing lost.

    python tests/soak/soak.py --seed 1 --n 40     # campaigns 1 … 40, a line for each
    python tests/soak/soak.py --seed 17 --n 1 --keep /tmp/17     # one again, its folders kept

Each seed is a campaign of its own (`plans.py`): 2 to 12 parameters of all kinds, rules, rooms, one
to four objectives, odd units, past runs with labels in five scripts. It is begun, its past runs are
imported, batches are proposed and logged, corrected and taken back, predicted, scored, reported,
exported and brought into fresh folders (`journey.py`); each answer is judged by the plan's own
arithmetic (`checks.py`). A long soak is resumed at the seed at which it ended.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
os.environ.setdefault("OMP_NUM_THREADS", "1")

from journey import Journey  # noqa: E402 -- beside this script
from plans import Plan, draw_plan  # noqa: E402

# As in pyproject.toml: libraries at their import.
HARMLESS = (
    "Sparse invariant checks are implicitly disabled",
    "`torch.jit.script` is deprecated",
    "__array__ implementation doesn't accept a copy keyword",
)


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment; those of the engine that were set are gone meanwhile."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("SPINNERET_")]:
        del os.environ[name]
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def describe(plan: Plan) -> str:
    """Return a campaign in a few words."""
    n_named = sum(p.is_named for p in plan.controlled)
    return (
        f"{len(plan.controlled)} parameters ({n_named} of names), {len(plan.ambient)} ambient, "
        f"{len(plan.rules)} rules, {len(plan.outcomes)} outcomes, "
        f"{len(plan.objectives)} objectives, {len(plan.runs)} past runs"
    )


def main() -> None:
    """Soak; exit with 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="the first campaign")
    parser.add_argument("--n", type=int, default=40, help="how many")
    parser.add_argument("--quick", action="store_true", help="one strategy less, one export")
    parser.add_argument("--keep", type=Path, help="a new folder in which everything is left")
    words = parser.parse_args()
    warnings.simplefilter("error")
    for message in HARMLESS:
        warnings.filterwarnings("ignore", message=message)
    folder = words.keep or Path(tempfile.mkdtemp(prefix="spinneret-soak-"))
    failed: list[int] = []
    seconds: list[float] = []
    by_command: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    try:
        with environment({"SPINNERET_GENERATOR__PRETRAINED": "none"}):
            for seed in range(words.seed, words.seed + words.n):
                began = time.perf_counter()
                plan = draw_plan(seed)
                journey = Journey(plan, folder / str(seed), is_thorough=not words.quick)
                journey.travel()
                seconds.append(time.perf_counter() - began)
                by_command += journey.seconds
                calls += journey.calls
                verdict = f"{len(journey.problems)} PROBLEMS" if journey.problems else "fine"
                print(f"{seed}: {describe(plan)}; {seconds[-1]:.1f} s: {verdict}", flush=True)
                for problem in journey.problems:
                    print(f"    {problem}", flush=True)
                failed += [seed] if journey.problems else []
                if words.keep is None:
                    shutil.rmtree(folder / str(seed))
    finally:
        if words.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    slowest = ", ".join(
        f"{name} {total / calls[name]:.2f} s × {calls[name]}"
        for name, total in by_command.most_common(6)
    )
    print(
        f"{words.n} campaigns from seed {words.seed}: {len(failed)} with problems {failed}; "
        f"{calls.total()} commands; a campaign took {statistics.median(seconds):.1f} s (median), "
        f"{max(seconds):.1f} s at most. {slowest}"
    )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
