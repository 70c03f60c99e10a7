"""What a generator and its training consist of: frozen, checked at construction, JSON-able."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from generator.errors import InputError

PREDICTIONS = ("v_prediction", "epsilon")
PRECISIONS = ("auto", "no", "bf16")


class _Document:
    """To and from JSON's types; unknown keys are refused."""

    def to_dict(self) -> dict[str, Any]:
        """Return what :meth:`from_dict` reads, in JSON's types."""
        document = asdict(self)  # type: ignore[call-overload]
        return {k: list(v) if isinstance(v, tuple) else v for k, v in document.items()}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote; what is not named takes its default.

        Raises:
            InputError: an unknown key, or a value that cannot be.
        """
        field_names = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        if unknown := sorted(set(document) - field_names):
            names = ", ".join(sorted(field_names))
            raise InputError(f"{cls.__name__}: unknown {', '.join(unknown)}; known are {names}")
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
        try:
            return cls(**values)
        except TypeError as error:
            raise InputError(f"{cls.__name__}: {error}") from error


@dataclass(frozen=True)
class GeneratorConfig(_Document):
    """The shape of a generator.

    Attributes:
        side_px, nm_per_pixel: of a picture.
        fold: so many pixels a side become channels before the UNet sees them: the UNet works on
            ``side_px / fold`` places a side. 1 works on pixels.
        channels: of the UNet's levels, finest first; multiples of ``norm_groups``.
        layers: residual blocks of a level.
        attention: for each level, whether its places look at one another.
        norm_groups: of group normalisation.
        condition_dim, embedding_dim: of the condition's and the picture's embeddings.
        prior_width, prior_depth: units and blocks of the prior.
        prediction: what the UNet says: ``v_prediction`` (Salimans & Ho 2022) or ``epsilon``.
        is_laid: the UNet is shown where fibres lie (:mod:`generator.layout`), and the prior reads
            off an embedding what mat is to be laid.
    """

    # 64 px of 120 nm show the field of 128 px of 60 nm at 2.7 times the pictures a second; 7.7 µm
    # (docs/notes/generator.md).
    side_px: int = 64
    nm_per_pixel: float = 120.0
    # Folded by 2 it needs fewer steps and 3.4 times the time for each (docs/notes/generator.md).
    fold: int = 4
    channels: tuple[int, ...] = (64, 128)
    layers: int = 1
    attention: tuple[bool, ...] = (False, True)
    norm_groups: int = 8
    condition_dim: int = 32
    embedding_dim: int = 32
    prior_width: int = 256
    prior_depth: int = 4
    prediction: str = "v_prediction"
    is_laid: bool = False

    def __post_init__(self) -> None:
        owner = "GeneratorConfig"
        for name in ("side_px", "fold", "layers", "norm_groups", "condition_dim"):
            _integer(owner, name, getattr(self, name), 1, 4096)
        for name in ("embedding_dim", "prior_width", "prior_depth"):
            _integer(owner, name, getattr(self, name), 1, 4096)
        _number(owner, "nm_per_pixel", self.nm_per_pixel, 0.0, math.inf)
        if not self.channels or len(self.channels) != len(self.attention):
            expected = "one number of channels and one attention flag a level"
            refuse(owner, "channels", (self.channels, self.attention), expected)
        if any(c < 1 or c % self.norm_groups for c in self.channels):
            refuse(owner, "channels", self.channels, f"multiples of {self.norm_groups}")
        coarsest = self.fold * 2 ** (len(self.channels) - 1)
        if self.side_px % coarsest:
            refuse(owner, "side_px", self.side_px, f"a multiple of {coarsest} (fold and levels)")
        if self.is_laid not in {True, False}:
            refuse(owner, "is_laid", self.is_laid, "true or false")
        if self.prediction not in PREDICTIONS:
            refuse(owner, "prediction", self.prediction, " or ".join(PREDICTIONS))

    @property
    def in_channels(self) -> int:
        """What the UNet sees of a place: the noisy picture, and if it is shown one the sketch."""
        return self.fold**2 * (2 if self.is_laid else 1)


@dataclass(frozen=True)
class TrainingSettings(_Document):
    """How one network is trained. With data and model, it fixes every number on a CPU.

    Attributes:
        steps: updates of the weights.
        batch: examples of a step, over all processes.
        learning_rate: at its peak: linear warm-up over ``warmup`` steps, then a cosine to zero.
        weight_decay: AdamW's.
        warmup: steps.
        clip: largest norm of the gradient.
        ema: decay of the averaged weights, reached gradually; they are what is kept and used.
        drop: share of examples whose embedding is hidden, for classifier-free guidance.
        seed: of everything drawn at random.
        precision: ``auto`` takes bfloat16 on GPUs that have it; ``no`` float32; ``bf16``.
        device: ``auto`` takes a GPU where there is one; else torch's name, ``cpu``, ``cuda:1``.
        checkpoint_every, report_every: steps between checkpoints and between reports.
    """

    steps: int = 7000
    # 16 reached the same loss after the same number of steps (docs/notes/generator.md).
    batch: int = 4
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup: int = 100
    clip: float = 1.0
    # Weights of the last 500 steps or so, averaged: single steps of a diffusion's training are
    # noisy.
    ema: float = 0.998
    drop: float = 0.1
    seed: int = 0
    precision: str = "auto"
    device: str = "auto"
    checkpoint_every: int = 250
    report_every: int = 50

    def __post_init__(self) -> None:
        owner = "TrainingSettings"
        for name in ("steps", "batch", "checkpoint_every", "report_every"):
            _integer(owner, name, getattr(self, name), 1)
        for name in ("warmup", "seed"):
            _integer(owner, name, getattr(self, name), 0)
        for name in ("learning_rate", "clip"):
            _number(owner, name, getattr(self, name), 0.0, math.inf)
        # Just below zero, as the lower end is open and 0 is allowed.
        _number(owner, "weight_decay", self.weight_decay, -1e-12, math.inf)
        _number(owner, "ema", self.ema, -1e-12, 0.99999)
        _number(owner, "drop", self.drop, -1e-12, 0.9)
        if self.precision not in PRECISIONS:
            refuse(owner, "precision", self.precision, ", ".join(PRECISIONS))
        if self.device not in {"auto", "cpu"} and not self.device.startswith("cuda"):
            refuse(owner, "device", self.device, "auto, cpu, cuda or cuda:<number>")


def _integer(owner: str, name: str, value: object, least: int, largest: int = 2**62) -> None:
    # `True` is an int to Python.
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= largest:
        upper = f" and at most {largest}" if largest < 2**62 else ""
        refuse(owner, name, value, f"a whole number of at least {least}{upper}")


def _number(owner: str, name: str, value: object, low: float, high: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) and low < value <= high):  # type: ignore[arg-type, operator]
        upper = f" and at most {high:g}" if math.isfinite(high) else ""
        refuse(owner, name, value, f"a number above {max(low, 0.0):g}{upper}")


def refuse(owner: str, name: str, value: object, expected: str) -> None:
    """Raise what a value that cannot be deserves.

    Raises:
        InputError: always.
    """
    raise InputError(f"{owner}.{name}: expected {expected}, got {value!r}")
