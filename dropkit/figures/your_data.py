"""Figures of the guide: trade-off curves of samplers, and how far recalls can be trusted."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from dropkit._common.checks import Floats, Ints
from dropkit.claims.statements import compare
from dropkit.figures.curves import Curves, canvas, half_width
from dropkit.metrics import bias
from dropkit.study.your_data import (
    BALANCED,
    CROSS,
    DROP,
    DROP_10,
    FULL,
    HARDNESS,
    NEAR_MISS,
    RANDOM,
)

LOOKS = {
    RANDOM: ("#707070", "o", "-"),
    BALANCED: ("#009E73", "v", "-."),
    NEAR_MISS: ("#CC79A7", "^", ":"),
    HARDNESS: ("#0072B2", "s", "--"),
    DROP: ("#D55E00", "o", "-"),
    DROP_10: ("#E69F00", "D", (0, (5, 1, 1, 1))),
}


def tradeoffs(cases: Mapping[str, Curves], methods: Sequence[str]) -> Figure:
    """Average and worst-class accuracy against density, a row a case, with 95 % intervals."""
    figure, axes = canvas(len(cases), 2, width=7.2, height=2.1)
    for row, (title, curves) in zip(axes, cases.items(), strict=True):
        for ax, measure in zip(row, ("average", "worst"), strict=True):
            for method in methods:
                colour, marker, line = LOOKS[method]
                x = sorted(curves[method])
                per_seed = [100 * getattr(bias(curves[method][d]), measure) for d in x]
                style = {"color": colour, "marker": marker, "ls": line, "ms": 4, "lw": 1.4}
                _with_intervals(ax, x, per_seed, label=method, **style)
            full = 100 * getattr(bias(curves[FULL][1.0]), measure).mean()
            ax.axhline(full, color="black", ls=":", lw=1.2, label=FULL)
        row[0].set_title(title, loc="left")
        row[0].set_ylabel("average (%)")
        row[1].set_ylabel("worst class (%)")
    for ax in axes[-1]:
        ax.set_xlabel("density")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def uncertain_recalls(
    measured: Mapping[str, tuple[Floats, Ints, Floats]], classes: Sequence[str]
) -> Figure:
    """Recalls with 95 % Clopper-Pearson intervals, and the densities that follow from them.

    Parameters
    ----------
    measured : label -> recalls, validation samples, densities; each of shape (K,).
    classes : names of the K classes.
    """
    figure, axes = canvas(1, 2, height=2.9)
    colours = matplotlib.colormaps["viridis"](np.linspace(0.1, 0.75, len(measured)))
    places = np.arange(len(classes))
    for i, (label, (recalls, sizes, densities)) in enumerate(measured.items()):
        shifted = places + 0.24 * (i - (len(measured) - 1) / 2)
        bounds = [
            stats.binomtest(round(recall * size), size).proportion_ci()
            for recall, size in zip(recalls, map(int, sizes), strict=True)
        ]
        bars = np.abs(np.array(bounds).T - recalls)
        style = {"fmt": "o", "ms": 3, "lw": 1, "color": colours[i], "label": label}
        axes[0, 0].errorbar(shifted, 100 * recalls, 100 * bars, **style)
        axes[0, 1].bar(shifted, densities, width=0.22, color=colours[i])
    for ax, ylabel in zip(axes[0], ("recall (%)", "density by DRoP"), strict=True):
        ax.set(xticks=places, xticklabels=classes, xlabel="class", ylabel=ylabel)
    figure.legend(loc="outside lower center", ncols=len(measured))
    return figure


def trusted(recalls: Curves) -> Figure:
    """Accuracy minus Random's against validation samples a class, with paired 95 % intervals."""
    figure, axes = canvas(1, 2, height=2.9)
    labels = [label for label in recalls if label not in (RANDOM, CROSS)]
    colours = matplotlib.colormaps["plasma"](np.linspace(0.05, 0.8, len(labels)))
    for ax, measure in zip(axes[0], ("average", "worst"), strict=True):
        for label, colour in zip(labels, colours, strict=True):
            found = compare(recalls, label, RANDOM)
            x = np.array(sorted(found))
            values = np.array([found[count][measure] for count in x])
            bars = np.abs(values[:, 1:] - values[:, :1]).T
            style = {"marker": "o", "ms": 4, "lw": 1.2, "color": colour, "label": label}
            ax.errorbar(x, values[:, 0], bars, **style)
        crossed = next(iter(compare(recalls, CROSS, RANDOM).values()))[measure]
        ax.axhspan(crossed.low, crossed.high, color="black", alpha=0.12, lw=0)
        ax.axhline(crossed.value, color="black", ls="--", lw=1.2, label=CROSS)
        ax.axhline(0, color="#707070", lw=1.2)
        ax.set(xscale="log", xticks=x, xticklabels=x, xlabel="validation samples a class")
        ax.minorticks_off()
    axes[0, 0].set_ylabel("average − Random's (points)")
    axes[0, 1].set_ylabel("worst class − Random's (points)")
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=5)
    return figure


def _with_intervals(ax: Axes, x: Sequence[float], per_seed: Sequence[Floats], **style) -> None:
    """Draw means over seeds with 95 % t intervals."""
    means = [values.mean() for values in per_seed]
    halves = [half_width(values) for values in per_seed]
    ax.errorbar(x, means, halves, elinewidth=0.9, **style)
