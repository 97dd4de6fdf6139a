"""Data sets of which one class has wrong labels in training and validation; the test is clean."""

from functools import lru_cache

import numpy as np

from dropkit._common.errors import UserError
from dropkit.datasets import loading
from dropkit.datasets.data import Data, Loader

_STREAM = 5  # apart from those of splits, photographs, noise and long tails


def swapped(name: str, label: int, share: float) -> Loader:
    """Return the loader of a data set with a share of one class's labels swapped with others'.

    A sample of the class takes the label of one of another class, at random, which takes the
    class's: sizes stay as they are, and the share of those labelled as the class is wrong. Which
    samples is the same for every seed. They are appended to the pool with their wrong labels, for
    training and validation; a test sample keeps its own.

    Parameters
    ----------
    name : str
        Of ``datasets.load``; without groups.
    label : int
        The class.
    share : float
        In [0, 1].
    """
    if not 0 <= share <= 1:
        raise UserError(f"share is {share}: it must lie in [0, 1]")

    @lru_cache(maxsize=1)
    def pool() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        data = loading.load(name)
        if data.groups is not None or not 0 <= label < data.num_classes:
            raise UserError(
                f"label is {label} of {name}: it must be one of its {data.num_classes} classes, "
                "and the data set must have no groups"
            )
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(0, spawn_key=(_STREAM,))))
        parted = data.y == label, data.y != label
        mine, others = (rng.permutation(np.flatnonzero(of)) for of in parted)
        count = min(round(share * mine.size), others.size)
        mine, others = mine[:count], others[:count]
        moved = np.concatenate([mine, others])
        labels = np.concatenate([data.y[others], data.y[mine]])
        x, y = np.concatenate([data.x, data.x[moved]]), np.concatenate([data.y, labels])
        copies = np.arange(len(data.y))
        copies[moved] = len(data.y) + np.arange(moved.size)
        return x, y, copies

    def loader(seed: int, root: str | None) -> Data:
        data, (x, y, copies) = loading.load(name, seed, root), pool()
        return Data(x, y, copies[data.train], copies[data.val], data.test, data.classes)

    return loader
