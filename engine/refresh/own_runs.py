"""The campaign's own runs as something to learn from, and which of them judge what was learnt.

Every recipe (the controlled settings of a run) belongs for good to one of three parts, by a hash of
its settings: most are learnt from, some stop a training early, and some are seen by no training
ever, so that a candidate and every champion before it can be compared on them.

The head of the own runs never stands in the surrogate's mean: the Gaussian process is conditioned
on the very same results, and would be surer than it should (``engine.sources.knowledge``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import torch

from db.records import ExperimentRecord, SourceKind, Status
from engine.campaign import Campaign, Value
from engine.sources.axes import axes_of
from engine.sources.curves import RunCurve, curve_tensors, direction_places
from engine.sources.definition import OWN, make_definition
from engine.sources.matching import Understood
from engine.sources.reading import SourceData, run_of
from engine.sources.runs import SourceRun, outcomes_of
from engine.sources.tensors import SourceRows, source_rows
from surrogate.matmcl.config import MatMCLConfig
from surrogate.matmcl.vocabulary import Vocabulary

# A fifth: the standard error of R² on it is about 0.02 against the champion at 200 runs
# (docs/architecture.md, "refresh"); more would be taken from what is learnt.
JUDGED_SHARE, STOPPING_SHARE = 0.20, 0.15


class Part(StrEnum):
    """What a recipe is for."""

    LEARNT = "learnt"
    STOPPING = "stopping"
    JUDGED = "judged"


def recipe_of(campaign: Campaign, conditions: Mapping[str, Value]) -> str:
    """Return what tells one recipe from another: the controlled settings, in order."""
    settings = []
    for parameter in campaign.controlled:
        value = conditions.get(parameter.name)
        # Rounded as a table shows it: 18 and 18.0000001 are one recipe.
        settings.append(f"{value:.6g}" if isinstance(value, int | float) else str(value))
    return "|".join(settings)


def part_of(campaign: Campaign, conditions: Mapping[str, Value]) -> Part:
    """Return what a run is for; the same for every run of its recipe, for ever."""
    # With the campaign's name, so that two campaigns of the same settings hold out different ones.
    text = f"{campaign.name}|{recipe_of(campaign, conditions)}"
    # Not Python's `hash`, which is salted anew in every process.
    # https://docs.python.org/3/reference/datamodel.html#object.__hash__
    share = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32
    if share < JUDGED_SHARE:
        return Part.JUDGED
    return Part.STOPPING if share < JUDGED_SHARE + STOPPING_SHARE else Part.LEARNT


@dataclass(frozen=True)
class OwnRuns:
    """A campaign's finished runs as a source, without those that judge.

    ``data`` is ``None`` where there is none to learn from.
    """

    data: SourceData | None
    stopping: tuple[bool, ...]
    n_judged: int


def own_runs(
    campaign: Campaign,
    experiments: Collection[ExperimentRecord],
    data_dir: Path,
    *,
    left_out: Collection[int] = (),
) -> OwnRuns:
    """Return what a model may learn from of the campaign's own runs.

    Args:
        campaign: whose runs they are.
        experiments: its experiments.
        data_dir: where its micrographs lie.
        left_out: ids of experiments that are not to be learnt from.
    """
    runs: list[SourceRun] = []
    stopping: list[bool] = []
    recipes: set[str] = set()
    for experiment in experiments:
        if experiment.status is not Status.COMPLETED or experiment.id in left_out:
            continue
        run = run_of(experiment, campaign, data_dir)
        if not run.outcomes and not run.pictures:
            continue
        part = part_of(campaign, run.conditions)
        if part is Part.JUDGED:
            recipes.add(recipe_of(campaign, run.conditions))
            continue
        runs.append(run)
        stopping.append(part is Part.STOPPING)
    if not runs:
        return OwnRuns(None, (), len(recipes))
    data = SourceData(
        OWN,
        make_definition(kind=SourceKind.CAMPAIGN, campaign=campaign.name),
        axes_of(campaign, [experiment.conditions for experiment in experiments]),
        outcomes_of(campaign),
        tuple(runs),
        # No fingerprint: own runs change with every result, and are read at the watermark anyway.
        "0" * 64,
    )
    return OwnRuns(data, tuple(stopping), len(recipes))


def own_rows(
    campaign: Campaign,
    source: OwnRuns,
    understood: Understood,
    vocabulary: Vocabulary,
    config: MatMCLConfig,
    *,
    seed: int,
    max_megapixels: float,
    curves: Mapping[int, Sequence[RunCurve]],
) -> SourceRows:
    """Return the own runs as training tensors, those that stop early marked.

    ``curves``: tensile curves by experiment (:func:`engine.sources.curves.curves_of_runs`).

    Raises:
        DataError: the model knows none of the campaign's parameters.
    """
    assert source.data is not None  # noqa: S101 -- the caller has looked
    places = direction_places(campaign, understood.outcomes, vocabulary)
    rows = source_rows(
        source.data,
        understood,
        vocabulary,
        config,
        seed=seed,
        max_megapixels=max_megapixels,
        hold_out=False,
    )
    is_held_out = torch.tensor([source.stopping[place] for place in rows.learnt])
    if bool(is_held_out.all()):  # too few to spare any
        is_held_out = torch.zeros_like(is_held_out)
    tensors = replace(rows.tensors, held=is_held_out)
    numbers = [source.data.runs[place].number for place in rows.learnt]
    read = curve_tensors([curves.get(number or 0, ()) for number in numbers], places)
    if read is not None:
        tensors = replace(
            tensors, curves=read.curves, curve_owner=read.owner, curve_direction=read.direction
        )
    return replace(rows, tensors=tensors)
