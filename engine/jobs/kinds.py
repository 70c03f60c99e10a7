"""What each kind of task does: the command line's own functions, with progress in its row."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from db.records import RefreshOutcome
from engine.campaign import Campaign
from engine.errors import NotFoundError, SpinneretError, marked, spell
from engine.jobs import upkeep
from engine.jobs.queue import Handler, ShouldStop, TaskInterruptedError
from engine.propose.replacement import replacement_request
from engine.propose.request import ProposeRequest, checked
from engine.workspace import Workspace
from engine.workspace.settings import ProposeSettings
from surrogate.progress import Progress


def request_of(
    params: Mapping[str, Any], campaign: Campaign, settings: ProposeSettings
) -> ProposeRequest:
    """Read what a proposal is asked for; what it leaves out is as in the settings.

    Raises:
        UsageError: an unknown name, or a value that cannot be set.
    """
    seed = params.get("seed")
    request = ProposeRequest(
        n=settings.n if params.get("n") is None else int(params["n"]),
        # Drawn here and recorded with the batch, so that a replay has it.
        seed=secrets.randbelow(2**31) if seed is None else int(seed),
        strategy=params.get("strategy") or settings.strategy,
        at=params.get("at") or {},
        robust=bool(params.get("robust")),
        fixed=params.get("fixed") or {},
        max_distinct=params.get("max_distinct") or {},
        explore=bool(params.get("explore")),
        replicates=bool(params.get("replicates")),
    )
    return checked(request, campaign)


def propose(
    workspace: Workspace, params: Mapping[str, Any], progress: Progress, should_stop: ShouldStop
) -> dict[str, Any]:
    """Propose a batch, as ``engine propose`` does."""
    from engine.loop import propose as propose_batch

    with workspace.database.read() as tx:
        _, campaign = workspace.active_campaign(tx)
    if params.get("replaces"):
        seed = secrets.randbelow(2**31)
        request = replacement_request(workspace, int(params["replaces"]), seed=seed)
    else:
        request = request_of(params, campaign, workspace.settings.propose)
    preview = None if params.get("preview") is None else bool(params["preview"])
    proposed = propose_batch(workspace, request, preview=preview, progress=progress)
    return {
        "batch": proposed.batch_id,
        "notes": [spell(note, "api") for note in proposed.batch.notes],
    }


def refresh(
    workspace: Workspace, params: Mapping[str, Any], progress: Progress, should_stop: ShouldStop
) -> dict[str, Any]:
    """Train on the new results, judge, and promote what is not worse than model and plain GP.

    Once it is to stop, the training ends at its next step and is kept to be taken up again.

    Raises:
        TaskInterruptedError: it was asked to stop, and did.
    """
    from engine.refresh.request import RefreshRequest
    from engine.refresh.run import refresh as refresh_models

    request = RefreshRequest(
        full=bool(params.get("full")),
        trigger="by hand",
        steps=params.get("steps"),
        accept_suspicious=bool(params.get("accept_suspicious")),
    )
    # A cancellation reaches the training through `should_stop`, which keeps what was trained;
    # raised by the progress it would end the training between two checkpoints.
    refreshed = refresh_models(workspace, request, upkeep.to_the_end(progress), should_stop)
    reason = spell(refreshed.reason, "api")
    if refreshed.outcome is RefreshOutcome.INTERRUPTED:
        raise TaskInterruptedError(reason)
    return {
        "refresh": refreshed.refresh_id,
        "outcome": str(refreshed.outcome),
        "summary": f"{refreshed.outcome}: {reason}",
        "model": refreshed.model_id,
        "notes": [spell(note, "api") for note in refreshed.notes],
    }


def measure(
    workspace: Workspace, params: Mapping[str, Any], progress: Progress, should_stop: ShouldStop
) -> dict[str, Any]:
    """Measure kept micrographs and draw their overlays, as ``engine micrograph measure`` does.

    A picture that cannot be measured is reported, and the others are measured all the same.
    """
    from engine.micrographs.add import HowTaken
    from engine.micrographs.overlay import measure_again, show

    ids = [int(id_) for id_ in params["micrographs"]]
    acquisition = HowTaken.from_params(params)
    problems: dict[str, str] = {}
    for place, id_ in enumerate(ids):
        progress(f"measuring picture {place + 1} of {len(ids)}", place, len(ids))
        try:
            # One by one, each a transaction: a cancelled task keeps what it has measured.
            measure_again(workspace, [id_], acquisition)
            show(workspace, id_)
        except (SpinneretError, NotFoundError) as error:
            problems[str(id_)] = marked(error)
    return {"measured": [id_ for id_ in ids if str(id_) not in problems], "problems": problems}


def read(
    workspace: Workspace, params: Mapping[str, Any], progress: Progress, should_stop: ShouldStop
) -> dict[str, Any]:
    """Read pictures that were dropped on the page, as ``engine micrograph read`` does.

    Nothing of it is recorded; a picture that cannot be read is told in its row.
    """
    from engine.bulk.dropped import dropped_pictures, read_dropped
    from engine.micrographs.scale import HowTaken

    with workspace.database.read() as tx:
        campaign, _ = workspace.active_campaign(tx)
    dropped = dropped_pictures(workspace, campaign.id, str(params["pictures"]))
    stated = HowTaken.from_params(params)
    reading = read_dropped(
        workspace,
        dropped,
        stated,
        sample=params.get("sample"),
        progress=progress,
        should_stop=should_stop,
    )
    n, n_failed = len(reading.pictures), len(reading.failures)
    return {"pictures": dropped.token, "summary": f"{n - n_failed} of {n} pictures measured"}


TASK_HANDLERS: dict[str, Handler] = {
    # asked for by people
    "propose": propose,
    "measure": measure,
    "refresh": refresh,
    "read": read,
    # queued by the scheduler: "schedule." and the job's name
    "schedule.watch": upkeep.watch,
    "schedule.refresh": upkeep.refresh_if_new,
    "schedule.generator": upkeep.refresh_generator,
    "schedule.report": upkeep.write_report,
    "schedule.backup": upkeep.backup,
    "schedule.prune": upkeep.prune,
}
"""All that is ever done in the background, by the kind of its task."""
