"""Numbers, differences and readings of them as a reader sees them, and tables of these."""

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from dropkit.datasets.data import Data
from dropkit.figures.names import name
from dropkit.metrics import Difference, adjusted_average
from dropkit.study.curves import Curves, at
from dropkit.study.measures import COMPARED, MEASURES, compare, difference

POINTS = "+z.1f"  # the format of accuracy points: a sign, which is never that of a rounded zero


class Table(NamedTuple):
    """What ``notebook.table`` displays: ``notebook.table(*table)``."""

    rows: list[list[Any]]
    headers: Sequence[str]
    title: str = ""


def number(value: float | Decimal, form: str) -> str:
    """Return a number in a format such as ".1f", with a true minus sign; a dash for NaN.

    Examples
    --------
    >>> number(-1.25, "+.2f"), number(-0.001, "z.2f"), number(float("nan"), ".2f")
    ('−1.25', '0.00', '–')
    """
    return "–" if math.isnan(value) else f"{value:{form}}".replace("-", "−")


def with_interval(found: tuple[float, float, float], form: str) -> str:
    """Return a number and its interval; alone where the interval is NaN, as of a single seed.

    A line may end before the interval and not within it.

    Examples
    --------
    >>> with_interval((3.14, -1, 7.25), "+.1f").replace("\N{NO-BREAK SPACE}", " ")
    '+3.1 [−1.0, +7.2]'
    """
    value, low, high = (number(each, form) for each in found)
    return value if math.isnan(found[1]) else f"{value} [{low},\N{NO-BREAK SPACE}{high}]"


def points(found: Difference) -> str:
    """Return a difference and its interval in accuracy points, such as "+3.1 [−1.0, +7.2]"."""
    return with_interval(found, POINTS)


def direction(found: Difference) -> str:
    """Read a difference by its interval: "higher", "lower", or "not separated" if 0 lies inside."""
    if found.low > 0:
        return "higher"
    return "lower" if found.high < 0 else "not separated"


def measure_names(measures: Iterable[str] = COMPARED) -> list[str]:
    """Return the names of measures, as headers."""
    return [MEASURES[measure].name for measure in measures]


def differences(curves: Curves, first: str, second: str, title: str = "") -> Table:
    """Return ``study.compare`` as a table, a density a row, under the names of both labels."""
    found = compare(curves, first, second)
    rows = [[density, *map(points, found[density].values())] for density in found]
    title = title or f"{name(first)} minus {name(second)}"
    return Table(rows, ["density", *measure_names()], title)


SUMMARY = ("average", "worst", "pooled", "gap", "std")


def summary(recalls: np.ndarray, measures: Sequence[str] = SUMMARY) -> list[str]:
    """Return means over seeds of measures of recalls (S, K), as cells."""
    return [f"{difference([recalls], [], measure).value:.1f}" for measure in measures]


def ranked(curves: Curves, density: float) -> Table:
    """Return the summary of each label at a density, the best per-seed worst class first."""
    rows = [[name(label), *summary(at(found, density))] for label, found in curves.items()]
    rows.sort(key=lambda row: -float(row[1 + SUMMARY.index("worst")]))
    title = f"Density {density:g}, in %, best worst class first"
    return Table(rows, ["protocol", *measure_names(SUMMARY)], title)


def of_groups(curves: Curves, kept: Curves, group_sizes: np.ndarray, density: float) -> Table:
    """Return what is kept of each group at a density, both averages and the worst group."""
    rows = []
    for label, found in curves.items():
        recalls, counts = at(found, density), at(kept[label], density).mean(axis=0)
        adjusted = 100 * adjusted_average(recalls, group_sizes).mean()
        average, worst, pooled = summary(recalls, COMPARED)
        left = ", ".join(f"{count:.0f}" for count in counts)
        rows.append([name(label), left, average, f"{adjusted:.1f}", worst, pooled])
    average, worst, pooled = measure_names()
    headers = ["protocol", "kept of each group", average, "re-weighted average", worst, pooled]
    return for_groups(Table(rows, headers, f"Density {density:g} (full data: all), in %"))


def kept_and_right(
    curves: Curves, kept: Curves, data: Data, labels: Sequence[str], density: float
) -> Table:
    """Return how much is kept of each group at a density, and how much of it is then right."""
    columns = [[f"{size:,}" for size in data.sizes()]]
    columns += [[f"{n:.0f}" for n in kept[label][density].mean(axis=0)] for label in labels]
    recalls = [curves["full"][1.0], *(curves[label][density] for label in labels)]
    right = [[f"{100 * recall:.1f}" for recall in each.mean(axis=0)] for each in recalls]
    cells = [map(": ".join, zip(*pair, strict=True)) for pair in zip(columns, right, strict=True)]
    rows = [list(row) for row in zip(data.strata_names, *cells, strict=True)]
    return Table(rows, ["pictures kept: right (%)", "all", *map(name, labels)])


def by_size(
    curves: Curves, kept: Curves, sizes: np.ndarray, labels: Sequence[str], density: float
) -> Table:
    """Return, by the samples (K,) that classes have, how many are kept and how much is right."""
    rows = []
    for size in np.unique(sizes):
        of = sizes == size
        row = [size, of.sum(), f"{100 * curves['full'][1.0][:, of].mean():.0f}"]
        for label in labels:
            left, right = (each[label][density][:, of].mean() for each in (kept, curves))
            row.append(f"{left:.1f}: {100 * right:.0f}")
        rows.append(row)
    return Table(rows, ["samples", "classes", "all: right (%)", *map(name, labels)])


def for_groups(table: Table) -> Table:
    """Return a table whose headers speak of groups, not of classes."""
    return table._replace(headers=[header.replace("class", "group") for header in table.headers])


def worst_classes(curves: Curves, densities: Sequence[float]) -> Table:
    """Return worst classes, per seed / pooled: rows of what prunes, and the rest in the title."""

    def cell(recalls: np.ndarray) -> str:
        return " / ".join(summary(recalls, ("worst", "pooled")))

    rows, whole = [], []
    for label, found in curves.items():
        if label.startswith("full"):
            whole.append(f"{name(label)} {cell(found[1.0])}")
        else:
            rows.append([name(label), *(cell(found[d]) for d in sorted(densities))])
    headers = ["protocol", *(f"d = {d:g}" for d in sorted(densities))]
    return Table(rows, headers, f"Worst class (%), per seed / pooled; {', '.join(whole)}")


def classes_lost(kept: Curves, densities: Sequence[float]) -> Table:
    """Return in how many seeds some class keeps none of its samples (S, K)."""
    rows = [
        [name(protocol), *(f"{(n == 0).any(axis=1).mean():.0%}" for n in by_density.values())]
        for protocol, by_density in kept.items()
        if not protocol.startswith("full")
    ]
    headers = ["protocol", *(f"d = {density:g}" for density in sorted(densities))]
    return Table(rows, headers, "Share of seeds in which some class lost all its samples")


def deletions(curves: Curves, kept: Curves, protocols: Sequence[str]) -> Table:
    """Return for each protocol and density how many seeds lose a class, and what is left."""
    rows = []
    for protocol in protocols:
        for density, recalls in curves[protocol].items():
            lost = (kept[protocol][density] == 0).any(axis=1)
            count = f"{lost.sum()} of {len(lost)}"
            rows.append([name(protocol), density, count, *summary(recalls, COMPARED)])
    headers = ["protocol", "density", "seeds with a deleted class"]
    return Table(rows, [*headers, *(f"{each} (%)" for each in measure_names())])
