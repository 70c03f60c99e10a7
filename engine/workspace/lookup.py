"""An experiment by what a person calls it: its id or its label."""

from __future__ import annotations

from collections.abc import Mapping

from db.records import CampaignRecord, ExperimentRecord
from db.transaction import Transaction
from db.words import nfc, run_name
from engine.errors import NotFoundError, UsageError, by_voice, nearest_name

ID, LABEL = "id:", "label:"
"""Before a word: which of the two it is."""


def find_experiment(
    tx: Transaction, campaign: CampaignRecord, word: str | int, *, is_label: bool = False
) -> ExperimentRecord:
    """Return the experiment of that id (digits) or label (anything else) in the campaign.

    ``id:5`` and ``label:5`` say which of the two is meant, a number (not a text) is an id. Digits
    that are the id of one run and the label of another are refused.

    Raises:
        NotFoundError: there is none; the message names what comes near.
        UsageError: the word could mean two runs; the message names both.
    """
    if isinstance(word, int):
        return _by_id(tx, campaign, word)
    if is_label:
        return _by_label(tx, campaign, word)
    if word.casefold().startswith(LABEL):
        return _by_label(tx, campaign, word[len(LABEL) :].strip())
    if word.casefold().startswith(ID):
        number = word[len(ID) :].strip()
        if not is_number(number):
            raise NotFoundError(f"there is no experiment {number}; an id is a number")
        return _by_id(tx, campaign, int(number))
    if not is_number(word):
        return _by_label(tx, campaign, word)
    namesakes = named(word, tx.experiments.labelled_as(campaign.id, _spellings(word)))
    try:
        run = _by_id(tx, campaign, int(word))
    except NotFoundError as error:
        if not namesakes:
            raise
        label, id_ = next(iter(namesakes.items()))
        raise NotFoundError(
            f"there is no experiment {word}. For experiment {run_name(id_, label)} write "
            f"{LABEL}{label}"
        ) from error
    rivals = {label: id_ for label, id_ in namesakes.items() if id_ != run.id}
    if rivals:
        raise UsageError(two_meanings(word, run, rivals))
    return run


def names_a_run(word: str) -> bool:
    """Whether a word says of itself that it is a run's id or label.

    >>> names_a_run("label:a=b"), names_a_run("a=b")
    (True, False)
    """
    return word.casefold().startswith((ID, LABEL))


def named(word: str, labels: Mapping[str, int]) -> dict[str, int]:
    """Return the labels that a word means, with their runs' ids.

    Compared in Unicode's normal form; digits also mean a label that is the same number, where none
    is spelt like them (``5`` and ``005``).

    >>> named("5", {"005": 1, "a": 2}), named("5", {"5": 3, "005": 1})
    ({'005': 1}, {'5': 3})
    """
    if word in labels:
        return {word: labels[word]}
    word = nfc(word)
    spelt = {label: id_ for label, id_ in labels.items() if nfc(label) == word}
    if spelt or not is_number(word):
        return spelt
    return {
        label: id_ for label, id_ in labels.items() if is_number(label) and int(label) == int(word)
    }


def _spellings(number: str) -> set[str]:
    """Return a number as labels write it, with zeros before it or without."""
    bare = number.lstrip("0") or "0"
    return {number, *(bare.zfill(width) for width in range(1, 13))}


def is_number(word: str) -> bool:
    """Whether a word is nothing but digits, as an id is."""
    # `isdigit` holds for "²" as well, which `int` refuses; and for thousands of digits `int` takes
    # long and then refuses.
    return word.isascii() and word.isdigit() and len(word) <= 400


def two_meanings(word: str, run: ExperimentRecord, rivals: Mapping[str, int]) -> str:
    """Say which runs a word could mean, and how to tell them apart."""
    label, id_ = next(iter(rivals.items()))
    return (
        f"'{word}' could mean experiment {run.name} or experiment {run_name(id_, label)}: write "
        f"{ID}{run.id} or {LABEL}{label}"
    )


def _by_id(tx: Transaction, campaign: CampaignRecord, id_: int) -> ExperimentRecord:
    # Larger is no id: SQLite's driver raises OverflowError, PostgreSQL an error that ends the
    # transaction.
    run = tx.experiments.get(id_) if id_ < 2**63 else None
    if run is not None and run.campaign_id == campaign.id:
        return run
    if run is not None:
        owner = tx.campaigns.by_id(run.campaign_id)
        raise NotFoundError(
            f"experiment {id_} belongs to the campaign '{owner.name if owner else '?'}', "
            f"not to '{campaign.name}'; "
            + by_voice("switch with `engine campaign use`", "switch to that campaign first")
        )
    pointer = by_voice(" `engine status` lists them", "")
    raise NotFoundError(f"there is no experiment {id_}.{pointer}")


def _by_label(tx: Transaction, campaign: CampaignRecord, word: str) -> ExperimentRecord:
    id_ = tx.experiments.labelled(campaign.id, word)
    if id_ is None:
        labels = tx.experiments.labels(campaign.id)
        namesakes = named(word, labels)
        if len(namesakes) > 1:
            listed = " or ".join(
                f"experiment {run_name(id_, label)}" for label, id_ in namesakes.items()
            )
            raise UsageError(
                f"'{word}' could mean {listed}: write one of these labels, or a number"
            )
        if not namesakes:
            raise NotFoundError(
                f"no experiment is labelled '{word}'.{nearest_name(word, labels)}"
                + by_voice(" `engine status` lists the ids", "")
            )
        (id_,) = namesakes.values()
    run = tx.experiments.get(id_)
    assert run is not None  # noqa: S101 -- its label was read in this transaction
    return run
