"""What DRoP makes of good and of poor recalls: Appendix F, and beyond it.

Shapes: S seeds, K classes. A `Line` has the recalls of final networks at each value of a setting.
"""

from collections.abc import Iterable, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from dropkit.figures.style import canvas, curve, legend
from dropkit.figures.tables import POINTS, SUMMARY, Table, measure_names, number, points
from dropkit.metrics import Difference
from dropkit.store.records import Record
from dropkit.study.curves import Curves
from dropkit.study.measures import MEASURES, between, compare, difference, more

Line = Mapping[float, np.ndarray]  # value of a setting -> recalls (S, K)


def query_recalls(records: Iterable[Record]) -> np.ndarray:
    """Return the recalls that DRoP's quotas came from, (S, K), rows by seed."""
    rows = {record["trial"]["seed"]: record["query"]["recalls"] for record in records}
    return np.array([rows[seed] for seed in sorted(rows)])


def correlation(measured: np.ndarray, final: np.ndarray) -> float:
    """Return the mean over seeds of the correlation of recalls (S, K); equal ones count as 0."""
    pairs = list(zip(measured, final, strict=True))
    found = [np.corrcoef(a, b)[0, 1] if np.ptp(a) and np.ptp(b) else 0.0 for a, b in pairs]
    return float(np.mean(found))


def quality(measured: Line, final: np.ndarray) -> Table:
    """Return how good recalls measured after so many epochs are, beside the final ones (S, K)."""
    rows = [
        [
            epochs,
            f"{100 * recalls.mean():.1f}",
            f"{100 * recalls.std(axis=1).mean():.1f}",
            f"{correlation(recalls, final):.2f}",
            f"{np.corrcoef(recalls.mean(axis=0), final.mean(axis=0))[0, 1]:.2f}",
            _perfect(recalls),
        ]
        for epochs, recalls in sorted(measured.items())
    ]
    headers = ["query epochs", "average recall (%)", "std over classes (%)"]
    headers += ["correlation with final recalls, per seed", "of means over seeds"]
    return Table(rows, [*headers, "seeds with a perfect class"])


def _perfect(measured: np.ndarray) -> str:
    """In how many seeds some class has no error among recalls (S, K)."""
    return f"{(measured == 1).any(axis=1).mean():.0%}"


def gains(by_epochs: Curves, usual: int, measure: str) -> Table:
    """Return differences from the usual query length, a length a row and a density a column."""
    densities = sorted(by_epochs[usual])
    rows = []
    for epochs in sorted(by_epochs):
        if epochs != usual:
            found = compare(by_epochs, epochs, usual)
            rows.append([epochs, *(points(found[d][measure]) for d in densities)])
    headers = ["query epochs", *(f"d = {d:g}" for d in densities)]
    return Table(rows, headers, f"{MEASURES[measure].name}: minus {usual} epochs")


def losses(by_epochs: Curves, usual: int, measure: str) -> Table:
    """Return what queries shorter than usual cost at the lowest and the highest density."""
    good = by_epochs[usual]
    low, high = min(good), max(good)
    rows = []
    for epochs in sorted(e for e in by_epochs if e < usual and low < high):
        pairs = [(good[d], by_epochs[epochs][d]) for d in (low, high)]
        lost = [difference([plus], [minus], measure).value for plus, minus in pairs]
        rows.append([epochs, *(number(x, POINTS) for x in lost), points(more(*pairs, measure))])
    headers = ["query epochs", f"loss at d = {low:g}", f"loss at d = {high:g}", "difference"]
    return Table(rows, headers, MEASURES[measure].name)


def shares(
    lines: Mapping[str, Line],
    baseline: np.ndarray,
    measured: Line,
    images: Mapping[float, float],
    measure: str,
) -> Table:
    """Return what DRoP, literal and smoothed, gains over Random with parts of the validation set.

    `measured` are the recalls that quotas came from, `images` the validation images a class.
    """
    rows = []
    for part in sorted(images):
        literal, smoothed = (line[part] for line in lines.values())
        pairs = (literal, baseline), (smoothed, baseline), (smoothed, literal)
        found = [points(difference([one], [other], measure)) for one, other in pairs]
        rows.append([f"{part:g}", f"{images[part]:.0f}", _perfect(measured[part]), *found])
    headers = ["part", "images a class", "seeds with a perfect class"]
    headers += ["literal minus Random", "smoothed minus Random", "smoothed minus literal"]
    return Table(rows, headers, MEASURES[measure].name)


def noise(line: Line, baseline: np.ndarray, measured: Line) -> tuple[Table, Table]:
    """Return what DRoP gains over random pruning, and over the fewest, with wrong labels."""
    fewest = min(line)
    rows, changes = [], []
    for share, recalls in sorted(line.items()):
        errors = 1 - measured[share].mean(axis=0)
        gained = map(points, between(recalls, baseline).values())
        rows.append([f"{share:g}", f"{errors.max() / errors.min():.1f}", *gained])
        if share > fewest:
            changes.append([f"{share:g}", *map(points, between(recalls, line[fewest]).values())])
    headers = ["wrong labels", "largest to smallest error", *measure_names()]
    title = f"minus Random+DRoP with {fewest:g} wrong labels"
    return (
        Table(rows, headers, "Random+DRoP minus Random"),
        Table(changes, ["wrong labels", *measure_names()], title),
    )


def against_setting(
    lines: Mapping[str, Line],
    baselines: Mapping[str, np.ndarray],
    xlabel: str,
    *,
    log: bool = False,
) -> Figure:
    """Draw Figure 15: five measures of final networks against a setting of their queries.

    Baselines, (S, K) each, are dotted: one for each line in its colour, or a grey one for all.
    """
    figure, axes = canvas(2, 3, width=9.0, height=2.7)
    colours = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.8, len(lines)))
    greys = colours if len(baselines) == len(lines) > 1 else ["#707070"] * len(baselines)
    for ax, measure in zip(axes.flat, SUMMARY, strict=False):
        for (label, line), colour in zip(lines.items(), colours, strict=True):
            found = [difference([line[value]], [], measure) for value in sorted(line)]
            curve(ax, sorted(line), found, {"color": colour, "marker": "o", "label": label})
        for (label, recalls), colour in zip(baselines.items(), greys, strict=True):
            value = difference([recalls], [], measure).value
            ax.axhline(value, color=colour, lw=1.2, ls=":", label=label)
        ax.set(xlabel=xlabel, ylabel=MEASURES[measure].axis)
        if log:
            values = sorted({value for line in lines.values() for value in line})
            ax.set_xscale("log")
            ax.set_xticks(values, [f"{value:g}" for value in values])
            ax.minorticks_off()
    axes[1, 2].axis("off")
    axes[1, 2].legend(*axes[0, 0].get_legend_handles_labels(), loc="center", fontsize=9)
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
