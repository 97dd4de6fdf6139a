"""What DRoP makes of good and of poor recalls: Appendix F, and beyond it.

Shapes: S seeds, K classes. A `Line` has the recalls of final networks at each value of a setting.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dropkit.figures.contrasts import MARKS
from dropkit.figures.style import canvas, curve, legend, log_ticks, look, width, within_percent
from dropkit.figures.tables import SUMMARY, Table
from dropkit.metrics import Difference
from dropkit.store.records import Record
from dropkit.study.curves import Cells
from dropkit.study.measures import MEASURES, difference, gain, levels

Line = Mapping[float, np.ndarray]  # value of a setting -> recalls (S, K)
_BY_LENGTH = re.compile(r"random\+drop(, query of \d+ epochs?)?")  # and nothing else is varied


def lengths(cells: Cells) -> dict[int, str]:
    """Return the labels of Random+DRoP with the literal rule by their query models' epochs."""
    found = {}
    for label, by_density in cells.items():
        if _BY_LENGTH.fullmatch(label):
            record = next(iter(next(iter(by_density.values())).values()))
            found[record["trial"]["recall_query"]["recipe"]["epochs"]] = label
    return dict(sorted(found.items()))


def query_recalls(records: Iterable[Record]) -> np.ndarray:
    """Return the recalls that DRoP's quotas came from, (S, K), rows by seed."""
    rows = {record["trial"]["seed"]: record["query"]["recalls"] for record in records}
    return np.array([rows[seed] for seed in sorted(rows)])


def correlation(measured: np.ndarray, final: np.ndarray) -> float:
    """Return the mean over seeds of the correlation of recalls (S, K); equal ones count as 0."""
    pairs = list(zip(measured, final, strict=True))
    found = [np.corrcoef(a, b)[0, 1] if np.ptp(a) and np.ptp(b) else 0.0 for a, b in pairs]
    return float(np.mean(found))


def quality(cells: Cells, density: float) -> Table:
    """Return how good recalls measured after so many epochs are, beside those of all data.

    The last column is what quotas make of them at a density.
    """
    rows = []
    for epochs, label in lengths(cells).items():
        of_query, full = cells[label].get(density, {}), cells["full"][1.0]
        if seeds := sorted(of_query.keys() & full.keys()):
            measured = query_recalls([of_query[seed] for seed in seeds])
            final = np.array([full[seed]["recalls"] for seed in seeds])
            means = np.corrcoef(measured.mean(axis=0), final.mean(axis=0))[0, 1]
            uneven = gain(cells, label, measure="uneven", densities=[density]).value
            row = [epochs, f"{100 * measured.mean():.1f}", f"{correlation(measured, final):.2f}"]
            rows.append([*row, f"{means:.2f}", perfect(measured), f"{uneven:.1f}"])
    headers = ["query epochs", "average recall (%)", "correlation with final recalls, per seed"]
    headers += ["of means over seeds", "seeds with a perfect class"]
    return Table(rows, [*headers, f"std of class densities at d = {density:g} (points)"])


def perfect(measured: np.ndarray) -> str:
    """Return in how many seeds some class has no error among recalls (S, K)."""
    return f"{(measured == 1).any(axis=1).mean():.0%}"


def gains(panels: Mapping[str, tuple[Cells, float]], measures: Sequence[str]) -> Figure:
    """Draw what DRoP gains over random pruning after queries of each length, a panel a title.

    Means and 95 % intervals, paired by seed, in points at the panel's density; marks as in
    ``figures.forest``.
    """
    figure, axes = canvas(1, len(panels), width=width(len(panels)), height=3.0)
    for ax, (title, (cells, density)) in zip(axes[0], panels.items(), strict=True):
        found = lengths(cells)
        for measure, shift in zip(measures, np.linspace(-0.12, 0.12, len(measures)), strict=True):
            by_epochs = {
                epochs: moved
                for epochs, label in found.items()
                if (moved := gain(cells, label, "random", measure, densities=[density]))
            }
            _marked(ax, by_epochs, measure, shift)
        ax.axhline(0, color="#333333", lw=0.8)
        ax.set(xlabel="query epochs", title=title)
        log_ticks(ax, list(found))
    axes[0, 0].set_ylabel("points")
    legend(figure, axes[0, :1])
    return figure


def _marked(ax: Axes, by_epochs: Mapping[int, Difference], measure: str, shift: float) -> None:
    (marker, filled), colour = MARKS[measure], look("random+drop")["color"]
    style = {"mfc": colour if filled else "white", "label": MEASURES[measure].name}
    x = [epochs * np.exp(shift) for epochs in by_epochs]
    middle, low, high = np.transpose([*by_epochs.values()])
    ax.vlines(x, low, high, color=colour, lw=1, alpha=0.7)
    ax.plot(x, middle, marker, color=colour, ms=5, **style)


def against_setting(
    lines: Mapping[str, Line],
    baselines: Mapping[str, np.ndarray],
    xlabel: str,
    measures: Sequence[str] = SUMMARY,
    *,
    log: bool = False,
) -> Figure:
    """Draw Figure 15: measures of final networks against a setting of their queries.

    Baselines, (S, K) each, are dotted: one for each line in its colour, or a grey one for all.
    """
    figure, axes = canvas(-(-len(measures) // 3), 3, width=8.4, height=2.7)
    colours = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.8, len(lines)))
    greys = colours if len(baselines) == len(lines) > 1 else ["#707070"] * len(baselines)
    for ax, measure in zip(axes.flat, measures, strict=False):
        for (label, line), colour in zip(lines.items(), colours, strict=True):
            found = levels(line, measure)
            style = {"color": colour, "marker": "o", "label": label}
            curve(ax, list(found), list(found.values()), style)
        for (label, recalls), colour in zip(baselines.items(), greys, strict=True):
            value = difference([recalls], [], measure).value
            ax.axhline(value, color=colour, lw=1.2, ls=":", label=label)
        ax.set(xlabel=xlabel, ylabel=MEASURES[measure].axis)
        if log:
            values = sorted({value for line in lines.values() for value in line})
            log_ticks(ax, values)
    within_percent(*axes.flat[: len(measures)])
    for ax in axes.flat[len(measures) :]:
        ax.remove()
    legend(figure, axes[0, :1])
    return figure


Point = tuple[float, Mapping[str, Difference]]  # a correlation and a gain by measure

_MARKERS = {"o": "#D55E00", "s": "#0072B2", "^": "#009E73", "D": "#CC79A7", "v": "#707070"}


def gain_against_quality(series: Mapping[str, Sequence[Point]], xlabel: str) -> Figure:
    """Draw the gain in worst class over a baseline against the recalls' quality."""
    figure, axes = canvas(1, 2, width=8.4, height=3.2)
    for ax, estimate in zip(axes[0], ("worst", "pooled"), strict=True):
        for (label, runs), (marker, colour) in zip(series.items(), _MARKERS.items(), strict=False):
            x = [correlation for correlation, _ in runs]
            middle, low, high = np.transpose([gain[estimate] for _, gain in runs])
            ax.plot(x, middle, marker, ms=5, color=colour, label=label)
            ax.vlines(x, low, high, color=colour, lw=0.8)
        ax.axhline(0, color="#707070", lw=1, ls=":")
        ax.set(xlabel=xlabel, title="per seed" if estimate == "worst" else "pooled")
    axes[0, 0].set_ylabel("gain in worst class (points)")
    legend(figure, axes[0, :1])
    return figure
