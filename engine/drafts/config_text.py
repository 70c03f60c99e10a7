"""A draft as a config.toml that somebody reads: each part with a line on where it comes from."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from engine.drafts.draft import Draft, Entry

_HEAD = """\
# The search: what may be set, what the room gives, what is measured, what is wanted.
# Drafted from {source}; recorded in the database, record edits with `engine campaign revise`.
"""
_ASIDE = "# Columns left aside: {listed}."


def config_text(draft: Draft, source: str) -> str:
    """Return the whole config.toml: every setting with its default, and the campaign."""
    folder = resources.files("engine") / "templates"
    settings = (folder / "_settings.toml").read_text(encoding="utf-8")
    return f"{settings.rstrip()}\n\n{campaign_text(draft, source)}"


def campaign_text(draft: Draft, source: str) -> str:
    """Return the ``[campaign]`` part."""
    lines = _HEAD.format(source=_comment(source)).splitlines()
    lines += [f"# {_comment(guess)}." for guess in draft.guesses]
    if draft.aside:
        listed = "; ".join(f"'{heading}' ({reason})" for heading, reason in draft.aside.items())
        lines.append(_ASIDE.format(listed=_comment(listed)))
    lines += [
        "[campaign]",
        f"name = {_value(draft.name)}",
        f"description = {_value(draft.description)}",
        "constraints = []",
        f"parameter_constraints = {_value(list(draft.constraints))}",
        *([f"failures = {_value(list(draft.failures))}"] if draft.failures else []),
        "",
        "# low, high: the range searched, as far as the table reaches; widen or narrow it. step:",
        '# what the instrument can be set to. default = "unknown": rows without a value are taken.',
        *_tables("parameters", draft.parameters),
        '# scale = "log": the noise grows with the value.',
        *_tables("properties", draft.properties),
        "# goal: maximize or minimize with a threshold (values on its wrong side are worth",
        "# nothing), or target with the value and its tolerance.",
        *_tables("objectives", draft.objectives),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _tables(section: str, entries: tuple[Entry, ...]) -> list[str]:
    lines = []
    for entry in entries:
        lines.append(f"[[campaign.{section}]]")
        if entry.comment:
            lines.append(f"# {_comment(entry.comment)}")
        lines += [f"{key} = {_value(value)}" for key, value in entry.fields.items()]
        lines.append("")
    return lines


def _comment(text: str) -> str:
    return " ".join(text.split())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    # A basic string of TOML is one of JSON, but for DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
