"""Average and worst-class accuracy against density and against each other.

The functions take recalls by label and density, ``study.Curves``, and return a Figure.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dropkit.figures.style import (
    COLOURS,
    FULL_LINES,
    canvas,
    half_width,
    legend,
    look,
    name,
    shade,
    width,
    words,
)
from dropkit.study.curves import Curves
from dropkit.study.measures import MEASURES, difference


def tradeoff(curves: Curves, against: Sequence[str] = ("density", "worst")) -> Figure:
    """Draw Figures 1, 5, 7 and 9 to 12: average accuracy against density and measures of bias.

    Curves are means over seeds; bands in the panel against density are 95 % intervals of the mean
    (the paper's are minimum and maximum of three seeds). Points on a curve are densities.

    Parameters
    ----------
    curves : Curves
        Recalls by protocol and density.
    against : sequence of str
        Names of measures, or "density": a panel each.

    Returns
    -------
    Figure
        Four panels stand two by two.
    """
    columns = 2 if len(against) == 4 else len(against)
    figure, axes = canvas(len(against) // columns, columns, width=width(columns), height=3.0)
    for ax, measure in zip(axes.flat, against, strict=True):
        _average_against(ax, curves, measure)
    _label_averages(axes, against)
    legend(figure, axes[:1, 0])
    return figure


def tradeoffs(rows: Mapping[str, Curves], against: Sequence[str]) -> Figure:
    """Draw rows of ``tradeoff``: Figures 5 and 11 with a strategy a row.

    Parameters
    ----------
    rows : mapping of str to Curves
        Recalls by title, protocol and density.
    against : sequence of str
        Names of measures, or "density": a panel each.

    Returns
    -------
    Figure
        A row a title.
    """
    if not rows:
        return words("no strategies to compare")
    figure, axes = canvas(len(rows), len(against), width=width(len(against)), height=2.8)
    for row, (title, curves) in zip(axes, rows.items(), strict=True):
        for ax, measure in zip(row, against, strict=True):
            _average_against(ax, curves, measure)
            ax.sharey(row[0])
        _label_averages(row[None], against)
        row[0].set_title(title, loc="left")
    legend(figure, axes[:, 0])
    return figure


def _average_against(ax: Axes, curves: Curves, measure: str) -> None:
    for protocol, by_density in curves.items():
        if measure == "density":
            band(ax, protocol, by_density, "average")
        else:
            _parametric(ax, protocol, by_density, measure)


def _parametric(
    ax: Axes, protocol: str, by_density: Mapping[float, np.ndarray], measure: str
) -> None:
    x, y = _means(by_density, measure)
    if protocol.startswith("full"):
        marker = "*" if protocol == "full" else "D"
        ax.plot(x, y, marker, ms=8, color=COLOURS["full"], ls="", label=name(protocol))
    else:
        ax.plot(x, y, ms=4, lw=1.4, **look(protocol))


def _means(by_density: Mapping[float, np.ndarray], measure: str) -> tuple[list, list]:
    """Means over seeds of a measure, or the densities themselves, and of the average accuracy."""
    densities = sorted(by_density)
    y = [_percent(by_density[d], "average").mean() for d in densities]
    if measure == "density":
        return densities, y
    return [_percent(by_density[d], measure).mean() for d in densities], y


def _percent(recalls: np.ndarray, measure: str) -> np.ndarray:
    """A measure of each run, (S, K) to (S,)."""
    return 100 * MEASURES[measure].of(recalls)


def _label_averages(axes: np.ndarray, against: Sequence[str]) -> None:
    for ax, measure in zip(axes.flat, against, strict=True):
        ax.set_xlabel("density" if measure == "density" else MEASURES[measure].axis)
    for ax in axes[:, 0]:
        ax.set_ylabel(MEASURES["average"].axis)


def tail_tradeoff(by_factor: Mapping[float, Curves], against: Sequence[str]) -> Figure:
    """Draw Figure 8 as the paper groups it: a line for each protocol and imbalance factor I.

    Random+DRoP is orange, the darker the larger I, EL2N blue; whole sets are stars, with CDB-W
    diamonds, in the same shades of grey.

    Parameters
    ----------
    by_factor : mapping of float to Curves
        Recalls by imbalance factor, protocol and density.
    against : sequence of str
        Names of four measures, or "density": a panel each.

    Returns
    -------
    Figure
        Two by two panels.
    """
    figure, axes = canvas(2, 2, width=8.4, height=3.0)
    depths = np.linspace(0.45, 0.95, len(by_factor))
    maps = {"random+drop": "Oranges", "el2n": "Blues", "full": "Greys", "full+cdbw": "Greys"}
    for protocol, shades in maps.items():
        for (factor, curves), depth, marker in zip(
            by_factor.items(), depths, cycle("os^vD"), strict=False
        ):
            if protocol not in curves:
                continue
            style = {"color": matplotlib.colormaps[shades](depth), "marker": marker}
            style["label"] = f"{name(protocol)}, I = {factor:g}"
            if protocol.startswith("full"):
                style |= {"linestyle": "", "marker": "*" if protocol == "full" else "D"}
            for ax, measure in zip(axes.flat, against, strict=True):
                ax.plot(*_means(curves[protocol], measure), ms=4, lw=1.4, **style)
    _label_averages(axes, against)
    legend(figure, axes[:1, 0], columns=3)
    return figure


def against_density(curves: Curves, chosen: Sequence[str] = ("worst", "gap", "std")) -> Figure:
    """Draw measures against density, with 95 % intervals of the mean over seeds.

    Parameters
    ----------
    curves : Curves
        Recalls by protocol and density.
    chosen : sequence of str
        Names of measures: a panel each.

    Returns
    -------
    Figure
        One row of panels.
    """
    figure, axes = canvas(1, len(chosen), width=width(len(chosen)), height=3.0)
    _bands(axes[0], curves, chosen)
    for ax in axes[0]:
        ax.set_xlabel("density")
    legend(figure, axes[:1, 0])
    return figure


def tails_against_density(
    by_factor: Mapping[float, Curves], chosen: Sequence[str], protocols: Sequence[str]
) -> Figure:
    """Draw Figure 8's protocols against density, a row an imbalance factor.

    Parameters
    ----------
    by_factor : mapping of float to Curves
        Recalls by imbalance factor, protocol and density.
    chosen : sequence of str
        Names of measures: a column each.
    protocols : sequence of str
        Those that are drawn, where they were run.

    Returns
    -------
    Figure
        A row a factor.
    """
    shown = {
        factor: {label: curves[label] for label in protocols if label in curves}
        for factor, curves in by_factor.items()
    }
    if not shown:
        return words("no such protocols")
    figure, axes = canvas(len(shown), len(chosen), width=3.4 * len(chosen), height=2.3)
    for row, (factor, curves) in zip(axes, shown.items(), strict=True):
        _bands(row, curves, chosen)
        for ax in row:
            ax.set_title(f"I = {factor:g}")
    for ax in axes[-1]:
        ax.set_xlabel("density")
    legend(figure, axes[:1, 0])
    return figure


def _bands(axes: Sequence[Axes], curves: Curves, chosen: Sequence[str]) -> None:
    for ax, measure in zip(axes, chosen, strict=True):
        for protocol, by_density in curves.items():
            band(ax, protocol, by_density, measure)
        ax.set_ylabel(MEASURES[measure].axis)


def pooled(curves: Curves) -> Figure:
    """Draw worst-class accuracy against density by two estimates: per seed, and pooled over seeds.

    Bars of the pooled estimate are 95 % intervals by ``metrics.over_seeds``; one seed has none.

    Parameters
    ----------
    curves : Curves
        Recalls by protocol and density.

    Returns
    -------
    Figure
        Two panels.
    """
    figure, axes = canvas(1, 2, height=3.0)
    for protocol, by_density in curves.items():
        band(axes[0, 0], protocol, by_density, "worst")
        densities = sorted(by_density)
        found = np.array([difference([by_density[d]], [], "pooled") for d in densities])
        style = look(protocol)
        if protocol == "full":
            axes[0, 1].axhspan(*found[0, 1:], color=style["color"], alpha=0.1, lw=0)
            axes[0, 1].axhline(found[0, 0], color=style["color"], lw=1, ls=":")
            continue
        bars = np.abs(found[:, 1:].T - found[:, 0])
        axes[0, 1].errorbar(densities, found[:, 0], bars, ms=4, capsize=2, **style)
    axes[0, 0].set(xlabel="density", ylabel="mean of per-seed worst class (%)")
    axes[0, 1].set(xlabel="density", ylabel=MEASURES["pooled"].axis)
    axes[0, 1].sharey(axes[0, 0])
    legend(figure, axes[:1, 0])
    return figure


def band(ax: Axes, protocol: str, by_density: Mapping[float, np.ndarray], measure: str) -> None:
    """Draw the mean over seeds of a measure against density with its 95 % interval.

    Full data are a line.
    """
    style = look(protocol)
    densities = sorted(by_density)
    values = [_percent(by_density[d], measure) for d in densities]
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
