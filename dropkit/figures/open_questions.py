"""Figures of the chapter on open questions."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from dropkit.figures.style import canvas, curve, legend, log_ticks, width
from dropkit.study.curves import Curves
from dropkit.study.measures import compare
from dropkit.theory.shapes import RATIOS, families

LINES = ("#D55E00", "#0072B2", "#009E73", "#CC79A7")


def validation(panels: Mapping[str, Curves], measure: str) -> Figure:
    """Draw what DRoP gains on random pruning by validation samples a class, a panel a data set.

    In points with 95 % intervals, paired by seed.

    Parameters
    ----------
    panels : mapping of str to Curves
        From ``notebook.open_questions.by_validation``, by title.
    measure : str
        A key of ``study.MEASURES``.
    """
    figure, axes = canvas(1, len(panels), width=width(len(panels)), height=3.2)
    for ax, (title, curves) in zip(axes[0], panels.items(), strict=True):
        labels = [label for label in curves if label != "random"]
        for label, colour in zip(labels, LINES, strict=False):
            found = compare(curves, label, "random", [measure])
            style = {"marker": "o", "color": colour, "label": label}
            curve(ax, list(found), [each[measure] for each in found.values()], style)
        ax.axhline(0, color="#707070", lw=1.2)
        log_ticks(ax, sorted({count for label in labels for count in curves[label]}))
        ax.set_xlabel("validation samples a class")
        ax.set_title(title, loc="left")
    axes[0, 0].set_ylabel("gain on Random (points)")
    legend(figure, axes[0])
    return figure


def shapes(gap: float, sigma0: float, sigma1: float) -> Figure:
    """Draw the worst-class risk by class sizes against the distance from a Gaussian, a panel a way.

    Parameters
    ----------
    gap, sigma0, sigma1 : float
        Distance of the means, and deviations.
    """
    found = families(gap, sigma0, sigma1)
    figure, axes = canvas(2, 2, width=width(2), height=2.6)
    for ax, (title, (amounts, classes)) in zip(axes.flat, found.items(), strict=True):
        pairs = [classes(amount) for amount in amounts]
        looks = zip(("#000000", *LINES), (":", "-", "-", "--"), strict=False)
        for (name, ratio), (colour, line) in zip(RATIOS.items(), looks, strict=False):
            risks = [100 * two.worst_risk(two.minimizer(ratio(two))) for two in pairs]
            ax.plot(amounts, risks, color=colour, ls=line, label=name)
        ax.set(xlabel=title, ylim=(0, 40))
    for ax in axes[:, 0]:
        ax.set_ylabel("worst-class risk (%)")
    legend(figure, axes[0, :1])
    return figure


def scatter(x: np.ndarray, y: np.ndarray, xlabel: str, ylabel: str) -> Figure:
    """Draw one point a class."""
    figure, axes = canvas(width=4.2, height=3.0)
    axes[0, 0].plot(x, y, "o", ms=4, color=LINES[1], alpha=0.7, mew=0)
    axes[0, 0].set(xlabel=xlabel, ylabel=ylabel)
    return figure
