"""The lines that a notebook begins with, and the files that they speak of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

LINES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "fifteen_lines.py"
N_RUNS = 36
"""Then a batch of eight holds run 41."""


def lines() -> list[str]:
    """Return the lines as they stand, without what is said of them."""
    code = LINES.read_text(encoding="utf-8").partition("# fmt: off\n")[2]
    return [line for line in code.splitlines() if line]


def write_files(folder: Path) -> None:
    """Write the runs and the picture into a folder; the campaign is not there yet."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "label": [f"S{place}" for place in range(N_RUNS)],
            "flow_rate": rng.integers(4, 12, N_RUNS) * 0.05,
            "concentration": rng.integers(32, 44, N_RUNS) / 2,
            "voltage": rng.integers(32, 44, N_RUNS) / 2,
            "collector_speed": rng.integers(0, 32, N_RUNS) * 50,
            "temperature": 22.0,
            "humidity": 50.0,
        }
    )
    strength = 3 + 0.4 * (frame["voltage"] - 16) + 0.004 * frame["collector_speed"]
    frame["fracture_strength.longitudinal"] = strength.round(2)
    frame["elongation.longitudinal"] = (110 - 6 * strength).round(1)
    frame.to_csv(folder / "runs.csv", index=False)
    picture = rng.integers(0, 255, (96, 128), dtype=np.uint8)
    tifffile.imwrite(folder / "41a.tif", picture)
