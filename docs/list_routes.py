"""Writes docs/reference/routes.md: every route of the API, from its own OpenAPI document.

``python docs/list_routes.py`` writes the file; ``make docs`` does so too.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from engine.web.app import create_app
from engine.workspace import Workspace
from engine.workspace.init import initialise

PAGE = Path(__file__).resolve().parent / "reference" / "routes.md"
PREFIX = "/api/v1"
OPENING = """# REST: every route

What stands under `/api/v1`, written by `make docs` from the server's own description;
`/api/v1/openapi.json` is the same for programs, with every field's type.
[The page and the API](../api.md) tells how to log in, what errors look like, and what becomes of a
request whose answer was lost. Fields that a body must have are set in bold.

"""


def description() -> dict[str, Any]:
    """Return the OpenAPI document of a server on a fresh campaign."""
    with tempfile.TemporaryDirectory() as folder:
        initialise(Path(folder) / "config.toml")
        with Workspace.open(Path(folder) / "config.toml") as workspace:
            return create_app(workspace).openapi()


def body(document: dict[str, Any], operation: dict[str, Any]) -> str:
    """Return the names of a request's fields, the required ones in bold."""
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return ""
    schema = next(iter(content.values()))["schema"]
    schema = document["components"]["schemas"].get(
        schema.get("$ref", "").rpartition("/")[2], schema
    )
    required = set(schema.get("required", ()))
    return ", ".join(
        f"**`{name}`**" if name in required else f"`{name}`"
        for name in schema.get("properties", {})
    )


def page() -> str:
    """Return the whole of docs/reference/routes.md."""
    document = description()
    by_tag: dict[str, list[str]] = defaultdict(list)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            query = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"]
            remarks = operation.get("description", "").partition("\n\n")[0]
            asks = body(document, operation) or ", ".join(f"`?{name}=`" for name in query)
            row = (
                f"`{method.upper()} {path.removeprefix(PREFIX)}`",
                " ".join(remarks.split()),
                asks,
            )
            by_tag[operation["tags"][0]].append("| " + " | ".join(row) + " |")
    parts = [
        "\n".join(
            (
                f"## {tag.capitalize()}",
                "",
                "| route | what it does | takes |",
                "|---|---|---|",
                *rows,
            )
        )
        for tag, rows in by_tag.items()
    ]
    return OPENING + "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
