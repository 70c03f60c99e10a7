"""The rows of the benchmarks that compare what can be known beforehand.

Each truth has its plain Gaussian process, to which its other rows are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.bench.models import sources
from engine.errors import UsageError, nearest_name

PLAIN = "gp"
SCRATCH = f"{sources.STRATEGY}:scratch"
"""MatMCL trained on the experiments to learn from themselves, micrographs and all."""


@dataclass(frozen=True)
class Row:
    """A model on a truth: ``about`` says in a line what the row is for."""

    name: str
    truth: str
    model: str
    about: str = ""


ABLATION = (
    Row("no sources", "standard", PLAIN, "the plain Gaussian process"),
    Row("published network", "standard", "paper_mlp", "from scratch, without micrographs"),
    Row("scratch", "standard", SCRATCH, "MatMCL on the campaign's own runs and micrographs alone"),
    Row("starter", "standard", "matmcl", "simulated labs from the literature"),
    Row("one older", "standard", "matmcl:older", "one related lab's campaign, with micrographs"),
    Row("one older, blind", "standard", "matmcl:older-blind", "the same without micrographs"),
    Row("eight older", "standard", "matmcl:eight", "eight related labs, with micrographs"),
    Row("eight older, blind", "standard", "matmcl:eight-blind", "the same without micrographs"),
    Row("bad source", "standard", "matmcl:bad", "a lab that misleads"),
    Row("unlike: no sources", "unlike", PLAIN, "a truth of another functional form"),
    Row("unlike: starter", "unlike", "matmcl", ""),
    Row("unlike: eight older", "unlike", "matmcl:eight", ""),
    Row("lots: no sources", "lots", PLAIN, "lots differ much, specimens little"),
    Row("lots: starter", "lots", "matmcl", ""),
    Row("lots: eight older", "lots", "matmcl:eight", ""),
    Row("lots: eight older, blind", "lots", "matmcl:eight-blind", ""),
)

COMPOSITE = (
    Row("from scratch", "composite", PLAIN, "a plain Gaussian process on the composites alone"),
    Row("published network", "composite", "paper_mlp", "the same runs, the published network"),
    Row("starter", "composite", "matmcl", "what simulated labs say of mats"),
    Row("multi-stage", "composite", "matmcl:mat", "pretrained on 200 runs of the nanofibre lab"),
    Row("multi-stage, blind", "composite", "matmcl:mat-blind", "the same without micrographs"),
)


def ablation_rows(names: Sequence[str] = ()) -> tuple[Row, ...]:
    """Return the rows of the ablation, or those called ``names`` with their plain counterparts.

    >>> [row.name for row in ablation_rows(["unlike: starter"])]
    ['unlike: no sources', 'unlike: starter']

    Raises:
        UsageError: a name that is not offered.
    """
    by_name = {row.name: row for row in ABLATION}
    for name in names:
        if name not in by_name:
            raise UsageError(
                f"expected one of {'; '.join(by_name)}, got '{name}'.{nearest_name(name, by_name)}",
                field="row",
            )
    if not names:
        return ABLATION
    truths = {by_name[name].truth for name in names}
    return tuple(
        row for row in ABLATION if row.name in names or (row.model == PLAIN and row.truth in truths)
    )


def grid_of(truths: Sequence[str], models: Sequence[str]) -> tuple[Row, ...]:
    """Return a row for each model on each truth."""
    is_single = len(truths) == 1
    return tuple(
        Row(model if is_single else f"{truth}: {model}", truth, model)
        for truth in truths
        for model in models
    )


USUAL_MODELS = (PLAIN, "botorch", "matmcl", "matmcl:bad")
"""What calibration compares: the plain GP, BoTorch's, and ``matmcl``, a bad source too."""


def proposes(row: Row) -> bool:
    """Say whether the row's model can also choose experiments, in a closed loop."""
    return row.model == PLAIN or (sources.is_sourced(row.model) and row.model != SCRATCH)
