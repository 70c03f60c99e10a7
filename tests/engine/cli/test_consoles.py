"""Consoles that are not UTF-8: what is recorded is told, in letters that the console has.

One process for each encoding runs a command of every family, so that real streams of that encoding
are written to.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.terminal.streams import spelt

ENCODINGS = ("cp932", "ascii")
LABEL = "Müller → 静電 №1"
SETTINGS = ("flow_rate=0.4", "concentration=18", "voltage=18", "collector_speed=400")
RUN = f"""
import sys
from engine.cli.app import app

def run(*words):
    print("$", words[0])
    sys.stdout.flush()
    try:
        app([str(word) for word in words])
    except SystemExit as end:
        assert not end.code, (words, end.code)
    sys.stdout.flush()

label = {LABEL!r}
run("init")
run("propose", "--n", 2, "--strategy", "sobol", "--no-preview", "--csv", "sheet.csv")
run("log", "1", "elongation.longitudinal=88", "--note", label)
run("log", "--new", *{SETTINGS!r}, "fracture_strength.longitudinal=12", "--label", label)
run("status")
run("show", "1")
run("show", "--batch", "1")
run("show", label, "--json")
run("export", "--out", "all.csv")
run("import", "all.csv")
run("export")
run("campaign", "show")
run("campaign", "list")
run("db", "check")
run("source", "list")
run("models", "list")
run("schedule", "list")
run("users", "add", "Zoë", "--role", "admin", "--password-stdin")
run("users", "list")
run("report", "--out", "report")
run("doctor", "--quick")
run("log", "--help")
run("bench", "--help")
"""


def run(folder: Path, encoding: str, code: str) -> subprocess.CompletedProcess[bytes]:
    root = Path(__file__).resolve().parents[3]
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(root)},
        input=b"a password of many letters\n",
        capture_output=True,
        check=False,
        timeout=300,
    )


@pytest.mark.matrix(1)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_family_of_commands_speaks_to_every_console(tmp_path: Path, encoding: str) -> None:
    done = run(tmp_path, encoding, RUN)
    out, err = done.stdout, done.stderr.decode(encoding)
    assert done.returncode == 0, err
    assert "Traceback" not in err
    # What was recorded is whole, whatever the console could show of it.
    document = out.split(b"$ show", 3)[3].partition(b"\n")[2].split(b"$ export")[0]
    assert json.loads(document.decode(encoding))["label"] == LABEL
    # A pipe gets the table as a file would hold it.
    table = out.split(b"$ export\n")[2].split(b"$ campaign")[0].decode("utf-8")
    assert LABEL in [row["label"] for row in csv.DictReader(io.StringIO(table))]
    text = out.replace(table.encode(), b"").decode(encoding)
    assert spelt(LABEL, encoding) in text
    assert "batch 1 (sobol)" in text
    # Three runs and no more: no command had to be repeated.
    assert "1 proposed, 2 completed" in text


def test_a_batch_can_be_shown_again(engine) -> None:
    proposed = engine("propose", "--n", 2, "--strategy", "sobol", "--json").json
    batch = proposed["batch"]
    shown = engine("show", "--batch", batch, "--json").json
    assert [item["conditions"] for item in shown["proposals"]] == [
        {**item["conditions"], **item["ambient"]} for item in proposed["proposals"]
    ]
    text = engine("show", "--batch", batch).out
    assert all(item["reason"] in text for item in proposed["proposals"])
    assert engine("show", "--batch", 99).exit_code == 1
    assert engine("show", "--batch", 10**30).exit_code == 1
    assert engine("show").exit_code == engine("show", 1, "--batch", batch).exit_code == 2


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("a → b", "latin-1", "a -> b"),
        ("20 °C", "latin-1", "20 °C"),
        ("20 °C", "ascii", "20 degC"),
        ("3 µL/min", "cp932", "3 uL/min"),
        ("Łódź", "cp850", "Lódz"),
        ("静電", "cp932", "静電"),
        ("静電", "cp850", "??"),
        ("Mu\u0308ller", "latin-1", "Muller"),
        ("x\udcff", "utf-8", "x?"),
    ],
)
def test_letters_are_spelt_in_those_that_there_are(text: str, encoding: str, shown: str) -> None:
    assert spelt(text, encoding) == shown
