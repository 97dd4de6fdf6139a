"""Many paired differences in one picture: forests of intervals, and strips of numbers."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dropkit.figures.names import name
from dropkit.figures.style import canvas, look, words
from dropkit.figures.tables import POINTS, direction, number
from dropkit.metrics import Difference
from dropkit.study.curves import Curves
from dropkit.study.measures import MEASURES, compare

ROW = 0.19  # inches of a line of a forest
MARKS = {"worst": ("o", True), "average": ("o", False), "pooled": ("D", True), "tenth": ("s", True)}
FULL_COLOUR = 12.0  # points of difference at which a strip's colour is strongest

Pair = tuple[str, str]
Found = dict[float, dict[str, Difference]]  # by density and measure


def forest(
    settings: Mapping[str, Curves],
    pairs: Sequence[Pair],
    measures: Sequence[str] = ("worst", "average"),
) -> Figure:
    """Draw first minus second of each pair, a line a density, in a panel a setting.

    Parameters
    ----------
    settings : mapping of str to Curves
        Recalls by label and density, by the panels' titles.
    pairs : sequence of (str, str)
        Labels; a pair that a setting lacks leaves its lines empty.
    measures : sequence of str
        Of ``MARKS``; each has a mark of its own on every line.

    Returns
    -------
    Figure
        Means and their 95 % intervals in accuracy points, paired by seed.
    """
    found = {title: _compared(curves, pairs, measures) for title, curves in settings.items()}
    lines = _lines(found.values(), pairs)
    if not lines:
        return words("nothing to compare with these parameters")
    figure, axes = canvas(1, len(found), width=8.4, height=1.1 + ROW * (len(lines) + len(pairs)))
    for ax, (title, by_pair) in zip(axes[0], found.items(), strict=True):
        _panel(ax, by_pair, lines, measures)
        ax.set_title(title, fontsize=8)
    _label(axes[0, 0], lines, pairs)
    for ax in axes[0, 1:]:
        ax.set_yticks(axes[0, 0].get_yticks(), [])
        ax.set_ylim(axes[0, 0].get_ylim())
    handles = [
        axes[0, 0].plot([], [], marker, color="#333333", mfc=None if filled else "white")[0]
        for marker, filled in (MARKS[measure] for measure in measures)
    ]
    names = [MEASURES[measure].name for measure in measures]
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    return figure


def _compared(curves: Curves, pairs: Sequence[Pair], measures: Sequence[str]) -> dict[Pair, Found]:
    return {pair: compare(curves, *pair, measures) for pair in pairs if curves.keys() >= set(pair)}


def _lines(found: Sequence[dict[Pair, Found]], pairs: Sequence[Pair]) -> dict[tuple, float]:
    """Heights of the lines (pair, density), from the top down with room between pairs."""
    lines: dict[tuple, float] = {}
    height = 0.0
    for pair in pairs:
        densities = sorted({d for by_pair in found for d in by_pair.get(pair, {})})
        pruned = [d for d in densities if d < 1] or densities
        for density in reversed(pruned):
            lines[pair, density] = height = height - 1
        height -= 1.2 * bool(pruned)
    return lines


def _panel(
    ax: Axes, by_pair: dict[Pair, Found], lines: dict[tuple, float], measures: Sequence[str]
) -> None:
    steps = np.linspace(0.18, -0.18, len(measures)) if len(measures) > 1 else [0.0]
    for (pair, density), height in lines.items():
        found = by_pair.get(pair, {}).get(density)
        for measure, step in zip(measures, steps, strict=True):
            if found is None:
                continue
            value, low, high = found[measure]
            (marker, filled), colour = MARKS[measure], look(pair[0])["color"]
            ax.plot([low, high], [height + step] * 2, color=colour, lw=1, alpha=0.7)
            face = colour if filled else "white"
            ax.plot(value, height + step, marker, color=colour, mfc=face, ms=4)
    ax.axvline(0, color="#333333", lw=0.8)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("points")


def _label(ax: Axes, lines: dict[tuple, float], pairs: Sequence[Pair]) -> None:
    ticks, labels = list(lines.values()), [f"{density:g}" for _, density in lines]
    for pair in pairs:
        own = [height for (each, _), height in lines.items() if each == pair]
        if own:
            ticks.append(max(own) + 0.9)
            labels.append(f"{name(pair[0])} − {name(pair[1])}")
    ax.set_yticks(ticks, labels, fontsize=8)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(min(ticks) - 0.8, max(ticks) + 0.8)


def strips(
    curves: Curves,
    labels: Sequence[str],
    against: str = "full",
    measures: Sequence[str] = ("worst", "average"),
) -> Figure:
    """Draw each label minus another, a row a label and a column a density, in a panel a measure.

    Parameters
    ----------
    curves : Curves
        Recalls by label and density.
    labels : sequence of str
        Those that are not there are left out.
    against : str
        The label that is subtracted.
    measures : sequence of str
        Keys of ``study.MEASURES`` that read recalls.

    Returns
    -------
    Figure
        Differences in points, blue above and orange below; bold with a frame where the 95 %
        interval, paired by seed, leaves zero out.
    """
    rows = [label for label in labels if label in curves and label != against]
    if not rows or against not in curves:
        return words("nothing to compare with these parameters")
    found = {label: compare(curves, label, against, measures) for label in rows}
    densities = sorted({d for by_density in found.values() for d in by_density if d < 1})
    height = 0.9 + 0.24 * len(rows)
    figure, axes = canvas(1, len(measures), width=8.4, height=height)
    for ax, measure in zip(axes[0], measures, strict=True):
        values = np.full((len(rows), len(densities)), np.nan)
        for i, label in enumerate(rows):
            for j, density in enumerate(densities):
                if density in found[label]:
                    values[i, j] = _cell(ax, j, i, found[label][density][measure])
        shown = values.round(1)  # as printed: processors differ in the last bits
        ax.imshow(shown, cmap="RdBu", vmin=-FULL_COLOUR, vmax=FULL_COLOUR, aspect="auto", alpha=0.6)
        ax.set_xticks(range(len(densities)), [f"{density:g}" for density in densities])
        ax.set_yticks(range(len(rows)), [name(label) for label in rows] if ax is axes[0, 0] else [])
        title = f"{MEASURES[measure].name} − {name(against)}"
        title = title if len(measures) < 3 else fill(title, 17)
        ax.set(xlabel="density", title=title)
        ax.grid(visible=False)
        ax.tick_params(length=0)
    return figure


def _cell(ax: Axes, x: int, y: int, found: Difference) -> float:
    apart = direction(found) != "not separated"
    text = number(found.value, POINTS)
    weight = "bold" if apart else "normal"
    ax.text(x, y, text, ha="center", va="center", fontsize=8, weight=weight)
    if apart:
        frame = Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, fill=False, lw=0.8, color="#333333")
        ax.add_patch(frame)
    return found.value
