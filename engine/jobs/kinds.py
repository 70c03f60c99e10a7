"""What each kind of task does: the command line's own functions, with progress told in its row."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from engine.campaign import Campaign
from engine.errors import NotFoundError, SpinneretError, UsageError, spell
from engine.experiments.conditions import read_conditions, read_counts
from engine.jobs.queue import TaskCancelledError, Tell, Work
from engine.propose.request import ProposeRequest
from engine.workspace import Workspace
from engine.workspace.settings import ProposeSettings

MOST_RUNS = 100


def request_of(
    params: Mapping[str, Any], campaign: Campaign, settings: ProposeSettings
) -> ProposeRequest:
    """Read what a proposal is asked for; what is not said is as in the settings.

    Raises:
        UsageError: an unknown name, or a value that cannot be set.
    """
    n = int(params.get("n") or settings.n)
    if not 1 <= n <= MOST_RUNS:
        raise UsageError(f"n: expected 1 to {MOST_RUNS} runs in a batch, got {n}")
    strategies = ("matmcl", "gp", "sobol", "ax", "ax-matmcl", "nsga2")
    strategy = params.get("strategy") or settings.strategy
    if strategy not in strategies:
        raise UsageError(f"unknown strategy '{strategy}'. Known: {', '.join(strategies)}")
    at = read_conditions(campaign, params.get("at") or {}, "at", role="ambient", belongs="fixed")
    fixed = read_conditions(
        campaign,
        params.get("fixed") or {},
        "fixed",
        role="controlled",
        belongs="at",
        as_setting=True,
    )
    seed = params.get("seed")
    return ProposeRequest(
        n=n,
        seed=secrets.randbelow(2**31) if seed is None else int(seed),
        strategy=strategy,
        at={name: float(value) for name, value in at.items()},
        robust=bool(params.get("robust")),
        fixed=fixed,
        max_distinct=read_counts(campaign, params.get("max_distinct") or {}, "max_distinct"),
        explore=bool(params.get("explore")),
        replicates=bool(params.get("replicates")),
    )


def propose(workspace: Workspace, params: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Propose a batch, as ``engine propose`` does."""
    from engine.loop import propose as propose_batch

    with workspace.database.read() as tx:
        _, campaign = workspace.active_campaign(tx)
    request = request_of(params, campaign, workspace.settings.propose)
    wanted = None if params.get("preview") is None else bool(params["preview"])
    proposed = propose_batch(workspace, request, preview=wanted, progress=tell)
    return {"batch": proposed.batch_id, "notes": list(proposed.batch.notes)}


def refresh(workspace: Workspace, params: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Train on the new results, judge, and promote what is not worse than model and plain GP.

    Once it is to stop, the training ends at its next step and is kept to be taken up again.
    """
    from engine.refresh.request import RefreshRequest
    from engine.refresh.run import refresh as refresh_models

    is_stopped = False

    def told(
        stage: str, completed: int = 0, total: int = 0, numbers: Mapping[str, float] | None = None
    ) -> None:
        nonlocal is_stopped
        shown = ", ".join(f"{name} {value:.3g}" for name, value in (numbers or {}).items())
        try:
            tell(f"{stage}{f', {shown}' if shown else ''}", completed / total if total else None)
        except TaskCancelledError:
            is_stopped = True

    request = RefreshRequest(
        full=bool(params.get("full")),
        trigger="by hand",
        steps=params.get("steps"),
        accept_suspicious=bool(params.get("accept_suspicious")),
    )
    done = refresh_models(workspace, request, told, lambda: is_stopped)
    if is_stopped:
        raise TaskCancelledError
    return {
        "refresh": done.refresh_id,
        "outcome": str(done.outcome),
        "summary": f"{done.outcome}: {spell(done.reason, 'api')}",
        "model": done.model_id,
        "notes": list(done.notes),
    }


def measure(workspace: Workspace, params: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Measure kept micrographs and draw their overlays, as ``engine micrograph measure`` does.

    A picture that cannot be measured is told of, and the others are measured all the same.
    """
    from engine.micrographs.add import HowTaken
    from engine.micrographs.overlay import measure_again, show

    ids = [int(id_) for id_ in params["micrographs"]]
    how = HowTaken(params.get("nm_per_pixel"), params.get("rotation_axis"))
    problems: dict[str, str] = {}
    for place, id_ in enumerate(ids):
        tell(f"measuring picture {place + 1} of {len(ids)}", place / len(ids))
        try:
            measure_again(workspace, [id_], how)
            show(workspace, id_)
        except (SpinneretError, NotFoundError) as error:
            problems[str(id_)] = str(error)
    return {"measured": [id_ for id_ in ids if str(id_) not in problems], "problems": problems}


DOING: dict[str, Work] = {"propose": propose, "measure": measure, "refresh": refresh}
