"""Figures of long-tailed data sets (Figure 8).

Shapes: S seeds, K classes.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from textwrap import fill

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from dropkit.figures import curves as figures
from dropkit.figures.curves import (
    METRICS,
    Curves,
    band,
    canvas,
    interval_line,
    legend,
    look,
    means,
    name,
    words,
)

TITLE = 24  # letters above a panel of three


def tradeoff(by_factor: Mapping[float, Curves], against: Sequence[str]) -> Figure:
    """Figure 8 as the paper groups it: one line for each protocol and imbalance factor I.

    Random+DRoP is orange, the darker the larger I, EL2N blue; whole sets are stars, with CDB-W
    diamonds, in the same shades of grey.
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
            for ax, metric in zip(axes.flat, against, strict=True):
                ax.plot(*means(curves[protocol], metric), ms=4, lw=1.4, **style)
    for ax, metric in zip(axes.flat, against, strict=True):
        ax.set_xlabel("density" if metric == "density" else METRICS[metric][0])
    for ax in axes[:, 0]:
        ax.set_ylabel(METRICS["average"][0])
    legend(figure, axes[:1, 0], columns=3)
    return figure


def against_density(by_factor: Mapping[float, Curves], chosen: Sequence[str]) -> Figure:
    """Figure 8: metrics against density, a row an imbalance factor, a column a metric."""
    if not by_factor:
        return words("no such protocols")
    figure, axes = canvas(len(by_factor), len(chosen), width=3.4 * len(chosen), height=2.3)
    for row, (factor, curves) in zip(axes, by_factor.items(), strict=True):
        for ax, metric in zip(row, chosen, strict=True):
            for protocol, by_density in curves.items():
                band(ax, protocol, by_density, metric)
            ax.set(ylabel=METRICS[metric][0], title=f"I = {factor:g}")
    for ax in axes[-1]:
        ax.set_xlabel("density")
    legend(figure, axes[:1, 0])
    return figure


def recalls(panels: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Recalls (S, K) of each protocol, classes from the largest to the smallest; a panel a title.

    Means over seeds with their 95 % intervals.
    """
    if not panels:
        return words("no records yet")
    figure, axes = canvas(1, len(panels), width=min(figures.width(len(panels)), 7.2), height=3.0)
    for ax, (title, of_each) in zip(axes[0], panels.items(), strict=True):
        for protocol, values in of_each.items():
            places = range(1, values.shape[1] + 1)
            interval_line(ax, places, 100 * values.T, look(protocol))
        # An interval of two seeds may reach far beyond what a recall can be.
        ax.set(xlabel="class, from the largest", title=fill(title, TITLE), ylim=(0, 100))
    for ax in axes[0, 1:]:
        ax.tick_params(labelleft=False)
    axes[0, 0].set_ylabel("recall (%)")
    legend(figure, axes[0])
    return figure
