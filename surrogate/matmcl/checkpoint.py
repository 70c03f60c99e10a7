"""A model in a folder: ``model.safetensors`` and ``matmcl.json``, each written whole.

The JSON is written last and holds the other file's length and SHA-256, so that a folder whose
writing was cut short is recognised. Loading reads no pickle and runs no code from the folder.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from surrogate.errors import CheckpointError, InputError
from surrogate.matmcl.config import MatMCLConfig
from surrogate.matmcl.model import MatMCL
from surrogate.matmcl.vocabulary import Vocabulary
from surrogate.private_files import make_folder
from surrogate.tensor_files import PICKLE_SUFFIXES, TensorFiles, seal_of, tensors_to_bytes

WEIGHTS = "model.safetensors"
CARD = "matmcl.json"
FORMAT = 1
FILES = TensorFiles(CheckpointError, "Copy or make the checkpoint again")
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_PICTURE_PARTS = ("vision.", "joint.", "curve.")
_KEYS = frozenset(
    {"format", "config", "vocabulary", "sources", "backbone", "scalers", "extra"}
    | {"data_watermark", "seed", "versions", "dtype", "bytes", "sha256"}
)


@dataclass(frozen=True)
class CheckpointCard:
    """What ``matmcl.json`` tells of a checkpoint.

    Attributes:
        config, vocabulary, sources: what :class:`MatMCL` is built from.
        backbone: configuration of the vision backbone.
        scalers: location and spread of outcomes, or whatever else turns tensors into values.
        extra: anything else its maker noted.
        data_watermark: what it was trained on.
        seed: of the training.
        versions: of the libraries that made it.
        dtype: of the stored weights.
        size, sha256: of the weights' file [bytes].
    """

    config: MatMCLConfig
    vocabulary: Vocabulary
    sources: tuple[str, ...]
    backbone: Mapping[str, Any]
    scalers: Mapping[str, Any]
    extra: Mapping[str, Any]
    data_watermark: int | str | None
    seed: int
    versions: Mapping[str, str]
    dtype: str
    size: int
    sha256: str

    @property
    def seal(self) -> dict[str, Any]:
        """What the weights' file is recognised by (:func:`surrogate.tensor_files.seal_of`)."""
        return {"bytes": self.size, "sha256": self.sha256}


def save_checkpoint(
    folder: Path,
    model: MatMCL,
    *,
    scalers: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
    data_watermark: int | str | None = None,
    seed: int = 0,
    dtype: str = "float32",
) -> None:
    """Write a model into a folder, which is made if need be; other files there are left alone.

    Args:
        folder: where to.
        model: with its vision encoder.
        scalers, extra: JSON-able notes for whoever loads it.
        data_watermark: what it was trained on: a watermark of the database, or a fingerprint.
        seed: of the training.
        dtype: ``float32``, or ``float16`` or ``bfloat16`` for half the size. Statistics of
            normalisation layers keep float32, as do weights that ``dtype`` cannot hold.

    Raises:
        CheckpointError: the folder cannot be written, or a note is not JSON-able.
        InputError: the model lacks its vision encoder, its weights are not finite, or an unknown
            dtype.
    """
    if dtype not in DTYPES:
        raise InputError(f"expected dtype {', '.join(DTYPES)}, got '{dtype}'")
    if model.vision is None:
        raise InputError("this model was loaded for tables only: load it with parts='all' to save")
    weights = tensors_to_bytes(_stored(model, DTYPES[dtype]))
    card = {
        "format": FORMAT,
        "config": model.config.to_dict(),
        "vocabulary": model.vocabulary.to_dict(),
        "sources": list(model.sources),
        "backbone": model.vision.backbone_config,
        "scalers": dict(scalers or {}),
        "extra": dict(extra or {}),
        "data_watermark": data_watermark,
        "seed": seed,
        "versions": _versions(),
        "dtype": dtype,
        **seal_of(weights),
    }
    text = FILES.to_json(card)
    try:
        make_folder(folder)
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be made: {error.strerror}") from error
    # The card last: it vouches for weights that are there.
    FILES.write(folder / WEIGHTS, weights)
    FILES.write(folder / CARD, text)


def _stored(model: MatMCL, dtype: torch.dtype) -> dict[str, Tensor]:
    learnt = {name for name, _ in model.named_parameters()}
    stored: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise InputError(f"{name} is not finite: this model is not worth keeping")
        # Running means and variances are buffers: half precision would shift every picture's
        # features.
        narrow = tensor.to(dtype if name in learnt else torch.float32)
        is_held = tensor.is_floating_point() and bool(torch.isfinite(narrow).all())
        full = tensor.to(torch.float32) if tensor.is_floating_point() else tensor
        stored[name] = narrow if is_held else full
    return stored


def _versions() -> dict[str, str]:
    names = ("torch", "transformers", "accelerate", "safetensors")
    return {name: importlib.metadata.version(name) for name in names}


def read_card(folder: Path) -> CheckpointCard:
    """Read what a checkpoint says of itself, without its weights.

    Raises:
        CheckpointError: there is none, a pickle is in its place, or a key is missing, unknown or
            cannot be used.
    """
    # `folder` may be a file: a .pt that somebody hands in gets a sentence of its own.
    FILES.refuse_pickle(folder)
    if not (folder / CARD).is_file():
        pickles = [
            path.name
            for path in (folder.iterdir() if folder.is_dir() else ())
            if path.suffix.lower() in PICKLE_SUFFIXES
        ]
        contents = (
            f"pickles, which are never read ({', '.join(sorted(pickles))})" if pickles else ""
        )
        raise CheckpointError(
            f"{folder}: expected a checkpoint ({WEIGHTS} and {CARD}), got "
            f"{contents or 'none'}. Train one first"
        )
    document = FILES.read_json(folder / CARD)
    if document.get("format", FORMAT) != FORMAT:
        raise CheckpointError(
            f"{folder / CARD}: expected format {FORMAT}, got {document['format']!r}: "
            "made by another version; use that one, or train anew"
        )
    # An unknown key may change what the weights mean; better none than misread.
    if set(document) != _KEYS:
        unknown, missing = sorted(set(document) - _KEYS), sorted(_KEYS - set(document))
        raise CheckpointError(
            f"{folder / CARD}: unknown keys {unknown}, missing keys {missing}; "
            "restore the file as it was written"
        )
    try:
        return _card(document)
    except (InputError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"{folder / CARD}: {error}. Restore the file as it was written"
        ) from error


def _card(document: Mapping[str, Any]) -> CheckpointCard:
    if document["dtype"] not in DTYPES:
        raise InputError(f"expected dtype {', '.join(DTYPES)}, got {document['dtype']!r}")
    return CheckpointCard(
        config=MatMCLConfig.from_dict(document["config"]),
        vocabulary=Vocabulary.from_dict(document["vocabulary"]),
        sources=tuple(str(name) for name in document["sources"]),
        backbone=dict(document["backbone"]),
        scalers=dict(document["scalers"]),
        extra=dict(document["extra"]),
        data_watermark=document["data_watermark"],
        seed=int(document["seed"]),
        versions=dict(document["versions"]),
        dtype=str(document["dtype"]),
        size=int(document["bytes"]),
        sha256=str(document["sha256"]),
    )


def load_checkpoint(
    folder: Path,
    *,
    device: str | torch.device = "cpu",
    parts: str = "all",
    vocabulary: Vocabulary | None = None,
    parameters: Collection[str] | None = None,
) -> MatMCL:
    """Load a model, in float32 and evaluation mode.

    Args:
        folder: as :func:`save_checkpoint` wrote it.
        device: where to.
        parts: ``all``, or ``table`` for f_t, projector and heads only, which spares importing
            transformers and building the vision encoder.
        vocabulary: if given, the checkpoint must know exactly these parameters and outcomes.
        parameters: if given, the checkpoint must know one of these parameters at least.

    Raises:
        CheckpointError: a pickle, a missing, shortened or changed file, weights that do not fit
            the configuration, or other parameters.
        InputError: ``parts`` is neither ``all`` nor ``table``.
    """
    if parts not in {"all", "table"}:
        raise InputError(f"expected parts 'all' or 'table', got '{parts}'")
    card = read_card(folder)
    # Before the weights are read: they may be large, the card is not.
    _check_vocabulary(folder, card.vocabulary, vocabulary, parameters)
    weights = FILES.read_tensors(folder / WEIGHTS, card.seal)
    try:
        with torch.random.fork_rng(devices=[]):  # building draws weights that are replaced
            model = MatMCL(
                card.config,
                card.vocabulary,
                card.sources,
                with_vision=parts == "all",
                vision_config=card.backbone,
            )
    except InputError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    fill(model, weights, folder)
    return model.to(device).eval()


def fill(model: MatMCL, weights: Mapping[str, Tensor], place: Path) -> None:
    """Put stored weights into a model that must have exactly these names and shapes.

    Raises:
        CheckpointError: a name is missing or unknown, or a shape differs.
    """
    if model.vision is None:
        # Proposals have no use for them, nor for transformers, which building them would import.
        weights = {k: v for k, v in weights.items() if not k.startswith(_PICTURE_PARTS)}
    expected = model.state_dict()
    if set(weights) != set(expected):
        unknown, missing = (
            sorted(set(weights) - set(expected)),
            sorted(set(expected) - set(weights)),
        )
        raise CheckpointError(
            f"{place}: the weights do not fit the configuration: unknown {unknown[:3]}, "
            f"missing {missing[:3]}; take {WEIGHTS} and {CARD} of one and the same checkpoint"
        )
    for name, tensor in expected.items():
        if weights[name].shape != tensor.shape:
            raise CheckpointError(
                f"{place}: {name}: expected shape {tuple(tensor.shape)}, got "
                f"{tuple(weights[name].shape)}; take {WEIGHTS} and {CARD} of one checkpoint"
            )
    model.load_state_dict(dict(weights))


def _check_vocabulary(
    folder: Path,
    stored: Vocabulary,
    vocabulary: Vocabulary | None,
    parameters: Collection[str] | None,
) -> None:
    mend = "train one for these, or name another checkpoint"
    if vocabulary is not None and vocabulary != stored:
        raise CheckpointError(
            f"{folder}: a checkpoint of other parameters: expected {_describe(vocabulary)}; "
            f"got {_describe(stored)}; {mend}"
        )
    if parameters is not None and not set(parameters) & set(stored.names):
        raise CheckpointError(
            f"{folder}: a checkpoint of other parameters: expected one of "
            f"{', '.join(sorted(parameters))}; got {', '.join(stored.names)}; {mend}"
        )


def _describe(vocabulary: Vocabulary) -> str:
    parameters = ", ".join(f"{spec.name} [{spec.unit}]" for spec in vocabulary.parameters)
    return f"{parameters} → {', '.join(vocabulary.outcomes)}"
