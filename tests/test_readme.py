"""The README's picture, numbers and Python are those of the repository."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
TOY = {
    "SPINNERET_PROPOSE__MC_SAMPLES": "8",
    "SPINNERET_PROPOSE__RAW_SAMPLES": "16",
    "SPINNERET_PROPOSE__RESTARTS": "1",
    "OMP_NUM_THREADS": "1",
}


def test_the_picture_is_small_and_made_by_a_command() -> None:
    (name,) = re.findall(r"^!\[[^\]]+\]\((docs/pictures/[\w.]+)\)$", TEXT, re.MULTILINE)
    assert 20_000 < (ROOT / name).stat().st_size < 400_000
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^pictures:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    scripts = re.findall(r"\$\(BIN\)/python (\S+\.py)", recipe)
    assert any(f'"{Path(name).name}"' in (ROOT / s).read_text(encoding="utf-8") for s in scripts)


def test_the_numbers_stand_in_the_benchmarks_beside_their_commands() -> None:
    table = TEXT[TEXT.index("| what it is worth |") : TEXT.index("\n## Install")]
    benchmarks = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    benchmarks = " ".join(benchmarks.replace("\\\n", " ").split())
    numbers = re.findall(r"(?<![\w.])\d+\.\d+(?![\w.])", table)
    assert len(numbers) > 10
    assert [number for number in numbers if number not in benchmarks] == []
    commands = re.findall(r"`(engine bench [^`]+)`", table)
    assert len(commands) == 4
    assert [command for command in commands if command not in benchmarks] == []


def test_the_column_of_python_runs_as_it_stands(tmp_path: Path) -> None:
    (table,) = re.findall(r"`results\.csv`:?\n\n```csv\n(.*?)^```$", TEXT, re.M | re.S)
    (tmp_path / "results.csv").write_text(table, encoding="utf-8")
    (script,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.M | re.S)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SPINNERET_")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**environment, **TOY, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mats" / "config.toml").is_file()
    assert (tmp_path / "report.html").is_file()
