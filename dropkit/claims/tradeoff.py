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
        heights = _heights(*(_points(one, rows, measure) for one in recalls))
        return heights.reshape(weights.shape[:-1])

    return Difference(*(100 * np.array(over_seeds(of, len(seeds))))), len(seeds)


def _points(recalls: Floats, weights: Floats, measure: str) -> Floats:
    """Averages and worst classes, (W, 2, P), of recalls (P, S, K) by weights of seeds (W, S)."""
    means = np.einsum("ws,psk->wpk", weights, recalls)
    lowest = lowest_tenth(recalls) if measure == "tenth" else recalls.min(-1)
    worst = means.min(-1) if measure == "pooled" else weights @ lowest.T
    return np.stack([means.mean(-1), worst], axis=1)


def _heights(first: Floats, second: Floats) -> Floats:
    """Mean heights (W,) of lines (W, 2, P) over others at the averages that both reach."""
    low = np.maximum(first[:, 0].min(-1), second[:, 0].min(-1))
    high = np.minimum(first[:, 0].max(-1), second[:, 0].max(-1))
    at = np.linspace(low, high, AVERAGES, axis=-1)
    return (_on_line(at, first) - _on_line(at, second)).mean(-1)


def _on_line(at: Floats, line: Floats) -> Floats:
    """The worst classes (W, A) at averages of lines (W, 2, P): `numpy.interp` of each row."""
    order = line[:, :1].argsort(axis=-1, kind="stable")
    averages, worst = np.take_along_axis(line, order, axis=-1).swapaxes(0, 1)
    after = np.clip((averages[:, None] <= at[..., None]).sum(-1), 1, line.shape[-1] - 1)
    left, right = (np.take_along_axis(averages, after - back, axis=-1) for back in (1, 0))
    start, end = (np.take_along_axis(worst, after - back, axis=-1) for back in (1, 0))
    wide = right > left
    share = np.where(wide, (at - left) / np.where(wide, right - left, 1), 1)
    return start + (end - start) * share.clip(0, 1)
