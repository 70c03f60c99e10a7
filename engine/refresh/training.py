"""One training of the surrogate: incrementally from the champion on, or in full from the starter.

Both learn from the same things: simulated labs, the campaign's sources as they read now, and its
own runs. The incremental one begins where the champion stands, looks at fewer labs and at a sample
of each source's rows again (replay, lest they be forgotten), takes smaller and fewer steps, and
stops as soon as held-out recipes gain nothing. The heads are trained with the encoders; the
Gaussian processes on top are fitted anew at every proposal anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from db.records import ExperimentRecord, SourceKind
from engine.campaign import Campaign
from engine.errors import ModelError, NotFoundError, SpinneretError
from engine.refresh.own_runs import own_rows, own_runs
from engine.refresh.request import Mode, RefreshRequest, ShouldStop
from engine.sources.axes import match_axes, outcome_places
from engine.sources.curves import RunCurve
from engine.sources.matching import Understood, common_language, refuse_strangers
from engine.sources.pretraining import (
    RATE_FROM_CHECKPOINT,
    STEPS_FROM_CHECKPOINT,
    ensemble_of,
    fit_model,
    labs_of,
    model_from,
    source_note,
    vocabulary_of,
    words_of,
)
from engine.sources.reading import SourceData
from engine.sources.serving_surrogate import STARTER
from engine.sources.tensors import SourceRows, scores, source_rows
from surrogate.errors import CheckpointError, FitError, InputError
from surrogate.matmcl.checkpoint import load_checkpoint
from surrogate.matmcl.config import TrainSettings
from surrogate.matmcl.curves import CURVE_POINTS
from surrogate.matmcl.data import SourceTensors
from surrogate.matmcl.model import MatMCL
from surrogate.progress import Progress

# A sixth of a full training's time, and as good on new runs ("Refresh" of docs/benchmarks.md).
INCREMENTAL_STEPS, INCREMENTAL_RATE = 40, 1e-4
LEAST_RUNS_WITH_CURVES = 8
REPLAYED_LABS, REPLAYED_ROWS = 24, 256


@dataclass(frozen=True)
class Material:
    """What there is to learn from, as read at ``watermark``.

    ``left_out``: ids of own experiments that are not to be learnt from. ``is_part``: the
    experiments are a part of a large campaign's; which, is then recorded with the model.
    ``curves``: their tensile curves by experiment.
    """

    campaign: Campaign
    data_dir: Path
    experiments: tuple[ExperimentRecord, ...]
    sources: tuple[SourceData, ...]
    watermark: int
    max_megapixels: float = 100.0
    left_out: tuple[int, ...] = ()
    is_part: bool = False
    curves: Mapping[int, tuple[RunCurve, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Trained:
    """A candidate. ``metrics``, ``config``, ``extra``: plain JSON types."""

    model: MatMCL
    mode: Mode
    metrics: Mapping[str, Any]
    config: Mapping[str, Any]
    extra: Mapping[str, Any]
    names: Any
    notes: tuple[str, ...]


def train_candidate(
    material: Material,
    request: RefreshRequest,
    champion: Path | None,
    *,
    state: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> Trained:
    """Train a candidate.

    Args:
        material: what to learn from.
        request: how.
        champion: the checkpoint that serves, from which an incremental training goes on; without
            one, or where its files cannot be used, the training is a full one.
        state: where an interrupted training is kept and taken up again.
        progress: hears how far it is.
        should_stop: ends it early; what was done is kept in ``state``.

    Raises:
        KeyboardInterrupt: it was asked to stop.
        ModelError: the training diverges, or a checkpoint cannot be used.
        DataError: sources cannot be understood, or the disk is full.
    """
    try:
        return _train(material, request, champion, _Loop(state, progress, should_stop))
    except (InputError, CheckpointError, FitError) as error:
        raise ModelError(str(error)) from error


@dataclass(frozen=True)
class _Loop:
    """What surrounds the training loop."""

    state: Path
    progress: Progress
    should_stop: ShouldStop


def _train(
    material: Material, request: RefreshRequest, champion: Path | None, loop: _Loop
) -> Trained:
    mode: Mode = "full" if request.full or champion is None else "incremental"
    start = load_checkpoint(STARTER if mode == "full" or champion is None else champion)
    tensors, rows, own_source_rows, names, notes = _tensors(
        material, request, start, mode, loop.progress
    )
    n_curves = sum(0 if part.curves is None else len(part.curves) for part in tensors)
    model = model_from(
        start, start.config, _grown_vocabulary(material, start), [t.name for t in tensors],
        request.seed, curve_points=CURVE_POINTS if n_curves else None,
    )  # fmt: skip
    settings = train_settings(request, mode)
    history = _fit(model, tensors, settings, loop)
    all_rows = [*rows, *([own_source_rows] if own_source_rows is not None else [])]
    return Trained(
        model,
        mode,
        {
            "mode": mode,
            "r2_held_out": {r.tensors.name: scores(model, r) for r in rows},
            "losses": history[-1] if history else {},
            "steps": int(history[-1]["step"]) if history else 0,
            "sources": [source_note(source, all_rows) for source in material.sources],
            "own_runs": 0 if own_source_rows is None else len(own_source_rows.tensors.table),
            "own_tiles": 0 if own_source_rows is None else own_source_rows.n_tiles,
            "own_curves": n_curves,
            "replayed_labs": len(_labs(material, start, mode, request.seed)),
        },
        {
            "refresh": {
                **{k: v for k, v in asdict(request).items() if k != "kind"},
                "mode": mode,
                "settings": settings.to_dict(),
                "sources": [
                    {"name": s.name, "fingerprint": s.fingerprint} for s in material.sources
                ],
                "left_out": list(material.left_out),
                "learns_curves": n_curves > 0,
                "learnt_from": [e.id for e in material.experiments] if material.is_part else None,
            }
        },
        {
            "campaign": material.campaign.name,
            "names": {"parameters": dict(names.parameters), "outcomes": dict(names.outcomes)},
            "mode": mode,
        },
        names,
        tuple(notes),
    )


def train_settings(request: RefreshRequest, mode: Mode) -> TrainSettings:
    """Return the budget of a training."""
    is_full = mode == "full"
    steps = request.steps or (STEPS_FROM_CHECKPOINT if is_full else INCREMENTAL_STEPS)
    return TrainSettings(
        steps=steps,
        learning_rate=RATE_FROM_CHECKPOINT if is_full else INCREMENTAL_RATE,
        # AdamW's moments begin at zero: the first steps would be wild.
        warmup=50 if is_full else 5,
        labs_per_batch=16 if is_full else 8,
        contrastive_every=4,
        mask_rate=0.1,
        holdout=0.15,
        evaluate_every=25 if is_full else 10,
        patience=4 if is_full else 2,
        seed=request.seed,
        device=request.device,
        checkpoint_every=100 if is_full else 20,
    )


def _fit(
    model: MatMCL,
    tensors: Sequence[SourceTensors],
    settings: TrainSettings,
    loop: _Loop,
) -> list[dict[str, float]]:
    """Train; go on with an interrupted training if it is the very same, else begin anew."""
    state = loop.state
    fit = partial(
        fit_model, model, tensors, settings, state, loop.progress, should_stop=loop.should_stop
    )
    if state.is_dir() and any(state.iterdir()):
        # Restoring may fail half way, with some weights loaded already.
        untrained = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        try:
            return fit(resume=True)
        except CheckpointError:  # another training's, or damaged
            model.load_state_dict(untrained)
    return fit(resume=False)


def _grown_vocabulary(material: Material, start: MatMCL) -> Any:
    measured = _measured(material)
    language = common_language(
        material.campaign, words_of(start), [source.vocable for source in measured]
    )
    return vocabulary_of(language.vocabulary)


def _measured(material: Material) -> list[SourceData]:
    return [
        source for source in material.sources if source.definition.kind is not SourceKind.SIMULATED
    ]


def _tensors(
    material: Material, request: RefreshRequest, start: MatMCL, mode: Mode, progress: Progress
) -> tuple[list[SourceTensors], list[SourceRows], SourceRows | None, Any, list[str]]:
    campaign, config = material.campaign, start.config
    measured = _measured(material)
    language = common_language(campaign, words_of(start), [source.vocable for source in measured])
    vocabulary = vocabulary_of(language.vocabulary)
    rows = []
    for source in measured:
        refuse_strangers(
            campaign,
            source.vocable,
            language.sources[source.name],
            has_pictures=source.n_scaled > 0,
            notes=source.notes,
        )
        encoded = source_rows(
            source,
            language.sources[source.name],
            vocabulary,
            config,
            seed=request.seed,
            max_megapixels=material.max_megapixels,
            progress=progress,
        )
        rows.append(encoded if mode == "full" else _replayed(encoded, request.seed))
    notes = [f"source '{r.tensors.name}': {note}" for r in rows for note in r.notes]
    finished = own_runs(
        campaign, material.experiments, material.data_dir, left_out=material.left_out
    )
    own_source_rows: SourceRows | None = None
    if finished.data is not None:
        understood = Understood(
            match_axes(finished.data.axes, vocabulary, language.names),
            outcome_places(campaign, vocabulary, language.names),
            (),
        )
        try:
            own_source_rows = own_rows(
                campaign, finished, understood, vocabulary, config, seed=request.seed,
                max_megapixels=material.max_megapixels, curves=_enough(material.curves),
            )  # fmt: skip
            notes += [f"own runs: {note}" for note in own_source_rows.notes]
        except SpinneretError as error:
            notes.append(f"the campaign's own runs teach the encoders nothing: {error}")
    tensors = [source.tensors for source in rows]
    if own_source_rows is not None:
        tensors.append(own_source_rows.tensors)
    labs = _labs(material, start, mode, request.seed)
    if labs:
        # Pictures of simulated labs are drawn only where there are others to be told from.
        has_tiles = any(source.tiles is not None for source in tensors)
        tensors.insert(0, ensemble_of(labs, vocabulary, config, has_tiles, progress))
    if not tensors:
        raise NotFoundError(
            "there is nothing to learn from: no source, no simulated labs, and no own runs"
        )
    return tensors, rows, own_source_rows, language.names, notes


def _enough(
    curves: Mapping[int, tuple[RunCurve, ...]],
) -> Mapping[int, tuple[RunCurve, ...]]:
    """Return the curves, or none where so few runs have one that f_c would learn nothing."""
    return curves if len(curves) >= LEAST_RUNS_WITH_CURVES else {}


def _labs(material: Material, start: MatMCL, mode: Mode, seed: int) -> list[int]:
    labs = labs_of(material.sources, start)
    if mode == "full" or len(labs) <= REPLAYED_LABS:
        return labs
    chosen = np.random.default_rng([seed, material.watermark]).permutation(len(labs))
    return sorted(labs[place] for place in chosen[:REPLAYED_LABS])


def _replayed(rows: SourceRows, seed: int) -> SourceRows:
    """Keep a sample of a source's rows, with the tiles that show them."""
    tensors = rows.tensors
    n = len(tensors.table)
    if n <= REPLAYED_ROWS:
        return rows
    generator = torch.Generator().manual_seed(seed)
    replayed = torch.randperm(n, generator=generator)[:REPLAYED_ROWS].sort().values
    # From old row to new, −1 where it is left out, to carry the tiles along.
    place = torch.full((n,), -1, dtype=torch.int64)
    place[replayed] = torch.arange(len(replayed))
    tiles, owner = tensors.tiles, tensors.tile_owner
    if tiles is not None and owner is not None:
        is_replayed = place[owner] >= 0
        tiles, owner = tiles[is_replayed], place[owner[is_replayed]]
        if not len(tiles):
            tiles, owner = None, None
    return replace(
        rows,
        tensors=SourceTensors(
            tensors.name,
            tensors.table[replayed],
            tensors.outcomes[replayed],
            tensors.lab[replayed],
            tiles,
            owner,
        ),
    )
