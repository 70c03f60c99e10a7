"""Micrographs from embeddings of conditions, and the statistics of micrographs.

The pipeline's parts are found here by name, as diffusers looks for them, without loading it before.
"""

from typing import Any

__all__ = ["EmbeddingPrior", "MicrostructurePipeline"]


def __getattr__(name: str) -> Any:
    if name == "EmbeddingPrior":
        from generator.networks import EmbeddingPrior

        return EmbeddingPrior
    if name == "MicrostructurePipeline":
        from generator.pipeline import MicrostructurePipeline

        return MicrostructurePipeline
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
