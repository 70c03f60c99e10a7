"""Partly measured, constant, zero and huge results, from the command line to report and back."""

from __future__ import annotations

from pathlib import Path

import pytest

CONFIG = """
[campaign]
name = "scarce"
[[campaign.parameters]]
name = "flow"
unit = "mL/h"
low = 0.0
high = 1.0
step = 0.05
[[campaign.parameters]]
name = "voltage"
unit = "kV"
low = 10.0
high = 20.0
step = 0.5
[[campaign.properties]]
name = "strength"
unit = "MPa"
minimum = 0.0
scale = "log"
[[campaign.properties]]
name = "permeability"
unit = "m2"
[[campaign.objectives]]
outcome = "strength"
threshold = 1.0
[[campaign.objectives]]
outcome = "permeability"
threshold = {threshold!r}
"""


def table(kind: str, unit: float) -> str:
    """Return 16 runs: `halves`, `constant` or `huge` strength, `zeros` of it, or `all`."""
    rows = ["flow,voltage,strength,permeability"]
    for i in range(16):
        flow, voltage = (7 * i % 20) / 20, 10 + (11 * i % 20) / 2
        strength = 2 + 3 * flow - (voltage - 15) ** 2 / 20 + 0.01 * (i % 3)
        permeability = (1 + flow**2 + voltage / 20) * unit
        strong, porous = f"{max(strength, 0.1):.4g}", repr(permeability)
        if kind == "halves":
            strong, porous = ("", porous) if i % 2 else (strong, "")
        elif kind == "huge":
            strong = repr(max(strength, 0.1) * unit)
        elif kind == "constant":
            strong = "2"
        elif kind == "zeros" and voltage > 18:
            strong = "0"
        rows.append(f"{flow},{voltage},{strong},{porous}")
    return "\n".join(rows) + "\n"


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine):
    """Return how to begin a campaign with 16 runs of some kind."""

    def begin(kind: str, unit: float) -> None:
        monkeypatch.chdir(tmp_path)
        text = CONFIG.format(threshold=2 * unit)
        Path("config.toml").write_text(text, encoding="utf-8")
        assert engine("init").exit_code == 0
        Path("runs.csv").write_text(table(kind, unit), encoding="utf-8")
        answer = engine("import", "runs.csv")
        assert answer.exit_code == 0, answer.err

    return begin


@pytest.mark.matrix(2)
@pytest.mark.parametrize(
    ("kind", "unit", "words"),
    [
        ("halves", 1e-12, "measured: strength [MPa] on 8, permeability [m2] on 8 runs"),
        ("constant", 1.0, "strength [MPa] cannot be learnt yet: it is 2 in all of 16 runs"),
        ("zeros", 1e-12, "results of 0 stand as"),
        ("all", 1e200, ""),
        ("huge", 1e200, ""),
    ],
)
def test_every_command_takes_them(start, engine, kind: str, unit: float, words: str) -> None:
    start(kind, unit)
    batch = engine("propose", "--n", 2, "--strategy", "gp", "--no-preview", "--json")
    assert batch.exit_code == 0
    assert any(words in note for note in batch.json["notes"]) or not words
    assert engine("replay", batch.json["batch"], "--json").json["same"] is True
    for options in ((), ("--json",)):
        assert engine("status", *options).exit_code == 0
    predicted = engine("predict", "--set", "flow=0.5", "--set", "voltage=15", "--json")
    assert predicted.exit_code == 0
    known = predicted.json["items"][0]["outcomes"]["permeability"]
    assert 0.5 < known["mean"] / unit < 4
    assert (known["upper"] - known["lower"]) / unit < 4
    Path("candidates.csv").write_text("flow,voltage\n0.4,18\n0.6,16\n", encoding="utf-8")
    scored = engine("score", "candidates.csv", "--json")
    assert scored.exit_code == 0
    assert sorted(row["rank"] for row in scored.json["items"]) == [1, 2]
    assert any(words in note for note in scored.json["notes"]) or not words
    assert engine("report", "--out", "page.html", "--png", "figures").exit_code == 0
    page = Path("page.html").read_text(encoding="utf-8")
    assert "could not be fitted" not in page
    assert ("strength [MPa] cannot be learnt: it is 2 in all of 16 runs" in page) == (
        kind == "constant"
    )


def test_the_front_holds_what_was_measured_whole(start, engine) -> None:
    start("halves", 1.0)
    status = engine("status", "--json").json
    assert [best["value"] is not None for best in status["best"]] == [True, True]
    assert [best["beyond_threshold"] > 0 for best in status["best"]] == [True, True]
    assert status["beyond_all_thresholds"] == 0
    assert engine("log", 3, "permeability=2.5").exit_code == 0
    status = engine("status", "--json").json
    assert status["beyond_all_thresholds"] == 1
    batch = engine("propose", "--n", 2, "--strategy", "gp", "--no-preview", "--dry-run", "--json")
    assert any(
        "permeability [m2] on 9 runs, all that is wanted on 1" in n for n in batch.json["notes"]
    )


@pytest.mark.parametrize(("value", "code"), [("0", 0), ("-1", 1), ("nan", 1), ("inf", 1)])
def test_zeros_are_logged_and_nonsense_is_refused(start, engine, value: str, code: int) -> None:
    start("all", 1.0)
    answer = engine("log", "--new", "flow=0.5", "voltage=15", f"strength={value}")
    assert (answer.exit_code != 0) == (code != 0), answer.err
