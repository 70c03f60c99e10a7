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

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.bench.harness.labs import (
    FIRST_FAMILY_SEED,
    SourceRuns,
    lab_of,
    older_labs,
    source_runs,
)
from engine.bench.models import knowledge
from engine.bench.models.knowledge import CheckpointKnowledge, KnowledgeProvider, ignorance
from engine.errors import UsageError, nearest_name
from engine.lab import Lab
from engine.sources.serving_surrogate import STARTER
from surrogate.files import whole_folder

STRATEGY = "matmcl"
BLIND = "-blind"
TRAINED = ("older", "eight", "bad", "mat")
N_RUNS, N_MAT_RUNS, PICTURE_PX = 96, 200, 256
# Far from the seeds of repetitions and of tests: a source never holds the campaign's own runs.
SOURCE_STREAM = 7_000


def names() -> tuple[str, ...]:
    """Return every ``matmcl…`` that has a name.

    >>> names()[:4]
    ('matmcl', 'matmcl:none', 'matmcl:starter', 'matmcl:older')
    """
    trained = [name + end for name in TRAINED for end in ("", BLIND)]
    return (STRATEGY, *(f"{STRATEGY}:{name}" for name in ("none", "starter", *trained)))


def is_sourced(name: str) -> bool:
    """Say whether ``name`` is that of ``matmcl`` with some knowledge."""
    return name.partition(":")[0] == STRATEGY


def is_trained(name: str) -> bool:
    """Say whether ``name`` is pretrained by the benchmark itself."""
    return is_sourced(name) and name.partition(":")[2].removesuffix(BLIND) in TRAINED


def check(name: str, option: str) -> None:
    """Refuse a ``matmcl…`` that cannot be run, in the name of the field ``option``.

    Raises:
        UsageError: its knowledge has no such name and is no folder.
    """
    offered = names()
    if name in offered or Path(name.partition(":")[2]).is_dir():
        return
    raise UsageError(
        f"expected one of {', '.join(offered)} or {STRATEGY}:FOLDER of a checkpoint, "
        f"got '{name}'.{nearest_name(name, offered)}",
        field=option,
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
    check(name, "strategy")
    source = name.partition(":")[2] or "starter"
    if source == "none":
        return ignorance
    outcomes = outcome_names(truth)
    if source == "starter":
        return CheckpointKnowledge(STARTER, outcomes)
    if not is_trained(name):
        return CheckpointKnowledge(Path(source), outcomes)
    checkpoint = folder / f"{source}-{Path(truth).stem.replace(':', '-')}-{seed}"
    if not checkpoint.is_dir():
        picture_px = 0 if source.endswith(BLIND) else PICTURE_PX
        pretrain(_sources(source.removesuffix(BLIND), truth, seed, picture_px), checkpoint, seed)
    return CheckpointKnowledge(checkpoint, outcomes)


def outcome_names(truth: str) -> tuple[tuple[str, str], ...]:
    """Return which outcome of sources speaks for one of another name at ``truth``."""
    if truth != "composite":
        return ()
    from engine.lab.composite import SOURCE_OUTCOMES

    return tuple(SOURCE_OUTCOMES.items())


def pretrain(sources: Sequence[SourceRuns], checkpoint: Path, seed: int) -> None:
    """Pretrain on ``sources`` and keep the result whole at ``checkpoint``.

    Where another process was first, its own stays.
    """
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    try:
        with whole_folder(checkpoint) as draft:
            knowledge.pretrain(sources, draft, seed)
    except OSError:  # a folder that is not empty is in the place: the other process's
        if not checkpoint.is_dir():
            raise


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
