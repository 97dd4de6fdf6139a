"""Load a data set as one pool of samples with train, validation and test indices into it."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from types import ModuleType

import numpy as np

from dropkit._common.checks import UserError
from dropkit._common.fingerprint import fingerprint
from dropkit.datasets import cifar, digits as backgrounds, imagenet, tinyimagenet, waterbirds
from dropkit.datasets.data_checks import check_groups, check_pool
from dropkit.training.batches import Images


@dataclass(frozen=True, eq=False)
class Data:
    """A pool of N samples and the indices of its three splits.

    The validation split serves the query model's recalls; reported results use the test split
    alone (Section 4 and Appendix A: half of the test set is reserved for validation).

    Attributes
    ----------
    x : (N, ...) array or Images
        Samples, channels first.
    y : (N,) int array
        Class labels 0 .. K-1.
    train, val, test : int arrays
        Disjoint indices into the pool.
    classes : tuple of K str
        Class names.
    groups : (N,) int array, optional
        Groups 0 .. G-1, each within one class, where bias is measured between groups.
    group_names : tuple of G str
        Group names.

    Raises
    ------
    ValueError
        For groups that do not refine the classes.
    """

    x: np.ndarray | Images
    y: np.ndarray
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    classes: tuple[str, ...]
    groups: np.ndarray | None = None
    group_names: tuple[str, ...] = ()

    def __post_init__(self):
        if self.groups is not None:
            check_groups(self.groups, self.y, self.group_names, self.classes)

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def in_shape(self) -> tuple[int, ...]:
        return self.x.shape[1:]

    @property
    def strata(self) -> np.ndarray:
        """What quotas and recalls go by, (N,): the groups where there are any, else the classes."""
        return self.y if self.groups is None else self.groups

    @property
    def strata_names(self) -> tuple[str, ...]:
        return self.classes if self.groups is None else self.group_names

    @property
    def num_strata(self) -> int:
        return len(self.strata_names)

    def sizes(self, split: str = "train") -> np.ndarray:
        """Samples of each stratum in "train", "val" or "test", (num_strata,)."""
        return np.bincount(self.strata[getattr(self, split)], minlength=self.num_strata)


Loader = Callable[[int, str | None], Data]  # from a seed and a folder that the user may name


def load(name: str, seed: int = 0, root: str | None = None) -> Data:
    """Load the data set `name`.

    Parameters
    ----------
    name : str
        One of ``names()``.
    seed : int
        Draws the split where a data set has none of its own (the digits). The pool is the same for
        every seed.
    root : str, optional
        Folder of data sets that do not come with a package; default: ``$DROPKIT_DATA``.

    Raises
    ------
    ValueError
        For an unknown name, a seed that is no integer or negative, or files that are missing or
        damaged.
    """
    if name not in _LOADERS:
        raise UserError(f"unknown data set {name!r}; known are {', '.join(names())}")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed is {seed!r}: it must be an integer and not negative")
    return _LOADERS[name](seed, root or os.environ.get("DROPKIT_DATA"))


def version(name: str, root: str | None = None) -> str:
    """Names the draw of a data set where more than one goes by its name; else empty.

    Raises
    ------
    ValueError
        As ``load`` does.
    """
    return _VERSIONS[name](root or os.environ.get("DROPKIT_DATA")) if name in _VERSIONS else ""


def names() -> list[str]:
    """Names that ``load`` knows."""
    return sorted(_LOADERS)


def register(name: str, loader: Loader, *, version: str | None = None) -> None:
    """Let ``load`` and the studies know a data set of one's own.

    Registering one's own name again replaces it. ``recipes.DEFAULTS[name]`` may name the model and
    the recipe that it is trained with.

    Parameters
    ----------
    name : str
    loader : callable
        From a seed and a folder (or None), as ``load`` takes them, to a Data.
    version : str, optional
        Tells trials on other draws of the data apart; default: a digest of the loader's source.

    Raises
    ------
    ValueError
        If the name is one of dropkit's own or has other characters than lower-case letters,
        digits, dots and hyphens; and from ``load``, if the loader returns no sound Data.
    """
    if name in _BUNDLED or not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise ValueError(
            f"the data set name {name!r} cannot be used: it must be lower-case letters, digits, "
            f"dots and hyphens, and none of {', '.join(sorted(_BUNDLED))}"
        )

    def checked(seed: int, root: str | None) -> Data:
        data = loader(seed, root)
        if not isinstance(data, Data):
            raise ValueError(f"the loader of {name!r} returned {type(data).__name__}, not Data")
        try:
            return _sound(data)
        except ValueError as error:
            raise ValueError(f"the loader of {name!r}: {error}") from error

    named = fingerprint(loader) if version is None else version
    _LOADERS[name] = checked
    _VERSIONS[name] = lambda root: named


def _sound(data: Data) -> Data:
    """The data with labels and indices as training takes them; ValueError if they cannot be."""
    if not isinstance(data.x, np.ndarray | Images):
        raise ValueError(f"samples are {type(data.x).__name__}: they must be an array or Images")
    splits = {split: np.asarray(getattr(data, split)) for split in ("train", "val", "test")}
    check_pool(len(data.x), np.asarray(data.y), data.classes, splits)
    return replace(data, y=np.asarray(data.y, dtype=np.int64), **splits)


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


def _digits(view: Callable[[np.ndarray], np.ndarray]) -> Loader:
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


@lru_cache
def _photo_pool() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples, labels and groups of ``digits-on-photos``."""
    images, digits = _digit_images()
    y = np.repeat((digits >= 5).astype(np.int64), backgrounds.VARIANTS)
    photos = np.repeat(np.arange(len(backgrounds.PHOTOGRAPHS)), backgrounds.CROPS)
    return backgrounds.paint(images), y, 2 * y + np.tile(photos, len(digits))


def _digits_on_photos(seed: int, root: str | None) -> Data:
    digits = _digit_images()[1]
    x, y, groups = _photo_pool()
    splits = backgrounds.draw(digits >= 5, _stratified_split(digits, seed), seed)
    classes = ("0–4", "5–9")
    names = tuple(f"{k} on {photo}" for k in classes for photo in backgrounds.PHOTOGRAPHS)
    return Data(x, y, *splits, classes, groups, names)


def _waterbirds(seed: int, root: str | None) -> Data:
    table = waterbirds.read(root)
    x, classes, names = waterbirds.images(table), waterbirds.CLASSES, waterbirds.GROUPS
    return Data(x, table.y, *table.splits, classes, table.groups, names)


def _folders(module: ModuleType) -> Loader:
    def loader(seed: int, root: str | None) -> Data:
        listing = module.read(root)
        return Data(module.images(listing), listing.y, *listing.splits, listing.classes)

    return loader


def _cifar(name: str) -> Loader:
    def loader(seed: int, root: str | None) -> Data:
        x, y, splits, classes = cifar.read(name, root)
        return Data(x, y, *splits, classes)

    return loader


def _coarse_cifar100(seed: int, root: str | None) -> Data:
    x, y, splits, classes = cifar.read("cifar100", root)
    y, classes = cifar.coarse(y, classes)
    return Data(x, y, *splits, classes)


_LOADERS: dict[str, Loader] = {
    # A clean set: recalls near 1, where the literal DRoP rule deletes classes.
    "digits": _digits(lambda images: images),
    # A poor sensor: 8 x 8 pixels averaged to 2 x 4. Real pixels with a real class bias.
    "digits-2x4": _digits(lambda images: images.reshape(-1, 2, 4, 4, 2).mean(axis=(2, 4))),
    # A narrow sensor: the three middle rows of every image.
    "digits-3rows": _digits(lambda images: images[:, 3:6]),
    # The background gives the label away in training, not in the test: groups, as in Waterbirds.
    "digits-on-photos": _digits_on_photos,
    "waterbirds": _waterbirds,
    "tinyimagenet": _folders(tinyimagenet),
    "imagenet": _folders(imagenet),
    "cifar10": _cifar("cifar10"),
    "cifar100": _cifar("cifar100"),
    # The 20 superclasses of CIFAR-100.
    "cifar100-coarse": _coarse_cifar100,
}

_BUNDLED = frozenset(_LOADERS)
# By the folder that the user may name; of sets of which more than one draw goes by the name.
_VERSIONS: dict[str, Callable[[str | None], str]] = {
    "waterbirds": lambda root: f"metadata.csv {waterbirds.read(root).sha256[:16]}"
}
