"""Average and worst-class accuracy against density and against each other.

The functions take recalls by label and density, ``study.Curves``, and return a Figure.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dropkit.figures.names import name
from dropkit.figures.style import canvas, curve, legend, level, look, width, within_percent, words
from dropkit.study.curves import ByDensity, Curves
from dropkit.study.measures import MEASURES, levels


def tradeoff(curves: Curves, against: Sequence[str] = ("density", "worst")) -> Figure:
    """Draw Figures 1, 5, 7 and 9 to 12: average accuracy against density and measures of bias.

    Curves are means over seeds; bands in the panel against density are 95 % intervals of the mean
    (the paper's are minimum and maximum of three seeds). Points on a curve are densities.

    Parameters
    ----------
    curves : Curves
        Recalls by label and density, from ``study.by_protocol``.
    against : sequence of str
        "density", or keys of ``study.MEASURES`` with an axis; four stand two by two.
    """
    columns = 2 if len(against) == 4 else len(against)
    figure, axes = canvas(len(against) // columns, columns, width=width(columns), height=3.0)
    for ax, measure in zip(axes.flat, against, strict=True):
        _average_against(ax, curves, measure)
    _label_averages(axes, against)
    legend(figure, axes[:1, 0])
    return figure


def tradeoffs(rows: Mapping[str, Curves], against: Sequence[str]) -> Figure:
    """Draw rows of ``tradeoff``, each under its title: Figures 5 and 11 with a strategy a row.

    Parameters
    ----------
    rows : mapping of str to Curves
        By title.
    against : sequence of str
        A column each, as in ``tradeoff``.
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
            _against_density(ax, by_density, "average", look(protocol))
        else:
            ax.plot(*_means(by_density, measure), **_points(protocol))


def _means(by_density: ByDensity, measure: str) -> tuple[list, list]:
    """Means over seeds of a measure, or the densities themselves, and of the average accuracy."""

    def over(key: str) -> list[float]:
        return [100 * MEASURES[key].of(by_density[d]).mean() for d in sorted(by_density)]

    return sorted(by_density) if measure == "density" else over(measure), over("average")


def _points(protocol: str) -> dict:
    """The look of a line whose points are densities, which full data have one of."""
    sizes = {"markersize": 4, "linewidth": 1.4}
    if protocol.startswith("full"):
        sizes = {"markersize": 8, "linestyle": "", "zorder": 3}
    return look(protocol) | sizes


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
        By imbalance factor.
    against : sequence of str
        Four, as in ``tradeoff``.
    """
    figure, axes = canvas(2, 2, width=8.4, height=3.0)
    depths = np.linspace(0.45, 0.95, len(by_factor))
    maps = {"random+drop": "Oranges", "el2n": "Blues", "full": "Greys", "full+cdbw": "Greys"}
    for protocol, shades in maps.items():
        tails = zip(by_factor.items(), depths, cycle("os^vD"), strict=False)
        for (factor, curves), depth, marker in tails:
            if protocol not in curves:
                continue
            style = _points(protocol) | {"color": matplotlib.colormaps[shades](depth)}
            style |= {"label": f"{name(protocol)}, I = {factor:g}"}
            style |= {} if protocol.startswith("full") else {"marker": marker}
            for ax, measure in zip(axes.flat, against, strict=True):
                ax.plot(*_means(curves[protocol], measure), **style)
    _label_averages(axes, against)
    legend(figure, axes[:1, 0], columns=3)
    return figure


def against_density(curves: Curves, chosen: Sequence[str] = ("worst", "gap", "std")) -> Figure:
    """Draw each measure against density: means over seeds with their 95 % intervals.

    Parameters
    ----------
    curves : Curves
        Recalls by label and density, from ``study.by_protocol``.
    chosen : sequence of str
        Keys of ``study.MEASURES``, a panel each.
    """
    figure, axes = canvas(1, len(chosen), width=width(len(chosen)), height=3.0)
    rows_against_density(figure, axes, [curves], chosen)
    return figure


def pooled(curves: Curves) -> Figure:
    """Draw worst-class accuracy against density by two estimates: per seed, and pooled over seeds.

    Parameters
    ----------
    curves : Curves
        Recalls by label and density, from ``study.by_protocol``.
    """
    figure = against_density(curves, ("worst", "pooled"))
    per_seed, both = figure.axes
    per_seed.set_ylabel("mean of per-seed worst class (%)")
    both.sharey(per_seed)
    return figure


def sets_against_density(
    sets: Mapping[str, Curves], measure: str = "worst", unit: str = "class"
) -> Figure:
    """Draw one measure against density, a data set a panel, with 95 % intervals over seeds.

    Parameters
    ----------
    sets : mapping of str to Curves
        By title.
    measure : str
        A key of ``study.MEASURES``.
    unit : {"class", "group"}
        What it is measured between.
    """
    figure, axes = canvas(1, len(sets), width=width(len(sets)), height=3.4)
    rows_against_density(figure, axes.T, list(sets.values()), [measure])
    for ax, title in zip(axes[0], sets, strict=True):
        ax.set(xlabel="density", ylabel=MEASURES[measure].axis.replace("class", unit))
        ax.set_title(title, loc="left")
    return figure


def tails_against_density(
    by_factor: Mapping[float, Curves], chosen: Sequence[str], protocols: Sequence[str]
) -> Figure:
    """Draw Figure 8's protocols against density, a row an imbalance factor, a column a measure.

    Parameters
    ----------
    by_factor : mapping of float to Curves
        By imbalance factor.
    chosen : sequence of str
        Keys of ``study.MEASURES``.
    protocols : sequence of str
        Labels; those without curves are left out.
    """
    if not by_factor:
        return words("no such protocols")
    figure, axes = canvas(len(by_factor), len(chosen), width=3.4 * len(chosen), height=2.3)
    rows = [{p: curves[p] for p in protocols if p in curves} for curves in by_factor.values()]
    rows_against_density(figure, axes, rows, chosen)
    for row, factor in zip(axes, by_factor, strict=True):
        for ax in row:
            ax.set_title(f"I = {factor:g}")
    return figure


def rows_against_density(
    figure: Figure,
    axes: np.ndarray,
    rows: Sequence[Curves],
    chosen: Sequence[str],
    looks: Callable[[str], dict] = look,
) -> None:
    """Draw a column a measure, each label in its ``look``; what prunes nothing is level."""
    for row, curves in zip(axes, rows, strict=True):
        for ax, measure in zip(row, chosen, strict=True):
            for label, by_density in curves.items():
                _against_density(ax, by_density, measure, looks(label))
            ax.set_ylabel(MEASURES[measure].axis)
    for ax in axes[-1]:
        ax.set_xlabel("density")
    within_percent(*axes.flat)
    legend(figure, axes.flat)


def _against_density(ax: Axes, by_density: ByDensity, measure: str, style: dict) -> None:
    found = levels(by_density, measure)
    if list(found) == [1.0]:
        level(ax, found[1.0], style)
        return
    curve(ax, list(found), list(found.values()), style)
    if len(found) == 1:  # no range to choose ticks from
        ax.set_xlim(0, 1)
