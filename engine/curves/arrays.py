"""A curve's samples, and the row of the database that keeps them by the hash of their content."""

from __future__ import annotations

import numpy as np

from db.records import CurveArrayRecord
from engine.curves.reading.records import Channel, RawCurve, Specimen
from engine.curves.samples import compress, digest, expand


def pack(raw: RawCurve) -> CurveArrayRecord:
    """Return a curve's samples, those of no known quantity left out."""
    channels = [c for c in raw.channels if c.quantity not in ("other", "specimen")]
    values = np.ascontiguousarray([c.values for c in channels], dtype="<f8")
    content = values.tobytes()
    return CurveArrayRecord(
        digest([c.quantity for c in channels], content),
        values.shape[1],
        tuple({"quantity": c.quantity, "heading": c.heading, "unit": c.unit} for c in channels),
        compress(content),
    )


def unpack(
    record: CurveArrayRecord, name: str, specimen: Specimen, notes: tuple[str, ...] = ()
) -> RawCurve:
    """Return the curve whose samples a row holds.

    Raises:
        DataError: the row is damaged.
    """
    values = np.frombuffer(expand(record), dtype="<f8").reshape(-1, record.n_points)
    channels = tuple(
        Channel(c["quantity"], c["heading"], c["unit"], numbers.astype(np.float64))
        for c, numbers in zip(record.channels, values, strict=True)
    )
    return RawCurve(name, channels, specimen, notes)
