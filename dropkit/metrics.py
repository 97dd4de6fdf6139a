"""How good and how fair: recalls, the bias metrics of Section 2, and intervals over seeds.

The worst-class accuracy of one seed is the minimum of K noisy recalls. Its expectation lies below
the smallest true recall, the more so the smaller the test set, and most for a model whose recalls
are nearly equal, because there every class can be the unlucky one. A fair model is thus judged too
harshly. The pooled estimates below average each class over seeds first and take the minimum after.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from dropkit._common.checks import Floats, as_floats, check_each, check_labels, check_sizes, outside

FEW = 10  # below this many seeds a bootstrap has too few distinct draws
RESAMPLES = 2000


class Bias(NamedTuple):
    """Average recall and the three robustness metrics of Section 2, each of shape (...)."""

    average: Floats
    worst: Floats
    gap: Floats
    std: Floats


class Difference(NamedTuple):
    """An estimate and the ends of its interval, both NaN where there is a single seed."""

    value: float
    low: float
    high: float


def class_recalls(labels: ArrayLike, predictions: ArrayLike, num_classes: int) -> Floats:
    """Return the recall of each class: the fraction of its samples that are predicted as it.

    Parameters
    ----------
    labels : (n,) or (..., n) array_like of int
        Classes 0..num_classes-1.
    predictions : (..., n) array_like of int
        Leading axes are seeds, models or epochs, and -1 is a prediction that is wrong for every
        class.
    num_classes : int
        K, at least 1.

    Returns
    -------
    (..., K) ndarray
        Recalls in [0, 1]; NaN for a class without samples.

    Raises
    ------
    ValueError, TypeError
        For shapes that do not match, labels or predictions that are no class indices.
    """
    truth, guess = np.asarray(labels), np.asarray(predictions)
    if guess.size == 0 or truth.shape not in (guess.shape, guess.shape[-1:]):
        raise ValueError(
            f"labels have shape {truth.shape} and predictions {guess.shape}: "
            "predictions must be (..., n) and not empty, labels (n,) or of the same shape"
        )
    truth = check_labels(truth.ravel(), num_classes).reshape(truth.shape)
    if guess.dtype.kind not in "iu":
        raise TypeError(f"predictions are {guess.dtype}: they must be class indices (argmax)")
    if (wrong := outside(guess, num_classes, first=-1)) is not None:
        raise ValueError(f"prediction {wrong} is no class: expected -1..{num_classes - 1}")
    batch = guess.shape[:-1]
    rows = np.arange(math.prod(batch)).reshape(*batch, 1)
    cells = (rows * num_classes + truth).ravel()
    length = rows.size * num_classes
    hits = np.bincount(cells, weights=(guess == truth).ravel(), minlength=length)
    sizes = np.bincount(cells, minlength=length)
    recalls = np.divide(hits, sizes, out=np.full(length, np.nan), where=sizes > 0)
    return recalls.reshape(*batch, num_classes)


def group_recalls(
    groups: ArrayLike, labels: ArrayLike, predictions: ArrayLike, num_groups: int
) -> Floats:
    """Return the accuracy within each group: with the classes as groups, the recalls.

    Parameters
    ----------
    groups : (n,) or (..., n) array_like of int
        Groups 0..num_groups-1.
    labels, predictions : (n,) or (..., n) array_like
        Classes, and predicted classes.
    num_groups : int
        G, at least 1.

    Returns
    -------
    (..., G) ndarray
        Accuracies in [0, 1]; NaN for a group without samples.
    """
    right = np.asarray(predictions) == np.asarray(labels)
    return class_recalls(groups, np.where(right, groups, -1), num_groups)


def bias(recalls: ArrayLike) -> Bias:
    """Return average, minimum, maximum minus minimum, and deviation of recalls (Section 2).

    `average` is the plain mean over classes, which is accuracy when the test set is balanced;
    `std` divides by K. A NaN recall, a class without samples, makes all four NaN.

    Parameters
    ----------
    recalls : (..., K) array_like
        In [0, 1].

    Returns
    -------
    Bias
        Of arrays (...).

    Raises
    ------
    ValueError
        For recalls outside [0, 1].
    """
    recalls = _recalls(recalls, 1)
    worst = recalls.min(axis=-1)
    return Bias(recalls.mean(axis=-1), worst, recalls.max(axis=-1) - worst, recalls.std(axis=-1))


def worst(recalls: ArrayLike) -> Floats:
    """Return the worst-class accuracy min_k r_k of each row.

    Parameters
    ----------
    recalls : (..., K) array_like
        In [0, 1].
    """
    return bias(recalls).worst


def lowest_tenth(recalls: ArrayLike) -> Floats:
    """Return the mean of the lowest tenth of the recalls of each row: of K, the lowest ceil(K/10).

    With a hundred classes of fifty test samples the minimum is mostly chance; this is less so. Of
    up to ten classes it is the worst.

    Parameters
    ----------
    recalls : (..., K) array_like
        In [0, 1].
    """
    recalls = _recalls(recalls, 1)
    count = -(-recalls.shape[-1] // 10)
    return np.sort(recalls, axis=-1)[..., :count].mean(axis=-1)


def adjusted_average(recalls: ArrayLike, train_group_sizes: ArrayLike) -> Floats:
    """Return the average over groups weighted by their training frequency, Σ_g n_g r_g / Σ_g n_g.

    It is the average accuracy that the literature reports on Waterbirds, whose test split is
    balanced within classes while its training split is not (Sagawa et al., 2020, Appendix C.1).

    Parameters
    ----------
    recalls : (..., G) array_like
        In [0, 1].
    train_group_sizes : (G,) array_like
        Samples of each group in the training split before pruning.

    Returns
    -------
    (...) ndarray
        NaN where a group's recall is.

    Raises
    ------
    ValueError
        For recalls outside [0, 1], another number of sizes, a negative one, or no samples at all.
    """
    recalls = _recalls(recalls, 1)
    sizes = check_sizes(train_group_sizes, "train_group_sizes", recalls.shape[-1])
    return recalls @ (sizes / sizes.sum())


def pooled_worst(recalls: ArrayLike) -> float:
    """Return the smallest class mean: recalls are averaged over seeds, then minimised.

    It is never below the mean of the per-seed minima, and its downward bias vanishes as S grows.

    Parameters
    ----------
    recalls : (S, K) array_like
        In [0, 1], one row a seed.
    """
    return float(_recalls(recalls, 2).mean(axis=0).min())


def pooled_interval(recalls: ArrayLike) -> tuple[float, float]:
    """Return the ends of the 95 % interval of `pooled_worst` over seeds, as `over_seeds` has them.

    Parameters
    ----------
    recalls : (S, K) array_like
        In [0, 1], one row a seed.
    """
    recalls = _recalls(recalls, 2)
    return over_seeds(lambda weights: (weights @ recalls).min(axis=-1), len(recalls))[1:]


def over_seeds(
    statistic: Callable[[Floats], Floats], seeds: int, *, level: float = 0.95
) -> Difference:
    """Return a statistic of all seeds with its interval over them, by bootstrap or jackknife.

    The interval is the percentile bootstrap's (Efron and Tibshirani, 1993, Chapter 13); below ten
    seeds the value plus and minus Student's t times the jackknife's standard error (Chapter 11).

    Parameters
    ----------
    statistic : callable
        Maps weights of the seeds (..., S), each row of sum 1, to (...).
    seeds : int
        S, at least 1.
    level : float
        Coverage aimed at, in (0, 1).

    Raises
    ------
    ValueError
        For a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: it must lie in (0, 1), such as 0.95")
    value = float(statistic(np.full(seeds, 1 / seeds)))
    if seeds < 2:
        return Difference(value, math.nan, math.nan)
    if seeds < FEW:
        left_out = statistic((1 - np.eye(seeds)) / (seeds - 1))
        pseudo = student(seeds * value - (seeds - 1) * left_out, level)
        return Difference(value, *(value + end - pseudo.value for end in pseudo[1:]))
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(statistic(_resampled(seeds)), ends)
    return Difference(value, float(low), float(high))


@lru_cache(maxsize=8)
def _resampled(seeds: int) -> Floats:
    """How often each seed is drawn is its weight, (resamples, S): no (resamples, S, K) array."""
    rng = np.random.default_rng(0)
    weights = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=RESAMPLES) / seeds
    weights.flags.writeable = False
    return weights


def student(values: Floats, level: float = 0.95) -> Difference:
    """Return the mean of values with Student's t interval.

    Parameters
    ----------
    values : (S,) array of float
        One a seed.
    level : float
        Coverage of the interval.
    """
    value, n = float(values.mean()), len(values)
    if n < 2:
        return Difference(value, math.nan, math.nan)
    half = float(stdtrit(n - 1, (1 + level) / 2) * (values.std(ddof=1) / math.sqrt(n)))
    return Difference(value, value - half, value + half)


def paired_difference(
    a: ArrayLike, b: ArrayLike, statistic: Callable[[Floats], Floats] = worst
) -> Difference:
    """Return the mean over seeds of statistic(a) - statistic(b) with Student's 95 % t interval.

    Parameters
    ----------
    a, b : (S, K) array_like
        Recalls with the same seeds in the same order.
    statistic : callable
        Maps (S, K) to (S,); per-seed worst-class accuracy by default.

    Raises
    ------
    ValueError
        For shapes that differ, or recalls outside [0, 1].
    """
    first, second = _recalls(a, 2), _recalls(b, 2)
    if first.shape != second.shape:
        raise ValueError(f"recalls have shapes {first.shape} and {second.shape}: pair by seed")
    differences = np.asarray(statistic(first)) - np.asarray(statistic(second))
    if differences.shape != first.shape[:1]:
        raise ValueError(
            f"statistic gives shape {differences.shape}: expected {first.shape[:1]}, one a seed"
        )
    return student(differences)


def _recalls(recalls: ArrayLike, ndim: int) -> Floats:
    """Return (..., K) recalls as floats: 2 axes mean exactly (S, K), 1 means at least (K,)."""
    array = as_floats(recalls, "recalls")
    if array.size == 0 or array.ndim < ndim or (ndim == 2 and array.ndim != 2):
        expected = "(S, K), one row a seed" if ndim == 2 else "(..., K)"
        raise ValueError(f"recalls have shape {array.shape}: expected {expected}")
    check_each(~((array < 0) | (array > 1)), array, "recalls", "lie in [0, 1]")
    return array
