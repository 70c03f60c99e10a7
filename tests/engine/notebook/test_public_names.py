"""``import engine``: cheap, typed, and every name there."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import engine

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
import pandas as pd

import engine

lab = engine.open("campaign")
report = lab.add(pd.DataFrame({"heat": [20.0]}))
print(report.n_added + 1)
batch = lab.propose(n=8, at={"temperature": 22, "humidity": 55})
frame: pd.DataFrame = batch.to_frame()
lab.log(41, {"strength": 12.3}, micrograph="41a.tif")
for table in (lab.runs(), lab.predict(frame), lab.front()):
    print(table.columns)
lab.report("report.html").exists()
lab.plot_slices("voltage").show()
past: engine.History = engine.history(lab.campaign, frame)
print(len(engine.suggest(past, n=8)))
try:
    lab.add(frame)
except engine.DataError as error:
    print(error)
"""


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


def test_a_users_script_passes_strict_checking(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    words = ["--strict", "--no-incremental", "--follow-imports", "silent"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *words, "--config-file", "", str(tmp_path / "script.py")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
