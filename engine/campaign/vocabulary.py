"""What a campaign's names may be called: ``voltage``, ``v`` (an alias), ``Voltage (kV)``, …

Headings of files, and ``name=value`` wherever somebody gives one, are looked up here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from difflib import get_close_matches
from typing import Literal, Self

from engine.campaign.definition import Campaign
from engine.campaign.units import UnitError, conversion

Kind = Literal[
    "parameter",
    "outcome",
    "fact",
    "label",
    "experiment",
    "status",
    "failed",
    "success",
    "note",
    "replicate",
    "scatter",
    "specimens",
]

RESERVED: dict[str, Kind] = {
    "id": "label",
    "label": "label",
    "name": "label",
    "sample": "label",
    "sample id": "label",
    "experiment": "experiment",
    "status": "status",
    "failed": "failed",
    "failure": "failed",
    "success": "success",
    "successful": "success",
    "formation stable": "success",
    "was formation stable": "success",
    "note": "note",
    "notes": "note",
    "comment": "note",
    "replicate": "replicate",
}
"""Headings that mean the same in every campaign; where it has a name spelt so: ``run note``."""

_WITH_UNIT = re.compile(r"^(?P<name>.*?)\s*(?:\[(?P<square>[^\[\]]*)\]|\((?P<round>[^()]*)\))$")
_AFTER_MARK = re.compile(r"(?P<name>[^/:]*?)(?:\s*[/:]\s*|\s+in\s+)(?P<unit>\S.*)")
_NO_UNIT = ("-", "–", "—")
_UNITS = {"degC": "°C", "C": "°C", "deg": "°", "percent": "%", "%RH": "%"}


class Vocabulary:
    """Everything a heading may say in one campaign."""

    def __init__(self, campaign: Campaign, reserved: dict[str, Kind] | None = None) -> None:
        self.campaign = campaign
        self._exact: dict[str, tuple[Kind, str]] = {}
        self._loose: dict[str, set[tuple[Kind, str]]] = {}
        self._undirected: dict[str, tuple[str, ...]] = {}
        self._synonyms: dict[str, tuple[Kind, str]] = {}
        for parameter in campaign.parameters:
            for word in (parameter.name, *parameter.aliases):
                self._add(word, "parameter", parameter.name)
        for prop in campaign.properties:
            for word in (prop.name, *prop.aliases):
                for outcome in prop.outcomes:
                    self._add(word + outcome.removeprefix(prop.name), "outcome", outcome)
                if prop.directions:
                    self._undirected[loosely(word)] = prop.outcomes
        settings_and_results = frozenset(self._loose)
        for fact in campaign.facts:
            for word in (fact.name, *([fact.label] if fact.label else []), *fact.aliases):
                # What is set or measured is never mistaken for what is told beside it.
                if loosely(word) not in settings_and_results:
                    self._add(word, "fact", fact.name)
        self._named = frozenset(self._loose)
        for word, kind in (RESERVED if reserved is None else reserved).items():
            # A synonym that the campaign needs for itself is given up, the word itself is moved.
            if word == kind or word not in self._named:
                self._add(self.unclaimed(word), kind, kind)

    def unclaimed(self, word: str) -> str:
        """Return how a heading of every campaign is spelt where the campaign's own names may clash.

        >>> from engine.campaign import Campaign, Parameter, Property
        >>> campaign = Campaign(
        ...     name="inks",
        ...     parameters=[Parameter(name="Note", low=0, high=1)],
        ...     properties=[Property(name="cost")],
        ...     objectives=[{"outcome": "cost", "goal": "minimize", "threshold": 9}],
        ... )
        >>> words = Vocabulary(campaign)
        >>> words.unclaimed("label"), words.unclaimed("note"), words.meaning("run note")
        ('label', 'run note', (('note', 'note'), None))
        """
        while loosely(word) in self._named:
            word = f"run {word}"
        return word

    def _add(self, word: str, kind: Kind, name: str) -> None:
        self._exact.setdefault(word.strip(), (kind, name))
        self._loose.setdefault(loosely(word), set()).add((kind, name))

    def learn(self, heading: str, name: str) -> None:
        """Take ``heading`` for ``name``, for one file: as an alias of the campaign would.

        Raises:
            KeyError: the campaign has no such name.
        """
        meaning = self.lookup(name)
        if meaning is None:
            raise KeyError(name)
        self._exact[heading.strip()] = meaning

    def with_synonyms(
        self, synonyms: Mapping[str, tuple[Kind, str]], undirected: Mapping[str, tuple[str, ...]]
    ) -> Self:
        """Return a vocabulary that knows further words, where they mean nothing else to it.

        ``undirected``: words of properties with directions, and the outcomes of each.
        """
        vocabulary = copy(self)
        vocabulary._synonyms = {**self._synonyms, **synonyms}
        vocabulary._undirected = {**undirected, **self._undirected}
        return vocabulary

    def lookup(self, word: str) -> tuple[Kind, str] | None:
        """Return what ``word`` means: spelt exactly, or but for case, blanks and underscores."""
        if word in self._exact:
            return self._exact[word]
        for spelling in (loosely(word), _without_brackets(word)):
            meanings = self._loose.get(spelling, set())
            if len(meanings) == 1:
                return next(iter(meanings))
            if not meanings and spelling in self._synonyms:
                return self._synonyms[spelling]
        return None

    def meaning(self, heading: str) -> tuple[tuple[Kind, str] | None, str | None]:
        """Return what a heading means, and the unit that it states: ``c (%)``, ``U / kV``.

        ``[-]`` states that there is none: of what is kept in per cent that is the share of one.
        """
        heading = _plainly(heading)
        name, unit = split_heading(heading)
        if unit in _NO_UNIT and (bare := self.lookup(name)) is not None:
            return bare, unit if self.unit_of(*bare) else None
        entire = self.lookup(heading)
        if entire is not None:
            return entire, None
        if unit is not None and (bare := self.lookup(name)) is not None:
            return bare, unit
        if unit is not None:
            return None, unit
        # ``voltage_kv``, ``flow rate mL/min``, ``U / kV``: only what can become the unit kept.
        for stem, tail in _unit_behind(heading):
            stem_meaning = self.lookup(stem)
            if stem_meaning is None:
                continue
            if conversion_of(tail, self.unit_of(*stem_meaning)) is not None:
                return stem_meaning, tail
        return None, None

    def undirected(self, word: str) -> tuple[str, ...]:
        """Return the outcomes that ``word`` could mean, where it leaves the direction out."""
        return self._undirected.get(loosely(word), ())

    def near(self, word: str, assigned: Iterable[str]) -> str | None:
        """Return the name not yet ``taken`` that ``word`` nearly spells, or ``None``."""
        skip, word = set(assigned), loosely(word)
        if len(word) < 4:
            return None
        open_words = {
            spelling: sorted(meanings)[0][1]
            for spelling, meanings in self._loose.items()
            if len(spelling) >= 4 and not {name for _, name in meanings} & skip
        }
        for spelling, name in open_words.items():
            if spelling.startswith(word) or word.startswith(spelling + " "):
                return name
        matches = get_close_matches(word, open_words, n=1, cutoff=0.8)
        return open_words[matches[0]] if matches else None

    def unit_of(self, kind: Kind, name: str) -> str | None:
        """Return the unit a heading of this meaning may state (``None``: none is kept)."""
        has_unit = kind in ("parameter", "outcome", "scatter", "fact")
        return self.campaign.unit_of(name) if has_unit else None


def split_heading(heading: str) -> tuple[str, str | None]:
    """Return a heading's name and the unit in its brackets: ``Voltage (kV)``, ``v [kV]``."""
    match = _WITH_UNIT.match(heading)
    if match is None:
        return heading, None
    unit = match["square"] if match["square"] is not None else match["round"]
    return match["name"].strip(), unit


def same_unit(unit: str, expected: str | None) -> bool:
    """Whether two units are the same: ``ml/hr`` and ``mL/h`` are, ``mm`` and ``Mm`` are not."""
    return conversion_of(unit, expected) == (1.0, 0.0)


def conversion_of(unit: str, expected: str | None) -> tuple[float, float] | None:
    """Return factor and offset from a stated unit to the campaign's; ``None`` if there is none."""
    if _unit(unit) == _unit(expected or ""):
        return 1.0, 0.0
    if not unit.strip() or not expected:
        return None
    if unit.strip() in _NO_UNIT and expected.strip().endswith("%") and "/" not in expected:
        return 100.0, 0.0
    try:
        return conversion(unit, expected)
    except UnitError:
        return None


def unit_problem(name: str, unit: str, expected: str | None) -> str:
    """Say that a stated unit is not the campaign's: ``voltage is in kV in this campaign, …``."""
    if not expected:
        return f"states the unit {unit}, but {name} has no unit in this campaign; leave it out"
    return f"{name} is in {expected} in this campaign, got {unit}; convert the values"


def _unit(unit: str) -> str:
    text = unicodedata.normalize("NFKC", re.sub(r"\s+", "", unit))
    text = _UNITS.get(text, text)
    return re.sub(r"(?<![A-Za-z])([mµμkcd]?)l(?![A-Za-z])", r"\1L", text)


def _unit_behind(heading: str) -> Iterator[tuple[str, str]]:
    """Yield name and unit as a heading without brackets may hold them."""
    after = _AFTER_MARK.fullmatch(heading.strip())
    if after is not None:
        yield after["name"], after["unit"]
    for separator in ("_", " "):
        stem, mark, tail = heading.strip().rpartition(separator)
        if mark and tail:
            yield stem, tail


def _plainly(heading: str) -> str:
    """Return a heading without marks that nobody sees, its brackets as of a Western keyboard."""
    seen = "".join(mark for mark in heading if unicodedata.category(mark) != "Cf")
    return seen.translate(str.maketrans("（）［］", "()[]"))


def _without_brackets(word: str) -> str:
    """Return ``strength longitudinal`` for ``strength (longitudinal)`` and for one with a comma."""
    return loosely(re.sub(r"[()\[\],]", " ", word))


def loosely(word: str) -> str:
    """Return ``word`` without the differences that spelling makes: case, ``_``, ``-``, ``.``."""
    return re.sub(r"[\s_.\-]+", " ", unicodedata.normalize("NFKC", word).casefold()).strip()
