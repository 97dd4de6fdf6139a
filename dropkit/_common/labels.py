"""Classes by name, and what DRoP keeps of each: what the sampler and the command line share."""

import warnings
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dropkit._common.checks import Floats, Ints, check_minimum
from dropkit.quotas import at_least, class_counts, drop_densities, positive_budget

Below = Literal["raise", "warn", "keep"]


class ClassTable(NamedTuple):
    """One entry a class in each field; `recalls` are NaN where nothing was validated."""

    classes: np.ndarray
    sizes: Ints
    recalls: Floats
    densities: Floats
    counts: Ints


def encode(labels: ArrayLike, name: str = "labels") -> tuple[np.ndarray, Ints]:
    """Return the sorted classes (K,) and the class index 0..K-1 of each label (n,).

    Raises ValueError for no labels, another shape, or a missing one (None, NaN, NaT).

    Examples
    --------
    >>> encode(["cat", "ant", "cat"])
    (array(['ant', 'cat'], dtype='<U3'), array([1, 0, 1]))
    """
    array = np.asarray(labels)
    if array.ndim != 1 or array.size == 0:
        join = ", such as 'cat, indoors' for two columns" if array.ndim == 2 else ""
        raise ValueError(
            f"{name} have shape {array.shape}: expected (n,) with n ≥ 1, one label a sample{join}"
        )
    check_complete(array, name)
    try:
        return np.unique(array, return_inverse=True)
    except TypeError:
        kinds = sorted({type(value).__name__ for value in array.tolist()})
        raise ValueError(f"{name} mix {' and '.join(kinds)}: use one type") from None


def check_complete(labels: ArrayLike, name: str = "labels", *, first: int = 0) -> None:
    """Raise ValueError, naming it, if a label is missing: None, NaN, NaT or pandas.NA.

    `first` is the index of the first label, where the labels are a part of more.
    """
    array = np.asarray(labels)
    if array.dtype.kind in "iubSU" or array.ndim == 0:
        return
    flat = array.ravel()
    missing = [_is_missing(value) for value in flat] if flat.dtype == object else flat != flat
    if np.any(missing):
        place = int(np.argmax(missing))
        row = first + place // (array.size // len(array))  # of an indicator matrix
        raise ValueError(f"{name}[{row}] is {flat[place]}: every sample needs a label")


def check_predictions(predictions: np.ndarray, classes: np.ndarray) -> None:
    """Raise ValueError if no prediction (n,) is one of the classes; warn if some are not."""
    known = set(classes.tolist())  # NumPy would take 0 and '0' for the same
    named = np.unique(predictions).tolist()
    unknown = [name for name in named if name not in known]
    if not unknown:
        return
    message = f"{unknown[0]!r} is predicted but is no class of the labels"
    if len(unknown) == len(named):
        raise ValueError(
            f"{message}, and neither is any other prediction: labels and predictions must name "
            "classes in the same way"
        )
    warnings.warn(f"{message}: such predictions count as wrong", stacklevel=2)


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA compares as neither
        return True


def class_table(
    classes: ArrayLike,
    sizes: ArrayLike,
    recalls: ArrayLike,
    density: float,
    *,
    smoothing: float = 1.0,
    val_sizes: ArrayLike | None = None,
    minimum: int = 1,
    below: Below = "warn",
) -> ClassTable:
    """Return what DRoP keeps of each class (Algorithm 1, smoothed), with classes named in errors.

    Parameters
    ----------
    classes : (K,) names.
    sizes, recalls, density, smoothing, val_sizes : see `dropkit.quotas.drop_densities`; a class
        without validation samples is warned of.
    minimum : fewest samples that a class should keep; smaller classes should keep all they have.
    below : what to do with a class under the minimum: "raise", "warn", or "keep" the minimum,
        which the other classes give up in proportion to what they have above it.

    Raises
    ------
    ValueError
        For values out of range, a density above 0 that rounds to no sample, a class without
        validation samples if smoothing is 0, a class under the minimum if `below` is "raise", or
        a minimum that the density cannot pay for.
    """
    if below not in ("raise", "warn", "keep"):
        raise ValueError(f"below is {below!r}: it must be 'raise', 'warn' or 'keep'")
    check_minimum(minimum)
    classes, sizes = np.asarray(classes), np.asarray(sizes)
    if val_sizes is not None:
        _check_validation(classes[np.asarray(val_sizes) == 0], smoothing)
    densities = drop_densities(sizes, recalls, density, smoothing, val_sizes)
    counts = class_counts(sizes, densities, total=positive_budget(int(sizes.sum()), density))
    if below == "keep":
        counts = at_least(counts, sizes, minimum)
    elif (few := counts < np.minimum(minimum, sizes)).any():
        message = (
            f"{_named(classes[few])} would keep fewer than the minimum of {minimum} at density "
            f"{density:g}: raise the density, lower the minimum, or choose 'keep' for below"
        )
        if below == "raise":
            raise ValueError(message)
        warnings.warn(message, stacklevel=2)
    return ClassTable(classes, sizes, np.asarray(recalls, dtype=float), densities, counts)


def _check_validation(missing: Sequence[Any], smoothing: float) -> None:
    """Raise or, where smoothing gives a class its prior weight, warn of unvalidated classes."""
    if len(missing) == 0:
        return
    message = f"the validation data have no samples of {_named(missing)}, so the recall is unknown"
    if smoothing == 0:
        raise ValueError(f"{message}: use smoothing above 0, which weighs it as a recall of 1/2")
    warnings.warn(f"{message} and taken for 1/2", stacklevel=3)


def _named(classes: Sequence[Any], most: int = 5) -> str:
    """Name classes for a sentence: "class 3", "classes 3, 7", "classes 3, 7, ... (12 in all)"."""
    shown = ", ".join(str(name) for name in classes[:most])
    if len(classes) == 1:
        return f"class {shown}"
    return f"classes {shown}" + (f", ... ({len(classes)} in all)" if len(classes) > most else "")
