"""Average against worst-class accuracy: how high one protocol's line lies over another's.

Shapes: S seeds, K classes or groups, P points of a line.
"""

from collections.abc import Sequence

import numpy as np

from dropkit._common.checks import Floats
from dropkit.metrics import Difference, lowest_tenth, over_seeds
from dropkit.study.curves import Cells, shared_seeds

AVERAGES = 41  # at which the two lines are compared, evenly over what both reach
FULL = ("full", 1.0)


def height(
    cells: Cells, first: str, second: str, densities: Sequence[float], measure: str
) -> tuple[Difference, int] | None:
    """Return how much more worst-class accuracy `first` has than `second` at equal average.

    A protocol's line joins its points (average, worst class) in the order of their averages: means
    over seeds, one a density, and the full data as density 1. The result is the mean over the
    averages that both lines reach, in points, and how many seeds it rests on: those that all points
    share; None where records are lacking.
    """
    lines = [[*((label, density) for density in densities), FULL] for label in (first, second)]
    seeds = shared_seeds(cells, [place for line in lines for place in line])
    if not densities or not seeds:
        return None
    recalls = [
        np.array([[cells[label][d][seed]["recalls"] for seed in seeds] for label, d in line])
        for line in lines
    ]

    def of(weights: Floats) -> Floats:  # of the seeds, (..., S) to (...)
        rows = weights.reshape(-1, len(seeds))
        pairs = zip(*(_points(one, rows, measure) for one in recalls), strict=True)
        return np.array([_mean_height(*pair) for pair in pairs]).reshape(weights.shape[:-1])

    return Difference(*(100 * np.array(over_seeds(of, len(seeds))))), len(seeds)


def _points(recalls: Floats, weights: Floats, measure: str) -> Floats:
    """Averages and worst classes, (W, 2, P), of recalls (P, S, K) by weights of seeds (W, S)."""
    means = np.einsum("ws,psk->wpk", weights, recalls)
    lowest = lowest_tenth(recalls) if measure == "tenth" else recalls.min(-1)
    worst = means.min(-1) if measure == "pooled" else weights @ lowest.T
    return np.stack([means.mean(-1), worst], axis=1)


def _mean_height(first: Floats, second: Floats) -> float:
    """The mean height of one line (2, P) over another at the averages that both reach."""
    low, high = max(first[0].min(), second[0].min()), min(first[0].max(), second[0].max())
    at = np.linspace(low, high, AVERAGES)
    heights = []
    for averages, worst in (first, second):
        order = averages.argsort(kind="stable")
        heights.append(np.interp(at, averages[order], worst[order]))
    return float((heights[0] - heights[1]).mean())
