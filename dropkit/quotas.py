"""How much of each class to keep: DRoP's quotas (Section 4) and those they are compared with.

Every quota is a (K,) array of class densities d_k, the fraction of class k that stays.
Classes may as well be groups: nothing here depends on what the labels mean.
"""

import math
from bisect import bisect_left
from numbers import Real
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from dropkit._common.checks import (
    Floats,
    Ints,
    check_choice,
    check_density,
    check_each,
    check_labels,
    check_nonnegative,
    check_scores,
    check_sizes,
    check_whole,
    per_class,
)
from dropkit._common.own_quotas import register as register
from dropkit._common.ranking import top
from dropkit._common.rounding import budget, half_up

RULES = ("densities", "counts")


def drop_densities(
    class_sizes: ArrayLike,
    recalls: ArrayLike,
    density: float,
    smoothing: float = 0.0,
    val_sizes: ArrayLike | None = None,
    *,
    rule: Literal["densities", "counts"] = "densities",
) -> Floats:
    """Return DRoP's class densities: d_k = min(1, λ w_k) with Σ N_k d_k = dN (Algorithm 1).

    The paper's weight w_k is the error 1 - r_k. A class that is never wrong then keeps nothing
    until all others are full; smoothing prevents that, and 1 is Laplace's rule of succession:
    w_k = ((1 - r_k) n_k + α) / (n_k + 2α) with n_k validation samples and α = `smoothing`.

    Parameters
    ----------
    class_sizes : (K,) array_like
        Samples per class before pruning, N_k ≥ 0.
    recalls : (K,) array_like
        Validation recalls r_k in [0, 1]; NaN only where the class has no validation sample and
        smoothing is positive.
    density : float
        Fraction d of all samples to keep, in [0, 1].
    smoothing : float
        Pseudo-count α ≥ 0; 0 is the rule as printed.
    val_sizes : (K,) array_like, optional
        Validation samples per class, `class_sizes` by default; used only to smooth. A class
        without validation samples gets the prior weight 1/2, and needs smoothing.
    rule : {"densities", "counts"}
        "densities" is the paper's text; "counts" makes the kept counts N_k d_k proportional to
        w_k instead, as the authors' released code does (the same when classes are balanced).

    Returns
    -------
    (K,) ndarray
        Densities in [0, 1]. Classes of weight 0 share, at one density, what remains when all
        others are full, so all-perfect recalls give uniform pruning. A class without samples gets
        min(1, λ w_k) like any other; under "counts" it has weight 0.

    Raises
    ------
    ValueError, TypeError
        For values outside these ranges, lengths that differ, or class sizes that sum to 0.

    Examples
    --------
    >>> drop_densities([100, 100], [0.9, 0.7], density=0.4)
    array([0.2, 0.6])
    """
    check_density(density)
    check_choice(rule, "rule", RULES)
    sizes = check_sizes(class_sizes)
    weights = _error_weights(sizes, recalls, smoothing, val_sizes)
    if rule == "counts":
        weights = _per_sample(weights, sizes)
    return weighted_densities(sizes, weights, density)


def variance_densities(class_sizes: ArrayLike, sigmas: ArrayLike, density: float) -> Floats:
    """Return the densities that make class counts proportional to deviations (Equation 5).

    N_k d_k ∝ σ_k for any number of classes, capped at the class size; what a full class cannot
    take goes to the others in proportion to their σ_k.

    Parameters
    ----------
    class_sizes : (K,) array_like
        Samples per class, N_k ≥ 0; a class without samples counts as σ_k = 0.
    sigmas : (K,) array_like
        Standard deviations σ_k ≥ 0, in any common unit.
    density : float
        Fraction of all samples to keep, in [0, 1].

    Returns
    -------
    (K,) ndarray
        Densities in [0, 1]; classes with σ_k = 0 share what remains when all others are full.

    Raises
    ------
    ValueError, TypeError
        For negative or non-finite values, lengths that differ, a density outside [0, 1].
    """
    check_density(density)
    sizes = check_sizes(class_sizes)
    sigma = check_nonnegative(sigmas, "sigmas", sizes.size)
    return weighted_densities(sizes, _per_sample(sigma, sizes), density)


def strategy_densities(labels: ArrayLike, scores: ArrayLike, density: float) -> Floats:
    """Return the class densities that a global cut of the scores induces (Section 4, StrategyQ).

    The d·n samples of highest score stay, halves rounded up, ties going to the lower index.

    Parameters
    ----------
    labels : (n,) array_like of int
        Classes 0..K-1.
    scores : (n,) array_like
        Higher is kept; infinite is allowed, NaN is not.
    density : float
        Fraction of all samples to keep, in [0, 1].

    Returns
    -------
    (K,) ndarray
        Kept fraction of each class, K = labels.max() + 1; 0 for a class without samples.

    Raises
    ------
    ValueError, TypeError
        For labels that are no class indices, NaN scores, lengths that differ.
    """
    check_density(density)
    labels = check_labels(labels)
    scores = check_scores(scores, labels.size)
    kept = top(scores, budget(labels.size, density))
    sizes = np.bincount(labels)
    return np.bincount(labels[kept], minlength=sizes.size) / np.maximum(sizes, 1)


def hardness_densities(labels: ArrayLike, scores: ArrayLike, density: float) -> Floats:
    """Return the densities that make class counts proportional to the classes' mean hardness.

    n_k ∝ h_k, capped at the class size: h_k is the class's mean score or, of scores that are
    negated ease, such as AUM, one over its mean ease; where the ease of a class is not positive,
    all are shifted by the least and 1e-4 first (hardness-based resampling as released).

    Parameters
    ----------
    labels : (n,) array_like of int
        Classes 0..K-1.
    scores : (n,) array_like
        Finite, higher is harder. Scores of which a class has a negative mean are negated ease.
    density : float
        Fraction of all samples to keep, in [0, 1].

    Returns
    -------
    (K,) ndarray
        Densities in [0, 1]; 0 for a class without samples.
    """
    labels = check_labels(labels)
    scores = check_scores(scores, labels.size)
    check_each(np.isfinite(scores), scores, "scores", "be finite to have a mean")
    sizes = np.bincount(labels)
    hardness = np.bincount(labels, scores) / np.maximum(sizes, 1)
    if (hardness < 0).any():
        ease = -hardness[sizes > 0]
        ease = ease - (ease.min() - 1e-4) * (ease.min() <= 0)
        hardness[sizes > 0] = 1 / ease
    return variance_densities(sizes, hardness, density)


def class_counts(class_sizes: ArrayLike, densities: ArrayLike, total: int | None = None) -> Ints:
    """Return whole class counts for the densities: N_k d_k by largest remainder.

    Parameters
    ----------
    class_sizes : (K,) array_like
        Whole numbers N_k ≥ 0.
    densities : (K,) array_like
        In [0, 1].
    total : int, optional
        Samples to keep in all, by default Σ N_k d_k rounded, halves up.

    Returns
    -------
    (K,) ndarray of int64
        Counts that sum to `total`, none above its class size and none a whole sample away from
        N_k d_k; of equal remainders the lower class index is served first.

    Raises
    ------
    ValueError, TypeError
        For sizes or densities out of range, or a total that rounding N_k d_k cannot reach.
    """
    sizes = check_sizes(class_sizes)
    check_each(sizes % 1 == 0, sizes, "class_sizes", "be a whole number of samples")
    shares = check_nonnegative(densities, "densities", sizes.size)
    check_each(shares <= 1, shares, "densities", "lie in [0, 1]")
    wanted = sizes * shares
    counts = np.floor(wanted)
    if total is None:
        total = half_up(wanted.sum())
    elif not isinstance(total, int | np.integer):
        raise TypeError(f"total is {total!r}: it must be a whole number of samples")
    left = int(total) - int(counts.sum())
    split = wanted > counts
    if not 0 <= left <= split.sum():
        raise ValueError(
            f"total is {total} but the densities ask for {wanted.sum():g} samples: "
            "pass that number rounded, or densities that match the total"
        )
    # Rounded, or float noise would decide between equal remainders.
    remainders = np.where(split, np.round(wanted - counts, 8), -1.0)
    counts[np.argsort(-remainders, kind="stable")[:left]] += 1
    return counts.astype(np.int64)


def at_least(counts: ArrayLike, class_sizes: ArrayLike, minimum: int) -> Ints:
    """Return class counts of the same sum with no class k under min(minimum, N_k).

    What that takes comes from the samples above the minimum, in proportion, by largest remainder.

    Parameters
    ----------
    counts : (K,) array_like of int
        Samples to keep of each class.
    class_sizes : (K,) array_like of int
        Samples of each class, N_k.
    minimum : int
        Fewest samples to keep of a class, 0 or more.

    Raises
    ------
    ValueError
        For another minimum, or one that all the counts together cannot pay for.

    Examples
    --------
    >>> at_least([0, 6, 3], [9, 9, 9], minimum=1)
    array([1, 5, 3])
    """
    counts, sizes = np.asarray(counts, dtype=np.int64), np.asarray(class_sizes, dtype=np.int64)
    check_whole(minimum, "minimum")
    floor = np.minimum(minimum, sizes)
    above = np.maximum(counts - floor, 0)
    left = int(counts.sum() - floor.sum())
    if left < 0:
        raise ValueError(
            f"at least {minimum} samples of each class are {floor.sum()} in all, but "
            f"{counts.sum()} are to be kept: lower the minimum or raise the density"
        )
    if left == above.sum():
        return counts
    return floor + class_counts(above, np.full(above.size, left / above.sum()), total=left)


def weighted_densities(sizes: Floats, weights: Floats, density: float) -> Floats:
    """Return min(1, λ w_k) with Σ N_k min(1, λ w_k) = dN by bisecting the sorted weights.

    Only ratios w_k / w_j enter, and only those that matter are finite, so neither tiny nor huge
    weights overflow, and the printed algorithm's E > 0 and its division by Z do not occur.

    Parameters
    ----------
    sizes, weights : (K,) ndarray of float
        Samples per class N_k, and w_k ≥ 0, which are not checked.
    density : float
        Fraction d of all samples to keep, in [0, 1].
    """
    if density in (0, 1):
        return np.full(sizes.size, float(density))
    keep = density * sizes.sum()
    levels = np.unique(weights[weights > 0])

    def fits(level: float) -> bool:  # whether all classes from this weight up can be full
        return bool((sizes * np.minimum(1, weights / level)).sum() <= keep)

    with np.errstate(over="ignore"):
        first_full = bisect_left(levels, True, key=fits)
        level = levels[first_full - 1] if first_full > 0 else 0.0
        # Comparing weights, not ranks, treats equal classes equally to the last bit.
        full = weights > level
        share = np.minimum(1, weights / level) if level > 0 else np.ones_like(weights)
    rest = keep - sizes[full].sum()
    demand = (sizes * share)[~full].sum()
    # The water line leaves some demand unmet, so it is positive; rounding may pass 0 or 1.
    return np.where(full, 1.0, np.clip(rest / demand * share, 0, 1))


def _error_weights(
    sizes: Floats, recalls: ArrayLike, smoothing: float, val_sizes: ArrayLike | None
) -> Floats:
    recall = per_class(recalls, "recalls")
    if recall.shape != sizes.shape:
        raise ValueError(f"recalls have shape {recall.shape}: expected {sizes.shape}, one a class")
    if not (isinstance(smoothing, Real) and 0 <= smoothing < math.inf):
        raise ValueError(f"smoothing is {smoothing!r}: it must be a number, finite and not below 0")
    seen = sizes if val_sizes is None else check_nonnegative(val_sizes, "val_sizes", sizes.size)
    if val_sizes is not None and smoothing == 0 and (seen == 0).any():
        k = int(np.argmax(seen == 0))
        raise ValueError(
            f"class {k} has no validation samples, so its recall is undefined: use smoothing > 0"
        )
    unknown = (seen == 0) & (smoothing > 0)
    fits = ((recall >= 0) & (recall <= 1)) | (unknown & np.isnan(recall))
    wanted = "lie in [0, 1], or be nan for a class without validation samples if smoothing > 0"
    check_each(fits, recall, "recalls", wanted)
    if smoothing == 0:
        return 1 - recall
    errors = np.where(unknown, 0.0, (1 - recall) * seen)
    return (errors + smoothing) / (seen + 2 * smoothing)


def _per_sample(weights: Floats, sizes: Floats) -> Floats:
    """Return w_k / N_k, and 0 for a class without samples."""
    return np.divide(weights, sizes, out=np.zeros_like(weights), where=sizes > 0)
