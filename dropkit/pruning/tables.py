"""What DRoP keeps of each class, as a table with the classes' names."""

import warnings
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dropkit._common.checks import Floats, Ints, check_choice, check_whole
from dropkit._common.labels import in_words
from dropkit._common.rounding import positive_budget
from dropkit.quotas import at_least, class_counts, drop_densities

Below = Literal["raise", "warn", "keep"]


class ClassTable(NamedTuple):
    """What DRoP keeps of each class: (K,) arrays with one entry a class.

    `sizes` and `counts` are samples before pruning and after, `densities` the fractions before
    they are rounded to whole samples; `recalls` are NaN where nothing was validated.
    """

    classes: np.ndarray
    sizes: Ints
    recalls: Floats
    densities: Floats
    counts: Ints


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
    classes : (K,) array_like
        Names.
    sizes, recalls, density, smoothing, val_sizes : (K,) array_like, and float
        As in `dropkit.quotas.drop_densities`; a class without validation samples is warned of.
    minimum : int
        Fewest samples that a class should keep; smaller classes should keep all they have.
    below : {"warn", "raise", "keep"}
        What to do with a class under the minimum; "keep" holds the minimum, which the other
        classes give up in proportion to what they have above it.

    Raises
    ------
    ValueError
        For values out of range, a density above 0 that rounds to no sample, a class without
        validation samples if smoothing is 0, a class under the minimum if `below` is "raise", or
        a minimum that the density cannot pay for.
    """
    check_choice(below, "below", ("warn", "raise", "keep"))
    check_whole(minimum, "minimum")
    classes, sizes = np.asarray(classes), np.asarray(sizes)
    if val_sizes is not None and (unseen := np.asarray(val_sizes) == 0).any():
        message = f"the validation data have no samples of {in_words(classes[unseen])}"
        if smoothing == 0:
            raise ValueError(f"{message}: use smoothing above 0, which takes its recall for 1/2")
        warnings.warn(f"{message}: its recall is taken for 1/2", stacklevel=2)
    densities = drop_densities(sizes, recalls, density, smoothing, val_sizes)
    counts = class_counts(sizes, densities, total=positive_budget(int(sizes.sum()), density))
    counts = held(classes, sizes, counts, density, minimum, below)
    return ClassTable(classes, sizes, np.asarray(recalls, dtype=float), densities, counts)


def held(
    classes: np.ndarray, sizes: Ints, counts: Ints, density: float, minimum: int, below: Below
) -> Ints:
    """Return class counts held to the minimum, or as they are, with a warning or an error.

    Parameters
    ----------
    classes, sizes, counts : (K,) ndarray
        Names, samples before pruning and after.
    density : float
        For the sentence.
    minimum, below : int, {"warn", "raise", "keep"}
        As in `class_table`.
    """
    if below == "keep":
        return at_least(counts, sizes, minimum)
    if (few := counts < np.minimum(minimum, sizes)).any():
        message = (
            f"{in_words(classes[few])} would keep fewer than the minimum of {minimum} at density "
            f"{density:g}: raise the density, lower the minimum, or choose 'keep' for below"
        )
        if below == "raise":
            raise ValueError(message)
        warnings.warn(message, stacklevel=3)
    return counts
