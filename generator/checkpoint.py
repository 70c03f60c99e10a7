"""A generator in a folder: what diffusers writes of a pipeline, and a card that vouches for it.

::

    generator.json      the card: format, shape, length and SHA-256 of every other file, the
                        encoders' SHA-256, how it was made; written last
    model_index.json    diffusers' own
    prior/  unet/  prior_scheduler/  scheduler/
    README.md           the model card for people

Loading reads safetensors only, runs no code from the folder and asks no network. Previews are drawn
by :func:`load_drawer`, which does without diffusers; training and publishing load it when called.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib.metadata
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from generator.config import GeneratorConfig
from generator.drawing import Drawer
from generator.errors import CheckpointError, InputError
from generator.prior import N_SHOWN, Prior
from generator.unet import DrawingUNet
from surrogate.private_files import make_folder
from surrogate.tensor_files import TensorFiles, seal_of

if TYPE_CHECKING:
    from generator.pipeline import MicrostructurePipeline

CARD, README = "generator.json", "README.md"
UNET = "unet/diffusion_pytorch_model.safetensors"
PRIOR = "prior/diffusion_pytorch_model.safetensors"
FORMAT = 1
DTYPES = {"float32": torch.float32, "float16": torch.float16}
_FILES = TensorFiles(CheckpointError, "Copy or make the generator again")
_KEYS = {"format", "config", "files", "encoders_sha256", "extra", "seed", "versions", "dtype"}


@dataclass(frozen=True)
class GeneratorCard:
    """What ``generator.json`` tells.

    Attributes:
        config: the generator's shape.
        files: path below the folder → its ``bytes`` and ``sha256``.
        encoders_sha256: of the weights of the encoders that it was trained with.
        extra: how it was made, how well it does.
        seed: of the training.
        versions: of the libraries that made it.
    """

    config: GeneratorConfig
    files: Mapping[str, Mapping[str, Any]]
    encoders_sha256: str
    extra: Mapping[str, Any]
    seed: int
    versions: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """The SHA-256 of the UNet's weights, by which a generator is known."""
        return str(self.files[UNET]["sha256"])


def make_pipeline(config: GeneratorConfig) -> MicrostructurePipeline:
    """Return an untrained pipeline; the same state of torch's generator gives the same weights."""
    from generator.networks import make_prior, make_unet
    from generator.noise import fast_scheduler
    from generator.pipeline import MicrostructurePipeline

    return MicrostructurePipeline(
        make_prior(config),
        fast_scheduler("v_prediction"),
        make_unet(config),
        fast_scheduler(config.prediction),
        fold=config.fold,
        nm_per_pixel=config.nm_per_pixel,
    )


def save_generator(
    folder: Path,
    pipeline: MicrostructurePipeline,
    config: GeneratorConfig,
    *,
    encoders_sha256: str,
    extra: Mapping[str, Any] | None = None,
    readme: str = "",
    seed: int = 0,
    dtype: str = "float32",
) -> GeneratorCard:
    """Write a generator into a folder, which is made if need be.

    Raises:
        CheckpointError: the folder cannot be written (a full disk), or a note is not JSON-able.
        InputError: weights that are not finite, or an unknown dtype.
    """
    if dtype not in DTYPES:
        raise InputError(f"expected dtype {', '.join(DTYPES)}, got '{dtype}'")
    from generator.pipeline import MicrostructurePipeline

    for name in ("prior", "unet"):
        for key, weights in getattr(pipeline, name).state_dict().items():
            if not torch.isfinite(weights).all():
                raise InputError(f"{name}.{key} is not finite: this generator is not worth keeping")
    with _quiet():
        copied = MicrostructurePipeline(
            # Copies: `.to` would turn the caller's own networks to half precision.
            copy.deepcopy(pipeline.prior).to("cpu", DTYPES[dtype]),
            pipeline.prior_scheduler,
            copy.deepcopy(pipeline.unet).to("cpu", DTYPES[dtype]),
            pipeline.scheduler,
            fold=config.fold,
            nm_per_pixel=config.nm_per_pixel,
        )
    try:
        make_folder(folder)
        copied.save_pretrained(folder, safe_serialization=True)
        for part in ("prior", "unet"):
            _forget_origin(folder / part / "config.json")
        (folder / README).write_text(readme, encoding="utf-8")
    except Exception as error:  # diffusers and safetensors raise what their parts raise
        raise CheckpointError(f"{folder} cannot be written: {error}") from error
    paths = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != CARD)
    # The encoders have a card of their own, which is written again once this one is known.
    names = [p.relative_to(folder).as_posix() for p in paths if "encoders" not in p.parts]
    versions = {
        name: importlib.metadata.version(name)
        for name in ("torch", "diffusers", "accelerate", "safetensors")
    }
    document = {
        "format": FORMAT,
        "config": config.to_dict(),
        "files": {name: seal_of((folder / name).read_bytes()) for name in names},
        "encoders_sha256": encoders_sha256,
        "extra": dict(extra or {}),
        "seed": seed,
        "versions": versions,
        "dtype": dtype,
    }
    # Last: a folder without a card is no generator, however far its writing came.
    _FILES.write(folder / CARD, _FILES.to_json(document))
    return read_card(folder)


def _forget_origin(path: Path) -> None:
    """Take out of a part's configuration where on this machine it was loaded from."""
    document = json.loads(path.read_text(encoding="utf-8"))
    document.pop("_name_or_path", None)
    path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_card(folder: Path) -> GeneratorCard:
    """Read what a generator says of itself, without its weights.

    Raises:
        CheckpointError: there is none, or a key is missing, unknown or cannot be used.
    """
    if not (folder / CARD).is_file():
        raise CheckpointError(f"{folder}: expected a generator ({CARD}), got none. {_FILES.mend}")
    document = _FILES.read_json(folder / CARD)
    if document.get("format") != FORMAT or set(document) != _KEYS:
        raise CheckpointError(
            f"{folder / CARD}: expected format {FORMAT} with the keys {', '.join(sorted(_KEYS))}, "
            f"got format {document.get('format')!r} with {', '.join(sorted(document))}. "
            f"{_FILES.mend}"
        )
    try:
        card = GeneratorCard(
            config=GeneratorConfig.from_dict(document["config"]),
            files={
                str(name): {"bytes": int(seal["bytes"]), "sha256": str(seal["sha256"])}
                for name, seal in document["files"].items()
            },
            encoders_sha256=str(document["encoders_sha256"]),
            extra=dict(document["extra"]),
            seed=int(document["seed"]),
            versions=dict(document["versions"]),
        )
    except (InputError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{folder / CARD}: {error}. {_FILES.mend}") from error
    for name in (UNET, PRIOR):
        if name not in card.files:
            raise CheckpointError(
                f"{folder / CARD}: expected {name} among its files. {_FILES.mend}"
            )
    return card


def load_generator(
    folder: Path, *, encoders_sha256: str | None = None, device: str | torch.device = "cpu"
) -> MicrostructurePipeline:
    """Load a generator, in float32, after looking at every file it needs.

    Args:
        folder: as :func:`save_generator` wrote it.
        encoders_sha256: of the encoders that are to be used with it; ``None`` does not ask.
        device: where to.

    Raises:
        CheckpointError: a missing, shortened, changed or foreign file, or other encoders.
    """
    from generator.pipeline import MicrostructurePipeline

    card = _vouched_for(folder, encoders_sha256)
    try:
        # Building the networks draws weights, which are overwritten: the caller's random numbers
        # must not notice.
        with torch.random.fork_rng(devices=[]), _quiet():
            pipeline: MicrostructurePipeline = MicrostructurePipeline.from_pretrained(
                str(folder),
                local_files_only=True,
                use_safetensors=True,
                torch_dtype=torch.float32,
                low_cpu_mem_usage=False,
            )
    except Exception as error:  # diffusers raises what its parts raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"{folder}: the generator cannot be built: {reason}") from error
    _check_shape(folder, pipeline, card.config)
    pipeline.unet.eval()
    pipeline.prior.eval()
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device)
    return pipeline


def load_grown(
    folder: Path, config: GeneratorConfig, *, encoders_sha256: str | None = None
) -> MicrostructurePipeline:
    """Load a generator to train it on in the shape ``config``, which may have more to see.

    What the UNet is shown of a sketch has weights of zero at first, what the prior reads off an
    embedding is not taught yet: it begins as the generator that it was.

    Raises:
        CheckpointError: as :func:`load_generator`, or a shape that differs in more than that.
    """
    start = load_generator(folder, encoders_sha256=encoders_sha256)
    former = read_card(folder).config
    if former == config:
        return start
    if dataclasses.replace(former, is_laid=config.is_laid) != config or former.is_laid:
        raise CheckpointError(
            f"{folder}: expected a generator of the shape {config.to_dict()}, "
            f"got {former.to_dict()}"
        )
    grown = make_pipeline(config)
    grown.prior.load_state_dict({**grown.prior.state_dict(), **start.prior.state_dict()})
    weights = start.unet.state_dict()
    first = torch.zeros_like(grown.unet.conv_in.weight)
    first[:, : config.fold**2] = weights["conv_in.weight"]
    grown.unet.load_state_dict({**weights, "conv_in.weight": first})
    return grown


def load_drawer(
    folder: Path, *, encoders_sha256: str | None = None, dtype: torch.dtype = torch.float32
) -> Drawer:
    """Load a generator's networks for drawing, on the CPU, after looking at every file.

    Args:
        folder: as :func:`save_generator` wrote it.
        encoders_sha256: of the encoders that are to be used with it; ``None`` does not ask.
        dtype: the UNet's.

    Raises:
        CheckpointError: a missing, shortened, changed or foreign file, or other encoders.
    """
    card = _vouched_for(folder, encoders_sha256)
    config = card.config
    # Without weights of their own, which would be drawn only to be overwritten.
    with torch.device("meta"):
        prior = Prior(
            config.condition_dim,
            config.embedding_dim,
            config.prior_width,
            config.prior_depth,
            N_SHOWN if config.is_laid else 0,
        )
        unet = DrawingUNet(config)
    for name, network in ((PRIOR, prior), (UNET, unet)):
        tensors = _FILES.read_tensors(folder / name, card.files[name])
        try:
            network.load_state_dict({k: v.float() for k, v in tensors.items()}, assign=True)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise CheckpointError(
                f"{folder / name}: expected the weights of the shape that {CARD} tells: {reason}. "
                f"{_FILES.mend}"
            ) from error
        network.eval().requires_grad_(requires_grad=False)
    # Places beside one another in memory have all their channels together: faster convolutions.
    unet.to(dtype=dtype, memory_format=torch.channels_last)
    return Drawer(config, prior, unet)


def _vouched_for(folder: Path, encoders_sha256: str | None) -> GeneratorCard:
    """Return a folder's card after looking at the files that it seals and the encoders it names."""
    card = read_card(folder)
    if encoders_sha256 is not None and encoders_sha256 != card.encoders_sha256:
        raise CheckpointError(
            f"{folder}: this generator was trained with the encoders {card.encoders_sha256[:12]}…, "
            f"got {encoders_sha256[:12]}…: they do not belong together. Use the encoders beside it"
        )
    for name, expected in card.files.items():
        # A card is data: "../" in it must not reach other files.
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise CheckpointError(f"{folder / CARD}: expected files inside the folder, got {name}")
        # People add scores to the model card; nothing is loaded from it.
        if name != README:
            _FILES.read_sealed(folder / name, expected)
    return card


def _check_shape(folder: Path, pipeline: MicrostructurePipeline, config: GeneratorConfig) -> None:
    from generator.networks import EmbeddingPrior

    prior = pipeline.prior
    is_right = (
        isinstance(prior, EmbeddingPrior)
        and pipeline.side_px == config.side_px
        and prior.config.condition_dim == config.condition_dim
        and prior.config.embedding_dim == config.embedding_dim
        and pipeline.unet.config.in_channels == config.in_channels
    )
    if not is_right:
        raise CheckpointError(f"{folder}: prior and UNet are not those of {CARD}. {_FILES.mend}")


class _quiet(warnings.catch_warnings):  # noqa: N801 -- used as a context only
    """Without diffusers' progress bar and remarks."""

    def __enter__(self) -> Any:
        from diffusers.utils import logging as diffusers_logging

        caught = super().__enter__()
        warnings.simplefilter("ignore")
        diffusers_logging.disable_progress_bar()
        self._level = diffusers_logging.get_verbosity()
        diffusers_logging.set_verbosity_error()
        return caught

    def __exit__(self, *error: Any) -> None:
        from diffusers.utils import logging as diffusers_logging

        diffusers_logging.set_verbosity(self._level)
        super().__exit__(*error)
