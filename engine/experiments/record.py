"""``engine log``: what became of a run, checked against its state and what was expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from db.transaction import Transaction
from engine.errors import (
    EditedMeanwhileError,
    ImportRefusedError,
    RowProblem,
    SpinneretError,
    marked,
)
from engine.experiments.curve_results import (
    prepare_curves,
)
from engine.experiments.entries import Entry, check_flags
from engine.experiments.recorded import Recorded
from engine.experiments.recorder import Recorder
from engine.micrographs.add import PreparedMicrograph, prepare
from engine.workspace import Workspace
from engine.workspace.lookup import find_experiment


def record(
    workspace: Workspace,
    entry: Entry,
    *,
    detail: str | None = None,
    version: int | None = None,
) -> Recorded:
    """Record what became of one run, in one transaction.

    ``version``: the newest change of the run that was seen; another one since then is refused.

    Its micrographs are checked and kept; measuring them takes too long to wait for at the bench
    (``engine micrograph measure --missing``).

    Raises:
        UsageError: flags that contradict one another, unknown names.
        DataError: a value that cannot be, or a micrograph that cannot be kept.
        NotFoundError: no such experiment.
        StateError: the run's state does not allow it; the message tells what does.
        EditedMeanwhileError: somebody else changed the run since ``version``.
    """
    return record_series(workspace, [entry], detail=detail, version=version)[0]


def record_series(
    workspace: Workspace,
    entries: Sequence[Entry],
    *,
    detail: str | None = None,
    version: int | None = None,
) -> list[Recorded]:
    """Record entries of one run (replicates, say) in one transaction; see :func:`record`."""
    for entry in entries:
        check_flags(entry)
    files = [path for entry in entries for path in entry.micrographs]
    # Before the transaction: decoding a picture takes longer than others should wait to write.
    pictures = {path: prepare(workspace, path, measured=False) for path in files}
    curves = prepare_curves(workspace, entries)

    def work(tx: Transaction) -> list[Recorded]:
        recorder = _recorder(workspace, tx, pictures)
        recorder.curves = curves
        if version is not None and entries and entries[0].experiment is not None:
            _refuse_edited(tx, recorder, entries[0], version)
        return [recorder.record(entry) for entry in entries]

    return workspace.database.transact("log", work, detail=detail)


def _refuse_edited(tx: Transaction, recorder: Recorder, entry: Entry, version: int) -> None:
    word = str(entry.experiment)
    run = find_experiment(tx, recorder.campaign_record, word, is_label=entry.is_label)
    newest = tx.experiments.version(run.id)
    if newest != version:
        last = [change for change in tx.experiments.trail(run.id) if change.change_id == newest]
        author = f" by {last[0].actor}" if last else ""
        raise EditedMeanwhileError(
            f"experiment {run.name} was changed{author} since you opened it; nothing of yours was "
            "recorded. Look at it again, then record what is still missing"
        )


class _OnlyLooked(Exception):  # noqa: N818 -- no error: it takes a transaction back
    def __init__(self, recorded: list[Recorded]) -> None:
        super().__init__()
        self.recorded = recorded


def record_all(
    workspace: Workspace,
    entries: Sequence[tuple[int, Entry]],
    *,
    source: str,
    dry_run: bool = False,
) -> list[Recorded]:
    """Record the entries of a file, with their rows, in one transaction: all of them, or nothing.

    What is recorded already is left as it is, and not among what is returned.

    ``dry_run``: it is all done, told, and taken back.

    Raises:
        ImportRefusedError: an entry cannot be recorded; carries the problems of every row.
    """

    def work(tx: Transaction) -> list[Recorded]:
        problems, recorded = [], []
        recorder = _recorder(workspace, tx, {})
        for row, entry in entries:
            try:
                check_flags(entry)
                news = recorder.news_of(entry)
                if news is not None:
                    recorded.append(recorder.record(news))
            except SpinneretError as error:
                problems.append(RowProblem(row, None, entry.experiment, marked(error)))
        # Raised inside the transaction, so that the sound rows go with it.
        if problems:
            raise ImportRefusedError(source, problems)
        if dry_run:
            raise _OnlyLooked(recorded)
        return recorded

    try:
        return workspace.database.transact("log", work, detail=source)
    except _OnlyLooked as looked:
        return looked.recorded


def _recorder(
    workspace: Workspace, tx: Transaction, pictures: Mapping[Path, PreparedMicrograph]
) -> Recorder:
    campaign_record, campaign = workspace.active_campaign(tx)
    return Recorder(tx, campaign_record, campaign, pictures)


__all__ = ["Entry", "Recorded", "record", "record_all", "record_series"]
