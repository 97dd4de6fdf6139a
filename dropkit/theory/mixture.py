"""Linear decisions for a mixture of two Gaussians in closed form (Section 3 and Appendix B).

Class y has density N(mu_y, sigma_y^2) and prior phi_y, and a point is called class 1 where x > t.
Nothing here is sampled: ``dropkit.theory.samples`` draws data sets and fits thresholds to them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import exp, inf, isfinite, isnan, log, nan, sqrt
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import erf, log_ndtr, ndtr, ndtri

from dropkit._common.checks import Floats, check_density
from dropkit._common.errors import UserError
from dropkit.quotas import drop_densities, variance_densities

Pair = tuple[float, float]
Risks = tuple[Floats, Floats]


@dataclass(frozen=True)
class GaussianMixture:
    """A mixture of two univariate Gaussians with ``mu0 < mu1`` (Section 3).

    The paper takes ``sigma0 < sigma1``; here either class may be the wider one, or neither.

    Parameters
    ----------
    mu0, mu1 : float
        Class means.
    sigma0, sigma1 : float
        Class standard deviations, positive.
    phi0 : float
        Prior of class 0, strictly between 0 and 1; class 1 has the rest.

    Raises
    ------
    TypeError
        If a parameter is not a real number.
    ValueError
        If a parameter is outside its range, or ``mu0 >= mu1``.
    """

    mu0: float
    mu1: float
    sigma0: float
    sigma1: float
    phi0: float

    def __post_init__(self) -> None:
        for name in ("mu0", "mu1", "sigma0", "sigma1", "phi0"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real):
                raise TypeError(f"{name} must be a real number, got {value!r}")
            if not isfinite(value):
                raise UserError(f"{name} must be finite, got {value}")
            object.__setattr__(self, name, float(value))
        if self.mu0 >= self.mu1:
            raise UserError(
                f"mu0 must be below mu1, got mu0={self.mu0} and mu1={self.mu1}: number the classes "
                "from left to right"
            )
        if min(self.sigma0, self.sigma1) <= 0:
            raise UserError(
                f"deviations must be positive, got sigma0={self.sigma0} and sigma1={self.sigma1}"
            )
        if not 0 < self.phi0 < 1:
            raise UserError(f"phi0 must lie strictly between 0 and 1, got {self.phi0}")

    @property
    def phi1(self) -> float:
        """Prior of class 1."""
        return 1 - self.phi0

    # Risks and their minimisers -------------------------------------------------------------

    def risks(self, t: ArrayLike) -> Risks:
        """Return the 0-1 risks of both classes at thresholds ``t`` (Eq. 1), each of its shape."""
        t = _thresholds(t)
        return ndtr((self.mu0 - t) / self.sigma0), ndtr((t - self.mu1) / self.sigma1)

    def log_risks(self, t: ArrayLike) -> Risks:
        """Return the logarithms of both risks at ``t``, exact where the risks underflow to 0."""
        t = _thresholds(t)
        return log_ndtr((self.mu0 - t) / self.sigma0), log_ndtr((t - self.mu1) / self.sigma1)

    def average_risk(self, t: ArrayLike) -> Floats:
        """Return the risk averaged by the priors at thresholds ``t`` (Eq. 2), of its shape."""
        risk0, risk1 = self.risks(t)
        return self.phi0 * risk0 + self.phi1 * risk1

    def stationary_points(self) -> Pair:
        """Return the average risk's local maximum and minimum, t_- and t_+ (Eq. 9).

        Both are NaN where the scaled densities do not cross (Eq. 6 fails); the maximum alone is
        NaN at equal deviations, where there is one crossing (Appendix B.1, Remark).
        """
        # In units of sigma1 from mu0, Eq. 8 reads a u^2 + 2 gap u - rest = 0. This root form has
        # no cancellation, needs no case for equal deviations (a = 0), and gives the minimum for
        # either order of the deviations.
        gap = (self.mu1 - self.mu0) / self.sigma1
        ratio = self.sigma1 / self.sigma0
        a = (ratio - 1) * (ratio + 1)
        rest = gap**2 + 2 * (log(self.phi0) - log(self.phi1) + log(ratio))
        discriminant = gap**2 + a * rest
        if discriminant < 0:
            return nan, nan
        larger = gap + sqrt(discriminant)
        maximum = self.mu0 - self.sigma1 * larger / a if a != 0 else nan
        return maximum, self.mu0 + self.sigma1 * rest / larger

    def average_minimizer(self) -> float:
        """Return the global minimiser of the average risk, t*(phi0 / phi1) (Eq. 3).

        Where Theorem B.1's conditions fail this is the true minimiser, -inf (call everything
        class 1) or +inf (call everything class 0), not the value of Eq. 3.
        """
        return self._best([self.stationary_points()[1], -inf, inf], self.average_risk)

    def worst_class_minimizer(self) -> float:
        """Return the minimiser of the larger class risk, where both risks are equal (Eq. 4)."""
        return (self.mu0 * self.sigma1 + self.mu1 * self.sigma0) / (self.sigma0 + self.sigma1)

    @staticmethod
    def _best(candidates: list[float], risk: Callable[[float], Floats]) -> float:
        """Return the first candidate of least risk, leaving out NaN."""
        return min((t for t in candidates if not isnan(t)), key=risk)

    # The conditions of Appendix B -------------------------------------------------------------

    def densities_cross(self) -> bool:
        """Whether the scaled class densities intersect (Eq. 6; always at equal deviations)."""
        (narrow, phi_narrow), (wide, phi_wide) = self._by_width()
        if narrow == wide:
            return True
        bound = exp(-0.5 * (self.mu1 - self.mu0) ** 2 / ((wide - narrow) * (wide + narrow)))
        return phi_narrow / phi_wide >= narrow / wide * bound

    def minimizer_is_finite(self) -> bool:
        """Whether Eq. 3 is the average risk's minimiser (Theorem B.1: Eq. 6 and 7 hold)."""
        t = self.stationary_points()[1]
        if isnan(t) or self.sigma0 == self.sigma1:
            return not isnan(t)
        # Eq. 7 multiplied out, for its right-hand side is 0 / 0 far to the left. It says that the
        # threshold beats giving up the narrow class, whichever of the two that is.
        risks = self.risks(t) if self.sigma0 < self.sigma1 else self.risks(t)[::-1]
        (_, phi_narrow), (_, phi_wide) = self._by_width()
        return bool(phi_narrow * (1 - risks[0]) > phi_wide * risks[1])

    def means_are_separated(self) -> bool:
        """Whether the optimal priors lead the average risk to t-hat (Eq. 11)."""
        (narrow, _), (wide, _) = self._by_width()
        return self.mu1 - self.mu0 > (narrow + wide) * float(ndtri(wide / (narrow + wide)))

    def _by_width(self) -> list[Pair]:
        """Return (deviation, prior) of the narrower class, then of the wider one."""
        return sorted([(self.sigma0, self.phi0), (self.sigma1, self.phi1)])

    # Class densities for pruning --------------------------------------------------------------

    def optimal_priors(self) -> Pair:
        """Return the priors at which the average minimiser is t-hat (Eq. 5)."""
        total = self.sigma0 + self.sigma1
        return self.sigma0 / total, self.sigma1 / total

    def optimal_densities(self, density: float, *, sizes: ArrayLike | None = None) -> Pair:
        """Return how much of each class to keep for Eq. 5 at the overall ``density`` in (0, 1].

        ``sizes`` are the class sizes, by default in proportion to the priors. A class cannot be
        kept more than whole, so a large density only approaches Eq. 5.
        """
        check_density(density, zero=False)
        sizes = (self.phi0, self.phi1) if sizes is None else sizes
        return _pair(variance_densities(sizes, (self.sigma0, self.sigma1), density))

    def drop_densities(self, density: float, *, sizes: ArrayLike | None = None) -> Pair:
        """Return DRoP's class densities for the class risks at t* (Section 3, Algorithm 1)."""
        check_density(density, zero=False)
        sizes = (self.phi0, self.phi1) if sizes is None else sizes
        # The quotas depend on the ratio of the risks alone, which survives where both underflow.
        logs = np.array(self.log_risks(self.average_minimizer()))
        return _pair(drop_densities(sizes, 1 - np.exp(logs - logs.max()), density))

    def pruned(self, density0: float, density1: float) -> "GaussianMixture":
        """Return the mixture after keeping these fractions of each class at random."""
        kept0, kept1 = self.phi0 * density0, self.phi1 * density1
        if not (kept0 > 0 and kept1 > 0):
            raise ValueError(
                f"both class densities must be positive, got {density0} and {density1}: a class "
                "that is pruned away leaves no mixture"
            )
        return replace(self, phi0=kept0 / (kept0 + kept1))

    def pruned_minimizer(self, density0: float, density1: float) -> float:
        """Return the average minimiser after keeping these fractions of each class at random.

        Where one class keeps nothing, the best rule calls everything the other: -inf or +inf.
        """
        if density0 == 0 < density1:
            return -inf
        if density1 == 0 < density0:
            return inf
        return self.pruned(density0, density1).average_minimizer()

    # Self-supervised pruning (Appendix B.3) ---------------------------------------------------

    def ssp_mass(self, margin: float) -> Pair:
        """Return the fraction of each class that lies within ``margin`` of its mean (Eq. 13)."""
        margin = _margin(margin)
        return _pair(erf(margin / (sqrt(2) * sigma)) for sigma in (self.sigma0, self.sigma1))

    def ssp_densities(self, margin: float) -> Pair:
        """Return the fraction of each class that SSP keeps, 2 - 2 Phi(margin / sigma)."""
        margin = _margin(margin)
        return _pair(2 * ndtr(-margin / sigma) for sigma in (self.sigma0, self.sigma1))

    def ssp_margin(self, density: float) -> float:
        """Return the margin M at which SSP keeps the overall ``density`` in (0, 1]."""
        check_density(density, zero=False)
        quantile = -float(ndtri(density / 2))
        low, high = sorted((self.sigma0 * quantile, self.sigma1 * quantile))

        def excess(margin: float) -> float:
            kept0, kept1 = self.ssp_densities(margin)
            return self.phi0 * kept0 + self.phi1 * kept1 - density

        if excess(low) <= 0:  # equal deviations, to rounding
            return low
        # Twice the upper bound, so that rounding cannot leave both ends on one side.
        return float(brentq(excess, low, 2 * high, xtol=1e-15 * high, rtol=1e-15))

    def ssp_priors(self, margin: float) -> Pair:
        """Return the class priors after SSP (Eq. 14, normalised)."""
        left = np.multiply(self.ssp_densities(margin), (self.phi0, self.phi1))
        return _pair(left / left.sum())

    def ssp_risks(self, t: ArrayLike, margin: float) -> Risks:
        """Return the class risks of what SSP keeps, at any ``t`` (Appendix B.3).

        The paper writes them for ``mu0 + margin < t < mu1 - margin`` only.
        """
        t = _thresholds(t)
        return (
            _kept_above(t - self.mu0, self.sigma0, _margin(margin)),
            _kept_above(self.mu1 - t, self.sigma1, _margin(margin)),
        )

    def ssp_average_risk(self, t: ArrayLike, margin: float) -> Floats:
        """Return the average risk of what SSP keeps, at any ``t``, of its shape."""
        priors, risks = self.ssp_priors(margin), self.ssp_risks(t, margin)
        return priors[0] * risks[0] + priors[1] * risks[1]

    def ssp_minimizer(self, margin: float) -> float:
        """Return the global minimiser of the average risk of what SSP keeps.

        Appendix B.3 looks at t* alone; the edges of the emptied intervals, ``mu0 - margin`` above
        all, are minima as well and win when the margin is large.
        """
        edges = [self.mu0 - margin, self.mu1 + margin, self.mu0 + margin, self.mu1 - margin]
        candidates = [self.stationary_points()[1], *edges, -inf, inf]
        return self._best(candidates, lambda t: self.ssp_average_risk(t, margin))


def _kept_above(distance: Floats, sigma: float, margin: float) -> Floats:
    """Return the share above ``distance`` of a centred Gaussian emptied within ``margin``."""
    tail = ndtr(-margin / sigma)
    if tail == 0:  # too far out for floats: what is left sits at the ends of the emptied interval
        return np.where(distance <= -margin, 1.0, np.where(distance < margin, 0.5, 0.0))
    right = ndtr(-np.maximum(distance, margin) / sigma)
    # Left of the emptied interval the whole right tail and a part of the left one lie above.
    left = tail - ndtr(np.minimum(distance, -margin) / sigma)
    return (right + left) / (2 * tail)


def _margin(margin: float) -> float:
    if not margin >= 0:
        raise ValueError(f"margin must be at least 0, got {margin}")
    return margin


def _thresholds(t: ArrayLike) -> Floats:
    t = np.asarray(t, dtype=float)
    if np.isnan(t).any():
        raise ValueError("a threshold must be a number or +-inf, got NaN")
    return t


def _pair(values: Iterable[float]) -> Pair:
    first, second = values
    return float(first), float(second)
