"""Figures of the guide: trade-off curves of samplers, and how far recalls can be trusted."""

from collections.abc import Mapping, Sequence
from itertools import product

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from dropkit._common.checks import Floats, Ints
from dropkit.figures.style import canvas, half_width
from dropkit.figures.tables import Table, direction, points, summary
from dropkit.study.curves import Curves, at
from dropkit.study.measures import MEASURES, compare
from dropkit.study.your_data import (
    BALANCED,
    CROSS,
    DROP,
    DROP_10,
    FITS,
    FULL,
    HARDNESS,
    NEAR_MISS,
    RANDOM,
    Comparison,
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
    """Draw average and worst-class accuracy against density, a row a case, with 95 % intervals."""
    figure, axes = canvas(len(cases), 2, width=7.2, height=2.1)
    for row, (title, curves) in zip(axes, cases.items(), strict=True):
        for ax, measure in zip(row, ("average", "worst"), strict=True):
            of = MEASURES[measure].of
            for method in methods:
                colour, marker, line = LOOKS[method]
                x = sorted(curves[method])
                per_seed = [100 * of(curves[method][d]) for d in x]
                style = {"color": colour, "marker": marker, "ls": line, "ms": 4, "lw": 1.4}
                _with_intervals(ax, x, per_seed, label=method, **style)
            full = 100 * of(curves[FULL][1.0]).mean()
            ax.axhline(full, color="black", ls=":", lw=1.2, label=FULL)
            ax.set_ylabel(MEASURES[measure].axis)
        row[0].set_title(title, loc="left")
    for ax in axes[-1]:
        ax.set_xlabel("density")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def uncertain_recalls(
    measured: Mapping[str, tuple[Floats, Ints, Floats]], classes: Sequence[str]
) -> Figure:
    """Draw recalls with 95 % Clopper-Pearson intervals, and the densities that follow from them.

    Parameters
    ----------
    measured : mapping of str to tuple of ndarray, shape (K,) each
        Recalls, validation samples and densities, by label.
    classes : sequence of str
        Names of the K classes.
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
    """Draw accuracy minus Random's against validation samples a class, paired by split."""
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


def trust(recalls: Curves) -> Table:
    """Return how much worst class the recalls of ``your_data.trust`` gain over random pruning.

    A smoothing a row, and cross-validation; a number of validation samples a column.
    """
    rows = []
    for label in [*(label for label in recalls if label not in (RANDOM, CROSS)), CROSS]:
        gains = compare(recalls, label, RANDOM).values()
        rows.append([label, *(points(gain["worst"]) for gain in gains)])
    headers = ["", *(f"{count} a class" for count in sorted(recalls[RANDOM]))]
    return Table(rows, headers, "Worst class minus Random's, in points, with 95 % intervals")


def methods(title: str, found: Comparison, density: float) -> Table:
    """Return what each method keeps and reaches at a density, and what it gains over Random."""
    rows = []
    for method, by_density in found.recalls.items():
        gain = compare(found.recalls, method, RANDOM)[density]
        gained = [points(gain[measure]) for measure in ("average", "worst")]
        rows.append(
            [
                method,
                f"{100 * at(found.kept[method], density).mean():.0f}",
                *summary(at(by_density, density), ("average", "worst")),
                *(gained if method != RANDOM else ["", ""]),
                FITS[method],
            ]
        )
    headers = ["", "kept (%)", "average (%)", "worst class (%)", "average − Random's"]
    title = f"{title[0].upper()}{title[1:]}, density {density:g}"
    return Table(rows, [*headers, "worst − Random's", "fits"], title)


OTHERS = {
    "Random": RANDOM,
    "the full data": FULL,
    "plain balancing": BALANCED,
    "InstanceHardnessThreshold": HARDNESS,
    "DRoP with smoothing 1": DROP,
}


def decided(cases: Mapping[str, Curves], density: float) -> Table:
    """Return the cases in which an interval says DRoP to be higher, or lower, than another."""
    rows = []
    for measure, label, against in (
        ("worst", "worst class", list(OTHERS)),
        ("average", "average", ["Random", "the full data", "DRoP with smoothing 1"]),
    ):
        for name, way in product(against, ("higher", "lower")):
            cells = [
                _where(cases, method, OTHERS[name], density, measure, way)
                for method in (DROP, DROP_10)
            ]
            rows.append([f"{label} {way} than {name}'s", *cells])
    title = f"The cases in which the interval excludes zero, density {density:g}"
    return Table(rows, ["DRoP's ...", "smoothing 1 (default)", "smoothing 10"], title)


def _where(
    cases: Mapping[str, Curves], first: str, second: str, density: float, measure: str, way: str
) -> str:
    """The cases in which first minus second goes one way by its interval."""
    if first == second:
        return "–"
    found = [
        title
        for title, recalls in cases.items()
        if direction(compare(recalls, first, second)[density][measure]) == way
    ]
    return "; ".join(found) or "none of the five"


def _with_intervals(ax: Axes, x: Sequence[float], per_seed: Sequence[Floats], **style) -> None:
    """Draw means over seeds with 95 % t intervals."""
    means = [values.mean() for values in per_seed]
    halves = [half_width(values) for values in per_seed]
    ax.errorbar(x, means, halves, elinewidth=0.9, **style)
