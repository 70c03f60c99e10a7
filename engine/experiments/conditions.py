"""Conditions as somebody asks about them: words such as ``voltage=18`` → the campaign's names.

Nothing heavy is imported here: words are checked before any model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engine.campaign import Campaign, Value
from engine.campaign.vocabulary import Vocabulary
from engine.errors import UsageError, nearest_name
from engine.experiments.importers.cells import CellError, parse_condition


def read_words(
    campaign: Campaign, pairs: Mapping[str, str], option: str, *, only_ambient: bool = False
) -> dict[str, Value]:
    """Read ``{"voltage": "18"}`` as conditions; names may be spelt as headings of a file are.

    Args:
        campaign: whose parameters.
        pairs: what stood left and right of each ``=``.
        option: how messages call the option.
        only_ambient: refuse what the machine sets.

    Raises:
        UsageError: an unknown name (the nearest is told), one given twice, text instead of a
            number, or a value that cannot exist.
    """
    vocabulary = Vocabulary(campaign, reserved={})
    allowed = campaign.ambient if only_ambient else campaign.parameters
    known = [parameter.name for parameter in allowed]
    found: dict[str, Value] = {}
    for word, text in pairs.items():
        asked = f"{option} {word}={text}"
        meaning = vocabulary.lookup(word)
        if meaning is None or meaning[0] != "parameter" or meaning[1] not in known:
            raise UsageError(f"{asked}: {_not_known(campaign, word, meaning, known)}")
        name = meaning[1]
        if name in found:
            raise UsageError(f"{asked}: {name} is given twice; keep one")
        try:
            found[name] = parse_condition(text, campaign.parameter(name))
        except CellError as error:
            raise UsageError(f"{asked}: {error}") from None
    return found


def _not_known(
    campaign: Campaign, word: str, meaning: tuple[str, str] | None, known: Sequence[str]
) -> str:
    if meaning is not None and meaning[0] == "parameter":
        return f"'{meaning[1]}' is set on the machine, not given by the room; use --set"
    if meaning is not None:
        return f"'{meaning[1]}' is measured, not a condition. Known: {', '.join(known)}"
    aliases = {
        alias: parameter.name for parameter in campaign.parameters for alias in parameter.aliases
    }
    hint = nearest_name(word, known)
    if not hint and nearest_name(word, aliases):
        hint = nearest_name(word, aliases)
    listed = ", ".join(known) or "none in this campaign"
    return f"'{word}' is no parameter of the campaign '{campaign.name}'.{hint} Known: {listed}"


def require_controlled(campaign: Campaign, conditions: Mapping[str, Value], option: str) -> None:
    """Refuse conditions that leave out what the machine must be set to.

    Raises:
        UsageError: names what is missing.
    """
    missing = [p for p in campaign.controlled if p.name not in conditions]
    if missing:
        headings = ", ".join(campaign.heading(p.name) for p in missing)
        raise UsageError(
            f"expected a value of every parameter that is set on the machine; missing: {headings}. "
            f"Add {option} {missing[0].name}=VALUE"
        )


def outside_of(campaign: Campaign, conditions: Mapping[str, Value]) -> list[str]:
    """Say in which way conditions lie outside what is searched; an empty list if they do not."""
    told = []
    for parameter in campaign.parameters:
        value = conditions.get(parameter.name)
        if value is None or isinstance(value, str) or parameter.is_categorical:
            continue
        low, high = parameter.bounds
        if not low <= value <= high:
            told.append(
                f"{campaign.heading(parameter.name)} = {value:g} lies outside the range searched, "
                f"{low:g} … {high:g}"
            )
    told += [f"{rule} is not met" for rule in campaign.broken_by(conditions)]
    return told


def combined(
    controlled: Mapping[str, Value], room: Mapping[str, Value], names: Iterable[str] = ("--set",)
) -> dict[str, Value]:
    """Put stated room values beside conditions.

    Raises:
        UsageError: a value of the room is stated in both.
    """
    twice = sorted(set(controlled) & set(room))
    if twice:
        both = " and ".join((*names, "--at"))
        raise UsageError(f"{both}: {', '.join(twice)} is stated in both; keep one")
    return {**controlled, **room}
