"""Two isotropic Gaussians in many dimensions, reduced to the mixture on a line (Appendix B.4)."""

from math import hypot

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dropkit.theory.mixture import GaussianMixture


def reduce_multivariate(
    mean0: ArrayLike, mean1: ArrayLike, sigma0: float, sigma1: float, phi0: float
) -> tuple[GaussianMixture, NDArray[np.float64]]:
    """Return the univariate mixture that classes N(mean_y, sigma_y^2 I) reduce to, and where it is.

    It is the law of ``w @ x``, whose minimisers are the thresholds of the best hyperplanes, with
    ``w`` the unit vector from ``mean0`` to ``mean1``, (dims,) each.
    """
    mean0, mean1 = np.asarray(mean0, dtype=float), np.asarray(mean1, dtype=float)
    if mean0.ndim != 1 or mean0.shape != mean1.shape or not np.isfinite([mean0, mean1]).all():
        raise ValueError(
            f"mean0 and mean1 must be finite vectors of one length, got {mean0} and {mean1}"
        )
    distance = hypot(*(mean1 - mean0))
    if distance == 0:
        raise ValueError(f"mean0 and mean1 must differ, got {mean0} twice")
    w = (mean1 - mean0) / distance
    return GaussianMixture(float(w @ mean0), float(w @ mean1), sigma0, sigma1, phi0), w
