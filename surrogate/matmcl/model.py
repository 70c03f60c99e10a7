"""The model: an encoder for each modality and one for all, one projector, property heads.

Notation
--------
=====  ==================================================================  ====================
f_t    table encoder                                                       (n, p, 3) → (n, l)
f_v    vision encoder                                                      (n, 1, s, s) → (n, l)
f_c    curve encoder, in models that have one                              (n, d, g+2) → (n, l)
f_m    joint encoder of their latents                                      (n, 2 l) → (n, l)
g      projector, shared by all, onto the unit sphere                      (n, l) → (n, r)
h_0    mean head of a source: what it says of an outcome                   (n, m)
h_k    deviation heads of ``ensemble``, k = 1 … K: how labs differ         (n, m, K)
=====  ==================================================================  ====================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from surrogate.errors import InputError
from surrogate.matmcl.config import MatMCLConfig
from surrogate.matmcl.curves import CurvePart
from surrogate.matmcl.table_encoders import table_encoder
from surrogate.matmcl.vocabulary import Vocabulary

ENSEMBLE = "ensemble"
"""The source of simulated labs: the one with deviation heads."""

# Deviations begin smaller than the mean, so that the mean takes what all labs share.
_DEVIATION_START = 0.3


class MatMCL(nn.Module):
    """Encoders, projector and heads of one vocabulary.

    Args:
        config: the model's shape.
        vocabulary: its p parameters and m outcomes.
        sources: names of what it learns from; each has heads of its own.
        with_vision: ``False`` leaves f_v, f_c and f_m out (proposals need none), which spares
            loading transformers.
        vision_config: the backbone's stored configuration (see ``VisionEncoder``).

    Raises:
        InputError: no source, a source named twice, or a backbone that cannot be built.
    """

    def __init__(
        self,
        config: MatMCLConfig,
        vocabulary: Vocabulary,
        sources: Sequence[str] = (ENSEMBLE,),
        *,
        with_vision: bool = True,
        vision_config: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = vocabulary
        self.sources = tuple(sources)
        if not self.sources or len(set(self.sources)) < len(self.sources):
            raise InputError(f"expected one source or more, each once, got {list(sources)}")
        m, latent = len(vocabulary.outcomes), config.latent_dim
        self.lab_unit: Tensor
        self.lab_noise: Tensor
        self.table = table_encoder(config, len(vocabulary.parameters))
        self.projector = nn.Sequential(
            nn.Linear(latent, latent), nn.SiLU(), nn.Linear(latent, config.projection_dim)
        )
        self.property_heads = nn.ModuleList(
            _Head(config, m, self._columns(name)) for name in self.sources
        )
        # σ² = 0.37 of a standardised outcome to begin with.
        self.log_noise = nn.Parameter(torch.full((len(self.sources), m), -1.0))
        """ln σ² of each source and outcome, in outcomes standardised within their lab."""
        if config.n_labs:
            points = torch.zeros(config.n_labs, config.n_deviations)
            # A parameter that no step changes: it is stored in the weights' precision.
            self.lab_points = nn.Parameter(points, requires_grad=False)
            """z (L, K): where each simulated lab lies (:mod:`surrogate.matmcl.lab_latent`)."""
            self.register_buffer("lab_unit", torch.ones(m))
            self.register_buffer("lab_noise", torch.eye(m))
        self.vision: nn.Module | None = None
        self.joint: nn.Sequential | None = None
        # Last: the table's weights are drawn alike with a vision encoder and without.
        if with_vision:
            # Imports transformers, seconds that proposals do without.
            from surrogate.matmcl.vision_encoder import VisionEncoder

            self.vision = VisionEncoder(config, vision_config)
            self.joint = nn.Sequential(
                nn.Linear(2 * latent, config.width), nn.SiLU(), nn.Linear(config.width, latent)
            )
        self.curve: CurvePart | None = None
        # After all others, which are drawn alike with a curve encoder and without.
        if with_vision and config.curve_points:
            self.curve = CurvePart(
                config.curve_points,
                len(vocabulary.directions),
                latent_dim=latent,
                width=config.width,
                noise_shape=(len(self.sources), m),
            )

    def _columns(self, source: str) -> int:
        return 1 + self.config.n_deviations if source == ENSEMBLE else 1

    def table_latent(self, T: Tensor) -> Tensor:
        """f_t: conditions (n, p, 3) → (n, latent_dim). Gradients flow to T.

        Raises:
            InputError: T has another shape.
        """
        return self.table(T)

    def vision_latent(self, tiles: Tensor) -> Tensor:
        """f_v: tiles (n, 1, s, s), 0…1 → (n, latent_dim).

        Raises:
            InputError: tiles of another size, or a model that was loaded for its table only.
        """
        if self.vision is None:
            raise InputError("this model was loaded for tables only: load it with parts='all'")
        side = self.config.tile_px
        if tiles.ndim != 4 or tuple(tiles.shape[1:]) != (1, side, side):
            raise InputError(
                f"expected tiles of shape (n, 1, {side}, {side}), got {tuple(tiles.shape)}"
            )
        return self.vision(tiles)

    def curve_latent(self, curves: Tensor, present: Tensor) -> Tensor:
        """f_c: curves (n, d, g + 2) and whether each is there (n, d) → (n, latent_dim).

        Raises:
            InputError: another shape, or a model without a curve encoder.
        """
        return self._curve_part().encoder(curves, present)

    def merge(self, table: Tensor, vision: Tensor | None, curve: Tensor | None = None) -> Tensor:
        """f_m on latents, (n, latent_dim) each → (n, latent_dim).

        Args:
            table: of conditions.
            vision: of tiles; without, what was learnt for a missing one stands there, which only
                models with a curve encoder have.
            curve: of curves, 0 in rows without; ``None`` where there is none.

        Raises:
            InputError: the model was loaded for its table only, or has no curve encoder.
        """
        if self.joint is None:
            raise InputError("this model was loaded for tables only: load it with parts='all'")
        if vision is None:
            vision = self.stand_in(len(table))
        if curve is None:
            return self.joint(torch.cat([table, vision], dim=-1))
        hidden = self.joint[0](torch.cat([table, vision], dim=-1))
        return self.joint[1:](hidden + self._curve_part().enter(curve))

    def stand_in(self, n: int) -> Tensor:
        """Return what stands in f_m for the latents of n missing micrographs, (n, latent_dim).

        Raises:
            InputError: a model without a curve encoder.
        """
        return self._curve_part().missing.expand(n, -1)

    def heads_with_curves(
        self, T: Tensor, curves: Tensor, present: Tensor, source: str
    ) -> tuple[Tensor, Tensor]:
        """Return what a source says where curves are given: means and ln σ², (n, m) each.

        Args:
            T: conditions (n, p, 3).
            curves, present: as :meth:`curve_latent` takes them, one a row at least.
            source: whose mean head.

        Raises:
            InputError: a shape that does not fit, no such source, or no curve encoder.
        """
        part = self._curve_part()
        joint = self.merge(self.table_latent(T), None, self.curve_latent(curves, present))
        noise = part.log_noise[self.source_index(source)]
        mean = self.head_of(joint, source)[..., 0]
        return mean, noise.expand_as(mean)

    def _curve_part(self) -> CurvePart:
        if self.curve is None:
            raise InputError(
                "this model has no curve encoder: expected one with curve_points, loaded whole"
            )
        return self.curve

    def project(self, latent: Tensor) -> Tensor:
        """g: latent (n, latent_dim) → the unit sphere (n, projection_dim)."""
        return functional.normalize(self.projector(latent), dim=-1)

    def heads(self, T: Tensor, source: str | None = None) -> Tensor:
        """Return what a source says of conditions T (n, p, 3): (n, m, J).

        J is 1 + K for ``ensemble`` (mean head, then deviation heads), else 1. ``None`` asks
        ``ensemble`` where the model has it, else its first source.

        Raises:
            InputError: no such source, or T has another shape.
        """
        if source is None:
            source = ENSEMBLE if ENSEMBLE in self.sources else self.sources[0]
        return self.head_of(self.table_latent(T), source)

    def head_of(self, latent: Tensor, source: str) -> Tensor:
        """Return a source's heads (n, m, J) on table latents (n, latent_dim).

        Raises:
            InputError: no such source.
        """
        return self.property_heads[self.source_index(source)](latent)

    def source_index(self, source: str) -> int:
        """Return the place of a source among :attr:`sources`.

        Raises:
            InputError: no such source.
        """
        if source not in self.sources:
            raise InputError(f"expected one of {', '.join(self.sources)}, got source '{source}'")
        return self.sources.index(source)


class _Head(nn.Module):
    """One hidden layer from the table latent to J functions of each outcome."""

    def __init__(self, config: MatMCLConfig, n_outcomes: int, columns: int) -> None:
        super().__init__()
        self._shape = (n_outcomes, columns)
        self.enter = nn.Linear(config.latent_dim, config.width)
        self.leave = nn.Linear(config.width, n_outcomes * columns)
        with torch.no_grad():
            self.leave.weight.view(n_outcomes, columns, -1)[:, 1:] *= _DEVIATION_START

    def forward(self, latent: Tensor) -> Tensor:
        """Latent (n, l) → (n, m, J)."""
        return self.leave(functional.silu(self.enter(latent))).unflatten(-1, self._shape)
