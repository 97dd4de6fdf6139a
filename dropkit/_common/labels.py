"""Labels of any kind, numbers or text: their classes, what is missing, and names for sentences."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dropkit._common.checks import Ints


def encode(labels: ArrayLike, name: str = "labels") -> tuple[np.ndarray, Ints]:
    """Return the sorted classes (K,) and the class index 0..K-1 of each label (n,)."""
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
    guessed = np.unique(predictions).tolist()
    unknown = [name for name in guessed if name not in known]
    if not unknown:
        return
    message = f"{unknown[0]!r} is predicted but is no class of the labels"
    if len(unknown) == len(guessed):
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


def in_words(classes: np.ndarray) -> str:
    """Name classes for a sentence: "class 3", "classes 3, 7", "classes 3, 7, ... (12 in all)"."""
    shown = ", ".join(str(name) for name in classes[:5])
    if len(classes) == 1:
        return f"class {shown}"
    return f"classes {shown}" + (f", ... ({len(classes)} in all)" if len(classes) > 5 else "")
