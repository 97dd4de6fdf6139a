"""One house style: colours, lines and names of protocols, canvases, legends."""

from collections.abc import Sequence
from itertools import cycle

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dropkit import metrics, pruning
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


def canvas(
    rows: int = 1, columns: int = 1, *, width: float = 7.2, height: float = 2.8
) -> tuple[Figure, np.ndarray]:
    """Return a figure in the house style, and its axes.

    Parameters
    ----------
    rows, columns : int
        Of panels.
    width, height : float
        Inches of the figure, and of a row.

    Returns
    -------
    figure : Figure
        Without content.
    axes : (rows, columns) array of Axes
        Its panels.
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

    Returns
    -------
    Figure
        Of the text alone.
    """
    figure, axes = canvas(height=1.2)
    axes[0, 0].axis("off")
    axes[0, 0].text(0.5, 0.5, text, ha="center", va="center")
    return figure


def width(columns: int) -> float:
    """Return the inches of a figure with so many panels side by side."""
    return min(3.0 * columns + 1.0, WIDEST)


def name(protocol: str) -> str:
    """Return a protocol or label as the paper writes it.

    Parameters
    ----------
    protocol : str
        Such as "random+drop".

    Returns
    -------
    str
        Such as "Random+DRoP".
    """
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
    """Return how the curve of a protocol or label is drawn.

    Parameters
    ----------
    protocol : str
        Such as "random+drop".

    Returns
    -------
    dict
        Colour, line, marker and label, as matplotlib takes them.
    """
    if protocol == BY_COUNTS:
        return {"color": "#56B4E9", "linestyle": "--", "marker": "s", "label": name(protocol)}
    plain = protocol.partition(", ")[0]
    base = plain.removesuffix(SMOOTHED)
    parsed = pruning.parse(base)
    strategy = parsed.strategy or parsed.ranking
    colour = COLOURS.get(base) or COLOURS.get(strategy) or _spare_colour(strategy)
    line, marker = QUOTA_LOOKS.get(parsed.quota, (":", "^"))
    if base == "random+drop":
        line = "-." if plain != base else "-"
    if "cdbw" in base:
        line, marker = (0, (5, 1, 1, 1)), "D"
    return {"color": colour, "linestyle": line, "marker": marker, "label": name(protocol)}


def _spare_colour(strategy: str) -> str:
    """Return a colour for a reader's own strategy, the same in every figure."""
    own = sorted(pruning.strategies() - set(COLOURS))
    return dict(zip(own, cycle(("#7B3294", "#018571", "#B2182B")), strict=False))[strategy]


def shade(ax: Axes, x: Sequence[float], low: np.ndarray, high: np.ndarray, colour: str) -> None:
    """Shade what lies between low and high, by a bar where a single x would leave no width."""
    if len(x) > 1:
        ax.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
    else:
        ax.vlines(x, low, high, color=colour, alpha=0.5, lw=1.4)


def half_width(values: np.ndarray) -> float:
    """Return half the 95 % t interval of a mean; 0 for a single value."""
    found = metrics.student(values)
    return found.high - found.value if len(values) > 1 else 0.0


def legend(figure: Figure, axes: Sequence[Axes], columns: int = 4) -> None:
    """Draw one legend below a figure.

    Parameters
    ----------
    figure : Figure
        What it is drawn into.
    axes : sequence of Axes
        What it is of: each label once.
    columns : int
        At most.
    """
    shown = {}
    for ax in axes:
        handles, labels = ax.get_legend_handles_labels()
        shown |= {k: h for k, h in zip(labels, handles, strict=True) if k not in shown}
    columns = min(len(shown), columns)
    figure.legend(shown.values(), shown, loc="outside lower center", ncols=columns, fontsize=8)
