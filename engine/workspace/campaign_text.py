"""A campaign as text: ``[campaign]`` of a config.toml, read, written, edited with its comments."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.campaign import Campaign
from engine.campaign.failures import SPINNING, plain
from engine.errors import ConfigError
from engine.workspace.settings import parse_campaign

MOST_LETTERS = 200_000
"""Of a definition that is typed: more than a thousand parameters take."""

_HEADER = re.compile(r"\s*\[{1,2}\s*(?:\"(?P<quoted>[^\"]+)\"|(?P<plain>[A-Za-z0-9_-]+))[^\]]*\]")
_NAMED = {"parameters": "name", "properties": "name", "objectives": "outcome", "facts": "name"}


def read_text(text: str, source: str = "the text") -> Campaign:
    """Read a campaign from TOML: the table ``[campaign]``, or all of the text as one.

    Raises:
        ConfigError: it is not TOML, or not a campaign; the message tells where.
    """
    if len(text) > MOST_LETTERS:
        raise ConfigError(f"{source}: expected at most {MOST_LETTERS:,} letters, got {len(text):,}")
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{source} is not valid TOML: {error}") from error
    table = content.get("campaign", content)
    if not isinstance(table, dict):
        raise ConfigError(f"{source}: expected a table [campaign], got {table!r}")
    # Only strings can be keys of keyword arguments, which TOML's always are.
    return parse_campaign(table, source)


def campaign_text(campaign: Campaign) -> str:
    """Return a campaign as ``[campaign]``, without comments.

    >>> from engine.campaign import Objective, Parameter, Property
    >>> search = Campaign(
    ...     name="gels",
    ...     parameters=[Parameter(name="salt", unit="mM", low=1, high=5)],
    ...     properties=[Property(name="stiffness", unit="kPa")],
    ...     objectives=[Objective(outcome="stiffness", goal="maximize", threshold=2)],
    ... )
    >>> read_text(campaign_text(search)) == search
    True
    """
    definition = _ordered(campaign.definition())
    # What is wanted is never left to a default.
    definition["objectives"] = [
        {"outcome": part["outcome"], "goal": "maximize"} | part for part in definition["objectives"]
    ]
    return _dumped({"campaign": definition})


def edited_text(text: str, campaign: Campaign) -> str:
    """Return ``[campaign]`` with what differs put into it; the comments stay.

    Where the text cannot be edited so that it says the same as ``campaign``, it is written anew.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    target = _ordered(campaign.definition())
    try:
        document = tomlkit.parse(text)
        table: Any = document["campaign"]
        _edit(table, document.unwrap()["campaign"], target)
        edited = tomlkit.dumps(document)
        if read_text(edited) == campaign:
            return edited
    except (TOMLKitError, ConfigError, KeyError, TypeError, ValueError):
        pass
    return campaign_text(campaign)


def section_of(text: str) -> str | None:
    """Return the part of a config.toml that is its campaign, with its comments; ``None`` if none.

    >>> section_of('[web]\\nport = 1\\n\\n[campaign]\\n# The search.\\nname = "x"\\n')
    '[campaign]\\n# The search.\\nname = "x"\\n'
    """
    lines = text.splitlines(keepends=True)
    span = _span(lines)
    return None if span is None else "".join(lines[span[0] : span[1]])


def with_section(text: str, section: str) -> str:
    """Return a config.toml with another campaign in the place of its own, all else as it was.

    Raises:
        ConfigError: it cannot be put there without changing something else.
    """
    lines = text.splitlines(keepends=True)
    first, last = _span(lines) or (len(lines), len(lines))
    head, tail = "".join(lines[:first]), "".join(lines[last:])
    middle = section.strip("\n") + "\n"
    if not re.search(r"^\s*\[+\s*campaign\b", middle, re.MULTILINE):
        raise ConfigError("expected a table [campaign]")
    if head and first == len(lines):  # there was none
        head = f"{head.rstrip()}\n\n"
    new = head + middle
    if tail.strip():
        new += "\n" + tail.lstrip("\n")
    try:
        former, edited = tomllib.loads(text), tomllib.loads(new)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the configuration would be no valid TOML: {error}") from error
    content = tomllib.loads(middle)
    if edited.pop("campaign", None) != content.get("campaign") or edited != {
        key: value for key, value in former.items() if key != "campaign"
    }:
        raise ConfigError("the campaign's parts stand apart in the configuration")
    return new


def configured_campaign(path: Path) -> Campaign | None:
    """Return the campaign of a configuration as it is on the disk now; ``None`` if there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be read: {error.strerror}") from error
    return _configured(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _configured(path: Path, _changed: int, _size: int) -> Campaign | None:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("campaign")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path.name} cannot be read: {error}") from error
    return None if table is None else parse_campaign(table, path.name)


def _span(lines: list[str]) -> tuple[int, int] | None:
    """Return from which line to which the campaign stands."""
    tables = [
        (place, match["quoted"] or match["plain"])
        for place, line in enumerate(lines)
        if (match := _HEADER.match(line)) is not None
    ]
    starts = [place for place, name in tables if name == "campaign"]
    if not starts:
        return None
    first = starts[0]
    last = next((p for p, name in tables if p > first and name != "campaign"), len(lines))
    # A comment right above a table is that table's.
    while last > first + 1 and last < len(lines) and lines[last - 1].lstrip().startswith("#"):
        last -= 1
    return first, last


def _ordered(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Put plain values before tables: in TOML what follows a table's heading belongs to it."""
    plain = {k: v for k, v in definition.items() if not _is_table(v)}
    return plain | {k: v for k, v in definition.items() if _is_table(v)}


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)
    )


def _dumped(document: Mapping[str, Any]) -> str:
    import tomlkit

    content_of_file = tomlkit.document()
    for name, table in document.items():
        content = tomlkit.table()
        for key, value in table.items():
            content[key] = _item(value)
        content_of_file[name] = content
    return tomlkit.dumps(content_of_file)


def _item(value: Any) -> Any:
    """Return a value as TOML has it: lists of parts as tables, what they hold on one line."""
    import tomlkit

    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        parts = tomlkit.aot()
        for part in value:
            table = tomlkit.table()
            for key, content in part.items():
                table[key] = _on_one_line(content)
            parts.append(table)
        return parts
    if isinstance(value, Mapping):
        table = tomlkit.table()
        for key, content in value.items():
            table[key] = _on_one_line(content)
        return table
    return tomlkit.item(value)


def _on_one_line(value: Any) -> Any:
    import tomlkit

    if not isinstance(value, Mapping):
        return tomlkit.item(value)
    inline = tomlkit.inline_table()
    for key, content in value.items():
        inline[key] = _on_one_line(content)
    return inline


def _edit(table: Any, former: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    """Put what differs into ``[campaign]``."""
    # What is the default may stand there all the same: as long as it says so it is left alone.
    for key in [key for key in former if key not in target]:
        if former[key] not in ([], "", {}, plain(SPINNING)):
            del table[key]
    for key, value in target.items():
        if former.get(key) == value:
            continue
        if key in _NAMED and key in former:
            _edit_parts(table[key], former[key], value, _NAMED[key])
        elif _is_table(value) or key in former:
            table[key] = _item(value)
        else:
            # Before the first table: after it, it would be that table's.
            table.append(key, _item(value))


def _edit_parts(
    parts: Any, former: list[dict[str, Any]], target: list[dict[str, Any]], key: str
) -> None:
    import tomlkit

    names = [part[key] for part in target]
    for place in reversed(range(len(former))):
        if former[place][key] not in names:
            del parts[place]
    remaining = [part[key] for part in former if part[key] in names]
    if remaining != [name for name in names if name in remaining]:
        raise ValueError("another order")
    for part in target:
        if part[key] not in remaining:
            added = _item([part])[0]
            added.add(tomlkit.nl())
            parts.append(added)
            continue
        table = parts[remaining.index(part[key])]
        current = dict(table.unwrap())
        for name in [name for name in current if name not in part]:
            if not _is_default(current[name]):
                del table[name]
        for name, value in part.items():
            if current.get(name) != value:
                table[name] = _on_one_line(value)


def _is_default(value: Any) -> bool:
    return value in ([], "", {}, False, "linear", "controlled", "leave out", "maximize")
