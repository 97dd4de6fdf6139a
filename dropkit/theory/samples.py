"""Data sets drawn from a Gaussian mixture, pruned, and the thresholds fitted to them (Figure 3)."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from dropkit._common.checks import Floats, check_choice, check_density, check_whole
from dropkit._common.rounding import budget, positive_budget
from dropkit.quotas import class_counts
from dropkit.theory.mixture import GaussianMixture

PROCEDURES = ("full", "random", "optimal quotas", "ssp", "ssp quotas", "drop")

Labels = NDArray[np.int8]
Mask = NDArray[np.bool_]


def sample(
    mixture: GaussianMixture, n: int, datasets: int = 1, *, seed: int = 0
) -> tuple[Floats, Labels]:
    """Return points and classes, (datasets, n) both, of independent samples from the mixture.

    Classes are drawn with the mixture's priors, so class sizes differ between data sets.
    """
    check_whole(n, "n", least=1)
    check_whole(datasets, "datasets", least=1)
    rng = np.random.default_rng(seed)
    y = (rng.random((datasets, n)) >= mixture.phi0).astype(np.int8)
    mu, sigma = np.array([mixture.mu0, mixture.mu1]), np.array([mixture.sigma0, mixture.sigma1])
    return mu[y] + sigma[y] * rng.standard_normal((datasets, n)), y


def empirical_minimizer(
    x: ArrayLike, y: ArrayLike, *, kept: ArrayLike | None = None, ties: str = "widest"
) -> Floats:
    """Return the threshold of least 0-1 error for the rule ``x > t``, data set by data set.

    Points x, classes y of 0 and 1 and the mask of points to fit, all by default, are (..., n), the
    thresholds (...). Every threshold between two neighbouring points errs alike: the result is the
    midpoint of such a gap, and -inf or +inf where only a gap beyond the outermost points will do.
    Of several gaps of least error the "widest" (the first of equally wide ones) favours neither
    side; the "lowest" and the "highest" bound what any rule could give.
    """
    check_choice(ties, "ties", ("widest", "lowest", "highest"))
    x, y, kept = _checked(x, y, kept)
    shape = (-1, x.shape[-1])
    # Points left out sort to +inf and weigh nothing, so that they only repeat the last gap.
    points = np.where(kept, x, np.inf).reshape(shape)
    # To the left of the threshold a point of class 1 is one error more, of class 0 one less.
    step = np.where(kept, 2 * y - 1, 0).reshape(shape)
    order = np.argsort(points, axis=1)
    points = np.take_along_axis(points, order, axis=1)
    step = np.take_along_axis(step, order, axis=1)

    errors = np.pad(np.cumsum(step, axis=1, dtype=np.int32), ((0, 0), (1, 0)))
    edges = np.pad(points, ((0, 0), (1, 1)), constant_values=(-np.inf, np.inf))
    lower, upper = edges[:, :-1], edges[:, 1:]
    errors[lower == upper] = np.iinfo(np.int32).max  # no threshold parts equal points
    tied = errors == errors.min(axis=1, keepdims=True)

    gap = _choose(tied, lower, upper, ties)[:, None]
    lower, upper = (np.take_along_axis(edge, gap, axis=1)[:, 0] for edge in (lower, upper))
    middle = lower / 2 + upper / 2  # halved first: the sum could overflow
    # A midpoint that rounds to the upper point would put it on the wrong side.
    rounded_up = (middle >= upper) & np.isfinite(upper)
    return np.where(rounded_up, lower, middle).reshape(x.shape[:-1])


def _choose(tied: Mask, lower: Floats, upper: Floats, ties: str) -> NDArray[np.intp]:
    """Return the position of the chosen one of the tied gaps in each row."""
    if ties == "lowest":
        return np.argmax(tied, axis=1)
    if ties == "highest":
        return tied.shape[1] - 1 - np.argmax(tied[:, ::-1], axis=1)
    # An endless gap is the last resort among tied ones.
    ends = np.isinf(lower) | np.isinf(upper)
    width = np.subtract(upper, lower, out=np.zeros_like(lower), where=~ends)
    return np.argmax(np.where(tied, width, -1), axis=1)


def _checked(x: ArrayLike, y: ArrayLike, kept: ArrayLike | None) -> tuple[Floats, Labels, Mask]:
    x, y = np.asarray(x, dtype=float), np.asarray(y)
    kept = np.ones(x.shape, dtype=bool) if kept is None else np.asarray(kept)
    if x.ndim == 0 or not x.shape == y.shape == kept.shape:
        raise ValueError(
            "x, y and kept must be arrays of one shape (..., n), got shapes "
            f"{x.shape}, {y.shape} and {kept.shape}"
        )
    if kept.dtype != bool:
        raise ValueError(f"kept must be a boolean mask, got dtype {kept.dtype}")
    if not kept.any(axis=-1).all():
        raise ValueError("each data set must keep at least one point, got one that keeps none")
    if not np.isfinite(x).all():
        raise ValueError("x must be finite, got NaN or infinity")
    if not np.isin(y, (0, 1)).all():
        raise ValueError(f"y must hold classes 0 and 1, got {np.unique(y).tolist()}")
    return x, y.astype(np.int8), kept


def keep(
    procedure: str, mixture: GaussianMixture, x: Floats, y: Labels, density: float, seed: int
) -> Mask:
    """Return which points of data sets (x, y) from a mixture one of `PROCEDURES` keeps (Section 3).

    SSP keeps the points farthest from their own class's mean, whatever their class; all others keep
    random ones.
    """
    total = budget(x.shape[-1], density)
    if procedure == "full":
        return np.ones(x.shape, dtype=bool)
    if procedure == "random":
        return _lowest(_chances(x.shape, seed), total)
    if procedure == "optimal quotas":
        return _random_quotas(y, partial(mixture.optimal_densities, density), seed)
    if procedure == "drop":
        return _random_quotas(y, partial(mixture.drop_densities, density), seed)
    farthest = _lowest(-np.abs(x - np.array([mixture.mu0, mixture.mu1])[y]), total)
    if procedure == "ssp":
        return farthest
    counts = np.stack([(farthest & (y == k)).sum(axis=-1) for k in (0, 1)], -1)
    return _random_counts(y, counts, seed)


def fitted_thresholds(
    mixture: GaussianMixture,
    procedure: str,
    density: float,
    *,
    points: int,
    datasets: int,
    seed: int,
    ties: str = "widest",
) -> Floats:
    """Return the empirical minimisers (datasets,) of data sets of so many points, after pruning.

    The procedure is one of `PROCEDURES`. One seed gives all of them the same data sets.
    """
    check_choice(procedure, "procedure", PROCEDURES)
    check_density(density, zero=False)
    positive_budget(points, density)
    x, y = sample(mixture, points, datasets, seed=seed)
    kept = keep(procedure, mixture, x, y, density, seed)
    return empirical_minimizer(x, y, kept=kept, ties=ties)


def _random_quotas(y: Labels, densities: Callable[..., tuple[float, float]], seed: int) -> Mask:
    """Keep random points by class densities that depend on the class sizes of each data set."""
    n = y.shape[-1]
    ones = y.sum(axis=-1)
    counts = np.empty((n + 1, 2), dtype=int)
    for size1 in np.unique(ones):  # data sets of equal class sizes share their quotas
        sizes = [n - int(size1), int(size1)]
        counts[size1] = class_counts(sizes, densities(sizes=sizes))
    return _random_counts(y, counts[ones], seed)


def _random_counts(y: Labels, counts: NDArray[np.int_], seed: int) -> Mask:
    """Keep ``counts[..., k]`` random points of class k in each data set."""
    order = _chances(y.shape, seed)
    kept = np.zeros(y.shape, dtype=bool)
    for k in (0, 1):
        kept |= _lowest(np.where(y == k, order, np.inf), counts[..., k, None])
    return kept


def _chances(shape: tuple[int, ...], seed: int) -> Floats:
    return np.random.default_rng([seed, 1]).random(shape)  # not the stream of `sample`


def _lowest(values: Floats, count: int | NDArray[np.int_]) -> Mask:
    """Return which values are the `count` lowest of their data set, the first of equal ones."""
    return rankdata(values, "ordinal", axis=-1) <= count
