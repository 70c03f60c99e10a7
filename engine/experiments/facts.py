"""Who, when, with what: the facts of a run, from any spelling to the campaign's names.

>>> from engine.campaign.facts import Fact
>>> from engine.lab.virtual import nanofibre_campaign
>>> campaign = nanofibre_campaign().model_copy(update={"facts": (Fact(name="lot"),)})
>>> read_facts(campaign, {"Lot": " A17 "}), read_facts(campaign, {"lot": ""})
({'lot': 'A17'}, {'lot': None})
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.campaign import Campaign
from engine.campaign.vocabulary import Vocabulary
from engine.errors import DataError, UsageError, field, nearest_name
from engine.experiments.importers.cells import parse_fact
from engine.experiments.importers.words import CellError

FIELD = "facts"


def split_facts(texts: Iterable[str] | None) -> dict[str, str]:
    """Split ``["lot=A17", "needle="]``; without a value a fact is taken back.

    Raises:
        UsageError: a word without ``=`` or a name, or a name twice.
    """
    facts: dict[str, str] = {}
    for word in texts or ():
        name, separator, value = (part.strip() for part in word.partition("="))
        if not separator or not name:
            raise UsageError(f"expected name=value such as lot=A17, got '{word}'", field=FIELD)
        if name in facts:
            raise UsageError(f"{name} is given twice; keep one", field=FIELD)
        facts[name] = value
    return facts


def read_facts(campaign: Campaign, pairs: Mapping[str, str | None]) -> dict[str, str | None]:
    """Read facts; ``None``, or an empty text, takes one back.

    Raises:
        UsageError: an unknown name (the nearest is told), or one given twice.
        DataError: a value that cannot be.
    """
    facts: dict[str, str | None] = {}
    for word, value in pairs.items():
        name = find_fact(campaign, word)
        if name in facts:
            raise UsageError(f"{name} is given twice; keep one", field=FIELD)
        try:
            facts[name] = parse_fact(value or "", campaign.fact(name))
        except CellError as error:
            raise DataError(f"{field(FIELD)} {word}={value}: {error}") from None
    return facts


def find_fact(campaign: Campaign, word: str) -> str:
    """Return the name of the fact that ``word`` means.

    Raises:
        UsageError: it means none.
    """
    meaning = Vocabulary(campaign, reserved={}).lookup(word)
    if meaning is not None and meaning[0] == "fact":
        return meaning[1]
    names = [fact.name for fact in campaign.facts]
    names_known = ", ".join(names) or "none in this campaign"
    raise UsageError(
        f"'{word}' is no fact of the campaign '{campaign.name}'.{nearest_name(word, names)} "
        f"Known: {names_known}",
        field=FIELD,
    )
