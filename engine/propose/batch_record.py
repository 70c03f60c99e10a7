"""A batch as the database holds it: its request, who chose it, and how a replay differs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from db.records import BatchRecord, NewProposal
from engine.campaign import Value
from engine.compute import versions
from engine.errors import StateError
from engine.propose.request import Forecast, ProposeRequest, Suggestion, SuggestionBatch
from engine.workspace import Workspace
from engine.workspace.plugins import STRATEGY_PLUGINS, find_plugin
from engine.workspace.settings import ProposeSettings

_EVERY_RUN = 10_000  # the largest most_runs that the settings take


def new_proposal(suggestion: Suggestion, level: float) -> NewProposal:
    """Return a suggestion as it is recorded; ``level``: of its intervals."""
    return NewProposal(
        conditions={**suggestion.conditions, **suggestion.ambient},
        order=suggestion.order,
        p_success=suggestion.p_success,
        reason_kind=suggestion.reason_kind,
        reason=suggestion.reason,
        nearest_experiment_id=suggestion.nearest.id if suggestion.nearest else None,
        acquisition_value=suggestion.acquisition_value,
        predictions={
            outcome: (f.mean, f.lower, f.upper) for outcome, f in suggestion.outcomes.items()
        },
        level=level,
    )


def request_as_json(
    request: ProposeRequest, settings: ProposeSettings, workspace: Workspace, batch: SuggestionBatch
) -> dict[str, Any]:
    """Return what a batch was asked for, and all that is needed to compute it again."""
    return {
        **asdict(request),
        "surrogate": batch.surrogate,
        **_origin_of(batch),
        # Told beside the best so far: asking the model anew takes seconds.
        "expected": [
            {"run": id_, "outcomes": outcomes}
            for id_, row in batch.expected.items()
            if (outcomes := {name: numbers for name, f in row.items() if (numbers := _finite(f))})
        ],
        "settings": settings.model_dump(mode="json"),
        "threads": workspace.settings.compute.threads,
    }


def _finite(forecast: Forecast) -> list[float] | None:
    numbers = [forecast.mean, forecast.lower, forecast.upper]
    return numbers if all(map(math.isfinite, numbers)) else None


def request_from_json(record: BatchRecord) -> tuple[ProposeRequest, ProposeSettings]:
    """Return the request and the settings that a batch was recorded with."""
    stored = dict(record.request)
    # Batches of versions before there was a limit learnt from every run. The settings' own strategy
    # may be a plug-in that is gone: the one that was asked for counts.
    own = {"strategy": stored.get("strategy", "gp")}
    settings = ProposeSettings(**{"most_runs": _EVERY_RUN, **stored.pop("settings"), **own})
    for name in ("threads", "surrogate", "expected", "plugin"):
        stored.pop(name, None)
    return replace(ProposeRequest(n=1, seed=0), **stored), settings


def differences(
    record: BatchRecord,
    recorded: Sequence[Mapping[str, Value]],
    recomputed: Sequence[Mapping[str, Value]],
) -> list[str]:
    """Say where a batch computed again differs from its record, and which versions may be why."""
    lines = [
        f"place {place + 1}: was {dict(old)}, is {dict(new)}"
        for place, (old, new) in enumerate(zip(recorded, recomputed, strict=True))
        if dict(old) != dict(new)
    ]
    if lines:
        installed = {**versions(), **_plugin_versions(record)}
        lines.extend(
            f"{name} was {old}, is {installed.get(name, 'not installed')}"
            for name, old in record.versions.items()
            if installed.get(name) != old
        )
    return lines


def versions_of(batch: SuggestionBatch) -> dict[str, str]:
    """Return the versions that computed a batch: the libraries', and a plug-in's that chose it."""
    plugin = batch.plugin
    return {**versions(), **({plugin.distribution: plugin.version} if plugin is not None else {})}


def _origin_of(batch: SuggestionBatch) -> dict[str, Any]:
    """Return which distribution's strategy chose a batch, if it was none of the built-in ones."""
    plugin = batch.plugin
    if plugin is None:
        return {}
    names = ("name", "distribution", "version")
    return {"plugin": {name: getattr(plugin, name) for name in names}}


def _plugin_versions(record: BatchRecord) -> dict[str, str]:
    """Return the version that is installed of the plug-in that chose a batch, by distribution."""
    plugin = find_plugin(STRATEGY_PLUGINS, str(record.request.get("strategy")))
    return {} if plugin is None else {plugin.distribution: plugin.version}


def refuse_missing_plugin(record: BatchRecord) -> None:
    """Refuse to replay a batch whose strategy nothing that is installed brings any more.

    Raises:
        StateError: so it is.
    """
    origin = record.request.get("plugin")
    if origin is None:
        return
    name, distribution, version = (origin[key] for key in ("name", "distribution", "version"))
    plugin = find_plugin(STRATEGY_PLUGINS, name)
    if plugin is None or plugin.distribution != distribution:
        raise StateError(
            f"batch {record.id} was chosen by the strategy '{name}' of {distribution} {version}, "
            f"which is not installed: `pip install {distribution}=={version}`, then replay it"
        )
