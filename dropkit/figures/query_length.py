"""What DRoP makes of good and of poor recalls: Appendix F, and beyond it.

Shapes: S seeds, K classes. A `Line` has the recalls of final networks at each value of a setting.
"""

from collections.abc import Iterable, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dropkit import metrics
from dropkit.figures.curves import METRICS, canvas, half_width, shade
from dropkit.metrics import Difference
from dropkit.store.records import Record

Line = Mapping[float, np.ndarray]  # value of a setting -> recalls (S, K)
Pair = tuple[np.ndarray, np.ndarray]

ESTIMATES = {
    "average": lambda recalls: recalls.mean(axis=1),
    "worst": metrics.worst,
}


def query_recalls(records: Iterable[Record]) -> np.ndarray:
    """The recalls that DRoP's quotas came from, (S, K), rows by seed."""
    rows = {record["trial"]["seed"]: record["query"]["recalls"] for record in records}
    return np.array([rows[seed] for seed in sorted(rows)])


def correlation(measured: np.ndarray, final: np.ndarray) -> float:
    """Correlation over classes of two recalls (S, K), averaged over seeds.

    A seed whose classes all have one recall counts as 0: it says nothing about classes.
    """
    pairs = zip(measured, final, strict=True)
    return float(
        np.mean([np.corrcoef(a, b)[0, 1] if np.ptp(a) and np.ptp(b) else 0.0 for a, b in pairs])
    )


def quality_row(measured: np.ndarray, final: np.ndarray) -> list[str]:
    """How good measured recalls (S, K) are, as cells for ``notebook.table`` under ``QUALITY``.

    `final` (S, K) are test recalls after full training on the full data, seeds in the same order.
    """
    return [
        f"{100 * measured.mean():.1f}",
        f"{100 * measured.std(axis=1).mean():.1f}",
        f"{correlation(measured, final):.2f}",
        f"{np.corrcoef(measured.mean(axis=0), final.mean(axis=0))[0, 1]:.2f}",
        f"{(measured == 1).any(axis=1).mean():.0%}",
    ]


QUALITY = [
    "average recall (%)",
    "std over classes (%)",
    "correlation with final recalls, per seed",
    "of means over seeds",
    "seeds with a perfect class",
]


def loss_difference(first: Pair, second: Pair, estimate: str) -> Difference:
    """How much more a poor measurement costs in a first situation than in a second, in points.

    Parameters
    ----------
    first, second : (poor, good), each (S, K)
        Recalls of final networks by poor and by good measurement; the same seeds throughout.
    estimate : str
        "average" or "worst" (per seed) with a 95 % t interval, or "pooled" (the worst class) with
        that of ``metrics.over_seeds``.

    Returns
    -------
    Difference; its interval is (NaN, NaN) for a single seed.
    """
    parts = list(zip((-1, 1, 1, -1), (*first, *second), strict=True))
    if estimate == "pooled":
        found = metrics.over_seeds(
            lambda weights: sum(sign * (weights @ part).min(axis=-1) for sign, part in parts),
            len(first[0]),
        )
    else:
        found = metrics.student(sum(sign * ESTIMATES[estimate](part) for sign, part in parts))
    return Difference(*(100 * np.array(found)))


PANELS = ("average", "worst", "pooled", "gap", "std")


def against_setting(
    lines: Mapping[str, Line],
    baselines: Mapping[str, np.ndarray],
    xlabel: str,
    *,
    log: bool = False,
) -> Figure:
    """Figure 15: final performance against a setting of the recalls' measurement, by five measures.

    Bands are 95 % intervals: of the mean over seeds, of the pooled worst class by
    ``metrics.over_seeds``.
    Baselines, (S, K) each, are dotted: one for each line in its colour, or a grey one for all.
    """
    figure, axes = canvas(2, 3, width=9.0, height=2.7)
    colours = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.8, len(lines)))
    greys = colours if len(baselines) == len(lines) > 1 else ["#707070"] * len(baselines)
    for ax, measure in zip(axes.flat, PANELS, strict=False):
        for (label, line), colour in zip(lines.items(), colours, strict=True):
            _line(ax, line, measure, colour, label)
        for (label, recalls), colour in zip(baselines.items(), greys, strict=True):
            ax.axhline(_summary(recalls, measure)[0], color=colour, lw=1.2, ls=":", label=label)
        if log:
            _log_ticks(ax, {value for line in lines.values() for value in line})
        ax.set(xlabel=xlabel, ylabel=LABELS[measure])
    axes[1, 2].axis("off")
    axes[1, 2].legend(*axes[0, 0].get_legend_handles_labels(), loc="center", fontsize=9)
    return figure


LABELS = {
    name: METRICS[name][0] if name in METRICS else "pooled worst class (%)" for name in PANELS
}


def _line(ax: Axes, line: Line, measure: str, colour, label: str) -> None:
    values = sorted(line)
    middle, low, high = np.array([_summary(line[value], measure) for value in values]).T
    ax.plot(values, middle, "o-", ms=4, lw=1.4, color=colour, label=label)
    shade(ax, values, low, high, colour)


def _summary(recalls: np.ndarray, measure: str) -> tuple[float, float, float]:
    """A measure of recalls (S, K) in percent and the ends of its 95 % interval."""
    if measure == "pooled":
        ends = metrics.pooled_interval(recalls)
        return (100 * metrics.pooled_worst(recalls), *(100 * end for end in ends))
    values = 100 * METRICS[measure][1](recalls)
    half = half_width(values)
    return values.mean(), values.mean() - half, values.mean() + half


def _log_ticks(ax: Axes, values: Iterable[float]) -> None:
    ax.set_xscale("log")
    ax.set_xticks(sorted(values), [f"{value:g}" for value in sorted(values)])
    ax.minorticks_off()


Point = tuple[float, Mapping[str, Difference]]  # a correlation and the gains of ``claims.compare``

_MARKERS = {"o": "#D55E00", "s": "#0072B2", "^": "#009E73", "D": "#CC79A7", "v": "#707070"}


def gain_against_quality(series: Mapping[str, Sequence[Point]], xlabel: str) -> Figure:
    """Gain in worst class over a baseline, per seed and pooled, against the recalls' quality."""
    figure, axes = canvas(1, 2, width=8.4, height=3.2)
    for ax, estimate in zip(axes[0], ("worst", "pooled"), strict=True):
        for (label, points), (marker, colour) in zip(
            series.items(), _MARKERS.items(), strict=False
        ):
            gains = np.array([found[estimate] for _, found in points])
            bars = np.abs(gains[:, 1:].T - gains[:, 0])
            x = [quality for quality, _ in points]
            ax.errorbar(x, gains[:, 0], bars, fmt=marker, ms=5, lw=0.8, color=colour, label=label)
        ax.axhline(0, color="#707070", lw=1, ls=":")
        ax.set(xlabel=xlabel, title="per seed" if estimate == "worst" else "pooled")
    axes[0, 0].set_ylabel("gain in worst class (points)")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8
    )
    return figure
