"""What densities, labels, scores and numbers a class must be."""

import math
from collections.abc import Collection
from numbers import Real
from typing import Any

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


def check_whole(value: int, name: str, least: int = 0) -> None:
    """Raise ValueError unless the value is a whole number, `least` or more."""
    if not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} is {value!r}: it must be a whole number, {least} or more")


def check_choice(value: object, name: str, choices: Collection[str]) -> None:
    """Raise ValueError unless the value is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}: it must be one of {', '.join(choices)}")


def check_labels(labels: ArrayLike, num_classes: int | None = None, n: int | None = None) -> Ints:
    """Return n labels, or any, as int64; raise unless they are class indices 0..num_classes-1."""
    array = np.asarray(labels)
    if array.ndim != 1 or array.size == 0 or n not in (None, array.size):
        raise ValueError(f"labels have shape {array.shape}: expected ({n or 'n'},), one a sample")
    last = "K-1" if num_classes is None else num_classes - 1
    if array.dtype.kind not in "iu":
        raise ValueError(
            f"labels are {array.dtype}: they must be integers 0..{last}, such as "
            "np.unique(labels, return_inverse=True)[1] makes of any others"
        )
    if (wrong := outside(array, num_classes)) is not None:
        raise ValueError(f"label {wrong} is no class: labels must be integers 0..{last}")
    return array.astype(np.int64)


def outside(indices: NDArray[np.integer], count: int | None, first: int = 0) -> int | None:
    """Return one of the indices that lies outside first..count-1; None where there is none."""
    if indices.size and indices.min() < first:
        return int(indices.min())
    if indices.size and count is not None and indices.max() >= count:
        return int(indices.max())
    return None


def check_scores(scores: ArrayLike, n: int, name: str = "scores") -> Floats:
    """Return the scores as (n,) floats; raise on another shape or on NaN."""
    array = as_floats(scores, name)
    if array.shape != (n,):
        raise ValueError(f"{name} have shape {array.shape}: expected ({n},), one a sample")
    check_each(~np.isnan(array), array, name, "be a number that the sample is ranked by")
    return array


def check_each(fits: NDArray[np.bool_], values: NDArray[Any], name: str, wanted: str) -> None:
    """Raise ValueError, which names the first value that does not fit, unless all do."""
    if not fits.all():
        place = tuple(map(int, np.argwhere(~fits)[0]))
        raise ValueError(f"{name}{list(place)} is {values[place]}: it must {wanted}")


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


def check_sizes(
    class_sizes: ArrayLike, name: str = "class_sizes", length: int | None = None
) -> Floats:
    """Return class sizes as (K,) floats; raise unless all are at least 0, and one is above it."""
    sizes = check_nonnegative(class_sizes, name, length)
    if not 0 < sizes.sum() < math.inf:
        raise ValueError(f"{name} sum to {sizes.sum()}: they must be counts, not all of them 0")
    return sizes


def check_nonnegative(values: ArrayLike, name: str, length: int | None = None) -> Floats:
    """Return numbers of `length` classes, or of any; raise unless all are finite and at least 0."""
    array = per_class(values, name)
    if array.ndim != 1 or length not in (None, array.size):
        expected = "K" if length is None else length
        raise ValueError(f"{name} have shape {array.shape}: expected ({expected},), one a class")
    check_each((array >= 0) & (array < math.inf), array, name, "be finite and not negative")
    return array
