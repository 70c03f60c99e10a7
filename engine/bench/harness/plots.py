"""The benchmarks' pictures: score by number of experiments, R² by outcome, 95 % intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.campaign import Campaign
from engine.errors import DataError, place

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's colours, which stay apart for the colour-blind.
COLOURS = ("#999999", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#F0E442")


COLOURS_OF = {
    "random": COLOURS[0],
    "sobol": COLOURS[0],
    "gp": COLOURS[1],
    "gp-0.1": COLOURS[4],
    "matmcl": COLOURS[2],
    "nsga2": COLOURS[3],
}


def plot_comparison(document: Mapping[str, Any], path: Path) -> None:
    """Draw the summary of a closed-loop or replay document as PNG.

    Raises:
        DataError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    summary = document["summary"]
    figure = Figure(figsize=(7.0, 4.6), layout="constrained")
    axes = figure.add_subplot()
    x = summary["checkpoints"]
    for index, (name, scores) in enumerate(summary["strategies"].items()):
        colour = COLOURS[index % len(COLOURS)]
        n_seeds = len(scores["seeds"])
        label = f"{name} ({n_seeds} {'seed' if n_seeds == 1 else 'seeds'})"
        axes.plot(x, scores["mean"], color=colour, marker="o", markersize=3.5, label=label)
        if scores["interval"] is not None:
            low, high = scores["interval"]
            axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.set_xlabel("experiments")
    axes.set_ylabel(document["score"])
    axes.set_title(_title(document), fontsize="medium", loc="left")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    _save(figure, path)


def plot_suite(document: Mapping[str, Any], path: Path) -> None:
    """Draw a suite: table by table, the runs it takes to have what the peer has in the end.

    Raises:
        DataError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    tables, peer = document["tables"], document["reference"]
    names = list(tables)
    figure = Figure(figsize=(7.0, 1.6 + 0.42 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    strategies = [name for name in next(iter(tables.values()))["strategies"] if name != peer]
    for index, strategy in enumerate(strategies):
        for row, table in enumerate(names):
            reach = tables[table]["strategies"][strategy]["reach"]
            height = row + 0.6 * ((index + 0.5) / len(strategies) - 0.5)
            colour = COLOURS[index % len(COLOURS)]
            label = strategy if row == 0 else None
            marker = ">" if reach["is_censored"] else "o"
            axes.plot(reach["experiments"], height, marker, color=colour, markersize=5, label=label)
    for row, table in enumerate(names):
        axes.plot([tables[table]["checkpoints"][-1]] * 2, [row - 0.4, row + 0.4], color="black")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel(f"runs to the final score of {peer} (black; an arrow: never within the budget)")
    axes.grid(alpha=0.25, axis="x")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, loc="outside lower center", ncols=min(len(strategies), 5))
    _save(figure, path)


def plot_accuracy(document: Mapping[str, Any], path: Path) -> None:
    """Draw R² by outcome and model, with 95 % intervals, of an accuracy document as PNG.

    Raises:
        DataError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    summary, config = document["summary"], document["config"]
    campaign = Campaign(**document["campaign"])
    rows = [*summary["outcomes"], None]
    models = summary["models"]
    figure = Figure(figsize=(7.0, 1.4 + 0.13 * len(rows) * (len(models) + 1)), layout="constrained")
    axes = figure.add_subplot()
    for index, (name, scores) in enumerate(models.items()):
        shift = 0.7 * ((index + 0.5) / len(models) - 0.5)
        values = [scores["mean_r2"] if o is None else scores["r2"][o] for o in rows]
        bounds = [
            scores["mean_r2_interval"] if o is None else scores["r2_interval"][o] for o in rows
        ]
        heights = [row + shift for row in range(len(rows))]
        colour = COLOURS[(index + 1) % len(COLOURS)]
        axes.plot(values, heights, "o", color=colour, markersize=4, label=name)
        for height, bound in zip(heights, bounds, strict=True):
            if bound is not None:
                axes.plot(bound, [height, height], color=colour, linewidth=1.2)
    axes.axhline(len(rows) - 1.5, color="black", linewidth=0.6)
    axes.set_yticks(range(len(rows)), ["mean" if o is None else campaign.heading(o) for o in rows])
    axes.invert_yaxis()
    axes.set_xlabel("R² of held-out measurements")
    axes.set_title(
        f"accuracy on {config['table']}: {config['folds']} folds by recipe\n"
        "95 % bootstrap intervals over recipes",
        fontsize="medium",
        loc="left",
    )
    axes.grid(alpha=0.25, axis="x")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, loc="outside lower center", ncols=min(len(models), 5))
    _save(figure, path)


def plot_learning(document: Mapping[str, Any], path: Path) -> None:
    """Draw R² and NLPD by number of experiments, row by row, of a learning document as PNG.

    Raises:
        DataError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    summary = document["summary"]
    rows = summary["rows"]
    figure = Figure(figsize=(9.0, 4.2 + 0.09 * len(rows)), layout="constrained")
    panels = {"r2": "R² of the truth without noise", "nlpd": "NLPD of measurements [nat]"}
    for panel, (score, label) in enumerate(panels.items()):
        axes = figure.add_subplot(1, 2, panel + 1)
        for index, (name, scores) in enumerate(rows.items()):
            if scores[score] is None:
                continue
            colour, marker = COLOURS[index % len(COLOURS)], "os^v"[index // len(COLOURS) % 4]
            mean = scores[score]["mean"]
            axes.plot(summary["sizes"], mean, color=colour, marker=marker, markersize=4, label=name)
            if scores[score]["interval"] is not None:
                low, high = scores[score]["interval"]
                axes.fill_between(
                    summary["sizes"], low, high, color=colour, alpha=0.12, linewidth=0
                )
        axes.set_xscale("log", base=2)  # sizes double
        axes.set_xticks(summary["sizes"], [str(n) for n in summary["sizes"]])
        axes.set_xlabel("experiments")
        axes.set_ylabel(label)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside lower center", ncols=4)
    figure.suptitle(
        f"{document['kind']}: mean over seeds, 95 % bootstrap interval", fontsize="medium"
    )
    _save(figure, path)


def plot_retrieval(document: Mapping[str, Any], path: Path) -> None:
    """Draw recall by k and the median rank of a retrieval document, both ways, as PNG.

    Raises:
        DataError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    summary, config = document["summary"], document["config"]
    methods = summary["methods"]
    ways = list(next(iter(methods.values())))
    figure = Figure(figsize=(9.0, 4.4), layout="constrained")
    for panel, way in enumerate(ways):
        axes = figure.add_subplot(1, len(ways), panel + 1)
        cuts = sorted(int(k.partition("@")[2]) for k in summary["chance"] if "@" in k)
        chance = [summary["chance"][f"recall@{k}"] for k in cuts]
        axes.plot(cuts, chance, color="black", linestyle=":", label="chance")
        for index, (name, method) in enumerate(methods.items()):
            recalls = [method[way][f"recall@{k}"] for k in cuts]
            colour = COLOURS[index % len(COLOURS)]
            label = f"{name} (median rank {method[way]['median rank']['value']:.1f})"
            axes.plot(cuts, [r["value"] for r in recalls], "o-", color=colour, label=label)
            low, high = zip(*(r["interval"] for r in recalls), strict=True)
            axes.fill_between(cuts, low, high, color=colour, alpha=0.12, linewidth=0)
        axes.set_xticks(cuts)
        axes.set_xlabel("k")
        axes.set_ylabel("recall@k")
        axes.set_ylim(0.0, 1.0)
        axes.set_title(way, fontsize="medium", loc="left")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize="x-small")
    figure.suptitle(
        f"retrieval among {config['n']} held-out mats, {len(summary['seeds'])} seeds; "
        "95 % bootstrap intervals",
        fontsize="medium",
    )
    _save(figure, path)


def plot_overview(tables: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw the tables of docs/benchmarks.md side by side as SVG: search, replay, models, time.

    Raises:
        DataError: the file cannot be written.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 6.4), layout="constrained")
    (search, replay), (accuracy, latency) = figure.subplots(2, 2)
    standard = [row[1:-1] for row in tables["search"]["rows"] if row[0] == "standard"]
    _plot_rows(search, tables["search"]["columns"][2:-1], standard)
    search.set_ylabel("true front's hypervolume [%]")
    search.set_title("closed loop on the virtual lab", fontsize="medium", loc="left")
    _plot_rows(replay, tables["replay"]["columns"][1:], tables["replay"]["rows"])
    replay.set_ylabel("pool's hypervolume [%]")
    replay.set_title("replay of the published table", fontsize="medium", loc="left")
    names, r2, low, high = zip(*(row[:4] for row in tables["accuracy"]["rows"]), strict=True)
    errors = [[m - b for m, b in zip(r2, low, strict=True)],
              [b - m for m, b in zip(r2, high, strict=True)]]  # fmt: skip
    accuracy.barh(names, r2, xerr=errors, color=COLOURS[5], ecolor="black", capsize=2)
    accuracy.invert_yaxis()
    accuracy.set_xlabel("mean R² of held-out recipes, 95 % interval")
    accuracy.set_title("models on the published table", fontsize="medium", loc="left")
    names, seconds = zip(*tables["latency"]["rows"], strict=True)
    bars = latency.barh(names, seconds, color=COLOURS[5])
    latency.bar_label(bars, fmt="{:.1f} s", padding=3)
    latency.set_xscale("log")
    latency.set_xlim(1.0, 10.0 * max(seconds))
    latency.invert_yaxis()
    latency.set_xlabel("seconds for eight suggestions, 200 runs known")
    latency.set_title("time of a proposal, one thread", fontsize="medium", loc="left")
    for axes in (search, replay, accuracy, latency):
        axes.grid(alpha=0.25, axis="x" if axes in (accuracy, latency) else "both")
        axes.spines[["top", "right"]].set_visible(False)
    # A fixed salt and no date: the same numbers give the same file.
    with mpl.rc_context({"svg.hashsalt": "spinneret"}):
        _save(figure, path, file_format="svg")


def _plot_rows(axes: Axes, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Draw rows (name, values …) over the numbers of experiments that head the columns."""
    x = [int(column) for column in columns]
    for name, *values in rows:
        axes.plot(x, values, "o-", color=COLOURS_OF[name], label=name)
    axes.set_xlabel("experiments")
    axes.set_xticks(x)
    axes.legend(frameon=False, loc="lower right")


def _save(figure: Figure, path: Path, file_format: str = "png") -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    metadata = {"Date": None} if file_format == "svg" else None
    try:
        figure.savefig(path, format=file_format, dpi=150, metadata=metadata)
    except OSError as error:
        raise DataError(f"{place(path)} cannot be written: {error.strerror or error}") from error


def _title(document: Mapping[str, Any]) -> str:
    config = document["config"]
    arena = config.get("lab") or Path(config["table"]).name
    objectives = ", ".join(o["outcome"] for o in document["campaign"]["objectives"])
    return f"{document['kind']} on {arena}: {objectives}\nmean over seeds, 95 % bootstrap interval"
