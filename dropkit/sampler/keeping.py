"""Which samples to keep, of labels of any kind: what `DRoPSampler` decides, without X."""

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dropkit._common.checks import Ints, check_choice, check_scores
from dropkit._common.labels import encode
from dropkit._common.ranking import random_keys, top_in_class
from dropkit.pruning import Below, ClassTable, class_table
from dropkit.sampler.shrinkage import Recalls, shrunk

ByClass = ArrayLike | Mapping[Any, float] | Recalls


class Kept(NamedTuple):
    """The indices (m,) of the samples to keep, in increasing order, and what each class keeps."""

    indices: Ints
    table: ClassTable


def keep(
    labels: ArrayLike,
    density: float,
    recalls: ByClass,
    *,
    val_sizes: ByClass | None = None,
    smoothing: float | str = 10.0,
    minimum: int = 1,
    below: Below = "warn",
    scores: ArrayLike | None = None,
    seed: int = 0,
) -> Kept:
    """Return the samples that DRoP keeps, smoothed (Algorithm 1); warn of a class that goes.

    Parameters
    ----------
    labels : (n,) array_like
        Classes or groups, numbers or text.
    density : float
        Fraction of the samples to keep, in (0, 1].
    recalls : (K,) array_like, dict, Series or Recalls
        Validation recalls: in the order of the sorted classes or, of a dict or a pandas Series, by
        class.
    val_sizes : (K,) array_like, dict or Series, optional
        Validation samples behind each recall; by default as many as the class has labels.
    smoothing, minimum, below : float, int, {"warn", "raise", "keep"}
        As in `dropkit.pruning.class_table`. A smoothing of "auto" draws the recalls towards their
        mean by as much as the noise of so few samples explains (empirical Bayes).
    scores : (n,) array_like, optional
        The highest stay inside each class; by default random ones.
    seed : int
        Of the random choice.

    Returns
    -------
    Kept
        `indices` and `table`, which has sizes, recalls, densities and counts of each class.

    Raises
    ------
    ValueError, TypeError
        For missing labels, recalls that do not fit the classes, or any value out of its range.

    Examples
    --------
    >>> labels = ["easy", "hard"] * 100
    >>> kept = keep(labels, 0.5, {"hard": 0.65, "easy": 0.95})
    >>> dict(zip(kept.table.classes.tolist(), kept.table.counts.tolist()))
    {'easy': 25, 'hard': 75}
    """
    classes, codes = encode(labels)
    table = quotas_of(
        classes,
        np.bincount(codes),
        density,
        recalls,
        val_sizes,
        smoothing=smoothing,
        minimum=minimum,
        below=below,
    )
    keys = random_keys(seed)(codes.size) if scores is None else check_scores(scores, codes.size)
    return Kept(top_in_class(keys, codes, table.counts), table)


def quotas_of(
    classes: np.ndarray,
    sizes: Ints,
    density: float,
    recalls: ByClass,
    val_sizes: ByClass | None,
    **options: Any,
) -> ClassTable:
    """Return what each class keeps, of names and sizes (K,) and the options of `class_table`."""
    if isinstance(recalls, Recalls):
        val_sizes = recalls.val_sizes if val_sizes is None else val_sizes
        recalls = recalls.recalls
    recalls = by_class(recalls, classes, "recalls")
    notice_perfect(recalls)
    val_sizes = sizes if val_sizes is None else by_class(val_sizes, classes, "val_sizes")
    return smoothed_table(classes, sizes, recalls, density, val_sizes=val_sizes, **options)


def notice_perfect(recalls: np.ndarray) -> None:
    """Warn of recalls (K,) that are all 1."""
    if len(recalls) > 1 and np.all(np.asarray(recalls) == 1):
        warnings.warn(
            "all recalls are 1, as where they are measured on training data: nothing but their "
            "sizes tells the classes apart",
            stacklevel=4,
        )


def smoothed_table(
    classes: np.ndarray,
    sizes: Ints,
    recalls: np.ndarray,
    density: float,
    *,
    val_sizes: np.ndarray,
    smoothing: float | str,
    **minimum: Any,
) -> ClassTable:
    """Return `class_table`, whose smoothing may be "auto"."""
    if isinstance(smoothing, str):
        check_choice(smoothing, "smoothing", ("auto",))
        better = shrunk(recalls, val_sizes)
        table = class_table(classes, sizes, better, density, smoothing=0.0, **minimum)
        return table._replace(recalls=np.asarray(recalls, dtype=float))
    return class_table(
        classes, sizes, recalls, density, smoothing=smoothing, val_sizes=val_sizes, **minimum
    )


def by_class(values: Any, classes: np.ndarray, name: str) -> np.ndarray:
    """Return an array in the order of the classes; raise unless there is one value for each."""
    if hasattr(values, "to_dict"):  # a Series, whose order may be that of value_counts
        values = values.to_dict()
    if isinstance(values, Mapping):
        names = classes.tolist()
        if set(values) != set(names):
            wrong = next(iter(set(values) ^ set(names)))
            problem = "no class of the labels" if wrong in values else "missing"
            raise ValueError(f"{name} must have one entry a class, but {wrong!r} is {problem}")
        values = [values[each] for each in names]
    array = np.asarray(values)
    if array.shape != classes.shape:
        raise ValueError(
            f"{name} have shape {array.shape}: expected {classes.shape}, one for each class"
        )
    return array
