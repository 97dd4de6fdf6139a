"""The reduction to a line against a search over all hyperplanes, and against sampling."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from dropkit.theory.reduction import reduce_multivariate


def test_reduced_problem_has_the_least_risk_of_all_hyperplanes():
    mean0, mean1 = np.array([1.0, -2.0, 0.5]), np.array([2.0, 0.0, 1.5])
    s0, s1, phi0 = 0.6, 1.1, 0.4
    mixture, w = reduce_multivariate(mean0, mean1, s0, s1, phi0)

    def class_risks(parameters):
        length = math.hypot(*parameters[:3])
        at0, at1 = (
            sum(a * b for a, b in zip(parameters[:3], mean, strict=True)) / length
            for mean in (mean0, mean1)
        )
        t = parameters[3]
        tails = (t - at0) / s0, (at1 - t) / s1
        return [math.erfc(tail / math.sqrt(2)) / 2 for tail in tails]

    def average(parameters):
        risk0, risk1 = class_risks(parameters)
        return phi0 * risk0 + (1 - phi0) * risk1

    rng = np.random.default_rng(0)
    starts = rng.standard_normal((4, 4))
    options = {"maxiter": 4000, "xatol": 1e-10, "fatol": 1e-14}

    def best(objective):
        found = (minimize(objective, s, method="Nelder-Mead", options=options) for s in starts)
        return min(found, key=lambda result: result.fun)

    found = best(average)
    assert mixture.average_risk(mixture.average_minimizer()) == pytest.approx(found.fun, abs=1e-8)
    np.testing.assert_allclose(found.x[:3] / np.linalg.norm(found.x[:3]), w, atol=1e-3)
    worst = best(lambda parameters: max(class_risks(parameters))).fun
    assert mixture.risks(mixture.worst_class_minimizer())[0] == pytest.approx(worst, abs=1e-5)


def test_reduced_mixture_is_the_law_of_the_projection():
    mean0, mean1 = np.array([0.0, 3.0]), np.array([4.0, 0.0])
    mixture, w = reduce_multivariate(mean0, mean1, 1.0, 2.0, 0.5)
    np.testing.assert_allclose(w, [0.8, -0.6])
    # The distance of the means survives: Appendix B.4 prints unit means in its place.
    assert mixture.mu1 - mixture.mu0 == pytest.approx(5)
    x = mean1 + 2 * np.random.default_rng(0).standard_normal((200_000, 2))
    assert np.mean(x @ w) == pytest.approx(mixture.mu1, abs=0.02)
    assert np.std(x @ w) == pytest.approx(mixture.sigma1, abs=0.02)


@pytest.mark.parametrize(
    ("means", "message"),
    [
        (([0, 0], [1]), "must be finite vectors of one length"),
        (([0, 1], [0, 1]), "mean0 and mean1 must differ"),
    ],
)
def test_bad_means_are_refused_in_one_sentence(means, message):
    with pytest.raises(ValueError, match=message):
        reduce_multivariate(*means, 1, 1, 0.5)
