"""What a data set is: one pool of samples, labels and perhaps groups, and three splits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from dropkit._common.checks import check_labels, outside


@dataclass(frozen=True, eq=False)
class Images:
    """N images of one shape, with the mean and deviation of each channel that normalise them.

    Parameters
    ----------
    pixels : (N, H, W, C) array of uint8
        May be memory-mapped.
    mean, std : tuple of C floats
        For pixels scaled to 0 .. 1.
    """

    pixels: np.ndarray
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W), as networks see them."""
        count, height, width, channels = self.pixels.shape
        return count, channels, height, width

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index) -> np.ndarray:
        """Images as bytes, channels first."""
        return np.moveaxis(self.pixels[index], -1, -3)


@dataclass(frozen=True, eq=False)
class Data:
    """A pool of N samples and the indices of its three splits.

    The validation split serves the query model's recalls; reported results use the test split
    alone (Section 4 and Appendix A: half of the test set is reserved for validation).

    Parameters
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

    def __post_init__(self) -> None:
        if self.groups is not None:
            self._check_groups(self.groups)

    def _check_groups(self, groups: np.ndarray) -> None:
        """Raise ValueError unless groups refine the classes."""
        names = self.group_names
        if groups.shape != self.y.shape or groups.dtype.kind not in "iu":
            raise ValueError(
                f"groups are {groups.dtype} of shape {groups.shape}: "
                f"they must be integers of the labels' shape {self.y.shape}"
            )
        if (wrong := outside(groups, len(names))) is not None:
            raise ValueError(f"group {wrong} has no name: expected 0..{len(names) - 1}")
        seen = np.zeros((len(names), len(self.classes)), bool)
        seen[groups, self.y] = True
        for name, row in zip(names, seen, strict=True):
            if row.sum() > 1:
                first, second = (self.classes[k] for k in np.flatnonzero(row)[:2])
                raise ValueError(
                    f"group {name!r} holds samples of class {first!r} and of class {second!r}: "
                    "groups must refine classes"
                )

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

    def sound(self) -> "Data":
        """Return the data as training takes them; raise for unfit samples, labels or splits."""
        if not isinstance(self.x, np.ndarray | Images):
            raise ValueError(
                f"samples are {type(self.x).__name__}: they must be an array or Images"
            )
        y = check_labels(self.y, len(self.classes), len(self.x))
        splits = {split: np.asarray(getattr(self, split)) for split in ("train", "val", "test")}
        _check_splits(splits, len(y))
        return replace(self, y=y, **splits)


Loader = Callable[[int, str | None], Data]  # from a seed and a folder that the user may name


def _check_splits(splits: Mapping[str, np.ndarray], samples: int) -> None:
    """Raise ValueError for splits that share samples or leave the pool."""
    owners = np.full(samples, "", dtype=object)
    for name, indices in splits.items():
        if indices.ndim != 1 or indices.dtype.kind not in "iu" or not indices.size:
            raise ValueError(f"the {name} split must be a list of indices, got {indices!r}")
        if (wrong := outside(indices, samples)) is not None:
            raise ValueError(f"the {name} split has index {wrong}: expected 0..{samples - 1}")
        if (times := np.bincount(indices)).max() > 1:
            raise ValueError(f"the {name} split has sample {times.argmax()} twice")
        if len(shared := indices[owners[indices] != ""]):
            owner = owners[shared[0]]
            raise ValueError(f"sample {shared[0]} is in the {owner} split and in the {name} split")
        owners[indices] = name
