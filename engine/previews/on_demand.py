"""Previews as a page shows them: by number only, or drawn at once and kept nowhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.records import PreviewRecord
from engine.campaign import Value
from engine.errors import NotFoundError
from engine.previews.diameter import Forecast
from engine.previews.expected_statistics import bare, worded
from engine.workspace import Workspace


@dataclass(frozen=True)
class Drawn:
    """A preview's number, and what its pictures show in words."""

    id: int
    words: str


def previews_of(workspace: Workspace, experiment_ids: Sequence[int]) -> dict[int, Drawn]:
    """Return the newest preview of each run that has one."""
    previews: dict[int, Drawn] = {}
    with workspace.database.read() as tx:
        for id_ in experiment_ids:
            drawn = tx.previews.of_experiment(id_)
            if drawn:
                expected = drawn[-1].preview.statistics.get("expected", {})
                previews[id_] = Drawn(drawn[-1].id, _sentence(expected))
    return previews


def preview_file(workspace: Workspace, id_: int) -> Path:
    """Return the file of a preview of the active campaign: its pictures side by side.

    Raises:
        NotFoundError: there is none of that number, or its file is gone.
    """
    with workspace.database.read() as tx:
        campaign, _ = workspace.active_campaign(tx)
        preview: PreviewRecord | None = tx.previews.get(id_) if 0 < id_ < 2**63 else None
    if preview is None or preview.campaign_id != campaign.id:
        raise NotFoundError(f"there is no preview {id_} in the campaign '{campaign.name}'")
    path = workspace.data_dir / preview.preview.path
    if not path.is_file():
        raise NotFoundError(
            f"preview {id_} is recorded, but its file {preview.preview.path} is gone"
        )
    return path


def drawn_now(
    workspace: Workspace,
    conditions: Mapping[str, Value],
    *,
    n: int,
    seed: int,
    forecasts: Sequence[Mapping[str, Forecast]] = (),
) -> dict[str, Any]:
    """Draw the mats to expect of conditions; nothing is recorded.

    ``forecasts``: of these conditions, see :func:`engine.previews.preview.preview_conditions`.

    Returns:
        ``png`` (base64, the pictures side by side), ``expected`` with intervals, ``words``,
        ``warnings``.

    Raises:
        ModelError: no generator, or one that knows none of the conditions.
        UsageError: a number of pictures that cannot be.
    """
    import numpy as np
    from PIL import Image

    from engine.previews.preview import preview_conditions

    # Not strict: a slider may leave the ranges, and is warned of it beside the picture.
    drawn = preview_conditions(
        workspace, [conditions], n=n, seed=seed, forecasts=forecasts, strict=False
    )
    (item,) = drawn.items
    stream = io.BytesIO()
    Image.fromarray(np.concatenate(list(item.pictures), axis=1)).save(stream, format="PNG")
    expected = {
        name: {"mean": interval.mean, "lower": interval.lower, "upper": interval.upper}
        for name, interval in item.expected.items()
    }
    return {
        "png": base64.b64encode(stream.getvalue()).decode(),
        "generator": drawn.name,
        "expected": expected,
        "words": _sentence(expected),
        "warnings": [*item.warnings, *drawn.notes],
    }


def _sentence(expected: Mapping[str, Mapping[str, float | None]]) -> str:
    parts = []
    for name, interval in expected.items():
        if interval["mean"] is None:
            continue
        ends = [interval["lower"], interval["upper"]]
        texts = ["–" if end is None else bare(name, end) for end in ends]
        label = "order S" if name == "order" else name
        parts.append(f"{label} {worded(name, interval['mean'])} ({' … '.join(texts)})")
    return ", ".join(parts) or "nothing to measure on them"
