"""What a MatMCL model and its training consist of: frozen, checked at construction, JSON-able."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from surrogate.errors import InputError

TABLE_ENCODERS = ("mlp", "ft_transformer")
VISION_ENCODERS = ("resnet", "convnext", "resnet50")
PRECISIONS = ("auto", "no", "bf16")


class _Document:
    """To and from JSON's types; unknown keys are refused."""

    def to_dict(self) -> dict[str, Any]:
        """Return what :meth:`from_dict` reads, in JSON's types."""
        return asdict(self)  # type: ignore[call-overload]

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
        try:
            return cls(**document)
        except TypeError as error:
            raise InputError(f"{cls.__name__}: {error}") from error


@dataclass(frozen=True)
class MatMCLConfig(_Document):
    """The shape of a model.

    Attributes:
        table_encoder: f_t, ``mlp`` or ``ft_transformer`` (Gorishniy et al. 2021).
        vision_encoder: f_v, ``resnet`` or ``convnext`` (small, about 0.3 M weights, untrained),
            ``resnet50`` (the size used by Wu et al. 2025), or a local transformers folder's path.
        width, depth: of f_t: units of a layer (multiple of 4 for ``ft_transformer``), blocks.
        latent_dim: units of each encoder's latent; heads read it.
        projection_dim: dimension of the unit-norm space in which latents are compared.
        n_deviations: K, directions in which simulated labs differ from their mean; 0 for none.
        n_labs: simulated labs that the model keeps as points of one latent of K coordinates, which
            all outcomes share; 0 keeps none, and each outcome has K directions of its own.
        tile_px, nm_per_pixel: side of a tile [px] and its scale [nm/px].
        temperature: of the contrastive loss.
        contrastive_weight: of the contrastive loss, beside regression's 1; 0 leaves it out.
        dropout: share of units dropped in f_t while training.
        curve_points: grid on which f_c reads tensile curves; 0 for a model without f_c.
    """

    table_encoder: str = "mlp"
    vision_encoder: str = "resnet"
    width: int = 128
    depth: int = 3
    latent_dim: int = 64
    projection_dim: int = 64
    n_deviations: int = 8
    n_labs: int = 0
    # 9.6 µm a side, some fifteen mean fibre diameters of the virtual lab's reference mat (620 nm).
    tile_px: int = 96
    nm_per_pixel: float = 100.0
    temperature: float = 0.1
    contrastive_weight: float = 0.3
    dropout: float = 0.0
    curve_points: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return what :meth:`from_dict` reads, in JSON's types."""
        document = super().to_dict()
        # Files of models without f_c are, to the last byte, what they were before there was one.
        if not self.curve_points:
            del document["curve_points"]
        return document

    def __post_init__(self) -> None:
        owner = "MatMCLConfig"
        if self.table_encoder not in TABLE_ENCODERS:
            _refuse(owner, "table_encoder", self.table_encoder, " or ".join(TABLE_ENCODERS))
        if self.vision_encoder not in VISION_ENCODERS and not _is_path(self.vision_encoder):
            names = ", ".join(VISION_ENCODERS)
            expected = f"{names} or the path of a local transformers folder (with a '/')"
            _refuse(owner, "vision_encoder", self.vision_encoder, expected)
        for name in ("width", "latent_dim", "projection_dim"):
            _integer(owner, name, getattr(self, name), 1, 8192)
        _integer(owner, "depth", self.depth, 1, 64)
        _integer(owner, "n_deviations", self.n_deviations, 0, 256)
        _integer(owner, "n_labs", self.n_labs, 0, 100_000)
        _integer(owner, "tile_px", self.tile_px, 16, 2048)
        if self.table_encoder == "ft_transformer" and self.width % 4:
            _refuse(owner, "width", self.width, "a multiple of 4 (attention heads)")
        _number(owner, "nm_per_pixel", self.nm_per_pixel, 0.0, math.inf, open_below=True)
        _number(owner, "temperature", self.temperature, 0.0, math.inf, open_below=True)
        _number(owner, "contrastive_weight", self.contrastive_weight, 0.0, math.inf)
        _number(owner, "dropout", self.dropout, 0.0, 0.9)
        if self.curve_points:
            _integer(owner, "curve_points", self.curve_points, 16, 1024)


@dataclass(frozen=True)
class TrainSettings(_Document):
    """How a model is trained. With the data and the model, it fixes every number on a CPU.

    Attributes:
        steps: updates of the weights.
        learning_rate: at its peak: linear warm-up over ``warmup`` steps, then a cosine to zero.
        weight_decay: AdamW's.
        labs_per_batch: simulated labs in a batch of the source ``ensemble``.
        rows_per_lab: so many rows of each such lab, drawn anew at each visit; 0 takes all.
        rows_per_batch: rows in a batch of any other source.
        tiles_per_batch: micrographs (one tile each) in a batch of the contrastive term.
        contrastive_every: steps from one contrastive batch to the next.
        mask_rate: share of present parameters hidden while training, per lab (``ensemble``) or row,
            so that heads stay usable for campaigns that do not record them.
        clip: largest norm of the gradient.
        brightness, contrast, noise: standard deviations of augmentation, in tiles' 0…1.
        seed: of everything drawn at random.
        precision: ``auto`` takes bfloat16 on GPUs that have it; ``no`` float32; ``bf16``.
        device: ``auto`` takes a GPU where there is one; else torch's name, ``cpu``, ``cuda:1``.
        checkpoint_every, report_every: steps between checkpoints and between reports.
        holdout: share of labs (``ensemble``) or rows (others) held out to stop early; 0 for none.
        evaluate_every, patience: steps between looks at the held-out loss; looks without
            progress before stopping. The best weights are kept.
    """

    steps: int = 2000
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    warmup: int = 50
    labs_per_batch: int = 16
    rows_per_lab: int = 0
    rows_per_batch: int = 256
    tiles_per_batch: int = 64
    contrastive_every: int = 1
    mask_rate: float = 0.05
    clip: float = 1.0
    # Microscopes set brightness and contrast by themselves; neither tells anything of a mat.
    brightness: float = 0.05
    contrast: float = 0.15
    noise: float = 0.02
    seed: int = 0
    precision: str = "auto"
    device: str = "auto"
    checkpoint_every: int = 250
    report_every: int = 10
    holdout: float = 0.0
    evaluate_every: int = 100
    patience: int = 5

    def __post_init__(self) -> None:
        owner = "TrainSettings"
        for name in ("steps", "labs_per_batch", "rows_per_batch", "contrastive_every"):
            _integer(owner, name, getattr(self, name), 1)
        for name in ("checkpoint_every", "report_every", "evaluate_every", "patience"):
            _integer(owner, name, getattr(self, name), 1)
        for name in ("warmup", "rows_per_lab", "seed"):
            _integer(owner, name, getattr(self, name), 0)
        # One pair has no negatives.
        _integer(owner, "tiles_per_batch", self.tiles_per_batch, 2)
        for name in ("learning_rate", "clip"):
            _number(owner, name, getattr(self, name), 0.0, math.inf, open_below=True)
        for name in ("weight_decay", "brightness", "contrast", "noise"):
            _number(owner, name, getattr(self, name), 0.0, math.inf)
        _number(owner, "mask_rate", self.mask_rate, 0.0, 0.9)
        _number(owner, "holdout", self.holdout, 0.0, 0.9)
        if self.device not in {"auto", "cpu"} and not self.device.startswith("cuda"):
            _refuse(owner, "device", self.device, "auto, cpu, cuda or cuda:<number>")
        if self.precision not in PRECISIONS:
            _refuse(owner, "precision", self.precision, ", ".join(PRECISIONS))


def _is_path(text: object) -> bool:
    return isinstance(text, str) and ("/" in text or "\\" in text or Path(text).is_dir())


def _integer(owner: str, name: str, value: object, least: int, largest: int = 2**62) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= largest:
        upper = f" and at most {largest}" if largest < 2**62 else ""
        _refuse(owner, name, value, f"a whole number of at least {least}{upper}")


def _number(
    owner: str, name: str, value: object, low: float, high: float, *, open_below: bool = False
) -> None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not (good and (low < value if open_below else low <= value) and value <= high):  # type: ignore[operator]
        sign = "above" if open_below else "of at least"
        upper = f" and at most {high:g}" if math.isfinite(high) else ""
        _refuse(owner, name, value, f"a number {sign} {low:g}{upper}")


def _refuse(owner: str, name: str, value: object, expected: str) -> None:
    raise InputError(f"{owner}.{name}: expected {expected}, got {value!r}")
