"""f_v: micrograph tiles → latent, on a backbone of transformers. The only module that loads it.

Named backbones are built from a configuration, untrained and with one grey channel; a local folder
is read with its weights, from safetensors only, without running any code from it and without a
network.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from surrogate.errors import InputError
from surrogate.matmcl.config import VISION_ENCODERS, MatMCLConfig

# A charged speck or a dead pixel must not rule the features.
_CLAMP = 4.0
# Five grey values of 255: less is noise.
_LEAST_SPREAD = 0.02


class VisionEncoder(nn.Module):
    """A backbone and a linear map from its pooled features to the latent.

    Args:
        config: names the backbone.
        stored: the backbone's own configuration, as :attr:`backbone_config` gave it; with it,
            nothing is read from ``config.vision_encoder``'s folder.

    Raises:
        InputError: the folder holds no model that takes these tiles, or no safetensors.
    """

    def __init__(self, config: MatMCLConfig, stored: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        if stored is not None:
            self.backbone = _from_stored(stored)
        elif config.vision_encoder in VISION_ENCODERS:
            self.backbone = _named(config.vision_encoder)
        else:
            self.backbone = _from_folder(Path(config.vision_encoder))
        # Folders from elsewhere mostly want three channels: the grey one is repeated.
        self._channels = int(getattr(self.backbone.config, "num_channels", 3))
        self.leave = nn.Linear(self._width(config), config.latent_dim)

    @property
    def backbone_config(self) -> dict[str, Any]:
        """The backbone's configuration in JSON's types."""
        return dict(self.backbone.config.to_dict())

    def forward(self, tiles: Tensor) -> Tensor:
        """Tiles (n, 1, s, s), 0…1 → latent (n, latent_dim)."""
        tiles = standardise_tiles(tiles.to(self.leave.weight.dtype))
        return self.leave(self._pooled(tiles).to(self.leave.weight.dtype))

    def _pooled(self, tiles: Tensor) -> Tensor:
        out = self.backbone(tiles.expand(-1, self._channels, -1, -1))
        # Convolutional models pool themselves; transformers give tokens, (n, t, w), others maps,
        # (n, w, h, w).
        pooled = getattr(out, "pooler_output", None)
        if pooled is not None:
            return pooled.flatten(1)
        last = out.last_hidden_state
        return last.mean(dim=1) if last.ndim == 3 else last.mean(dim=(-2, -1))

    def _width(self, config: MatMCLConfig) -> int:
        """Send one blank tile through, which also shows that the backbone takes such tiles."""
        training = self.backbone.training
        # A blank tile in training mode would move the running means of batch normalisation.
        self.backbone.eval()
        weight = next(self.backbone.parameters())
        side = config.tile_px
        try:
            with torch.no_grad():
                return self._pooled(weight.new_zeros(1, 1, side, side)).shape[-1]
        except (RuntimeError, ValueError, AttributeError, TypeError) as error:
            raise InputError(
                f"the vision backbone '{config.vision_encoder}' does not take tiles of {side} px: "
                f"{str(error).splitlines()[0]}; choose another tile_px or backbone"
            ) from error
        finally:
            self.backbone.train(training)


def standardise_tiles(tiles: Tensor) -> Tensor:
    """Centre each tile at its median, scale by its mean absolute deviation, cut at ± 4.

    Microscopes set brightness and contrast by themselves; what is left is structure. A blank tile
    becomes zeros rather than amplified noise.

    Args:
        tiles: (n, 1, s, s), 0…1.
    """
    flat = tiles.flatten(1)
    centred = flat - flat.median(dim=1, keepdim=True).values
    spread = 1.2533 * centred.abs().mean(dim=1, keepdim=True)  # √(π/2): σ of a normal
    return (centred / spread.clamp_min(_LEAST_SPREAD)).clamp(-_CLAMP, _CLAMP).view_as(tiles)


def _named(name: str) -> nn.Module:
    from transformers import ConvNextConfig, ConvNextModel, ResNetConfig, ResNetModel

    if name == "resnet":
        small = ResNetConfig(
            num_channels=1,
            embedding_size=16,
            hidden_sizes=[16, 32, 64, 128],
            depths=[1, 1, 1, 1],
            layer_type="basic",
        )
        return ResNetModel(small)
    if name == "resnet50":
        return ResNetModel(ResNetConfig(num_channels=1))  # transformers' default is ResNet-50
    tiny = ConvNextConfig(num_channels=1, hidden_sizes=[16, 32, 64, 128], depths=[1, 1, 2, 1])
    return ConvNextModel(tiny)


def _from_stored(stored: Mapping[str, Any]) -> nn.Module:
    from transformers import AutoConfig, AutoModel

    entries = dict(stored)
    try:
        config = AutoConfig.for_model(str(entries.pop("model_type")), **entries)
        return AutoModel.from_config(config)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"the stored vision backbone cannot be built: {error}") from error


def _from_folder(folder: Path) -> nn.Module:
    """Read a local transformers folder: safetensors only, no code, no network."""
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: expected a transformers folder with config.json, got none")
    if not any(folder.glob("*.safetensors")):
        raise InputError(
            f"{folder}: expected weights as safetensors, found none; pickled weights are not read. "
            "Save the model anew with save_pretrained(folder)"
        )
    from transformers import AutoModel

    try:
        return AutoModel.from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            # The default, said aloud: a folder may name code of its own.
            trust_remote_code=False,
            # Whatever it was saved in.
            dtype=torch.float32,
        )
    except Exception as error:  # transformers raises what its parts raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{folder}: the vision backbone cannot be read: {reason}") from error
