"""What can be known beforehand, by name: ``matmcl:older``, and how it is pretrained.

=============  ====================================================================
``none``       nothing: the plain Gaussian process
``starter``    the checkpoint that ships with the package (also ``matmcl`` alone)
``older``      one older campaign: 96 runs of a lab related to the truth
``eight``      eight such campaigns
``bad``        96 runs of a lab that misleads
``mat``        200 runs of the nanofibre campaign, for its composites
``…-blind``    the same, pretrained without micrographs
a folder       a checkpoint
=============  ====================================================================

What is pretrained is pretrained once for each truth and seed, and kept as a checkpoint.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.bench.labs import FIRST_FAMILY_SEED, lab_of, older_labs, source_runs
from engine.bench.models import knowledge
from engine.bench.models.knowledge import (
    CheckpointKnowledge,
    KnowledgeProvider,
    SourceRuns,
    connection,
    nothing,
)
from engine.errors import UsageError, nearest_name
from engine.lab import Lab

STRATEGY = "matmcl"
BLIND = "-blind"
TRAINED = ("older", "eight", "bad", "mat")
N_RUNS, N_MAT_RUNS, PICTURE_PX = 96, 200, 256
SOURCE_STREAM = 7_000


def names() -> tuple[str, ...]:
    """Return every ``matmcl…`` that can be asked for now: none before it is connected."""
    if knowledge.CONNECTION is None:
        return ()
    trained = [name + end for name in TRAINED for end in ("", BLIND)]
    return (STRATEGY, *(f"{STRATEGY}:{name}" for name in ("none", "starter", *trained)))


def is_sourced(name: str) -> bool:
    """Say whether ``name`` is that of ``matmcl`` with some knowledge."""
    return name.partition(":")[0] == STRATEGY


def is_trained(name: str) -> bool:
    """Say whether ``name`` is pretrained by the benchmark itself."""
    return is_sourced(name) and name.partition(":")[2].removesuffix(BLIND) in TRAINED


def check(name: str, option: str) -> None:
    """Refuse a ``matmcl…`` that cannot be run.

    Raises:
        UsageError: it is not connected, or its knowledge is neither known nor a folder.
    """
    known = names()
    if name in known or (known and Path(name.partition(":")[2]).is_dir()):
        return
    raise UsageError(
        f"{option}: expected one of {', '.join(known) or 'other strategies'} or "
        f"{STRATEGY}:FOLDER of a checkpoint, got '{name}'.{nearest_name(name, known)}"
    )


def provider(name: str, *, truth: str, seed: int, folder: Path) -> KnowledgeProvider:
    """Return the provider of ``matmcl:NAME`` for repetition ``seed`` of ``truth``.

    Args:
        name: ``matmcl`` or ``matmcl:NAME``.
        truth: the lab that is to be searched or predicted.
        seed: of the repetition; sources differ with it.
        folder: where pretrained checkpoints are kept.

    Raises:
        UsageError: see :func:`check`.
    """
    check(name, "--strategy")
    source = name.partition(":")[2] or "starter"
    if source == "none":
        return nothing
    outcomes = outcome_names(truth)
    if source == "starter":
        return CheckpointKnowledge(connection().starter, outcomes)
    if not is_trained(name):
        return CheckpointKnowledge(Path(source), outcomes)
    place = folder / f"{source}-{Path(truth).stem.replace(':', '-')}-{seed}"
    if not place.is_dir():
        picture_px = 0 if source.endswith(BLIND) else PICTURE_PX
        pretrain(_sources(source.removesuffix(BLIND), truth, seed, picture_px), place, seed)
    return CheckpointKnowledge(place, outcomes)


def outcome_names(truth: str) -> tuple[tuple[str, str], ...]:
    """Return which outcome of sources speaks for one of another name at ``truth``."""
    if truth != "composite":
        return ()
    from engine.lab.composite import SOURCE_OUTCOMES

    return tuple(SOURCE_OUTCOMES.items())


def pretrain(sources: Sequence[SourceRuns], place: Path, seed: int) -> None:
    """Pretrain on ``sources`` and keep the checkpoint at ``place``.

    It is written aside and put in place whole; where another process was first, its own stays.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{place.name}.{os.getpid()}.part")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        connection().pretrain(sources, aside, seed)
        if not place.is_dir():
            aside.rename(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def checkpoints(folder: Path | None) -> Iterator[Path]:
    """Yield the folder for pretrained checkpoints: ``folder``, or one that goes at the end."""
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="spinneret-bench-") as temporary:
        yield Path(temporary)


def _sources(kind: str, truth: str, seed: int, picture_px: int) -> list[SourceRuns]:
    if kind == "mat":
        lab = lab_of("standard")
        return [source_runs(lab, "mat", N_MAT_RUNS, SOURCE_STREAM + seed, picture_px=picture_px)]
    if kind == "bad":
        from engine.lab.ensemble import bad_lab

        labs: list[Lab] = [bad_lab(FIRST_FAMILY_SEED + seed, lab_of(truth, seed).campaign)]
    else:
        labs = older_labs(truth, seed, 8 if kind == "eight" else 1)
    return [
        source_runs(
            lab, f"{kind} {k + 1}", N_RUNS, SOURCE_STREAM + 8 * seed + k, picture_px=picture_px
        )
        for k, lab in enumerate(labs)
    ]
