"""Figures of the guide: trade-off curves of samplers, and how far recalls can be trusted."""

from collections.abc import Mapping, Sequence
from itertools import product

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from dropkit._common.checks import Floats, Ints
from dropkit.figures.curves import rows_against_density
from dropkit.figures.style import canvas, curve, legend, level, log_ticks
from dropkit.figures.tables import Table, direction, points, summary
from dropkit.study.curves import Curves, at
from dropkit.study.measures import compare
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

SHOWN = {DROP: "DRoPSampler, smoothing=1"}  # stands in stored fits as it was named by default
LOOKS = {
    method: {
        **{"color": colour, "marker": marker, "linestyle": line},
        "label": SHOWN.get(method, method),
    }
    for method, colour, marker, line in (
        (RANDOM, "#707070", "o", "-"),
        (BALANCED, "#009E73", "v", "-."),
        (NEAR_MISS, "#CC79A7", "^", ":"),
        (HARDNESS, "#0072B2", "s", "--"),
        (DROP, "#D55E00", "o", "-"),
        (DROP_10, "#E69F00", "D", (0, (5, 1, 1, 1))),
        (FULL, "#000000", "", ":"),
    )
}


def tradeoffs(cases: Mapping[str, Curves], methods: Sequence[str]) -> Figure:
    """Draw average and worst-class accuracy against density, a row a case, with 95 % intervals."""
    figure, axes = canvas(len(cases), 2, width=7.2, height=2.1)
    rows = [{each: curves[each] for each in (*methods, FULL)} for curves in cases.values()]
    rows_against_density(figure, axes, rows, ("average", "worst"), LOOKS.__getitem__)
    for ax, title in zip(axes[:, 0], cases, strict=True):
        ax.set_title(title, loc="left")
    return figure


def uncertain_recalls(
    measured: Mapping[str, tuple[Floats, Ints, Floats]], classes: Sequence[str]
) -> Figure:
    """Draw recalls with 95 % Clopper-Pearson intervals, and the densities that follow from them.

    `measured` has recalls, validation samples and densities, (K,) each, by label.
    """
    figure, axes = canvas(1, 2, height=2.9)
    colours = matplotlib.colormaps["viridis"](np.linspace(0.1, 0.75, len(measured)))
    places = np.arange(len(classes))
    for i, (label, (recalls, sizes, densities)) in enumerate(measured.items()):
        shifted = places + 0.24 * (i - (len(measured) - 1) / 2)
        ends = [
            stats.binomtest(round(recall * size), size).proportion_ci()
            for recall, size in zip(recalls, map(int, sizes), strict=True)
        ]
        axes[0, 0].plot(shifted, 100 * recalls, "o", ms=3, color=colours[i], label=label)
        axes[0, 0].vlines(shifted, *(100 * np.transpose(ends)), color=colours[i], lw=1)
        axes[0, 1].bar(shifted, densities, width=0.22, color=colours[i])
    for ax, ylabel in zip(axes[0], ("recall (%)", "density by DRoP"), strict=True):
        ax.set(xticks=places, xticklabels=classes, xlabel="class", ylabel=ylabel)
    legend(figure, axes[0, :1])
    return figure


def trusted(recalls: Curves) -> Figure:
    """Draw accuracy minus Random's against validation samples a class, paired by split."""
    figure, axes = canvas(1, 2, height=2.9)
    labels = [label for label in recalls if label not in (RANDOM, CROSS)]
    colours = matplotlib.colormaps["plasma"](np.linspace(0.05, 0.8, len(labels)))
    for ax, measure in zip(axes[0], ("average", "worst"), strict=True):
        for label, colour in zip(labels, colours, strict=True):
            found = compare(recalls, label, RANDOM)
            style = {"marker": "o", "color": colour, "label": label}
            curve(ax, list(found), [each[measure] for each in found.values()], style)
        crossed = next(iter(compare(recalls, CROSS, RANDOM).values()))[measure]
        level(ax, crossed, {"color": "black", "linestyle": "--", "label": CROSS})
        ax.axhline(0, color="#707070", lw=1.2)
        log_ticks(ax, sorted(recalls[RANDOM]))
        ax.set_xlabel("validation samples a class")
    axes[0, 0].set_ylabel("average − Random's (points)")
    axes[0, 1].set_ylabel("worst class − Random's (points)")
    legend(figure, axes[0, :1], columns=5)
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
                SHOWN.get(method, method),
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
    return Table(rows, ["DRoP's ...", "smoothing 1", "smoothing 10 (default)"], title)


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
