"""Writes docs/reference/configuration.md: every setting and every field of a campaign's definition.

``python docs/list_settings.py`` writes the file; ``make docs`` does so too.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel

from engine.campaign.curves import CurveSettings
from engine.campaign.definition import Campaign, Property
from engine.campaign.exclusions import Exclusion
from engine.campaign.facts import Fact
from engine.campaign.failures import Failure
from engine.campaign.nouns import Nouns
from engine.campaign.objectives import Objective
from engine.campaign.parameters import Parameter

PAGE = Path(__file__).resolve().parent / "reference" / "configuration.md"
OPENING = """# Configuration

Everything stands in `config.toml`, which `engine init` writes with a comment for each line; written
here by `make docs` from the same words. A line may be left out. Environment variables win:
`SPINNERET_PROPOSE__N=4` sets `n` in `[propose]`. An unknown name is refused, with the nearest one
that there is.

"""
CAMPAIGN = """## The campaign

The definition is recorded in the database: an edit counts once `engine campaign revise` ran.

"""
TABLES: dict[str, type[BaseModel]] = {
    "[campaign]": Campaign,
    "[[campaign.parameters]]": Parameter,
    "[[campaign.properties]]": Property,
    "[[campaign.objectives]]": Objective,
    "[[campaign.exclusions]]": Exclusion,
    "[[campaign.facts]]": Fact,
    "[campaign] failures": Failure,
    "[campaign.nouns]": Nouns,
    "[campaign.curves]": CurveSettings,
}


def cell(text: str) -> str:
    """Return a text as it may stand in a table's cell."""
    return " ".join(text.split()).replace("|", "\\|")


def settings() -> Iterator[str]:
    """Yield a table for each section of the settings: name, default, meaning."""
    template = files("engine").joinpath("templates", "_settings.toml").read_text(encoding="utf-8")
    for section in re.split(r"\n(?=\[)", template)[1:]:
        heading, *lines = section.splitlines()
        rows, remarks = [], []
        for line in lines:
            if line.startswith("#"):
                remarks.append(line.lstrip("# "))
            elif line.strip():
                name = line.partition("=")[0].strip()
                default = line.partition("=")[2].strip()
                tomllib.loads(line)
                remark = cell(" ".join(remarks)) or "as above"
                rows.append(f"| `{name}` | `{default}` | {remark} |")
                remarks = []
        table = "\n".join(("| setting | default | what it is |", "|---|---|---|", *rows))
        yield f"## `{heading}`\n\n{table}\n"


def plain(docstring: str) -> tuple[str, dict[str, str]]:
    """Return a docstring in Markdown without its examples, and what it says of each attribute."""
    text = re.sub(r":\w+:(?=`)", "", inspect.cleandoc(docstring)).replace("``", "`")
    parts, remarks = [], {}
    for part in text.split("\n\n"):
        if part.startswith("Attributes:"):
            for row in re.findall(r"^    (\w+: .*(?:\n {5,}.*)*)", part, re.MULTILINE):
                name, _, remark = row.partition(": ")
                remarks[name] = cell(remark)
        elif not part.startswith(">>>"):
            parts.append(part)
    return "\n\n".join(parts), remarks


def fields(heading: str, model: type[BaseModel]) -> str:
    """Return a model's docstring and a table of its fields."""
    text, remarks = plain(model.__doc__ or "")
    rows = []
    for name, field in model.model_fields.items():
        default = _toml(field.get_default(call_default_factory=True))
        default = "needed" if field.is_required() else default
        remark = f" {remarks.get(name, '')} |" if remarks else ""
        rows.append(f"| `{field.alias or name}` | {default} |{remark}")
    head = ("| field | default | what it is |", "|---|---|---|")
    head = head if remarks else ("| field | default |", "|---|---|")
    table = "\n".join((*head, *rows))
    return f"### `{heading}`\n\n{text}\n\n{table}\n"


def _toml(value: object) -> str:
    match value:
        case None | "" | () | {}:
            return "–"
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            return f'`"{value}"`'
        case int() | float():
            return f"`{value:g}`"
        case tuple() if all(isinstance(one, Failure) for one in value):
            return "`[" + ", ".join(f'"{one.name}"' for one in value) + "]`"
    return "see below"


def page() -> str:
    """Return the whole of docs/reference/configuration.md."""
    tables = "\n".join(fields(heading, model) for heading, model in TABLES.items())
    return OPENING + "\n".join(settings()) + "\n" + CAMPAIGN + tables


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
