"""Notebooks run: those of examples/, and the lines that a notebook begins with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from first_lines import N_RUNS, lines, write_files

import engine

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.ipynb"))

# Toy sizes: a notebook shows how it goes, not how fast or how well.
TOY = {
    "SPINNERET_PROPOSE__MC_SAMPLES": "8",
    "SPINNERET_PROPOSE__RAW_SAMPLES": "16",
    "SPINNERET_PROPOSE__RESTARTS": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": str(ROOT),
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}


def executed(notebook: Path) -> Any:
    """Return a notebook as ``jupyter nbconvert --execute`` leaves it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SPINNERET_")}
    done = subprocess.run(
        [
            sys.executable, "-m", "nbconvert", "--execute", "--to", "notebook",
            "--output", "executed", notebook.name,
        ],
        cwd=notebook.parent,
        env={**environment, **TOY, "IPYTHONDIR": str(notebook.parent / "ipython")},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return nbformat.read(notebook.with_name("executed.ipynb"), as_version=4)


def outputs(notebook: Any) -> Iterator[Any]:
    """Yield what its cells put out."""
    for cell in notebook.cells:
        yield from cell.get("outputs", ())


def kinds(notebook: Any) -> set[str]:
    """Return the MIME types that its cells put out."""
    return {kind for output in outputs(notebook) for kind in output.get("data", ())}


def test_examples_run(tmp_path: Path) -> None:
    cells = []
    for path in EXAMPLES:
        stored = nbformat.read(path, as_version=4)
        assert not list(outputs(stored)), (
            f"{path.name}: expected no outputs, they come when it runs"
        )
        folder = tmp_path / path.stem
        folder.mkdir()
        # One kernel for all, without the names of the one before: torch is loaded once.
        cells.append(nbformat.v4.new_code_cell(f"%reset -f\n%cd -q {folder}"))
        cells += stored.cells
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "examples.ipynb")
    notebook = executed(tmp_path / "examples.ipynb")
    assert kinds(notebook) >= {"text/html", "application/vnd.plotly.v1+json"}
    assert not [o for o in outputs(notebook) if o.get("name") == "stderr"]
    assert (tmp_path / "first_campaign" / "report.html").is_file()
    assert (tmp_path / "micrographs" / "table.csv").is_file()


def test_there_are_three_examples() -> None:
    assert [path.stem for path in EXAMPLES] == ["first_campaign", "micrographs", "replay"]


def test_the_first_lines_of_a_notebook_run_as_they_stand(tmp_path: Path) -> None:
    write_files(tmp_path)
    engine.create(tmp_path / "campaign-folder", template="nanofibre")
    cells = [nbformat.v4.new_code_cell(line) for line in lines()]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "lines.ipynb")

    notebook = executed(tmp_path / "lines.ipynb")

    lab = engine.open(tmp_path / "campaign-folder")
    assert len(lab.runs()) == N_RUNS + 8
    assert lab.run(41).results == {"fracture_strength.longitudinal": (12.3,)}
    assert len(lab.run(41).record.micrographs) == 1
    assert (tmp_path / "report.html").is_file()
    by_line = {cell.source: kinds(nbformat.from_dict({"cells": [cell]})) for cell in notebook.cells}
    shown = {source.partition("(")[0]: kinds for source, kinds in by_line.items()}
    assert "text/html" in shown["batch.to_frame"]
    assert "application/vnd.plotly.v1+json" in shown["batch.plot"]
    # How far it is, while it works: a widget, which leaves nothing behind.
    bar = "application/vnd.jupyter.widget-view+json"
    assert all(bar in shown[name] for name in ("lab.add", "batch = lab.propose", "lab.runs"))
    assert not [o for o in outputs(notebook) if o.get("name") == "stderr"]
