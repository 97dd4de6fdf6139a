"""One house style, and one function a figure of the paper.

The functions take recalls by protocol and density, `Curves`, or records, and return a Figure.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dropkit import metrics, pruning
from dropkit.pruning import SMOOTHED

Curves = Mapping[str, Mapping[float, np.ndarray]]  # protocol -> density -> recalls (S, K)

# Okabe and Ito's palette (https://jfly.uni-koeln.de/color/), safe for colour-blind readers. A
# strategy keeps its colour in every chapter; how the class counts are set changes the line.
COLOURS = {
    "full": "#000000",
    "random": "#707070",
    "random+drop": "#D55E00",
    "el2n": "#0072B2",
    "grand": "#56B4E9",
    "forgetting": "#009E73",
    "dynunc": "#CC79A7",
    "coreset": "#E69F00",
    "ssp": "#8C6D31",
}
NAMES = {
    "full": "Full data",
    "random": "Random",
    "el2n": "EL2N",
    "grand": "GraNd",
    "forgetting": "Forgetting",
    "dynunc": "Dynamic Uncertainty",
    "coreset": "CoreSet",
    "ssp": "SSP",
}

FULL_LINES = {"full": ":", "full+cdbw": (0, (5, 1, 1, 1))}
BY_COUNTS = "random+drop, by counts"  # the label of DRoP's quotas read as class counts
QUOTA_LOOKS = {"global": ("-", "o"), "drop": ("--", "s"), "balance": ("-.", "v")}
QUOTAS = {"drop": "DRoP", "balance": "balanced", "cdbw": "CDB-W"}

STYLE = {
    "svg.hashsalt": "dropkit",  # the same figure gives the same bytes
    "svg.fonttype": "path",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}

WIDEST = 8.4  # inches; a wider figure would be made smaller on a desktop, its labels with it

METRICS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "average": ("average accuracy (%)", lambda recalls: metrics.bias(recalls).average),
    "worst": ("worst-class accuracy (%)", lambda recalls: metrics.bias(recalls).worst),
    "gap": ("max − min recall (%)", lambda recalls: metrics.bias(recalls).gap),
    "std": ("std of recalls (%)", lambda recalls: metrics.bias(recalls).std),
}


def canvas(
    rows: int = 1, columns: int = 1, *, width: float = 7.2, height: float = 2.8
) -> tuple[Figure, np.ndarray]:
    """Return a Figure in the house style and its (rows, columns) array of Axes; sizes in inches."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, axes


def words(text: str) -> Figure:
    """Return a figure that says why there is none."""
    figure, axes = canvas(height=1.2)
    axes[0, 0].axis("off")
    axes[0, 0].text(0.5, 0.5, text, ha="center", va="center")
    return figure


def width(columns: int) -> float:
    """Inches of a figure with so many panels side by side."""
    return min(3.0 * columns + 1.0, WIDEST)


def name(protocol: str) -> str:
    """A protocol or label as the paper writes it: "random+drop" is "Random+DRoP"."""
    protocol, comma, note = protocol.partition(", ")
    base, smoothed = protocol.removesuffix(SMOOTHED), protocol.endswith(SMOOTHED)
    parts = []
    for part in base.split("+"):
        strategy = part.removesuffix("q")
        if part in QUOTAS:
            parts.append(QUOTAS[part])
        elif part != strategy and strategy in pruning.strategies():
            parts.append(NAMES.get(strategy, strategy) + "Q")
        else:
            parts.append(NAMES.get(part, part))
    return "+".join(parts) + SMOOTHED * smoothed + comma + note


def look(protocol: str) -> dict[str, str]:
    """Colour, line, marker and label of a protocol's curve."""
    if protocol == BY_COUNTS:
        return {"color": "#56B4E9", "linestyle": "--", "marker": "s", "label": name(protocol)}
    base = protocol.removesuffix(SMOOTHED)
    parsed = pruning.parse(base)
    strategy = parsed.strategy or parsed.ranking
    colour = COLOURS.get(base) or COLOURS.get(strategy) or _spare_colour(strategy)
    line, marker = QUOTA_LOOKS.get(parsed.quota, (":", "^"))
    if base == "random+drop":
        line = "-." if protocol.endswith(SMOOTHED) else "-"
    if "cdbw" in base:
        line, marker = (0, (5, 1, 1, 1)), "D"
    return {"color": colour, "linestyle": line, "marker": marker, "label": name(protocol)}


def _spare_colour(strategy: str) -> str:
    """A colour for a reader's own strategy, the same in every figure."""
    own = sorted(pruning.strategies() - set(COLOURS))
    return dict(zip(own, cycle(("#7B3294", "#018571", "#B2182B")), strict=False))[strategy]


def tradeoff(curves: Curves, against: Sequence[str] = ("density", "worst")) -> Figure:
    """Figures 1, 5, 7 and 9 to 12: average accuracy against density and against bias metrics.

    Curves are means over seeds; bands in the panel against density are 95 % intervals of the mean
    (the paper's are minimum and maximum of three seeds). Points on a curve are densities.
    """
    columns = 2 if len(against) == 4 else len(against)
    figure, axes = canvas(len(against) // columns, columns, width=width(columns), height=3.0)
    for ax, metric in zip(axes.flat, against, strict=True):
        _average_against(ax, curves, metric)
    for ax in axes[:, 0]:
        ax.set_ylabel(METRICS["average"][0])
    legend(figure, axes[:1, 0])
    return figure


def tradeoffs(rows: Mapping[str, Curves], against: Sequence[str]) -> Figure:
    """Rows of ``tradeoff``, each under its title: Figures 5 and 11 with one strategy a row."""
    if not rows:
        return words("no strategies to compare")
    figure, axes = canvas(len(rows), len(against), width=width(len(against)), height=2.8)
    for row, (title, curves) in zip(axes, rows.items(), strict=True):
        for ax, metric in zip(row, against, strict=True):
            _average_against(ax, curves, metric)
            ax.sharey(row[0])
        row[0].set(ylabel=METRICS["average"][0])
        row[0].set_title(title, loc="left")
    legend(figure, axes[:, 0])
    return figure


def _average_against(ax: Axes, curves: Curves, metric: str) -> None:
    for protocol, by_density in curves.items():
        if metric == "density":
            band(ax, protocol, by_density, "average")
        else:
            _parametric(ax, protocol, by_density, metric)
    ax.set_xlabel("density" if metric == "density" else METRICS[metric][0])


def means(by_density: Mapping[float, np.ndarray], metric: str) -> tuple[list, list]:
    """Means over seeds of a metric, or the densities themselves, and of the average accuracy."""
    densities = sorted(by_density)
    y = [100 * by_density[d].mean() for d in densities]
    if metric == "density":
        return densities, y
    return [100 * METRICS[metric][1](by_density[d]).mean() for d in densities], y


def against_density(curves: Curves, chosen: Sequence[str] = ("worst", "gap", "std")) -> Figure:
    """Each metric against density, with 95 % intervals of the mean over seeds."""
    figure, axes = canvas(1, len(chosen), width=width(len(chosen)), height=3.0)
    for ax, metric in zip(axes[0], chosen, strict=True):
        for protocol, by_density in curves.items():
            band(ax, protocol, by_density, metric)
        ax.set(xlabel="density", ylabel=METRICS[metric][0])
    legend(figure, axes[:1, 0])
    return figure


def pooled(curves: Curves) -> Figure:
    """Worst-class accuracy against density by two estimates: per seed, and pooled over seeds.

    Bars of the pooled estimate are 95 % intervals by ``metrics.over_seeds``; one seed has none.
    """
    figure, axes = canvas(1, 2, height=3.0)
    for protocol, by_density in curves.items():
        band(axes[0, 0], protocol, by_density, "worst")
        densities = sorted(by_density)
        values = np.array([metrics.pooled_worst(by_density[d]) for d in densities])
        ends = np.array([metrics.pooled_interval(by_density[d]) for d in densities])
        style = look(protocol)
        if protocol == "full":
            axes[0, 1].axhspan(*(100 * ends[0]), color=style["color"], alpha=0.1, lw=0)
            axes[0, 1].axhline(100 * values[0], color=style["color"], lw=1, ls=":")
            continue
        bars = 100 * np.abs(ends.T - values)
        axes[0, 1].errorbar(densities, 100 * values, bars, ms=4, capsize=2, **style)
    axes[0, 0].set(xlabel="density", ylabel="mean of per-seed worst class (%)")
    axes[0, 1].set(xlabel="density", ylabel="pooled worst class (%)")
    axes[0, 1].sharey(axes[0, 0])
    legend(figure, axes[:1, 0])
    return figure


def band(ax: Axes, protocol: str, by_density: Mapping[float, np.ndarray], metric: str) -> None:
    """Mean over seeds of a metric against density with its 95 % interval; full data as a line."""
    measure, style = METRICS[metric][1], look(protocol)
    densities = sorted(by_density)
    values = [100 * measure(by_density[d]) for d in densities]
    if protocol.startswith("full"):
        mean = values[0].mean()
        ax.axhline(mean, color=style["color"], lw=1, ls=FULL_LINES[protocol], label=style["label"])
        return
    interval_line(ax, densities, values, style)
    if len(densities) == 1:  # no range to choose ticks from
        ax.set_xlim(0, 1)


def interval_line(ax: Axes, x: Sequence[float], values: Sequence[np.ndarray], style: dict) -> None:
    """Draw the means over seeds of values, (S,) at each x, with 95 % intervals, in a ``look``."""
    means = np.array([column.mean() for column in values])
    half = np.array([half_width(column) for column in values])
    ax.plot(x, means, ms=4, lw=1.4, **style)
    shade(ax, x, means - half, means + half, style["color"])


def shade(ax: Axes, x: Sequence[float], low: np.ndarray, high: np.ndarray, colour: str) -> None:
    """Shade what lies between low and high, by a bar where a single x would leave no width."""
    if len(x) > 1:
        ax.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
    else:
        ax.vlines(x, low, high, color=colour, alpha=0.5, lw=1.4)


def half_width(values: np.ndarray) -> float:
    """Half the 95 % t interval of a mean; 0 for a single value."""
    found = metrics.student(values)
    return found.high - found.value if len(values) > 1 else 0.0


def _parametric(
    ax: Axes, protocol: str, by_density: Mapping[float, np.ndarray], metric: str
) -> None:
    x, y = means(by_density, metric)
    if protocol.startswith("full"):
        marker = "*" if protocol == "full" else "D"
        ax.plot(x, y, marker, ms=8, color=COLOURS["full"], ls="", label=name(protocol))
    else:
        ax.plot(x, y, ms=4, lw=1.4, **look(protocol))


def legend(figure: Figure, axes: Sequence[Axes], columns: int = 4) -> None:
    """One legend below for what the axes show, each label once."""
    shown = {}
    for ax in axes:
        handles, labels = ax.get_legend_handles_labels()
        shown |= {k: h for k, h in zip(labels, handles, strict=True) if k not in shown}
    columns = min(len(shown), columns)
    figure.legend(shown.values(), shown, loc="outside lower center", ncols=columns, fontsize=8)
