"""``engine undo``: the last change of one's own is taken back, by further rows that say so."""

from __future__ import annotations

from dataclasses import dataclass

from db.records import CampaignRecord, ChangeRecord, Status, TouchedRecord
from db.transaction import Transaction
from engine.campaign import Campaign
from engine.errors import NotFoundError, StateError, by_voice
from engine.micrographs.correct import carry_out, prepare
from engine.micrographs.corrections import Correction
from engine.workspace import Workspace


@dataclass(frozen=True)
class Undone:
    """What was taken back: the change, and a sentence for each thing that it had recorded."""

    change: ChangeRecord
    experiments: tuple[int, ...]
    restored: tuple[str, ...]


def undo(
    workspace: Workspace, actor: str, *, is_dry_run: bool = False, change_id: int | None = None
) -> Undone:
    """Take back the newest change of the active campaign's runs that ``actor`` made.

    Results are retracted, corrections and retractions give way to what they replaced, conditions
    and statuses are what they were, and runs that the change brought are abandoned. All of it is
    new rows; what the change recorded stays where it is. Changes that were undone, and undoings,
    are passed over, so that a second call goes one further back. ``change_id``: the change that is
    meant; another one that would be undone is refused.

    Raises:
        NotFoundError: ``actor`` has changed nothing that is left to be undone.
        StateError: something else was recorded of the same since.
    """
    workspace = workspace.settled()
    with workspace.database.read() as tx:
        record, _ = workspace.active_campaign(tx)
        change = _last(tx, record, actor)
        if change_id not in (None, change.id):
            raise StateError(f"{actor} has recorded something else since change {change_id}")
        if is_dry_run:
            return _Undoing(tx, *workspace.active_campaign(tx), change).plan()
        corrected = _Undoing(tx, *workspace.active_campaign(tx), change).corrected()
    # Measured before the transaction: it takes a second a picture.
    amendments = [prepare(workspace, id_, *items) for id_, items in corrected.items()]

    def work(tx: Transaction) -> Undone:
        record, campaign = workspace.active_campaign(tx)
        if _last(tx, record, actor).id != change.id:
            raise StateError(f"{actor} has recorded something else meanwhile; run it again")
        undoing = _Undoing(tx, record, campaign, change)
        undone = undoing.plan()
        undoing.carry_out()
        for amendment in amendments:
            carry_out(tx, workspace, amendment, note=f"undo {change.id}")
        return undone

    return workspace.database.transact("undo", work, actor=actor, detail=f"change {change.id}")


def _last(tx: Transaction, record: CampaignRecord, actor: str) -> ChangeRecord:
    change = tx.experiments.last_change_of(actor, record.id, without=tx.experiments.undone(actor))
    if change is None:
        raise NotFoundError(
            f"{actor} has changed no run of '{record.name}' that is left to be undone"
        )
    return change


class _Undoing:
    """One change, and what undoes it, inside a transaction."""

    def __init__(
        self, tx: Transaction, record: CampaignRecord, campaign: Campaign, change: ChangeRecord
    ) -> None:
        self._tx, self._campaign, self._change = tx, campaign, change
        its_runs = {}
        touched = tx.experiments.touched(change.id)
        for run in tx.experiments.get_all(sorted({item.experiment_id for item in touched})):
            if run.campaign_id == record.id:
                its_runs[run.id] = run
        self._runs = its_runs
        self._touched = [item for item in touched if item.experiment_id in its_runs]

    def corrected(self) -> dict[int, tuple[list[Correction], list[int]]]:
        """Return of each picture which corrections are to count again, and which no more."""
        self._refuse_superseded()
        pictures: dict[int, tuple[list[Correction], list[int]]] = {}
        for item in self._touched:
            if item.kind != "correction":
                continue
            assert item.replicate is not None  # noqa: S101 -- its number
            record = self._tx.corrections.get(item.replicate)
            assert record is not None  # noqa: S101 -- of this change
            renewed, undone = pictures.setdefault(record.micrograph_id, ([], []))
            if item.former is None:
                undone.append(record.id)
            else:
                renewed.append(Correction.of_record(item.former))
        return pictures

    def plan(self) -> Undone:
        """Return what it does, or refuse it."""
        self._refuse_superseded()
        restored: list[str] = []
        for item in self._touched:
            restored.append(self._sentence(item))
        return Undone(self._change, tuple(self._runs), tuple(restored))

    def carry_out(self) -> None:
        """Write the rows that restore what was there."""
        restore = {
            "measurement": self._restore_value,
            "micrograph": self._restore_picture,
            "condition": self._restore_condition,
            "fact": self._restore_fact,
            "curve": self._restore_curve,
            "status": self._restore_status,
        }
        for item in self._touched:
            if item.kind != "correction":  # measured anew: see `corrected`
                restore[item.kind](item)

    def _restore_picture(self, item: TouchedRecord) -> None:
        assert item.replicate is not None  # noqa: S101 -- its number
        change = self._tx.micrographs.put_back if item.former else self._tx.micrographs.remove
        change(item.replicate, note=f"undo {self._change.id}")

    def _restore_condition(self, item: TouchedRecord) -> None:
        if item.former is None:
            self._tx.experiments.unset_actual(item.experiment_id, item.name)
        else:
            self._tx.experiments.set_actual(item.experiment_id, {item.name: item.former})

    def _restore_fact(self, item: TouchedRecord) -> None:
        self._tx.experiments.set_facts(item.experiment_id, {item.name: item.former})

    def _restore_curve(self, item: TouchedRecord) -> None:
        # Its values are measurements, each restored by itself.
        if item.former is None:
            self._tx.curves.withdraw(int(item.name.removeprefix("curve ")))
        else:
            self._tx.curves.restore(item.former)

    def _restore_status(self, item: TouchedRecord) -> None:
        run = self._runs[item.experiment_id]
        state = item.former or (Status.ABANDONED, None, run.note)
        self._tx.experiments.restore_status(item.experiment_id, *state)

    def _restore_value(self, item: TouchedRecord) -> None:
        assert item.replicate is not None  # noqa: S101 -- every measurement has one
        id_, outcome, replicate = item.experiment_id, item.name, item.replicate
        if item.former is not None:
            self._tx.measurements.correct(id_, outcome, replicate, item.former)
            return
        current = {(row.outcome, row.replicate) for row in self._runs[id_].measurements}
        # A retraction of what was a retraction already has nothing to take back.
        if (outcome, replicate) in current:
            self._tx.measurements.retract(id_, outcome, replicate)

    def _refuse_superseded(self) -> None:
        for item in self._touched:
            if item.is_current:
                continue
            raise StateError(
                f"change {self._change.id} ({self._change.action}) cannot be undone: of experiment "
                f"{self._runs[item.experiment_id].name} more was recorded since ({item.name}). "
                + by_voice(
                    f"`engine log {item.experiment_id} --retract` and `--correct` mend what is "
                    "wrong",
                    "Retract or correct what is wrong",
                )
            )

    def _sentence(self, item: TouchedRecord) -> str:
        run = f"experiment {self._runs[item.experiment_id].name}"
        if item.kind in ("micrograph", "correction"):
            if item.kind == "micrograph":
                state = f"micrograph {item.name} {'put back' if item.former else 'removed'}"
            else:
                state = f"{item.name} {'made again' if item.former else 'taken back'}"
            return f"{run}: {state}"
        if item.kind == "curve":
            if item.former is None:
                return f"{run}: {item.name} taken back"
            state = "taken back" if item.former.results is None else "as it was read before"
            return f"{run}: {item.name} {state}"
        if item.kind == "status":
            state = "abandoned" if item.former is None else str(item.former[0])
            return f"{run} is {state}" + (" again" if item.former is not None else "")
        names = {*self._campaign.outcomes, *(p.name for p in self._campaign.parameters)}
        heading = self._campaign.heading(item.name) if item.name in names else item.name
        if item.replicate is not None and item.replicate > 1:
            heading += f" (replicate {item.replicate})"
        if item.former is None:
            nouns = {"measurement": "retracted", "fact": "not known"}
            return f"{run}: {heading} {nouns.get(item.kind, 'as proposed, or not known')}"
        value = item.former if isinstance(item.former, str) else f"{item.former:g}"
        return f"{run}: {heading} = {value} again"
