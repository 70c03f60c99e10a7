"""Files as microscopes drop them into a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from engine.workspace.settings import WatchSettings

SETTINGS = WatchSettings(settle_s=0)


def draw(path: Path, seed: int) -> Path:
    """Write a picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 255, (64, 64)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path
