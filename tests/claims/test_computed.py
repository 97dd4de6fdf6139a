"""Claims that are computed, against mixtures and quotas worked out here."""

import numpy as np
import pytest
from scipy import optimize, stats

from dropkit import claims
from dropkit.claims.paper import algorithm, pruned_mixture, theory
from dropkit.claims.verdicts import CONTRADICTED, HOLDS, REFUTED, SUPPORTED
from dropkit.theory import GaussianMixture


def check(key):
    (claim,) = [claim for claim in claims.CLAIMS if claim.key == key]
    return claim.check([])


def risk(t, mu1, sigma0, sigma1, phi0):
    """The average risk of Equation 2, the left mean at 0."""
    return phi0 * stats.norm.sf(t, 0, sigma0) + (1 - phi0) * stats.norm.cdf(t, mu1, sigma1)


def test_equation_7_does_not_put_t_star_between_the_means():
    """Found by a search over thresholds: close means, where Theorem B.1's conditions hold."""
    mu1, sigma0, sigma1, phi0 = 0.2, 1.0, 1.5, 0.7
    t = optimize.minimize_scalar(
        lambda t: risk(t, mu1, sigma0, sigma1, phi0), bounds=(-2, 4), method="bounded"
    ).x
    odds = stats.norm.cdf(t, mu1, sigma1) / stats.norm.cdf(t, 0, sigma0)
    assert phi0 / (1 - phi0) > odds and t > mu1
    found = GaussianMixture(0, mu1, sigma0, sigma1, phi0)
    assert found.minimizer_is_finite()
    assert found.average_minimizer() == pytest.approx(t, abs=1e-4)
    assert check("T10b").word == REFUTED


@pytest.mark.parametrize("index", range(12))
def test_equation_6_is_about_crossing_densities(index):
    """Against the signs of the weighted densities' difference on a fine grid."""
    m = theory.mixtures()[index]
    t = np.linspace(-60, 60, 240_001)
    ahead = m.phi0 * stats.norm.pdf(t, m.mu0, m.sigma0) - m.phi1 * stats.norm.pdf(
        t, m.mu1, m.sigma1
    )
    assert m.densities_cross() == (ahead.max() > 0)
    if m.densities_cross():
        assert t[ahead > 0][-1] == pytest.approx(m.stationary_points()[1], abs=1e-3)


@pytest.mark.parametrize(
    ("key", "method", "wrong"),
    [
        ("T4c", "worst_class_minimizer", lambda m: m.mu0),
        ("T6a", "densities_cross", lambda m: True),
        ("T6a", "stationary_points", lambda m: (0.0, m.mu0)),
        ("T6b", "densities_cross", lambda m: m.phi0 > m.phi1),
        ("T10b", "average_minimizer", lambda m: (m.mu0 + m.mu1) / 2),
        ("T19", "average_minimizer", lambda m: m.mu1 + 3 * m.sigma1),
        ("T19", "worst_class_minimizer", lambda m: m.mu1),
    ],
)
def test_another_formula_changes_the_judge(monkeypatch, key, method, wrong):
    before = check(key).word
    monkeypatch.setattr(GaussianMixture, method, wrong)
    assert check(key).word != before


def test_thresholds_of_whole_data_sets():
    """T8a's mean against thresholds fitted here, by counting mistakes at every gap."""
    rng = np.random.default_rng(1)
    fitted = []
    for _ in range(150):
        x = np.sort(rng.normal(-1, 0.5, 200)), np.sort(rng.normal(1, 1, 200))
        t = np.linspace(-3, 3, 2001)
        mistakes = 200 - np.searchsorted(x[0], t, "right") + np.searchsorted(x[1], t, "right")
        fitted.append(t[mistakes == mistakes.min()].mean())
    (one,) = check("T8a").effects
    here = np.mean(fitted) - pruned_mixture.T_STAR
    assert one.found.value == pytest.approx(here, abs=4 * stats.sem(fitted))
    assert one.word == HOLDS


@pytest.mark.parametrize("mean", np.linspace(-0.433, -0.07, 21))
def test_no_threshold_is_near_both_minimisers(monkeypatch, mean):
    """T8a and T8 ask whether the mean fitted threshold is near t* and near t̂."""
    monkeypatch.setattr(pruned_mixture, "fits", lambda *run: np.full(3, mean))
    t_star, t_hat = pruned_mixture.T_STAR, pruned_mixture.T_HAT
    for key, target in (("T8a", t_star), ("T8", t_hat)):
        assert (check(key).word == SUPPORTED) == (abs(mean - target) < abs(t_star - t_hat) / 2)


def test_which_classes_keep_nothing():
    """T21c fails as often as an instance has a perfect recall and room for others."""
    (one,) = check("T21c").effects
    perfect = [
        bool((recalls == 1).any()) and sizes[recalls < 1].sum() >= density * sizes.sum()
        for sizes, recalls, density in algorithm.instances()
    ]
    assert one.found.value == pytest.approx(100 * np.mean(perfect))
    assert one.word == CONTRADICTED


def test_whole_sets_overflow_unless_recalls_are_equal(monkeypatch):
    assert check("T21b").word == SUPPORTED
    # Of two equal classes with recalls 0.5 and 0.75 the first wants 4/3 of itself.
    sizes, recalls, even = np.array([30, 30]), np.array([0.5, 0.75]), np.array([0.5, 0.5])
    made = [(sizes, recalls, 0.5)] * 900 + [(sizes, even, 0.5)] * 100
    monkeypatch.setattr(algorithm, "instances", lambda: made)
    (one,) = algorithm.whole_sets_overflow()
    assert (one.found.value, one.seeds) == (0, 900)


def test_stated_query_lengths():
    found = check("T22a")
    assert found.word == REFUTED
    assert [one.found.value for one in found.effects] == [16, 20]
