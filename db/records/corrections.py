"""What a person corrected on a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class CorrectionKind(StrEnum):
    """What a correction does; places are pixels of the file's picture, from its upper left corner.

    ``exclude``: the box between two corners counts no more. ``scale``: the two ends of a length
    that is stated. ``delete``: a place on a fibre that is none. ``add``: the two outlines of a
    fibre, across it.
    """

    EXCLUDE = "exclude"
    SCALE = "scale"
    DELETE = "delete"
    ADD = "add"


@dataclass(frozen=True)
class CorrectionRecord:
    """One correction of a picture; with ``undoes_id`` it takes that earlier one back.

    ``former``: ``nm_per_pixel``, ``nm_per_pixel_source`` and ``statistics`` as they were before.
    """

    id: int
    change_id: int
    experiment_id: int
    micrograph_id: int
    kind: CorrectionKind
    x: float
    y: float
    x_to: float | None
    y_to: float | None
    length_nm: float | None
    note: str | None
    undoes_id: int | None
    former: Mapping[str, Any]
    recorded_at: datetime
    recorded_by: str
