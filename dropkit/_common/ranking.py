"""Highest first: of all samples, of each class, and by random keys that are the same for ever."""

from collections.abc import Callable

import numpy as np

from dropkit._common.checks import Floats, Ints, check_whole


def top(scores: Floats, count: int) -> Ints:
    """Return the indices of the `count` highest scores, best first, ties by lowest index."""
    return _falling(scores)[:count]


def _falling(keys: Floats) -> Ints:
    """The order from the highest key down, ties by lowest index; sorts unstably where it may."""
    order = np.argsort(-keys)
    ordered = keys[order]
    return np.argsort(-keys, kind="stable") if (ordered[1:] == ordered[:-1]).any() else order


def top_in_class(keys: Floats, labels: Ints, counts: Ints) -> Ints:
    """Return the indices of the counts[k] highest keys of each class k, in increasing order."""
    order = _falling(keys)
    small = np.uint16 if counts.size < 2**16 else np.int64  # is sorted by digits
    order = order[np.argsort(labels[order].astype(small), kind="stable")]
    ordered = labels[order]
    sizes = np.bincount(labels, minlength=counts.size)
    rank = np.arange(labels.size) - (np.cumsum(sizes) - sizes)[ordered]
    return np.sort(order[rank < counts[ordered]])


def random_keys(seed: int) -> Callable[[int], Floats]:
    """Return a function that draws the next n uniform numbers in [0, 1), the same for ever.

    NumPy guarantees the raw stream of a seeded PCG64, but not what Generator's methods make of it.
    """
    check_whole(seed, "seed")
    stream = np.random.PCG64(int(seed))
    return lambda n: (stream.random_raw(n) >> np.uint64(11)) * np.float64(2.0**-53)
