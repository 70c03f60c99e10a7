"""``engine micrograph correct``: recorded with who and when, measured anew in one transaction.

The file and what was first measured are kept; each correction counts until it is taken back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from db.records import CorrectionKind, CorrectionRecord, MicrographRecord
from db.transaction import Transaction
from engine.errors import NotFoundError, StateError, UsageError
from engine.micrographs.corrections import (
    Correction,
    check_inside,
    counts_in_words,
    refuse_unseen,
)
from engine.micrographs.lookup import find_micrograph
from engine.micrographs.overlay import open_kept, with_reading
from engine.workspace import Workspace


@dataclass(frozen=True)
class Amendment:
    """A picture measured with further corrections, or fewer: what is yet to be recorded.

    Attributes:
        recorded: the picture as it was recorded.
        current: the corrections that counted.
        corrected: the picture with what is measured now.
        new: corrections to record.
        undone: numbers of corrections to take back.
        former: the reading that is kept beside each of them.
    """

    recorded: MicrographRecord
    current: tuple[CorrectionRecord, ...]
    corrected: MicrographRecord
    new: tuple[Correction, ...]
    undone: tuple[int, ...]
    former: dict[str, Any]


@dataclass(frozen=True)
class CorrectedPicture:
    """A picture, the corrections of it that count, and what was measured before any of them."""

    picture: MicrographRecord
    current: tuple[CorrectionRecord, ...]
    first_statistics: Mapping[str, Any] | None


def corrected_picture(workspace: Workspace, id_: int) -> CorrectedPicture:
    """Return a picture as it is corrected.

    Raises:
        NotFoundError: there is no such picture.
    """
    with workspace.database.read() as tx:
        picture = find_micrograph(tx, workspace, id_)
        first = next(iter(tx.corrections.all_of(id_)), None)
        statistics = picture.statistics if first is None else first.former.get("statistics")
        return CorrectedPicture(picture, tuple(tx.corrections.current(id_)), statistics)


def correct(
    workspace: Workspace,
    id_: int,
    new: Sequence[Correction] = (),
    *,
    undone: Collection[int] = (),
    note: str | None = None,
) -> MicrographRecord:
    """Record corrections of a picture, or take some back, with what is measured in their light.

    A further scale replaces the one before.

    Raises:
        UsageError: nothing to record, places outside the picture, two scales at once.
        NotFoundError: no such picture, or no such correction of it.
        DataError: a fibre to delete that is none, or a damaged file.
        StateError: somebody else corrected it meanwhile.
    """
    workspace = workspace.settled()
    amendment = prepare(workspace, id_, new, undone)
    run = amendment.recorded.experiment_id
    phrases = (counts_in_words([item.as_json() for item in new]), _phrase_of_undone(undone))
    detail = f"experiment {run}: micrograph {id_}, {', '.join(filter(None, phrases))}"
    with workspace.database.write("micrograph correct", detail=detail) as tx:
        carry_out(tx, workspace, amendment, note=note)
    return amendment.corrected


def _phrase_of_undone(undone: Collection[int]) -> str:
    return f"{', '.join(map(str, undone))} taken back" if undone else ""


def prepare(
    workspace: Workspace, id_: int, new: Sequence[Correction], undone: Collection[int] = ()
) -> Amendment:
    """Measure a picture as it is to be corrected; nothing is recorded.

    Raises:
        UsageError: as of :func:`correct`, like the others.
        NotFoundError: see there.
        DataError: see there.
    """
    with workspace.database.read() as tx:
        record = find_micrograph(tx, workspace, id_)
        current = tx.corrections.current(id_)
    _check(record, new, undone, current)
    scales = [item for item in new if item.kind is CorrectionKind.SCALE]
    dropped = set(undone)
    if scales:
        dropped |= {item.id for item in current if item.kind is CorrectionKind.SCALE}
    remaining = [item for item in current if item.id not in dropped]
    measured_as = _with_scale(record, scales, current, remaining)
    picture = open_kept(workspace, measured_as, corrections=[])
    if any(item.kind is CorrectionKind.DELETE for item in new):
        uncorrected = picture.measure()
        for item in new:
            refuse_unseen(uncorrected, item, picture.crop)
    corrected = replace(picture, corrections=(*map(Correction.of_record, remaining), *new))
    return Amendment(
        record,
        tuple(current),
        with_reading(record, corrected),
        tuple(new),
        tuple(sorted(dropped)),
        _reading(record, _base_scale(record, current)),
    )


def carry_out(
    tx: Transaction, workspace: Workspace, amendment: Amendment, *, note: str | None = None
) -> None:
    """Record what was prepared.

    Raises:
        StateError: the picture was measured or corrected anew meanwhile.
    """
    record = find_micrograph(tx, workspace, amendment.recorded.id)
    current = tuple(tx.corrections.current(record.id))
    if record != amendment.recorded or current != amendment.current:
        raise StateError(
            f"micrograph {record.id} was measured or corrected by somebody else meanwhile; look at "
            "it again"
        )
    for id_ in amendment.undone:
        tx.corrections.take_back(id_, former=amendment.former, note=note)
    for item in amendment.new:
        tx.corrections.add(record.id, **item.fields(), former=amendment.former, note=note)
    tx.micrographs.set_measured(amendment.corrected)


def _check(
    record: MicrographRecord,
    new: Sequence[Correction],
    undone: Collection[int],
    current: Sequence[CorrectionRecord],
) -> None:
    if not new and not undone:
        raise UsageError("expected a correction, or one to take back; got neither")
    for item in new:
        check_inside(item, record.width_px, record.height_px)
    if sum(item.kind is CorrectionKind.SCALE for item in new) > 1:
        raise UsageError("expected one scale, got several: a picture has one", field="scale")
    numbers = {item.id for item in current}
    for id_ in undone:
        if id_ not in numbers:
            listed = ", ".join(map(str, sorted(numbers))) or "none"
            raise NotFoundError(
                f"there is no correction {id_} of micrograph {record.id} to take back; those that "
                f"count: {listed}"
            )


def _base_scale(
    record: MicrographRecord, current: Sequence[CorrectionRecord]
) -> tuple[float | None, str | None]:
    """Return the pixel size and its source as they are without a scale set by hand."""
    for item in current:
        if item.kind is CorrectionKind.SCALE:
            return item.former.get("nm_per_pixel"), item.former.get("nm_per_pixel_source")
    return record.nm_per_pixel, record.nm_per_pixel_source


def _with_scale(
    record: MicrographRecord,
    scales: Sequence[Correction],
    current: Sequence[CorrectionRecord],
    remaining: Sequence[CorrectionRecord],
) -> MicrographRecord:
    """Return the picture with the pixel size that its corrections leave."""
    for item in scales:
        assert item.length_nm is not None  # noqa: S101 -- checked where it was made
        source = f"marked by hand: {item.distance_px:.4g} px are {item.length}"
        size = item.length_nm / item.distance_px
        return replace(record, nm_per_pixel=size, nm_per_pixel_source=source)
    if any(item.kind is CorrectionKind.SCALE for item in remaining):
        return record
    size_before, source_before = _base_scale(record, current)
    return replace(record, nm_per_pixel=size_before, nm_per_pixel_source=source_before)


def _reading(record: MicrographRecord, scale: tuple[float | None, str | None]) -> dict[str, Any]:
    return {
        "nm_per_pixel": scale[0],
        "nm_per_pixel_source": scale[1],
        "statistics": None if record.statistics is None else dict(record.statistics),
    }
