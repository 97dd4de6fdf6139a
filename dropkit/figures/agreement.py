"""How far scores agree: rank correlations over all samples and within classes, and what is kept.

Shapes: S seeds, n training samples.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from scipy import stats

from dropkit._common.checks import Floats, as_floats, check_labels
from dropkit.figures.names import name
from dropkit.figures.style import canvas, words
from dropkit.figures.tables import Table, number, with_interval
from dropkit.metrics import student
from dropkit.pruning import parse, prune

CORRELATION = "z.2f"  # its format, which gives no sign to a rounded zero


class Pair(NamedTuple):
    """How far two scores agree, one number a seed: (S,) each.

    `overall` is Spearman's rank correlation over all samples, `between` the part of it that is
    covariance of the classes' mean ranks; the rest is covariance inside classes. `within` is the
    correlation of ranks less the mean rank of their class. `common` is the share of what the one
    keeps at a density that the other keeps too.
    """

    first: str
    second: str
    overall: Floats
    between: Floats
    within: Floats
    common: Floats


class _Ranked(NamedTuple):
    """Ranks less their mean, the part that is the class's mean, and what is kept; (S, n) each."""

    ranks: Floats
    classes: Floats
    kept: np.ndarray


def pairs(scores: Mapping[str, ArrayLike], labels: ArrayLike, density: float) -> list[Pair]:
    """Return how far every two scores (S, n), by registered name, agree on labels (S, n).

    Equal scores share their mean rank. A correlation is NaN where a score is the same for all
    samples, or has nothing left within classes; `common` is of what `pruning.prune` keeps.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2:
        raise ValueError(f"labels have shape {labels.shape}: they must be (S, n), a row a seed")
    labels = check_labels(labels.ravel()).reshape(labels.shape)
    ranked = {key: _ranked(key, values, labels, density) for key, values in scores.items()}
    return [
        Pair(first, second, *_compared(ranked[first], ranked[second]))
        for first, second in combinations(ranked, 2)
    ]


def _ranked(key: str, values: ArrayLike, labels: np.ndarray, density: float) -> _Ranked:
    values = as_floats(values, f"scores of {key!r}")
    if values.shape != labels.shape:
        raise ValueError(
            f"scores of {key!r} have shape {values.shape} and labels {labels.shape}: "
            "both must be (S, n), one a sample"
        )
    parse(key)  # a name that is not known, with scores given, is one's own to prune
    kept = np.zeros(values.shape, dtype=bool)
    for s, row in enumerate(labels):
        kept[s, prune(key, row, density, scores=values[s])] = True
    ranks = stats.rankdata(values, axis=1)
    ranks -= (labels.shape[1] + 1) / 2  # the mean of all ranks, ties or not
    classes = np.empty_like(ranks)
    for s, row in enumerate(labels):
        sums, sizes = np.bincount(row, weights=ranks[s]), np.bincount(row)
        classes[s] = (sums / np.maximum(sizes, 1))[row]
    return _Ranked(ranks, classes, kept)


def _compared(one: _Ranked, other: _Ranked) -> tuple[Floats, Floats, Floats, Floats]:
    scale = np.sqrt((one.ranks**2).sum(axis=1) * (other.ranks**2).sum(axis=1))
    rest = one.ranks - one.classes, other.ranks - other.classes
    rest_scale = np.sqrt(np.prod([(part**2).sum(axis=1) for part in rest], axis=0))
    with np.errstate(invalid="ignore"):  # 0/0: a score without variation agrees with none
        return (
            (one.ranks * other.ranks).sum(axis=1) / scale,
            (one.classes * other.classes).sum(axis=1) / scale,
            (rest[0] * rest[1]).sum(axis=1) / rest_scale,
            (one.kept & other.kept).sum(axis=1) / one.kept.sum(axis=1),
        )


def table(found: Sequence[Pair], density: float) -> Table:
    """Return what `pairs` found at a density, means over seeds, the best agreeing first."""
    ordered = sorted(found, key=lambda pair: -np.nan_to_num(pair.overall.mean(), nan=-np.inf))
    rows = [
        [
            f"{name(pair.first)}, {name(pair.second)}",
            with_interval(student(pair.overall), CORRELATION),
            number(pair.between.mean(), CORRELATION),
            with_interval(student(pair.within), CORRELATION),
            number(100 * pair.common.mean(), "z.0f"),
        ]
        for pair in ordered
    ]
    headers = ["scores", "all samples", "of that between classes", "within classes"]
    title = "Rank correlations, means and 95 % intervals over seeds; kept by both at d = "
    return Table(rows, [*headers, "kept by both (%)"], f"{title}{density:g}")


def score_correlations(pairs: Sequence[Pair]) -> Figure:
    """Draw mean rank correlations between scores over seeds, of all samples and within classes."""
    if not pairs:
        return words("rank correlations need two scores among the protocols")
    scores = list(dict.fromkeys(key for pair in pairs for key in (pair.first, pair.second)))
    # One above the other: side by side a phone would show half of the second.
    figure, axes = canvas(2, width=4.6, height=4.0)
    for ax, part in zip(axes[:, 0], ("overall", "within"), strict=True):
        table = np.eye(len(scores))
        for pair in pairs:
            first, second = scores.index(pair.first), scores.index(pair.second)
            table[first, second] = table[second, first] = getattr(pair, part).mean()
        _matrix(ax, table, list(map(name, scores)))
        ax.set_title({"overall": "all samples", "within": "within classes"}[part])
    return figure


def _matrix(ax: Axes, table: np.ndarray, labels: Sequence[str]) -> None:
    """Correlations in shades from red, 1, to blue, -1, with the numbers in the cells."""
    # Shades of what is printed: processors differ in the last bits.
    ax.imshow(table.round(2), cmap="RdBu_r", vmin=-1, vmax=1)
    ax.grid(False)
    ax.set_xticks(range(len(labels)), labels, rotation=40, ha="right")
    ax.set_yticks(range(len(labels)), labels)
    for (row, column), value in np.ndenumerate(table):
        ink = "white" if abs(value) > 0.6 else "black"
        text = number(value, CORRELATION)
        ax.text(column, row, text, ha="center", va="center", color=ink, fontsize=8)
