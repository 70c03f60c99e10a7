"""``engine pretrain``: a surrogate that has learnt from all sources, made champion in one step.

Until the very end nothing that proposals use is touched: an interrupt leaves the old champion, and
an interrupted training is kept apart to be taken up again (:mod:`engine.sources.store_champion`
puts the new one in its place).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from db.records import SourceKind
from engine.campaign import Campaign
from engine.compute import is_first_process, limit_threads, versions
from engine.errors import DataError, ModelError, UsageError, by_voice, place
from engine.sources.base import Spec, Words
from engine.sources.definition import ENSEMBLE
from engine.sources.ensemble_data import EnsembleDesign, ensemble_tensors, starter_vocabulary
from engine.sources.manage import sources_of
from engine.sources.matching import common_language, refuse_strangers
from engine.sources.reading import SourceData, read_source, refuse_own_runs
from engine.sources.serving_surrogate import STARTER
from engine.sources.store_champion import FOLDER, Pretrained, keep_surrogate, register
from engine.sources.tensors import SourceRows, scores, source_rows
from engine.workspace import Workspace
from engine.workspace.leases import TRAINING, held
from surrogate.errors import CheckpointError, FitError, InputError
from surrogate.matmcl.checkpoint import load_checkpoint
from surrogate.matmcl.config import MatMCLConfig, TrainSettings
from surrogate.matmcl.data import SourceTensors
from surrogate.matmcl.growing import grown
from surrogate.matmcl.model import MatMCL
from surrogate.matmcl.train import train
from surrogate.matmcl.vocabulary import ParameterSpec, Vocabulary
from surrogate.progress import Progress, silent

"""Called with what is being done, how much of it is done, of how much, and the losses if any."""

STARTS = ("starter", "scratch")
REPLAYED_LABS = range(192)
"""Simulated labs that are looked at again, lest the starter's heads forget them."""

SETTINGS_PER_LAB = 32
STEPS_FROM_CHECKPOINT, STEPS_FROM_SCRATCH = 600, 2000
RATE_FROM_CHECKPOINT, RATE_FROM_SCRATCH = 3e-4, 3e-3
"""Chosen on simulated labs 100 to 104: from 24 runs, a higher rate forgets the starter too soon."""


@dataclass(frozen=True)
class PretrainRequest:
    """What to train, and how.

    Attributes:
        sources: names; all of the campaign's where empty.
        start: ``starter``, ``scratch``, or a checkpoint's folder.
        steps: updates; 600 from a checkpoint and 2000 from scratch where not given.
        seed: of everything drawn at random.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        resume: go on with an interrupted training of the same request.
    """

    sources: tuple[str, ...] = ()
    start: str = "starter"
    steps: int | None = None
    seed: int = 0
    device: str = "auto"
    resume: bool = False


def pretrain(
    workspace: Workspace, request: PretrainRequest, progress: Progress = silent
) -> Pretrained:
    """Train on the active campaign's sources, keep the checkpoint, make it champion.

    Raises:
        NotFoundError: no source of that name, or what it refers to is gone.
        DataError, DatabaseError: a source cannot be read, or has nothing in common.
        UsageError: no source at all, or options that cannot be.
        ModelError: the checkpoint to start from cannot be used, or the training diverges.
        StateError: another process is training.
    """
    limit_threads(workspace.settings.compute.threads)
    # Of processes that train together, the first takes the lease and records what came of it.
    lease = held(workspace.database, TRAINING) if is_first_process() else nullcontext()
    with lease:
        with workspace.database.read() as tx:
            watermark = tx.watermark()
        asked = read_all(workspace, request, progress)
        try:
            return _train(workspace, request, progress, asked, watermark)
        except (InputError, CheckpointError, FitError) as error:
            raise ModelError(str(error)) from error


def state_folder(workspace: Workspace, campaign_id: int) -> Path:
    """Return where an interrupted training is kept."""
    return workspace.data_dir / FOLDER / f".pretraining-{campaign_id}"


@dataclass(frozen=True)
class Asked:
    """What there is to learn from, as read just now."""

    campaign: Campaign
    campaign_id: int
    data: tuple[SourceData, ...]
    notes: tuple[str, ...]


def read_all(workspace: Workspace, request: PretrainRequest, progress: Progress) -> Asked:
    """Read every source that is asked for."""
    campaign, campaign_id, records = sources_of(workspace, request.sources)
    if not records:
        raise UsageError(
            f"there is no source to learn from: add one{by_voice(' with `engine source add`', '')}."
            " Without sources the starter that ships with Spinneret serves as it is"
        )
    found, notes = [], []
    for index, record in enumerate(records):
        progress(f"reading {record.name}", index, len(records))
        data, n_own = refuse_own_runs(workspace, read_source(workspace, record))
        if n_own:
            notes.append(f"source '{record.name}': {data.notes[-1]}")
        if data.fingerprint != record.fingerprint:
            notes.append(f"source '{record.name}' reads otherwise than when it was added")
        found.append(data)
    return Asked(campaign, campaign_id, tuple(found), tuple(notes))


def _train(
    workspace: Workspace, request: PretrainRequest, progress: Progress, asked: Asked, watermark: int
) -> Pretrained:
    campaign, data, notes = asked.campaign, asked.data, list(asked.notes)
    start = _start(request.start)
    measured = [one for one in data if one.definition.kind is not SourceKind.SIMULATED]
    language = common_language(campaign, words_of(start), [one.vocable for one in measured])
    for one in measured:
        refuse_strangers(
            campaign,
            one.vocable,
            language.sources[one.name],
            has_pictures=one.n_scaled > 0,
            notes=one.notes,
        )
    vocabulary = vocabulary_of(language.words)
    config = MatMCLConfig() if start is None else start.config
    rows = [
        source_rows(
            one,
            language.sources[one.name],
            vocabulary,
            config,
            seed=request.seed,
            max_megapixels=workspace.settings.storage.max_image_megapixels,
            progress=progress,
        )
        for one in measured
    ]
    notes += [f"source '{r.tensors.name}': {note}" for r in rows for note in r.notes]
    labs = labs_of(data, start)
    tensors = [one.tensors for one in rows]
    if labs:
        has_tiles = any(one.tiles is not None for one in tensors) or start is None
        tensors.insert(0, ensemble_of(labs, vocabulary, config, has_tiles, progress))
    model = model_from(start, config, vocabulary, [one.name for one in tensors], request.seed)
    folder = state_folder(workspace, asked.campaign_id)
    history = fit_model(
        model, tensors, _settings(request, start), folder, progress, resume=request.resume
    )
    if not is_first_process():
        return Pretrained(0, "", "", watermark, {}, None)
    metrics = {
        "r2_held_out": {one.tensors.name: scores(model, one) for one in rows},
        "losses": history[-1] if history else {},
        "sources": [source_note(one, rows) for one in data],
        "replayed_labs": len(labs),
        "start": request.start,
        "steps": int(history[-1]["step"]) if history else 0,
        "seed": request.seed,
        "versions": {**versions(), "device": request.device},
        "parameters": list(vocabulary.names),
        "outcomes": list(vocabulary.outcomes),
    }
    extra = {
        "campaign": campaign.name,
        "names": {
            "parameters": dict(language.names.parameters),
            "outcomes": dict(language.names.outcomes),
        },
        "sources": metrics["sources"],
    }
    kept = keep_surrogate(workspace, model, extra=extra, watermark=watermark, seed=request.seed)
    done = register(
        workspace, asked.campaign_id, kept, metrics=metrics, watermark=watermark,
        start=request.start, config={"pretrain": asdict(request)}, seed=request.seed,
    )  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)
    return replace(done, notes=tuple(notes))


# -- what to begin with ------------------------------------------------------------------------


def _start(start: str) -> MatMCL | None:
    """Return the model to go on with; ``None``: begin anew.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        UsageError: there is none.
    """
    if start == "scratch":
        return None
    folder = STARTER if start == "starter" else Path(start).expanduser()
    if start != "starter" and not folder.exists():
        raise UsageError(
            f"expected {', '.join(STARTS)} or a checkpoint's folder, got '{start}'", field="from"
        )
    return load_checkpoint(folder)


def words_of(start: MatMCL | None) -> Words:
    """Return a model's words; the starter's where there is none to go on with."""
    vocabulary = starter_vocabulary() if start is None else start.vocabulary
    specs = [
        Spec(one.name, one.unit, one.log, one.centre, one.scale) for one in vocabulary.parameters
    ]
    return Words(tuple(specs), tuple(vocabulary.outcomes))


def vocabulary_of(words: Words) -> Vocabulary:
    """Return words as a model takes them."""
    specs = [
        ParameterSpec(one.name, one.unit, one.log, one.centre, one.scale)
        for one in words.parameters
    ]
    return Vocabulary(tuple(specs), words.outcomes)


def model_from(
    start: MatMCL | None, config: MatMCLConfig, vocabulary: Vocabulary, names: list[str], seed: int
) -> MatMCL:
    """Return the model to train: grown from ``start``, or new."""
    if start is not None:
        return grown(start, vocabulary, names, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MatMCL(config, vocabulary, names)


def _settings(request: PretrainRequest, start: MatMCL | None) -> TrainSettings:
    is_new = start is None
    return TrainSettings(
        steps=request.steps or (STEPS_FROM_SCRATCH if is_new else STEPS_FROM_CHECKPOINT),
        learning_rate=RATE_FROM_SCRATCH if is_new else RATE_FROM_CHECKPOINT,
        contrastive_every=4,
        mask_rate=0.1,
        holdout=0.15,
        evaluate_every=50 if is_new else 25,
        patience=6 if is_new else 4,
        seed=request.seed,
        device=request.device,
        checkpoint_every=100,
    )


# -- what to learn from --------------------------------------------------------------------------


def labs_of(data: Sequence[SourceData], start: MatMCL | None) -> list[int]:
    """Return the seeds of the simulated labs to learn from: those asked for, else some replayed."""
    seeds: set[int] = set()
    for one in data:
        if one.definition.kind is SourceKind.SIMULATED:
            first = one.definition.seed or 0
            seeds |= set(range(first, first + (one.definition.labs or 0)))
    if not seeds and start is not None and ENSEMBLE in start.sources:
        seeds = set(REPLAYED_LABS)
    return sorted(seeds)


def ensemble_of(
    labs: list[int],
    vocabulary: Vocabulary,
    config: MatMCLConfig,
    has_tiles: bool,
    progress: Progress,
) -> SourceTensors:
    """Return the labs' tensors; outcomes that no simulated lab has are NaN."""
    starter = starter_vocabulary()
    own_vocabulary = Vocabulary(vocabulary.parameters, starter.outcomes)
    design = EnsembleDesign(labs, settings=SETTINGS_PER_LAB, pictures=1 if has_tiles else 0)
    tensors = ensemble_tensors(design, own_vocabulary, config, progress)
    outcomes = torch.full((len(tensors.outcomes), len(vocabulary.outcomes)), float("nan"))
    for index, name in enumerate(vocabulary.outcomes):
        if name in starter.outcomes:
            outcomes[:, index] = tensors.outcomes[:, starter.outcomes.index(name)]
    return replace(tensors, outcomes=outcomes)


def source_note(data: SourceData, rows: Sequence[SourceRows]) -> dict[str, Any]:
    """Return what is recorded of a source that was learnt from."""
    own = next((one for one in rows if one.tensors.name == data.name), None)
    return {
        "name": data.name,
        "kind": str(data.definition.kind),
        "definition": data.definition.as_json(),
        "fingerprint": data.fingerprint,
        "runs": len(data.runs),
        "held_out_runs": 0 if own is None else len(own.held_table),
        "tiles": 0 if own is None else own.n_tiles,
    }


def fit_model(
    model: MatMCL,
    tensors: Sequence[SourceTensors],
    settings: TrainSettings,
    folder: Path,
    progress: Progress,
    *,
    resume: bool,
    should_stop: Callable[[], bool] | None = None,
) -> list[dict[str, float]]:
    """Train, with what an interrupt leaves kept in ``folder``.

    Raises:
        UsageError: there is nothing to resume.
        DataError: the folder cannot be made.
    """
    if resume and not folder.is_dir():
        raise UsageError("there is no interrupted training; leave it out", field="resume")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{place(folder)} cannot be made: {error.strerror}") from error
    try:
        return train(
            model,
            tensors,
            settings,
            checkpoint_dir=folder,
            resume=resume,
            progress=progress,
            should_stop=should_stop,
        )
    finally:
        with suppress(OSError):
            folder.rmdir()  # empty: nothing was learnt that could be taken up again
