"""Load a data set as one pool of samples with train, validation and test indices into it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np


@dataclass(frozen=True, eq=False)
class Data:
    """A pool of N samples and the indices of its three splits.

    The validation split serves the query model's recalls; reported results use the test split
    alone (Section 4 and Appendix A: half of the test set is reserved for validation).

    Attributes
    ----------
    x : (N, ...) array
        Samples, channels first.
    y : (N,) int array
        Class labels 0 .. K-1.
    train, val, test : int arrays
        Disjoint indices into the pool.
    classes : tuple of K str
        Class names.
    """

    x: np.ndarray
    y: np.ndarray
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    classes: tuple[str, ...]

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def in_shape(self) -> tuple[int, ...]:
        return self.x.shape[1:]

    @cached_property
    def class_sizes(self) -> np.ndarray:
        """Training samples of each class, (K,)."""
        return self.sizes("train")

    def sizes(self, split: str) -> np.ndarray:
        """Samples of each class in "train", "val" or "test", (K,)."""
        return np.bincount(self.y[getattr(self, split)], minlength=self.num_classes)


def load(name: str, seed: int = 0, root: str | None = None) -> Data:
    """Load the data set `name`.

    Parameters
    ----------
    name : str
        One of ``names()``.
    seed : int
        Draws the split where a data set has none of its own (the digits).
    root : str, optional
        Folder of data sets that do not come with a package.

    Raises
    ------
    ValueError
        For an unknown name, or a seed that is no integer or negative.
    """
    if name not in _LOADERS:
        raise ValueError(f"unknown data set {name!r}; known are {', '.join(names())}")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed is {seed!r}: it must be an integer and not negative")
    return _LOADERS[name](seed, root)


def names() -> list[str]:
    """Names that ``load`` knows."""
    return sorted(_LOADERS)


@lru_cache
def _digit_images() -> tuple[np.ndarray, np.ndarray]:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            "the digits come with scikit-learn: install it by `pip install scikit-learn`"
        ) from error
    bunch = load_digits()
    return bunch.images / 16.0, bunch.target.astype(np.int64)


def _stratified_split(labels: np.ndarray, seed: int) -> list[np.ndarray]:
    """Half for training, a quarter each for validation and test, every class in proportion."""
    # Raw bits are the same on every machine; the key keeps them apart from pruning's.
    stream = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(0,)))
    order = np.argsort(stream.random_raw(len(labels)), kind="stable")
    splits = []
    for k in range(labels.max() + 1):
        members = order[labels[order] == k]
        half, quarter = len(members) // 2, len(members) // 4
        splits.append(np.split(members, [half, half + quarter]))
    return [np.sort(np.concatenate(part)) for part in zip(*splits, strict=True)]


def _digits(view: Callable[[np.ndarray], np.ndarray]) -> Callable[[int, str | None], Data]:
    @lru_cache
    def pool() -> tuple[np.ndarray, np.ndarray]:
        images, labels = _digit_images()
        seen = view(images)
        # One shift and scale for the whole set: nothing is fitted to a split.
        return 2 * seen.reshape(len(seen), 1, *seen.shape[1:]) - 1, labels

    def loader(seed: int, root: str | None) -> Data:
        x, y = pool()
        return Data(x, y, *_stratified_split(y, seed), classes=tuple("0123456789"))

    return loader


_LOADERS: dict[str, Callable[[int, str | None], Data]] = {
    # A clean set: recalls near 1, where the literal DRoP rule deletes classes.
    "digits": _digits(lambda images: images),
    # A poor sensor: 8 x 8 pixels averaged to 2 x 4. Real pixels with a real class bias.
    "digits-2x4": _digits(lambda images: images.reshape(-1, 2, 4, 4, 2).mean(axis=(2, 4))),
    # A narrow sensor: the three middle rows of every image.
    "digits-3rows": _digits(lambda images: images[:, 3:6]),
}
