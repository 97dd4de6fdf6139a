"""One house style: colours and lines of protocols, canvases, estimates with intervals, legends."""

from collections.abc import Sequence
from itertools import cycle

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dropkit import pruning
from dropkit.figures.names import BY_COUNTS, name
from dropkit.metrics import Difference
from dropkit.pruning import SMOOTHED

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
    "cdbw+el2n": "#882255",  # else it looks like EL2N+CDB-W
    "ccs": "#117733",
    "moderate": "#AA4499",
    "beta": "#332288",
}
QUOTA_LOOKS = {
    **{"global": ("-", "o"), "drop": ("--", "s"), "dynamicdrop": ("--", "D")},
    **{"balance": ("-.", "v"), "proportional": ("-.", "<")},
}

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


def canvas(
    rows: int = 1, columns: int = 1, *, width: float = 7.2, height: float = 2.8
) -> tuple[Figure, np.ndarray]:
    """Return a Figure in the house style and its (rows, columns) array of Axes.

    Parameters
    ----------
    rows, columns : int
        How many panels.
    width, height : float
        Inches of the figure, and of each row.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, axes


def words(text: str) -> Figure:
    """Return a figure that says why there is none.

    Parameters
    ----------
    text : str
        The reason.
    """
    figure, axes = canvas(height=1.2)
    axes[0, 0].axis("off")
    axes[0, 0].text(0.5, 0.5, text, ha="center", va="center")
    return figure


def width(columns: int) -> float:
    """Return the inches of a figure with so many panels side by side."""
    return min(3.0 * columns + 1.0, WIDEST)


def look(protocol: str) -> dict[str, str]:
    """Return colour, line, marker and label of a curve.

    Parameters
    ----------
    protocol : str
        As in ``name``.
    """
    if protocol == BY_COUNTS:
        return {"color": "#56B4E9", "linestyle": "--", "marker": "s", "label": name(protocol)}
    plain = protocol.partition(", ")[0]
    base = plain.removesuffix(SMOOTHED)
    parsed = pruning.parse(base)
    # A quota's scores set a colour where the ranking is random.
    strategy = parsed.rule or next(iter(parsed.strategies), parsed.ranking)
    colour = COLOURS.get(base) or COLOURS.get(strategy) or _spare_colour(strategy)
    line, marker = QUOTA_LOOKS.get(parsed.quota, (":", "^"))
    if base == "full":
        line, marker = ":", "*"
    elif base == "random+drop":
        line = "-." if plain != base else "-"
    elif "cdbw" in base:
        line, marker = (0, (5, 1, 1, 1)), "D"
    return {"color": colour, "linestyle": line, "marker": marker, "label": name(protocol)}


def _spare_colour(strategy: str) -> str:
    """Return a colour for a reader's own strategy, the same in every figure."""
    own = sorted((pruning.strategies() | set(pruning.RULES)) - set(COLOURS))
    return dict(zip(own, cycle(("#7B3294", "#018571", "#B2182B")), strict=False))[strategy]


def curve(ax: Axes, x: Sequence[float], found: Sequence[Difference], style: dict) -> None:
    """Draw estimates at x in a ``look``, their intervals as a band; as a bar at a lone x."""
    middle, low, high = np.array(found).T
    ax.plot(x, middle, ms=4, lw=1.4, **style)
    low, high = (np.where(np.isnan(end), middle, end) for end in (low, high))  # of a single seed
    if len(x) > 1:
        ax.fill_between(x, low, high, color=style["color"], alpha=0.15, lw=0)
    else:
        ax.vlines(x, low, high, color=style["color"], alpha=0.5, lw=1.4)


def level(ax: Axes, found: Difference, style: dict) -> None:
    """Draw an estimate that holds at every x in a ``look``, its interval as a band."""
    ax.axhspan(found.low, found.high, color=style["color"], alpha=0.1, lw=0)
    ax.axhline(found.value, lw=1, **style | {"marker": ""})


def log_ticks(ax: Axes, values: Sequence[float]) -> None:
    """Make the horizontal axis logarithmic, with these values as its only ticks."""
    ax.set_xscale("log")
    ax.set_xticks(values, [f"{value:g}" for value in values])
    ax.minorticks_off()


def within_percent(*axes: Axes) -> None:
    """Keep axes of percentages inside 0 and 100, which an interval of few seeds may leave."""
    for ax in axes:
        low, high = ax.get_ylim()
        ax.set_ylim(max(low, 0), min(high, 100))


def legend(figure: Figure, axes: Sequence[Axes], columns: int = 4, title: str = "") -> None:
    """Draw one legend below for what the axes show, each label once.

    Parameters
    ----------
    figure : Figure
        Which gets the legend.
    axes : sequence of Axes
        Whose labels are shown.
    columns : int
        At most.
    title : str
        What the labels are values of.
    """
    shown = {}
    for ax in axes:
        handles, labels = ax.get_legend_handles_labels()
        shown |= {k: h for k, h in zip(labels, handles, strict=True) if k not in shown}
    style = {"loc": "outside lower center", "ncols": min(len(shown), columns), "fontsize": 8}
    figure.legend(shown.values(), shown, title=title or None, **style)
