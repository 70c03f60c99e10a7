from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import engine

CONFIG = """
[propose]
mc_samples = 8
raw_samples = 16
restarts = 1
strategy = "gp"

[campaign]
name = "glue"

[[campaign.parameters]]
name = "heat"
unit = "°C"
low = 20
high = 80
step = 5

[[campaign.parameters]]
name = "resin"
choices = ["A", "B"]

[[campaign.parameters]]
name = "humidity"
unit = "%"
role = "ambient"
low = 0
high = 100

[[campaign.properties]]
name = "strength"
unit = "MPa"
minimum = 0

[[campaign.properties]]
name = "stretch"
unit = "%"

[[campaign.objectives]]
outcome = "strength"
threshold = 1

[[campaign.objectives]]
outcome = "stretch"
threshold = 2
"""


@pytest.fixture
def lab(tmp_path: Path) -> engine.Lab:
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    return engine.create(tmp_path)


@pytest.fixture
def runs() -> pd.DataFrame:
    heats = [20, 30, 45, 50, 60, 70, 75, 80]
    return pd.DataFrame(
        {
            "label": [f"m{place}" for place in range(8)],
            "heat": heats,
            "resin": ["A", "B"] * 4,
            "humidity": [40.0, 45.0, None, 50.0, 41.0, 42.0, 43.0, 44.0],
            "strength [MPa]": [2 + 0.1 * heat for heat in heats],
            "stretch": [12 - 0.1 * heat for heat in heats],
        }
    )
