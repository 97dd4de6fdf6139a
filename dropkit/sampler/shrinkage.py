"""How far measured recalls can be trusted: intervals, and what is left of their spread."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dropkit._common.checks import Floats, Ints, check_nonnegative


class Recalls(NamedTuple):
    """What was measured on validation samples: recalls (K,), and how many samples of each class.

    It stands for both where `recalls` are asked for; NaN is the recall of a class without samples.
    """

    recalls: Floats
    val_sizes: Ints

    def intervals(self, level: float = 0.95) -> Floats:
        """Return Clopper and Pearson's intervals (K, 2), which cover at least at the level."""
        return intervals(self.recalls, self.val_sizes, level)


def intervals(recalls: ArrayLike, val_sizes: ArrayLike, level: float = 0.95) -> Floats:
    """Return Clopper and Pearson's intervals (K, 2) of recalls; [0, 1] without samples."""
    from scipy.stats import beta

    n = check_nonnegative(val_sizes, "val_sizes")
    right = np.nan_to_num(np.asarray(recalls, dtype=float)) * n
    tail = (1 - level) / 2
    low = np.where(right > 0, beta.ppf(tail, np.maximum(right, 1e-9), n - right + 1), 0.0)
    high = np.where(right < n, beta.ppf(1 - tail, right + 1, np.maximum(n - right, 1e-9)), 1.0)
    return np.stack([low, high], axis=-1)


def shrunk(recalls: ArrayLike, val_sizes: ArrayLike) -> Floats:
    """Return recalls (K,) drawn towards their mean by as much as binomial noise explains.

    Empirical Bayes: the classes' errors are draws of a Beta distribution of mean m and
    precision M, the wrong ones among n_k samples binomial. m and M maximise the beta-binomial
    likelihood, and class k has the posterior mean error (x_k + M m) / (n_k + M). Without spread
    beyond the noise M is huge, and all recalls are the mean.
    """
    from scipy.optimize import minimize
    from scipy.special import betaln, expit, logit

    n = check_nonnegative(val_sizes, "val_sizes")
    wrong = np.where(n > 0, (1 - np.asarray(recalls, dtype=float)) * n, 0.0)

    def loss(place: Floats) -> float:
        mean, precision = expit(place[0]), np.exp(place[1])
        a, b = precision * mean, precision * (1 - mean)
        return -float((betaln(wrong + a, n - wrong + b) - betaln(a, b)).sum())

    start = logit((wrong.sum() + 0.5) / (n.sum() + 1))
    bounds = [(-12.0, 12.0), (-4.0, 14.0)]
    fits = [minimize(loss, [start, log], bounds=bounds, method="L-BFGS-B") for log in (0, 3, 7)]
    best = min(fits, key=lambda fit: fit.fun).x
    mean, precision = expit(best[0]), np.exp(best[1])
    return 1 - (wrong + precision * mean) / (n + precision)
