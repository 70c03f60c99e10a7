"""What of an outcome a column holds: ``strength_1``, ``strength_sd``, ``n``, ``mean strength``.

A mean with its scatter and the number of its specimens, or each specimen in a column of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.campaign.vocabulary import Vocabulary, conversion_of, loosely, split_heading

Part = Literal["value", "sd", "sem", "n"]

_PART_WORDS: dict[str, Part] = {
    **dict.fromkeys(
        ("sd", "s d", "std", "std dev", "stdev", "st dev", "stddev", "standard deviation", "stabw",
         "standardabweichung", "écart type", "±", "+/", "+/-", "sigma", "variation", "deviation"),
        "sd",
    ),
    **dict.fromkeys(
        ("sem", "s e m", "se", "std err", "std error", "standard error", "stderr"), "sem"
    ),
    **dict.fromkeys(
        ("n", "count", "specimens", "n specimens", "number of specimens", "replicates",
         "n replicates", "number of replicates", "samples", "n samples", "number of samples"),
        "n",
    ),
    **dict.fromkeys(("mean", "avg", "average", "mittelwert", "moyenne"), "value"),
}  # fmt: skip
# "strength_1", "strength rep 2", "strength #3", "strength s4".
_NUMBERED = re.compile(
    r"(?P<stem>.*?[^\W\d].*?)[\s_.\-]*"
    r"(?:#|(?<![^\W_])(?:rep|replicate|specimen|sample|probe|test|no|nr|r|s)[\s_.\-]*)?"
    r"(?P<number>[1-9][0-9]?)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Facet:
    """One column: of which outcome (``""``: of all), what, and in which unit it says that it is."""

    outcome: str
    part: Part
    unit: str | None = None
    replicate: int | None = None


def facets_of(headings: Sequence[str], vocabulary: Vocabulary) -> dict[int, Facet]:
    """Return, by their place, the columns that hold a part of an outcome.

    Only headings that are no names themselves. A bare ``SD`` or ``±`` is of the outcome before it;
    a bare ``n`` counts where anything scatters. A single ``strength_1`` is no series.
    """
    facets: dict[int, Facet] = {}
    neighbour = None
    for place, heading in enumerate(headings):
        meaning, unit = vocabulary.meaning(heading)
        if meaning is not None and unit is not None and loosely(unit) in _PART_WORDS:
            # "strength (SD)"; but "force (N)" states newtons.
            is_unit = conversion_of(unit, vocabulary.unit_of(*meaning)) is not None
            meaning = meaning if is_unit else None
        if meaning is not None or not heading.strip():
            neighbour = meaning[1] if meaning is not None and meaning[0] == "outcome" else None
            continue
        # A forecast without its interval may not pass for a result.
        is_forecast = heading.rpartition(".")[0] in vocabulary.campaign.outcomes
        facet = None if is_forecast else _facet(heading, vocabulary, neighbour)
        if facet is not None:
            facets[place] = facet
            neighbour = facet.outcome or neighbour
        else:
            neighbour = None
    series: dict[str, list[int]] = {}
    for place, facet in facets.items():
        if facet.replicate is not None:
            series.setdefault(facet.outcome, []).append(place)
    for places in series.values():
        if len({facets[place].replicate for place in places}) < 2:
            for place in places:
                del facets[place]
    if not any(facet.part in ("sd", "sem") for facet in facets.values()):
        facets = {place: f for place, f in facets.items() if f.outcome or f.part != "n"}
    return facets


def _facet(heading: str, vocabulary: Vocabulary, neighbour: str | None) -> Facet | None:
    name, unit = split_heading(heading)
    word = loosely(name)
    if word in _PART_WORDS and (bare := _PART_WORDS[word]) != "value":
        return (
            Facet("", "n") if bare == "n" else (neighbour and Facet(neighbour, bare, unit)) or None
        )
    # "strength (SD)", "strength [mean]".
    candidates = [(name, unit)]
    if unit is not None and loosely(unit) in _PART_WORDS:
        candidates = [(f"{name} {unit}", None)]
    # "strength [MPa] 1", "strength (MPa) SD".
    tail = re.fullmatch(r"(.*?)\s*[\[(]([^\[\]()]*)[\])]\s*_?\s*(\S.*)", heading.strip())
    if tail is not None:
        candidates.append((f"{tail[1]} {tail[3]}", tail[2]))
    for text, stated in candidates:
        facet = _worded(text, stated, vocabulary) or _numbered(text, stated, vocabulary)
        if facet is not None:
            return facet
    return None


def _worded(text: str, unit: str | None, vocabulary: Vocabulary) -> Facet | None:
    plain = loosely(text)
    for phrase, part in _PART_WORDS.items():
        for stem in (
            plain.removesuffix(f" {phrase}"),
            plain.removeprefix(f"{phrase} ").removeprefix("of "),
            # "fiber_diameter_variation_nm"
            *((plain.replace(f" {phrase} ", " ", 1),) if f" {phrase} " in plain else ()),
        ):
            if stem == plain:
                continue
            meaning, own_unit = vocabulary.meaning(stem)
            if meaning is None or meaning[0] != "outcome":
                continue
            stated = unit if unit is not None else own_unit
            expected = vocabulary.unit_of(*meaning)
            if phrase in ("variation", "deviation"):
                # Without the outcome's unit it may be per cent of it.
                last_word = stated or plain.rpartition(" ")[2]
                if not expected or conversion_of(last_word, expected) is None:
                    continue
            return Facet(meaning[1], part, stated)
    return None


def _numbered(text: str, unit: str | None, vocabulary: Vocabulary) -> Facet | None:
    match = _NUMBERED.fullmatch(text.strip())
    if match is None:
        return None
    meaning, own_unit = vocabulary.meaning(match["stem"].rstrip("_ .-#"))
    if meaning is None or meaning[0] != "outcome":
        return None
    return Facet(meaning[1], "value", unit if unit is not None else own_unit, int(match["number"]))


def numbered_stem(heading: str) -> str | None:
    """Return what a heading with a number at its end is a number of, its unit behind it.

    >>> numbered_stem("strength_2"), numbered_stem("Strength [MPa] 3"), numbered_stem("strength")
    ('strength', 'Strength [MPa]', None)
    """
    name, unit = split_heading(heading)
    tail = re.fullmatch(r"(.*?)\s*[\[(]([^\[\]()]*)[\])]\s*_?\s*(\S.*)", heading.strip())
    if tail is not None:
        name, unit = f"{tail[1]} {tail[3]}", tail[2]
    match = _NUMBERED.fullmatch(name.strip())
    if match is None:
        return None
    stem = match["stem"].rstrip("_ .-#")
    return stem if unit is None else f"{stem} [{unit}]"
