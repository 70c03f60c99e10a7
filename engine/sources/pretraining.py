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
from surrogate.private_files import make_folder
from surrogate.progress import Progress, silent

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
    workspace = workspace.settled()
    # Of processes that train together, the first takes the lease and records what came of it.
    lease = held(workspace.database, TRAINING) if is_first_process() else nullcontext()
    with lease:
        with workspace.database.read() as tx:
            # Before the sources are read: what comes meanwhile counts as new.
            watermark = tx.watermark()
        sources = read_all(workspace, request, progress)
        try:
            return _train(workspace, request, progress, sources, watermark)
        except (InputError, CheckpointError, FitError) as error:
            raise ModelError(str(error)) from error


def state_folder(workspace: Workspace, campaign_id: int) -> Path:
    """Return where an interrupted training is kept."""
    return workspace.data_dir / FOLDER / f".pretraining-{campaign_id}"


@dataclass(frozen=True)
class SourceSet:
    """What there is to learn from, as read just now."""

    campaign: Campaign
    campaign_id: int
    data: tuple[SourceData, ...]
    notes: tuple[str, ...]


def read_all(workspace: Workspace, request: PretrainRequest, progress: Progress) -> SourceSet:
    """Read every source that is asked for."""
    campaign, campaign_id, records = sources_of(workspace, request.sources)
    if not records:
        raise UsageError(
            f"there is no source to learn from: add one{by_voice(' with `engine source add`', '')}."
            " Without sources the starter that ships with Spinneret serves as it is"
        )
    read_sources, notes = [], []
    for index, record in enumerate(records):
        progress(f"reading {record.name}", index, len(records))
        data, n_own = refuse_own_runs(workspace, read_source(workspace, record))
        if n_own:
            notes.append(f"source '{record.name}': {data.notes[-1]}")
        if data.fingerprint != record.fingerprint:
            notes.append(f"source '{record.name}' reads otherwise than when it was added")
        read_sources.append(data)
    return SourceSet(campaign, campaign_id, tuple(read_sources), tuple(notes))


def _train(
    workspace: Workspace,
    request: PretrainRequest,
    progress: Progress,
    sources: SourceSet,
    watermark: int,
) -> Pretrained:
    campaign, data, notes = sources.campaign, sources.data, list(sources.notes)
    start = _start(request.start)
    measured = [source for source in data if source.definition.kind is not SourceKind.SIMULATED]
    language = common_language(campaign, words_of(start), [source.vocable for source in measured])
    for source in measured:
        refuse_strangers(
            campaign,
            source.vocable,
            language.sources[source.name],
            has_pictures=source.n_scaled > 0,
            notes=source.notes,
        )
    vocabulary = vocabulary_of(language.vocabulary)
    config = MatMCLConfig() if start is None else start.config
    rows = [
        source_rows(
            source,
            language.sources[source.name],
            vocabulary,
            config,
            seed=request.seed,
            max_megapixels=workspace.settings.storage.max_image_megapixels,
            progress=progress,
        )
        for source in measured
    ]
    notes += [f"source '{r.tensors.name}': {note}" for r in rows for note in r.notes]
    labs = labs_of(data, start)
    tensors = [source.tensors for source in rows]
    if labs:
        has_tiles = any(source.tiles is not None for source in tensors) or start is None
        tensors.insert(0, ensemble_of(labs, vocabulary, config, has_tiles, progress))
    model = model_from(start, config, vocabulary, [source.name for source in tensors], request.seed)
    folder = state_folder(workspace, sources.campaign_id)
    history = fit_model(
        model, tensors, _settings(request, start), folder, progress, resume=request.resume
    )
    # The others trained along; one of them records.
    if not is_first_process():
        return Pretrained(0, "", "", watermark, {}, None)
    metrics = {
        "r2_held_out": {source.tensors.name: scores(model, source) for source in rows},
        "losses": history[-1] if history else {},
        "sources": [source_note(source, rows) for source in data],
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
    stored = keep_surrogate(workspace, model, extra=extra, watermark=watermark, seed=request.seed)
    registered = register(
        workspace, sources.campaign_id, stored, metrics=metrics, watermark=watermark,
        start=request.start, config={"pretrain": asdict(request)}, seed=request.seed,
    )  # fmt: skip
    # Only once it is recorded: a crash before takes the training up again.
    shutil.rmtree(folder, ignore_errors=True)
    return replace(registered, notes=tuple(notes))


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
        Spec(source.name, source.unit, source.log, source.centre, source.scale)
        for source in vocabulary.parameters
    ]
    return Words(tuple(specs), tuple(vocabulary.outcomes))


def vocabulary_of(vocabulary_words: Words) -> Vocabulary:
    """Return words as a model takes them."""
    specs = [
        ParameterSpec(source.name, source.unit, source.log, source.centre, source.scale)
        for source in vocabulary_words.parameters
    ]
    return Vocabulary(tuple(specs), vocabulary_words.outcomes)


def model_from(
    start: MatMCL | None,
    config: MatMCLConfig,
    vocabulary: Vocabulary,
    names: list[str],
    seed: int,
    *,
    curve_points: int | None = None,
) -> MatMCL:
    """Return the model to train: grown from ``start``, or new.

    ``curve_points``: grid of a curve encoder that is added where ``start`` has none.
    """
    if start is not None:
        return grown(start, vocabulary, names, seed=seed, curve_points=curve_points)
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
    for source in data:
        if source.definition.kind is SourceKind.SIMULATED:
            first = source.definition.seed or 0
            seeds |= set(range(first, first + (source.definition.labs or 0)))
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
    source_rows = next((source for source in rows if source.tensors.name == data.name), None)
    return {
        "name": data.name,
        "kind": str(data.definition.kind),
        "definition": data.definition.as_json(),
        "fingerprint": data.fingerprint,
        "runs": len(data.runs),
        "held_out_runs": 0 if source_rows is None else len(source_rows.held_table),
        "tiles": 0 if source_rows is None else source_rows.n_tiles,
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
        make_folder(folder)
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
