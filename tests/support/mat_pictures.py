"""Pictures of mats as files, small ones of the virtual lab's microscope."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from engine.lab.physics import Microstructure
from engine.lab.render import render

NM_PER_PIXEL = 80.0


def mat(seed: int, shape: tuple[int, int] = (300, 400)) -> Image.Image:
    """Return a mat of fibres of 900 nm, at :data:`NM_PER_PIXEL`."""
    values = (900.0, 0.2, 0.1, 0.85, 0.0, 0.2)
    structure = Microstructure(*(np.asarray(v) for v in values))
    rng = np.random.default_rng(seed)
    return Image.fromarray(render(structure, rng, shape=shape, nm_per_pixel=NM_PER_PIXEL))


def png(seed: int) -> bytes:
    """Return a small one as a PNG file."""
    target = io.BytesIO()
    mat(seed, (96, 128)).save(target, format="PNG")
    return target.getvalue()


def uploads(*names: str) -> list[tuple[str, tuple[str, bytes]]]:
    """Return pictures of these names as a form's field ``file``."""
    return [("file", (name, png(seed))) for seed, name in enumerate(names)]
