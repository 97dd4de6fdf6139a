"""What densities, labels, scores and numbers a class must be."""

import math
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def check_density(density: float, *, zero: bool = True) -> None:
    """Raise unless the density is a number in [0, 1], or in (0, 1] when `zero` is False."""
    wanted = "[0, 1]" if zero else "(0, 1]"
    if not isinstance(density, Real):
        raise TypeError(f"density is {density!r}: it must be a number in {wanted}")
    if not 0 <= density <= 1 or (density == 0 and not zero):
        raise ValueError(f"density is {density}: it must lie in {wanted}")


def check_minimum(minimum: int) -> None:
    """Raise ValueError unless the minimum is a number of samples, 0 or more."""
    if not isinstance(minimum, int | np.integer) or minimum < 0:
        raise ValueError(f"minimum is {minimum!r}: it must be a whole number of samples, 0 or more")


def check_labels(labels: ArrayLike, num_classes: int | None = None) -> Ints:
    """Return the labels as (n,) int64; raise unless they are class indices 0..num_classes-1."""
    array = np.asarray(labels)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"labels have shape {array.shape}: expected (n,) with n ≥ 1")
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"labels are {array.dtype}: they must be integers 0..K-1, such as "
            "np.unique(labels, return_inverse=True)[1] makes of any others"
        )
    if array.min() < 0:
        raise ValueError(f"label {array.min()} is negative: labels must be integers 0..K-1")
    if num_classes is not None and array.max() >= num_classes:
        raise ValueError(
            f"label {array.max()} was never seen among the {num_classes} classes: "
            f"labels must be integers 0..{num_classes - 1}"
        )
    return array.astype(np.int64)


def check_scores(scores: ArrayLike, n: int) -> Floats:
    """Return the scores as (n,) floats; raise on another shape or on NaN."""
    array = as_floats(scores, "scores")
    if array.shape != (n,):
        raise ValueError(f"scores have shape {array.shape}: expected ({n},), one a label")
    if np.isnan(array).any():
        i = int(np.isnan(array).argmax())
        raise ValueError(f"scores[{i}] is nan: every sample needs a score to be ranked by")
    return array


def as_floats(values: ArrayLike, name: str) -> Floats:
    """Return the values as a float array; raise TypeError unless they are an array of numbers."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be an array of numbers ({error})") from None


def per_class(values: ArrayLike, name: str) -> Floats:
    """Return one number a class as floats; a pandas Series goes by its index, the classes.

    Its order is another where it comes from `value_counts` or was sorted by value.
    """
    return as_floats(values.sort_index() if hasattr(values, "sort_index") else values, name)


def check_sizes(class_sizes: ArrayLike) -> Floats:
    """Return class sizes as (K,) floats; raise unless all are at least 0, and one is above it."""
    sizes = check_nonnegative(class_sizes, "class_sizes")
    if not 0 < sizes.sum() < math.inf:
        raise ValueError(f"class_sizes sum to {sizes.sum()}: there is nothing to prune")
    return sizes


def check_nonnegative(values: ArrayLike, name: str, length: int | None = None) -> Floats:
    """Return numbers of `length` classes, or of any; raise unless all are finite and at least 0."""
    array = per_class(values, name)
    if array.ndim != 1 or length not in (None, array.size):
        expected = "K" if length is None else length
        raise ValueError(f"{name} have shape {array.shape}: expected ({expected},), one a class")
    bad = ~((array >= 0) & (array < math.inf))
    if bad.any():
        k = int(bad.argmax())
        raise ValueError(f"{name}[{k}] is {array[k]}: it must be finite and not negative")
    return array
