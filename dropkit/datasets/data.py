"""What the pool, the splits and the groups of a data set must be."""

from collections.abc import Mapping, Sequence

import numpy as np


def check_groups(
    groups: np.ndarray, y: np.ndarray, names: tuple[str, ...], classes: tuple[str, ...]
) -> None:
    """Raise ValueError for groups that do not refine the classes."""
    if groups.shape != y.shape or groups.dtype.kind not in "iu":
        raise ValueError(
            f"groups are {groups.dtype} of shape {groups.shape}: "
            f"they must be integers of the labels' shape {y.shape}"
        )
    if groups.size and not 0 <= groups.min() <= groups.max() < len(names):
        wrong = groups.min() if groups.min() < 0 else groups.max()
        raise ValueError(f"group {wrong} has no name: expected 0..{len(names) - 1}")
    seen = np.zeros((len(names), len(classes)), bool)
    seen[groups, y] = True
    for name, row in zip(names, seen, strict=True):
        if row.sum() > 1:
            first, second = (classes[k] for k in np.flatnonzero(row)[:2])
            raise ValueError(
                f"group {name!r} holds samples of class {first!r} and of class {second!r}: "
                "groups must refine classes"
            )


def check_pool(
    samples: int, y: np.ndarray, classes: Sequence[str], splits: Mapping[str, np.ndarray]
) -> None:
    """Raise ValueError for labels that are no classes, or splits that share or leave the pool."""
    if y.shape != (samples,) or y.dtype.kind not in "iu":
        raise ValueError(
            f"labels are {y.dtype} of shape {y.shape}: they must be one integer for each of the "
            f"{samples} samples"
        )
    if samples and not 0 <= y.min() <= y.max() < len(classes):
        wrong = y.min() if y.min() < 0 else y.max()
        raise ValueError(f"label {wrong} is no class: expected 0..{len(classes) - 1}")
    owner: dict[str, np.ndarray] = {}
    for name, indices in splits.items():
        if indices.ndim != 1 or indices.dtype.kind not in "iu" or not indices.size:
            raise ValueError(f"the {name} split must be a list of indices, got {indices!r}")
        if not 0 <= indices.min() <= indices.max() < samples:
            wrong = indices.min() if indices.min() < 0 else indices.max()
            raise ValueError(f"the {name} split has index {wrong}: expected 0..{samples - 1}")
        inside = np.bincount(indices, minlength=samples)
        if inside.max() > 1:
            raise ValueError(f"the {name} split has sample {inside.argmax()} twice")
        for other, taken in owner.items():
            if (shared := (inside > 0) & taken).any():
                raise ValueError(
                    f"sample {shared.argmax()} is in the {other} split and in the {name} split"
                )
        owner[name] = inside > 0
