"""Fitting thresholds to many data sets at once, against one threshold after another."""

import time
from collections.abc import Iterator

import numpy as np

from dropkit.theory import GaussianMixture
from dropkit.theory.samples import empirical_minimizer, sample
from tests.bench import Row

DATASETS, POINTS, SLOW = 2000, 400, 20


def rows() -> Iterator[Row]:
    x, y = sample(GaussianMixture(-1, 1, 0.5, 1, 0.5), POINTS, DATASETS, seed=0)
    empirical_minimizer(x[:SLOW], y[:SLOW])
    start = time.perf_counter()
    fitted = empirical_minimizer(x, y)
    fast = time.perf_counter() - start
    start = time.perf_counter()
    least = [_least_errors(a, b) for a, b in zip(x[:SLOW], y[:SLOW], strict=True)]
    slow = (time.perf_counter() - start) * DATASETS / SLOW
    errors = ((x[:SLOW] > fitted[:SLOW, None]) != y[:SLOW]).sum(axis=1)
    what = f"empirical minimisers, {DATASETS:,} data sets of {POINTS} points"
    yield Row(what, fast, "s", "< 1", fast < 1)
    yield Row(f"{what}: speed over trying all thresholds", slow / fast, "x", "> 1", slow > fast)
    different = int((errors != least).sum())
    yield Row(f"{what}: data sets not at the least error", different, "", "0", different == 0)


def _least_errors(x: np.ndarray, y: np.ndarray) -> int:
    """The least number of errors over all thresholds, each tried in O(n)."""
    return min(int(((x > t) != y).sum()) for t in (-np.inf, *x))
