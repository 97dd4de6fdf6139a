"""Section 3 without Gaussians: two classes of any shape on a line, by their distribution functions.

A class is a list of weighted distributions of SciPy. A point is called class 1 where x > t; what a
classifier is trained on may differ from what it is tested on by wrong labels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.optimize import brentq, minimize_scalar
from scipy.special import ndtr, owens_t

from dropkit._common.checks import Floats
from dropkit._common.errors import UserError

Law = Sequence[tuple[float, Any]]  # weights that sum to 1, and SciPy's frozen distributions


def student(mean: float, sigma: float, freedom: float) -> Law:
    """Return Student's t of a mean and a standard deviation; degrees of freedom above 2."""
    if not freedom > 2:
        raise UserError(f"freedom is {freedom}: it must be above 2 for a deviation to exist")
    return [(1.0, stats.t(freedom, mean, sigma * np.sqrt(1 - 2 / freedom)))]


def skewed(mean: float, sigma: float, shape: float) -> Law:
    """Return a skew normal law of a mean and a deviation; a positive shape has its tail right."""
    delta = shape / np.sqrt(1 + shape**2) * np.sqrt(2 / np.pi)
    return [(1.0, _SkewNormal(shape, mean, sigma, -delta, np.sqrt(1 - delta**2)))]


class _SkewNormal(NamedTuple):
    """SciPy's skewnorm, whose survival function is the numerical integral of a loop there."""

    shape: float
    centre: float
    deviation: float
    origin: float  # less the mean, in units of the scale
    unit: float  # the deviation, in these units

    def _at(self, t: ArrayLike) -> Floats:
        return (np.asarray(t) - self.centre) / self.deviation * self.unit - self.origin

    def cdf(self, t: ArrayLike) -> Floats:
        z = self._at(t)
        return np.maximum(ndtr(z) - 2 * owens_t(z, self.shape), 0.0)

    def sf(self, t: ArrayLike) -> Floats:
        z = self._at(t)
        return np.maximum(ndtr(-z) + 2 * owens_t(z, self.shape), 0.0)

    def pdf(self, t: ArrayLike) -> Floats:
        z = self._at(t)
        return (
            (np.exp(-(z**2) / 2) * np.sqrt(2 / np.pi) * ndtr(self.shape * z))
            * self.unit
            / self.deviation
        )

    def mean(self) -> float:
        return self.centre

    def std(self) -> float:
        return self.deviation

    def var(self) -> float:
        return self.deviation**2


def bimodal(mean: float, sigma: float, apart: float) -> Law:
    """Return two equal Gaussians at mean ± apart · sigma, of the deviation sigma together."""
    if not 0 <= apart < 1:
        raise UserError(f"apart is {apart}: it must be from 0 to below 1")
    width = sigma * np.sqrt(1 - apart**2)
    return [(0.5, stats.norm(mean + way * apart * sigma, width)) for way in (-1, 1)]


def mixed(law: Law, other: Law, share: float) -> Law:
    """Return a law of which a share is another's: a class with so many wrong labels."""
    if not 0 <= share < 1:
        raise UserError(f"share is {share}: it must be from 0 to below 1")
    return [((1 - share) * w, each) for w, each in law] + [(share * w, each) for w, each in other]


def deviation(law: Law) -> float:
    """Return the standard deviation of a law."""
    weights, means, squares = (
        np.array(each) for each in zip(*((w, d.mean(), d.var()) for w, d in law), strict=True)
    )
    return float(np.sqrt(weights @ (squares + (means - weights @ means) ** 2)))


@dataclass(frozen=True)
class TwoClasses:
    """Two classes on a line, class 0 to the left of class 1, and what a classifier sees of them.

    Parameters
    ----------
    laws : (Law, Law)
        Of the test.
    trained : (Law, Law), optional
        Of training and validation samples by their labels; default: those of the test.
    """

    laws: tuple[Law, Law]
    trained: tuple[Law, Law] | None = None

    @property
    def seen(self) -> tuple[Law, Law]:
        """Laws of training and validation."""
        return self.trained or self.laws

    def risks(self, t: ArrayLike, laws: tuple[Law, Law] | None = None) -> tuple[Floats, Floats]:
        """Return the 0-1 risks of both classes at thresholds t, on the test unless told."""
        left, right = laws or self.laws
        return sum(w * d.sf(t) for w, d in left), sum(w * d.cdf(t) for w, d in right)

    def worst_risk(self, t: float) -> float:
        """Return the larger class risk on the test."""
        return float(max(self.risks(t)))

    @cached_property
    def worst_class_minimizer(self) -> float:
        """Where both risks on the test are equal, as in Eq. 4."""

        def less(t: float) -> float:
            first, second = self.risks(t)
            return float(second - first)

        return float(brentq(less, *self._span))

    def optimal_ratio(self) -> float:
        """Return n0 / n1 at which the training risk is stationary there, as in Eq. 5."""
        t = self.worst_class_minimizer
        left, right = (sum(w * d.pdf(t) for w, d in law) for law in self.seen)
        return float(right / left)

    def minimizer(self, ratio: float) -> float:
        """Return the threshold of least average risk in training at class sizes n0 / n1.

        Of all thresholds, -inf and inf among them: searched on a grid, then refined.
        """

        def average(t: ArrayLike) -> Floats:
            first, second = self.risks(t, self.seen)
            return (ratio * first + second) / (1 + ratio)

        grid = np.linspace(*self._span, 1001)
        best = grid[np.argmin(average(grid))]
        step = grid[1] - grid[0]
        found = minimize_scalar(average, bounds=(best - step, best + step), method="bounded",
                                options={"xatol": 1e-10})  # fmt: skip
        return float(min((found.x, -inf, inf), key=average))

    def error_ratio(self) -> float:
        """Return n0 / n1 by DRoP: validation errors after training on equal class sizes."""
        first, second = self.risks(self.minimizer(1.0), self.seen)
        return float(first / second)

    def deviation_ratio(self) -> float:
        """Return n0 / n1 in proportion to the deviations of the training samples (Eq. 5)."""
        left, right = map(deviation, self.seen)
        return left / right

    @cached_property
    def _span(self) -> tuple[float, float]:
        found = [(d.mean(), 8 * d.std()) for law in self.seen for _, d in law]
        return min(m - wide for m, wide in found), max(m + wide for m, wide in found)


RATIOS: dict[str, Callable[[TwoClasses], float]] = {
    "best sizes": TwoClasses.optimal_ratio,
    "by deviations": TwoClasses.deviation_ratio,
    "by errors (DRoP)": TwoClasses.error_ratio,
    "equal sizes": lambda _: 1.0,
}


def families(gap: float, sigma0: float, sigma1: float) -> dict[str, tuple[Floats, Callable]]:
    """Return ways to leave the Gaussian: by name, amounts from none on, and two classes of each.

    Means are `gap` apart.
    """

    def heavy(inverse: float) -> TwoClasses:
        right = student(gap, sigma1, 1 / inverse) if inverse else bimodal(gap, sigma1, 0)
        return TwoClasses((bimodal(0, sigma0, 0), right))

    return {
        "heavy tails of the wide class (1 / degrees of freedom)": (np.linspace(0, 0.45, 10), heavy),
        "both skewed the same way (shape)": (
            np.linspace(-8, 8, 17),
            lambda shape: TwoClasses((skewed(0, sigma0, shape), skewed(gap, sigma1, shape))),
        ),
        "two modes of the wide class (distance)": (
            np.linspace(0, 0.95, 20),
            lambda apart: TwoClasses((bimodal(0, sigma0, 0), bimodal(gap, sigma1, apart))),
        ),
        "wrong labels in the wide class (share)": (
            np.linspace(0, 0.4, 9),
            lambda share: TwoClasses(
                laws := (bimodal(0, sigma0, 0), bimodal(gap, sigma1, 0)),
                (laws[0], mixed(laws[1], laws[0], share)),
            ),
        ),
    }


def reach(amounts: ArrayLike, classes: Callable[[float], TwoClasses], name: str) -> float:
    """Return up to which amount class sizes cost the worst class at most a point of risk.

    Beside its best threshold; interpolated, and the last amount if they never do.

    Parameters
    ----------
    amounts : (N,) array_like
        From 0 away.
    classes : callable
        From an amount to two classes.
    name : str
        Of ``RATIOS``.
    """
    before, lost_before = 0.0, -np.inf
    for amount in np.asarray(amounts, dtype=float):
        two = classes(amount)
        lost = two.worst_risk(two.minimizer(RATIOS[name](two)))
        lost -= two.worst_risk(two.worst_class_minimizer) + 0.01
        if lost > 0:
            part = -lost_before / (lost - lost_before) if np.isfinite(lost_before) else 0.0
            return float(before + part * (amount - before))
        before, lost_before = amount, lost
    return float(before)
