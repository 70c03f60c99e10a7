"""``import engine``: cheap, typed, and every name there."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import engine

ROOT = Path(__file__).resolve().parents[3]


def test_names_are_loaded_when_they_are_asked_for() -> None:
    code = (
        "import sys, engine; "
        "heavy = {'torch', 'pandas', 'sqlalchemy', 'numpy', 'pydantic'} & {*sys.modules}; "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_stub_names_what_there_is() -> None:
    tree = ast.parse((ROOT / "engine" / "__init__.pyi").read_text(encoding="utf-8"))
    imported = {
        alias.asname: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == engine._HOME_OF
    assert set(dir(engine)) == {"__version__", *imported}
    for name in imported:
        assert getattr(engine, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        engine.opne  # noqa: B018
