"""Draws the pictures of docs/concepts: the engine at work on the virtual lab, small, seeded.

``python docs/draw_concepts.py`` writes them into docs/pictures/concepts; ``make pictures`` does so
too. It takes about a minute.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from moocore import hypervolume
from PIL import Image

import engine
from engine.lab import VirtualLab

PICTURES = Path(__file__).resolve().parent / "pictures" / "concepts"
STRENGTH, ELONGATION = "fracture_strength.longitudinal", "elongation.longitudinal"
RECIPE = "--set voltage=18 --set concentration=18 --set collector_speed=1200"
TEAL, ORANGE, GREY = "#0f6b72", "#d55e00", "#8a8f94"
STYLE = {
    "svg.hashsalt": "spinneret",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


# ---- What is drawn with boxes and arrows ------------------------------------------------------


def _box(
    axes: Axes, x: float, y: float, text: str, colour: str = TEAL, *, width: float = 1.9
) -> None:
    shape = FancyBboxPatch(
        (x - width / 2, y - 0.33), width, 0.66, "round,pad=0.05", fc=f"{colour}22", ec=colour
    )
    axes.add_patch(shape)
    axes.text(x, y, text, ha="center", va="center", fontsize=8.5)


def _arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], bend: float = 0
) -> None:
    arrow = FancyArrowPatch(
        start,
        end,
        arrowstyle="-|>",
        mutation_scale=10,
        color=GREY,
        connectionstyle=f"arc3,rad={bend}",
    )
    axes.add_patch(arrow)


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width * 0.72, height * 0.72), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    return figure, axes


def campaign() -> Figure:
    """A campaign: what is set, what the room gives, what is measured, what is wanted."""
    figure, axes = _canvas(10.2, 3.4)
    rows = {2.7: "voltage\n16 … 22 kV", 1.7: "concentration\n16 … 22 %"}
    for y, text in rows.items():
        _box(axes, 1.2, y, text)
        _arrow(axes, (2.25, y), (3.3, 1.9 + (y - 1.7) * 0.25))
    _box(axes, 1.2, 0.7, "humidity\n(the room)", GREY)
    _arrow(axes, (2.25, 0.7), (3.3, 1.6))
    _box(axes, 4.3, 1.8, "a run:\none mat", ORANGE)
    for y, name, wish in (
        (2.4, "strength", "maximise,\nat least 5 MPa"),
        (1.1, "elongation", "maximise,\nat least 40 %"),
    ):
        _arrow(axes, (5.35, 1.8), (5.95, y))
        _box(axes, 6.85, y, name, width=1.6)
        _arrow(axes, (7.75, y), (8.15, y))
        _box(axes, 9.1, y, wish, ORANGE)
    for x, title in ((1.2, "parameters"), (6.85, "outcomes"), (9.1, "objectives")):
        axes.text(x, 3.25, title, ha="center", color=GREY, fontsize=8)
    return figure


def refresh() -> Figure:
    """A refresh: new results are doubted, learnt, judged; only then something else serves."""
    figure, axes = _canvas(11, 2.7)
    steps = (
        "new\nresults",
        "doubt:\ndo they\ncontradict?",
        "train a\ncandidate",
        "judge on recipes\nthat no training\nsaw",
    )
    for place, text in enumerate(steps):
        x = 1.1 + 2.35 * place
        _box(axes, x, 1.7, text)
        if place:
            _arrow(axes, (x - 1.35, 1.7), (x - 1.05, 1.7))
    _box(axes, 10.1, 2.2, "not worse:\nit serves", ORANGE, width=1.5)
    _box(axes, 10.1, 0.9, "worse: the\nold one stays", GREY, width=1.5)
    _arrow(axes, (9.2, 1.8), (9.3, 2.1))
    _arrow(axes, (9.2, 1.5), (9.3, 1.0))
    _box(axes, 3.45, 0.4, "told, not learnt", GREY, width=2)
    _arrow(axes, (3.45, 1.3), (3.45, 0.8))
    return figure


# ---- What is drawn from numbers ---------------------------------------------------------------


def conditions() -> Figure:
    """Conditions of one run: on the instrument's steps as proposed, as really run, of the room."""
    figure = Figure(figsize=(6.6, 2.3), layout="constrained")
    axes = figure.add_subplot()
    rows = (
        ("voltage [kV]", 16, 22, 0.5, 18, 17.8),
        ("concentration [%]", 16, 22, 0.5, 18, 18),
        ("humidity [%]", 13, 82, None, None, 57),
    )
    for y, (_, low, high, step, proposed, actual) in enumerate(reversed(rows)):
        at = np.array([] if step is None else np.arange(low, high + step / 2, step))
        axes.plot([0, 1], [y, y], color="#cccccc", zorder=0)
        axes.plot((at - low) / (high - low), np.full(at.size, y), "|", color=GREY, ms=8)
        if proposed is not None:
            axes.plot((proposed - low) / (high - low), y, "o", mfc="white", mec=TEAL, ms=10)
        place = (actual - low) / (high - low)
        axes.plot(place, y, "o", color=ORANGE, ms=5)
        axes.annotate(f"{actual:g}", (place, y), (0, 9), textcoords="offset points", ha="center")
        axes.text(0, y - 0.33, f"{low:g}", color=GREY, fontsize=8)
        axes.text(1, y - 0.33, f"{high:g}", color=GREY, fontsize=8, ha="right")
    axes.set(
        yticks=range(3), yticklabels=[row[0] for row in reversed(rows)], xticks=[], ylim=(-0.6, 2.7)
    )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.plot([], [], "o", mfc="white", mec=TEAL, ms=10, label="as proposed")
    axes.plot([], [], "o", color=ORANGE, ms=5, label="as really run, or read off")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def surrogate() -> Figure:
    """The surrogate over one parameter: mean and interval of a new measurement."""
    heat = np.array([25, 30, 35, 40, 55, 60, 75, 80])
    strength = np.array([3.1, 3.9, 5.3, 6.2, 8.1, 7.7, 5.0, 4.1])
    table = pd.DataFrame({"heat [°C]": heat, "strength [MPa]": strength})
    grid = pd.DataFrame({"heat": np.arange(20, 91)})
    with tempfile.TemporaryDirectory() as folder:
        lab = engine.create(Path(folder) / "glue", table=table, objectives={"strength": "max:2"})
        expected = lab.predict(grid)
    figure = Figure(figsize=(6.6, 3), layout="constrained")
    axes = figure.add_subplot(xlabel="heat [°C]", ylabel="strength [MPa]")
    axes.fill_between(
        grid["heat"],
        expected["strength.lower"],
        expected["strength.upper"],
        color=TEAL,
        alpha=0.2,
        label="90 % interval of a new measurement",
        lw=0,
    )
    axes.plot(grid["heat"], expected["strength.mean"], color=TEAL, label="mean")
    axes.plot(heat, strength, "o", color=ORANGE, label="runs")
    axes.legend(frameon=False, loc="lower center")
    return figure


def choosing() -> Figure:
    """The hypervolume that the front wins beyond the thresholds, and what one more run adds."""
    runs = np.array(
        [[6.1, 96], [7.9, 84], [10.4, 61], [4.9, 118], [13.6, 46], [6.0, 71], [8.2, 55]]
    )
    further, thresholds = np.array([11.5, 80]), np.array([4, 40])
    figure = Figure(figsize=(6.6, 3.4), layout="constrained")
    axes = figure.add_subplot(
        xlabel="strength [MPa]", ylabel="elongation [%]", xlim=(3, 15), ylim=(30, 130)
    )
    for point in runs:
        axes.fill_between([thresholds[0], point[0]], thresholds[1], point[1], color="#cfe3e4", lw=0)
    axes.fill_between(
        [thresholds[0], further[0]],
        thresholds[1],
        further[1],
        color=ORANGE,
        alpha=0.25,
        lw=0,
        zorder=0,
    )
    is_best = ~np.array(
        [np.any(np.all(runs >= run, axis=1) & np.any(runs > run, axis=1)) for run in runs]
    )
    axes.plot(*runs[is_best].T, "o", color=TEAL, label="runs on the front")
    axes.plot(*runs[~is_best].T, "o", mfc="white", mec=TEAL, label="runs that another one beats")
    axes.plot(*further, "*", color=ORANGE, ms=13, label="one more run, if it came out so")
    axes.axvline(thresholds[0], color=GREY, ls=":")
    axes.axhline(thresholds[1], color=GREY, ls=":")
    axes.text(14.9, 41, "thresholds", color=GREY, ha="right", va="bottom", fontsize=8)
    before, after = (
        hypervolume(-points, ref=-thresholds) for points in (runs, np.vstack([runs, further]))
    )
    axes.set_title(f"hypervolume {before:.0f}, with one more run {after:.0f} (MPa · %)", fontsize=9)
    axes.legend(frameon=False)
    return figure


def _spun(
    lab: engine.Lab,
    number: int,
    conditions: dict[str, float],
    room: dict[str, float],
    run: int | None,
) -> dict[str, float]:
    """Spin one mat on the virtual lab and log it; return what was measured."""
    result = VirtualLab().run(conditions, room, np.random.default_rng([3, number]))
    if result.failure is not None:
        if run is not None:
            lab.log(run, failed=result.failure, actual=room)
        return {}
    values = {name: result.outcomes[name] for name in (STRENGTH, ELONGATION)}
    if run is None:
        lab.log(None, values, conditions={**conditions, **room})
    else:
        lab.log(run, values, actual=room)
    return values


def trust() -> Figure:
    """What was predicted of runs before they were made, and what was measured then."""
    rng, virtual = np.random.default_rng(3), VirtualLab()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        lab = engine.create(Path(folder) / "mats", template="nanofibre")
        for number in range(16):
            chosen = {p.name: float(rng.choice(p.levels)) for p in lab.campaign.controlled}
            _spun(lab, number, chosen, virtual.room(rng), None)
        for round_ in range(3):
            room = virtual.room(rng)
            batch = lab.propose(n=8, at=room, seed=round_, strategy="gp")
            frame = batch.to_frame()
            for place, (_, row) in enumerate(frame.iterrows()):
                chosen = {p.name: float(row[p.name]) for p in lab.campaign.controlled}
                values = _spun(
                    lab, 100 + 8 * round_ + place, chosen, room, batch.experiments[place]
                )
                if values:
                    rows.append(
                        (
                            *(row[f"{STRENGTH}.{end}"] for end in ("mean", "lower", "upper")),
                            values[STRENGTH],
                        )
                    )
    mean, lower, upper, measured = np.array(rows, dtype=float).T
    is_inside = (lower <= measured) & (measured <= upper)
    figure = Figure(figsize=(6.6, 3), layout="constrained")
    axes = figure.add_subplot(
        xlabel="runs of three batches, in their order", ylabel="fracture strength [MPa]", xticks=[]
    )
    at = np.arange(len(mean))
    axes.vlines(at, lower, upper, color=TEAL, alpha=0.35, lw=5, label="90 % interval, said before")
    axes.plot(at, mean, "_", color=TEAL, ms=9, label="mean")
    axes.plot(at[is_inside], measured[is_inside], "o", color=ORANGE, ms=4, label="measured")
    axes.plot(
        at[~is_inside],
        measured[~is_inside],
        "o",
        mfc="white",
        mec=ORANGE,
        ms=5,
        label="measured, outside",
    )
    axes.set_ylim(0, 1.35 * upper.max())
    axes.set_title(f"{is_inside.sum()} of {is_inside.size} inside", fontsize=9)
    axes.legend(frameon=False, fontsize=8, ncols=2)
    return figure


# ---- Pictures of mats ---------------------------------------------------------------------------


def _workspace_with_mats(folder: Path) -> engine.Lab:
    lab, virtual, rng = (
        engine.create(folder, template="nanofibre"),
        VirtualLab(),
        np.random.default_rng(5),
    )
    for number in range(10):
        chosen = {
            p.name: float(p.levels[(3 * number + 5 * place) % len(p.levels)])
            for place, p in enumerate(lab.campaign.controlled)
        }
        room = virtual.room(rng)
        result = virtual.run(chosen, room, np.random.default_rng([5, number]))
        if result.failure is None and result.micrograph is not None:
            picture = folder / "picture.png"
            Image.fromarray(result.micrograph((256, 256))).save(picture)
            notes = f"DataSize=256x256\nPixelSize={result.nm_per_pixel:g}\n"
            picture.with_suffix(".txt").write_text(notes, encoding="utf-8")
            lab.log(
                None,
                {STRENGTH: result.outcomes[STRENGTH]},
                conditions={**chosen, **room},
                micrograph=picture,
            )
    return lab


def _run(command: list[str]) -> None:
    from typer.testing import CliRunner

    from engine.cli.app import app

    done = CliRunner().invoke(app, command)
    if done.exit_code != 0:
        raise RuntimeError(f"engine {' '.join(command)}: {done.output}")


def _sheet(command: list[str], out: Path) -> None:
    """Let the command line draw a contact sheet; keep it small and in few greys."""
    _run(command)
    with Image.open(out) as sheet:
        grey = sheet.convert("L")
        grey.thumbnail((960, 960), Image.Resampling.LANCZOS)
        grey.quantize(24).save(out, optimize=True)


def previews(out: Path) -> None:
    """What `engine preview` draws of one recipe."""
    with tempfile.TemporaryDirectory() as folder:
        lab = _workspace_with_mats(Path(folder) / "mats")
        words = f"preview {RECIPE} --n 4 --seed 1"
        _sheet([*words.split(), "--dry-run", "--out", str(out), "--config", str(lab.config)], out)


def retrieval(out: Path) -> None:
    """What `engine retrieve` lays side by side for a recipe."""
    with tempfile.TemporaryDirectory() as folder:
        lab = _workspace_with_mats(Path(folder) / "mats")
        _run(["micrograph", "measure", "--missing", "--config", str(lab.config)])
        words = f"retrieve {RECIPE} --k 4"
        _sheet([*words.split(), "--contact-sheet", str(out), "--config", str(lab.config)], out)


FIGURES: dict[str, Callable[[], Figure]] = {
    "campaign": campaign,
    "conditions": conditions,
    "surrogate": surrogate,
    "choosing": choosing,
    "refresh": refresh,
    "trust": trust,
}
SHEETS: dict[str, Callable[[Path], None]] = {"previews": previews, "retrieval": retrieval}


def draw(folder: Path = PICTURES) -> None:
    """Write every picture into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        for name, figure in FIGURES.items():
            figure().savefig(folder / f"{name}.svg", metadata={"Date": None})
    for name, sheet in SHEETS.items():
        sheet(folder / f"{name}.png")


if __name__ == "__main__":
    draw(*(Path(word) for word in sys.argv[1:]))
