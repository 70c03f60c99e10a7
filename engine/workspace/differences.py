"""What differs between two definitions of a campaign, part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from engine.campaign import Campaign

# Lists whose entries are told apart by a name: compared one by one, whatever their order.
_NAMED = {"parameters": "name", "properties": "name", "objectives": "outcome", "facts": "name"}


@dataclass(frozen=True)
class Difference:
    """One key that differs, or one part that is ``added``, ``removed`` or in another ``order``.

    ``name``: the part's (empty for what is the campaign's own); ``key``: what of it ``changed``.
    ``old`` and ``new``: as the definition has them, ``None`` where it has the default.
    """

    section: str
    kind: Literal["added", "removed", "changed", "order"]
    name: str = ""
    key: str = ""
    old: Any = None
    new: Any = None

    def __str__(self) -> str:
        """Say it in the configuration's words."""
        if self.kind == "order":
            if self.section == "exclusions":
                return "exclusions: order or spelling"
            return f"{self.section}: order {', '.join(self.old)} → {', '.join(self.new)}"
        if self.kind != "changed":
            return f"{self.section}: '{self.name}' {self.kind}"
        values = f"{_as_text(self.old)} → {_as_text(self.new)}"
        if not self.name:
            return f"{self.section}: {values}"
        # A note is words, wherever it stands.
        if self.section == "exclusions":
            return f"exclusions: '{self.name}' note: {self.old!r} → {self.new!r}"
        return f"{self.section}: '{self.name}' {self.key}: {values}"


def differences(old: Campaign, new: Campaign) -> list[str]:
    """Return what differs between two definitions, a line for each key, in the file's words."""
    return [str(difference) for difference in differences_between(old, new)]


def differences_between(old: Campaign, new: Campaign) -> list[Difference]:
    """Return what differs between two definitions, key by key."""
    all_: list[Difference] = []
    former, edited = old.definition(), new.definition()
    for key in sorted(former.keys() | edited.keys()):
        if key == "exclusions":
            if former.get(key) != edited.get(key):
                all_ += _of_exclusions(old, new)
        elif key == "failures":
            all_ += _of_items(key, *([f.model_dump() for f in c.failures] for c in (old, new)))
        elif key in _NAMED:
            all_ += _of_items(key, former.get(key, []), edited.get(key, []))
        elif former.get(key) != edited.get(key):
            all_.append(Difference(key, "changed", old=former.get(key), new=edited.get(key)))
    return all_


def _of_items(
    section: str, former: Sequence[Mapping[str, Any]], edited: Sequence[Mapping[str, Any]]
) -> list[Difference]:
    key = _NAMED.get(section, "name")
    old = {item[key]: item for item in former}
    new = {item[key]: item for item in edited}
    items = [Difference(section, "removed", name, old=old[name]) for name in old if name not in new]
    items += [Difference(section, "added", name, new=new[name]) for name in new if name not in old]
    for name in old.keys() & new.keys():
        items += [
            Difference(section, "changed", name, field, old[name].get(field), new[name].get(field))
            for field in sorted(old[name].keys() | new[name].keys())
            if old[name].get(field) != new[name].get(field)
        ]
    # The order is the tables' and forms'; beside other differences it is noise.
    if not items and list(old) != list(new):
        items.append(Difference(section, "order", old=list(old), new=list(new)))
    return sorted(items, key=str)


def _of_exclusions(old: Campaign, new: Campaign) -> list[Difference]:
    former, edited = ({str(e): e.note for e in c.exclusions} for c in (old, new))
    items = [Difference("exclusions", "removed", text) for text in former if text not in edited]
    items += [Difference("exclusions", "added", text) for text in edited if text not in former]
    items += [
        Difference("exclusions", "changed", text, "note", former[text], note)
        for text, note in edited.items()
        if former.get(text, note) != note
    ]
    return items or [Difference("exclusions", "order")]


def _as_text(value: Any) -> str:
    if value is None:
        return "default"
    return f"{value:g}" if isinstance(value, float) else repr(value)
