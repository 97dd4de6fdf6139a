"""Long-tailed versions of balanced data sets (Section 4, after Cui et al., 2019)."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from dropkit._common.errors import UserError
from dropkit.datasets.data import Data
from dropkit.datasets.loading import identity, load


def tail_sizes(largest: int, num_classes: int, factor: float) -> np.ndarray:
    """Class sizes that fall exponentially: floor(largest · μ^k), k = 0 .. K-1, with μ^(1-K) = I.

    The imbalance factor I >= 1 is the size ratio of the largest and the smallest of K classes.
    """
    if not factor >= 1:
        raise ValueError(f"the imbalance factor must be at least 1, got {factor}")
    ranks = np.arange(num_classes) / max(num_classes - 1, 1)
    # The slack keeps an exact size from being floored to one less by rounding.
    sizes = np.floor(largest * float(factor) ** -ranks + 1e-9).astype(int)
    if sizes[-1] < 1:
        raise UserError(
            f"an imbalance factor of {factor} empties the smallest class: "
            f"with {largest} samples in the largest it can be {largest} at most"
        )
    return sizes


def long_tail(data: Data, factor: float, seed: int) -> Data:
    """Subsample the training split to exponentially falling class sizes; the seed orders classes.

    The largest class takes the size of the smallest one before, so that every order of the
    classes gives the same sizes. Validation and test stay as they are.
    """
    if factor == 1:
        return data
    before = np.bincount(data.y[data.train], minlength=data.num_classes)
    sizes = tail_sizes(before.min(), data.num_classes, factor)
    # A stream of its own: 2 keeps it apart from those that draw splits and validation samples.
    stream = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(2,)))
    rank = np.argsort(np.argsort(stream.random_raw(data.num_classes), kind="stable"))
    order = data.train[np.argsort(stream.random_raw(len(data.train)), kind="stable")]
    kept = [order[data.y[order] == k][: sizes[rank[k]]] for k in range(data.num_classes)]
    return replace(data, train=np.sort(np.concatenate(kept)))


def load_imbalanced(name: str, seed: int, factor: float) -> Data:
    """Load a data set with a long tail of imbalance factor `factor`, 1 for none, as studies do.

    Those of a study are loaded once and shared, however often its trials ask for them.

    Parameters
    ----------
    name : str
        One of ``names()``.
    seed : int
        As in ``load``; it orders the classes of the tail, too.
    factor : float
        Size ratio of the largest and the smallest training class, at least 1.
    """
    return _drawn(name, seed, factor, *identity(name))


@lru_cache(maxsize=64)
def _drawn(name: str, seed: int, factor: float, *stands_for: object) -> Data:
    return long_tail(load(name, seed), factor, seed)
