"""What is asked of a refresh, and what it answers. Plain frozen data; no numerical library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from db.records import ModelKind, RefreshOutcome

ShouldStop = Callable[[], bool]
"""Asked between steps; once it says so, the training is kept and the refresh ends."""

Mode = Literal["incremental", "full"]


@dataclass(frozen=True)
class RefreshRequest:
    """What to train, and how.

    Attributes:
        kind: what the model is for.
        full: from the starter on, on everything; else from the champion on.
        trigger: why, for the record: ``by hand``, or what was due.
        seed: of everything drawn at random.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        accept_suspicious: learn from new results that contradict what was known, too.
        steps: updates at most; the mode's own number where not given.
        only_if_due: do nothing where no trigger is pulled any more once the lease is held.
    """

    kind: ModelKind = ModelKind.SURROGATE
    full: bool = False
    trigger: str = "by hand"
    seed: int = 0
    device: str = "auto"
    accept_suspicious: bool = False
    steps: int | None = None
    only_if_due: bool = False


@dataclass(frozen=True)
class Plan:
    """What a refresh would do, and why.

    ``problem``: why it cannot be done, if it cannot. ``n_judged``: recipes that no training sees
    and by which the candidate is judged. ``n_left_out``: finished runs of a large campaign that are
    not looked at.
    """

    kind: ModelKind
    mode: Mode
    reasons: tuple[str, ...]
    is_due: bool
    n_results: int
    n_micrographs: int
    n_finished: int
    n_judged: int
    champion_id: int | None
    sources: tuple[str, ...]
    problem: str | None = None
    n_left_out: int = 0


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did.

    ``model_id``: the version that it made, if it came so far. ``former_id``: the champion that
    retired. ``report``: the numbers behind it, plain JSON types. ``reason``: why, in a sentence.
    """

    refresh_id: int
    kind: ModelKind
    outcome: RefreshOutcome
    reason: str
    mode: Mode
    model_id: int | None = None
    former_id: int | None = None
    artifact: str | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
