"""Writes docs/modules.md: every module with the first line of its docstring.

``python docs/list_modules.py`` writes the file; ``make docs`` does so too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("engine", "generator", "surrogate", "db", "host", "alembic")
PAGE = ROOT / "docs" / "modules.md"
OPENING = """# Modules

Every module with the first line of its docstring, folder by folder; written by `make docs`.
[architecture.md](architecture.md) says how they fit together.
"""


def first_line(module: Path) -> str:
    """Return the first line of a module's docstring, ready for a table's cell.

    Raises:
        ValueError: the module has no docstring.
    """
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    if not docstring:
        raise ValueError(f"{module}: expected a docstring that says what the module is for")
    return docstring.splitlines()[0].rstrip(".").replace("``", "`").replace("|", "\\|")


def folders() -> Iterator[tuple[Path, list[Path]]]:
    """Yield each folder of the packages with its modules, by name."""
    for package in PACKAGES:
        home = ROOT / package
        for folder in (home, *sorted(path for path in home.rglob("*") if path.is_dir())):
            modules = sorted(folder.glob("*.py"))
            if modules:
                yield folder, modules


def page() -> str:
    """Return the whole of docs/modules.md."""
    parts = [OPENING]
    for folder, modules in folders():
        rows = [f"| `{module.name}` | {first_line(module)} |" for module in modules]
        heading = f"## `{folder.relative_to(ROOT).as_posix()}/`"
        parts.append("\n".join((heading, "", "| file | what it is |", "|---|---|", *rows, "")))
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
