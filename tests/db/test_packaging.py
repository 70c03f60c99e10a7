"""What is installed: every package, and the migrations under db."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_package_is_listed() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        setuptools = tomllib.load(file)["tool"]["setuptools"]
    on_disk = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in ("engine", "surrogate", "generator", "db", "host")
        for path in (ROOT / top).rglob("__init__.py")
    }
    listed = set(setuptools["packages"])
    folders_of_data = {
        name for name in listed if not (ROOT / name.replace(".", "/") / "__init__.py").exists()
    }
    assert listed - folders_of_data == on_disk, "list it under [tool.setuptools] in pyproject.toml"
    migrations = {"db.migrations", "db.migrations.versions"}
    assert migrations <= listed
    for name in folders_of_data - migrations:
        assert (ROOT / name.replace(".", "/")).is_dir(), f"{name} is listed but is no folder"
    assert setuptools["package-dir"] == {"db.migrations": "alembic"}
