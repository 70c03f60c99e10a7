"""A setting whose first specimen was lucky, logged run by run, beside one that is better."""

from __future__ import annotations

from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.workspace import Workspace

STRENGTH, ELONGATION = "fracture_strength.longitudinal", "elongation.longitudinal"
ROWS = [
    (18, 40, 30.0, 60), (18, 55, 10.0, 60), (16, 41, 20.0, 40), (16, 60, 22.0, 44),
    (18, 47, 11.0, 60),
]  # fmt: skip
"""Voltage, humidity, strength, elongation: the means are 17 at 18 kV and 21 at 16 kV."""


def record_lucky(workspace: Workspace) -> int:
    """Record the rows, runs 1 to 5, then a batch that expects 19.5 MPa at 16 kV; return its id."""
    for voltage, humidity, strength, elongation in ROWS:
        settings = {"flow_rate": 0.4, "concentration": 18, "collector_speed": 400}
        entry = Entry(
            conditions={**settings, "voltage": voltage, "humidity": humidity},
            results={STRENGTH: strength, ELONGATION: elongation},
        )
        record(workspace, entry)
    expected = [{"run": 4, "outcomes": {STRENGTH: [19.5, 15.25, 24.0]}}]
    with workspace.database.write("test") as tx:
        batch, _ = tx.batches.add(
            workspace.active_campaign(tx)[0],
            strategy="gp",
            seed=1,
            request={"expected": expected, "settings": {"level": 0.9}},
            watermark=tx.watermark(),
            versions={},
            proposals=[],
        )
        return batch.id
