"""The picture of a comparison: mean score by number of experiments, with 95 % bands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import DataError

# Okabe & Ito's colours, which stay apart for the colour-blind.
COLOURS = ("#999999", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#F0E442")


def plot_comparison(document: Mapping[str, Any], path: Path) -> None:
    """Draw the summary of a closed-loop or replay document as PNG.

    Raises:
        DataError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    summary = document["summary"]
    figure = Figure(figsize=(7.0, 4.6), layout="constrained")
    axes = figure.add_subplot()
    x = summary["checkpoints"]
    for index, (name, found) in enumerate(summary["strategies"].items()):
        colour = COLOURS[index % len(COLOURS)]
        n_seeds = len(found["seeds"])
        label = f"{name} ({n_seeds} {'seed' if n_seeds == 1 else 'seeds'})"
        axes.plot(x, found["mean"], color=colour, marker="o", markersize=3.5, label=label)
        if found["interval"] is not None:
            low, high = found["interval"]
            axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.set_xlabel("experiments")
    axes.set_ylabel(document["score"])
    axes.set_title(_title(document), fontsize="medium", loc="left")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    FigureCanvasAgg(figure)
    try:
        figure.savefig(path, format="png", dpi=150)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error


def _title(document: Mapping[str, Any]) -> str:
    config = document["config"]
    what = config.get("lab") or Path(config["table"]).name
    objectives = ", ".join(o["outcome"] for o in document["campaign"]["objectives"])
    return f"{document['kind']} on {what}: {objectives}\nmean over seeds, 95 % bootstrap interval"
