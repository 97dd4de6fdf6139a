"""Equations 1-14 against numeric minimisation, numeric integration and sampling."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given, strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from dropkit.theory import GaussianMixture

PAPER = GaussianMixture(mu0=-1, mu1=1, sigma0=0.5, sigma1=1, phi0=0.5)  # Figure 3

deviations = st.floats(-1, 1).map(lambda power: 10**power)
densities = st.floats(0.02, 1)


@st.composite
def mixtures(draw, *, ordered=False):
    mu0, gap = draw(st.floats(-5, 5)), draw(st.floats(0.1, 15))
    sigmas = [draw(deviations), draw(deviations)]
    if ordered:
        sigmas.sort()
        assume(sigmas[0] < sigmas[1])
    return GaussianMixture(mu0, mu0 + gap, *sigmas, draw(st.floats(0.005, 0.995)))


def average_risk(m, t):
    """The average risk by SciPy's distributions (Eq. 2)."""
    return m.phi0 * norm.sf(t, m.mu0, m.sigma0) + (1 - m.phi0) * norm.cdf(t, m.mu1, m.sigma1)


def least(function, m):
    """The least value of a function of the threshold, found by a fine search without gradients."""
    width = 40 * max(m.sigma0, m.sigma1) + 5 * (m.mu1 - m.mu0)
    fine = 6 * min(m.sigma0, m.sigma1)
    grid = np.sort(
        np.concatenate(
            [
                np.linspace(m.mu0 - width, m.mu1 + width, 4001),
                np.linspace(m.mu0 - fine, m.mu0 + fine, 1001),
                np.linspace(m.mu1 - fine, m.mu1 + fine, 1001),
                [-np.inf, np.inf],
            ]
        )
    )
    values = function(grid)
    i = int(np.argmin(values))
    if i in (0, len(grid) - 1) or not np.isfinite(grid[[i - 1, i + 1]]).all():
        return values[i]
    bounds = (grid[i - 1], grid[i + 1])
    return min(values[i], minimize_scalar(function, bounds=bounds, method="bounded").fun)


# Section 3 and Appendix B.1 ------------------------------------------------------------------


def test_risks_are_the_numbers_the_paper_prints():
    """The caption of Figure 3: 4.8 %, 12.1 %, and 9.1 % for both classes at t-hat."""
    at_average = [100 * float(r) for r in PAPER.risks(PAPER.average_minimizer())]
    at_worst = [100 * float(r) for r in PAPER.risks(PAPER.worst_class_minimizer())]
    np.testing.assert_allclose(at_average, [4.8, 12.1], atol=0.05)
    np.testing.assert_allclose(at_worst, [9.1, 9.1], atol=0.05)


def test_risks_are_the_mass_on_the_wrong_side():
    t = 0.3
    wrong0 = quad(norm(PAPER.mu0, PAPER.sigma0).pdf, t, np.inf)[0]
    wrong1 = quad(norm(PAPER.mu1, PAPER.sigma1).pdf, -np.inf, t)[0]
    np.testing.assert_allclose(PAPER.risks(t), [wrong0, wrong1], rtol=1e-7)
    np.testing.assert_allclose(PAPER.average_risk(t), (wrong0 + wrong1) / 2, rtol=1e-7)


def test_risks_at_the_ends_and_in_any_shape():
    risk0, risk1 = PAPER.risks([[-np.inf, np.inf]])
    assert risk0.tolist() == [[1, 0]] and risk1.tolist() == [[0, 1]]


def test_log_risks_outlive_underflow():
    far = GaussianMixture(-1000, 1000, 1, 2, 0.5)
    assert far.risks(0)[0] == 0
    # -x^2 / 2 - log(x sqrt(2 pi)) to within the first term of the asymptotic series.
    expected = -(1000**2) / 2 - math.log(1000 * math.sqrt(2 * math.pi))
    assert far.log_risks(0)[0] == pytest.approx(expected, abs=1e-5)


@given(mixtures())
@example(GaussianMixture(-1, 1, 1, 1, 0.5))
@example(GaussianMixture(-0.05, 0.05, 0.5, 1, 0.1))  # no crossing: everything is class 1
@example(GaussianMixture(-0.05, 0.05, 1, 0.5, 0.9))  # and everything is class 0
def test_average_minimizer_is_the_global_minimizer(m):
    t = m.average_minimizer()
    assert average_risk(m, t) <= least(lambda t: average_risk(m, t), m) + 1e-12


@given(mixtures(ordered=True))
def test_stationary_points_are_equation_9(m):
    (s0, s1), (mu0, mu1) = (m.sigma0, m.sigma1), (m.mu0, m.mu1)
    assume(s1 / s0 > 1.01)  # the printed form cancels next to equal deviations
    inside = (mu0 - mu1) ** 2 + 2 * (s1**2 - s0**2) * math.log(m.phi0 * s1 / (m.phi1 * s0))
    assume(abs(inside) > 1e-6)
    if inside < 0:
        assert all(map(math.isnan, m.stationary_points()))
        return
    centre, root = mu0 * s1**2 - mu1 * s0**2, s0 * s1 * math.sqrt(inside)
    printed = [(centre + sign * root) / (s1**2 - s0**2) for sign in (-1, 1)]
    np.testing.assert_allclose(m.stationary_points(), printed, rtol=1e-7, atol=1e-7)


@given(mixtures())
def test_stationary_points_are_a_maximum_and_a_minimum(m):
    maximum, minimum = m.stationary_points()
    assume(not math.isnan(maximum))
    assume(abs(maximum - minimum) > 1e-3 * max(m.sigma0, m.sigma1) and abs(maximum) < 1e6)
    step = 1e-4 * min(abs(maximum - minimum), m.sigma0, m.sigma1)

    def slope(t):  # of the risk, in units that neither tail can underflow
        return (
            norm.logpdf(t, m.mu1, m.sigma1)
            + math.log(m.phi1)
            - norm.logpdf(t, m.mu0, m.sigma0)
            - math.log(m.phi0)
        )

    assert slope(maximum - step) > 0 > slope(maximum + step)
    assert slope(minimum - step) < 0 < slope(minimum + step)


@given(mixtures())
def test_equal_deviations_are_the_remarks_formula(m):
    sigma = m.sigma0
    equal = GaussianMixture(m.mu0, m.mu1, sigma, sigma, m.phi0)
    log_odds = math.log(m.phi0 / m.phi1)
    expected = (2 * sigma**2 * log_odds + m.mu1**2 - m.mu0**2) / (2 * (m.mu1 - m.mu0))
    maximum, minimum = equal.stationary_points()
    assert math.isnan(maximum) and minimum == pytest.approx(expected, rel=1e-9, abs=1e-9)
    # Equation 7 is not needed; far out, rounding may not tell the minimum from an end.
    assert average_risk(equal, minimum) <= min(m.phi0, m.phi1) + 1e-15
    assert equal.minimizer_is_finite() and equal.densities_cross()
    nearly = GaussianMixture(m.mu0, m.mu1, sigma, sigma * (1 + 1e-12), m.phi0)
    assert nearly.stationary_points()[1] == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(mixtures(ordered=True))
def test_conditions_are_equations_6_and_7(m):
    exponent = -0.5 * (m.mu0 - m.mu1) ** 2 / (m.sigma1**2 - m.sigma0**2)
    eq6 = m.phi0 / m.phi1 >= m.sigma0 / m.sigma1 * math.exp(exponent)
    assert m.densities_cross() == eq6
    assert m.densities_cross() == (not math.isnan(m.stationary_points()[1]))
    if not eq6:
        assert not m.minimizer_is_finite() and m.average_minimizer() == -math.inf
        return
    t = m.stationary_points()[1]
    hit0 = norm.cdf(t, m.mu0, m.sigma0)
    assume(hit0 > 1e-12)
    assume(abs(average_risk(m, t) - m.phi0) > 1e-12)
    assert m.minimizer_is_finite() == (m.phi0 / m.phi1 > norm.cdf(t, m.mu1, m.sigma1) / hit0)
    assert m.minimizer_is_finite() == math.isfinite(m.average_minimizer())


@given(mixtures())
def test_either_class_may_be_the_wider_one(m):
    """Seen from the other side the classes change places and every threshold its sign."""
    mirror = GaussianMixture(-m.mu1, -m.mu0, m.sigma1, m.sigma0, m.phi1)
    t = m.average_minimizer()
    # Two minima of equal risk may be told apart by rounding alone.
    if abs(average_risk(m, t) - min(m.phi0, m.phi1)) > 1e-12:
        assert mirror.average_minimizer() == pytest.approx(-t, rel=1e-6, abs=1e-6)
        assert mirror.minimizer_is_finite() == m.minimizer_is_finite()
    assert mirror.worst_class_minimizer() == pytest.approx(-m.worst_class_minimizer(), abs=1e-9)
    assert mirror.densities_cross() == m.densities_cross()
    assert mirror.means_are_separated() == m.means_are_separated()


# Appendix B.2 -----------------------------------------------------------------------------------


@given(mixtures())
def test_worst_class_minimizer_equalises_the_risks(m):
    def worst(t):
        return np.maximum(norm.sf(t, m.mu0, m.sigma0), norm.cdf(t, m.mu1, m.sigma1))

    t = m.worst_class_minimizer()
    risk0, risk1 = m.risks(t)
    assert risk0 == pytest.approx(risk1, rel=1e-6, abs=1e-300)
    assert worst(t) <= least(worst, m) + 1e-9


@given(mixtures())
def test_optimal_priors_lead_to_t_hat_exactly_when_the_means_are_separated(m):
    """Equation 5, on the condition of Equation 11."""
    phi0, phi1 = m.optimal_priors()
    assert phi0 / phi1 == pytest.approx(m.sigma0 / m.sigma1)
    assert phi0 + phi1 == pytest.approx(1)
    best = GaussianMixture(m.mu0, m.mu1, m.sigma0, m.sigma1, phi0)
    t_hat = m.worst_class_minimizer()
    gain = min(phi0, phi1) - average_risk(best, t_hat)  # over calling everything the wide class
    assume(abs(gain) > 1e-9)
    assert m.means_are_separated() == (gain > 0)
    if m.means_are_separated():
        assert best.average_minimizer() == pytest.approx(t_hat, rel=1e-7, abs=1e-7)
    else:
        assert math.isinf(best.average_minimizer())


@given(mixtures(ordered=True), st.floats(0.005, 0.995))
def test_stationary_minimum_moves_right_with_the_prior_of_class_0(m, phi0):
    low, high = sorted((m.phi0, phi0))
    left, right = (
        GaussianMixture(m.mu0, m.mu1, m.sigma0, m.sigma1, phi).stationary_points()[1]
        for phi in (low, high)
    )
    if not math.isnan(left):
        assert left <= right + 1e-9


# Class densities --------------------------------------------------------------------------------


@given(mixtures(), densities)
def test_optimal_densities_keep_the_optimal_proportions(m, d):
    d0, d1 = m.optimal_densities(d)
    assert m.phi0 * d0 + m.phi1 * d1 == pytest.approx(d)
    if max(d0, d1) < 1:
        assert d0 * m.phi0 * m.sigma1 == pytest.approx(d1 * m.phi1 * m.sigma0)
    else:  # the other class gets what is left
        assert max(d0, d1) == 1


def test_optimal_densities_of_figure_3():
    np.testing.assert_allclose(PAPER.optimal_densities(0.5), [1 / 3, 2 / 3])
    assert PAPER.pruned(*PAPER.optimal_densities(0.5)).average_minimizer() == pytest.approx(-1 / 3)


def test_drop_densities_of_figure_4b():
    """d0 R1 = d1 R0 (Section 3), with class 1 full at density 0.75."""
    risk0, risk1 = norm.sf(-0.170045, -1, 0.5), norm.cdf(-0.170045, 1, 1)
    expected = np.array([risk0, risk1]) / (risk0 + risk1)
    np.testing.assert_allclose(PAPER.drop_densities(0.5), expected, rtol=1e-4)
    np.testing.assert_allclose(PAPER.drop_densities(0.75), [0.5, 1])


def test_drop_densities_of_classes_that_hardly_err():
    """The ratio of risks that are 0 in floating point still sets the quotas."""
    m = GaussianMixture(-50, 50, 1, 1.2, 0.5)
    t = m.average_minimizer()
    assert m.risks(t)[0] == 0
    d0, d1 = m.drop_densities(0.5)
    ratio = math.exp(norm.logsf(t, m.mu0, m.sigma0) - norm.logcdf(t, m.mu1, m.sigma1))
    assert d0 / d1 == pytest.approx(ratio, rel=1e-9)


@given(mixtures(), st.floats(0.01, 1), st.floats(0.01, 1))
def test_pruned_changes_the_priors_alone(m, d0, d1):
    pruned = m.pruned(d0, d1)
    assert pruned.phi0 / pruned.phi1 == pytest.approx(m.phi0 * d0 / (m.phi1 * d1), rel=1e-9)
    assert (pruned.mu0, pruned.mu1, pruned.sigma0) == (m.mu0, m.mu1, m.sigma0)


# Appendix B.3 -----------------------------------------------------------------------------------


def test_ssp_mass_is_the_integral_over_the_margin():
    """Equation 13; its middle expression as printed is 0."""
    margin = 0.7
    for k, (mu, sigma) in enumerate([(PAPER.mu0, PAPER.sigma0), (PAPER.mu1, PAPER.sigma1)]):
        inside = quad(norm(mu, sigma).pdf, mu - margin, mu + margin)[0]
        assert PAPER.ssp_mass(margin)[k] == pytest.approx(inside)
        assert PAPER.ssp_densities(margin)[k] == pytest.approx(1 - inside)


@given(mixtures(), densities)
def test_ssp_margin_keeps_the_density(m, d):
    kept0, kept1 = m.ssp_densities(m.ssp_margin(d))
    assert m.phi0 * kept0 + m.phi1 * kept1 == pytest.approx(d, rel=1e-9)


def test_ssp_margin_of_equal_deviations_and_of_everything():
    equal = GaussianMixture(-1, 1, 2, 2, 0.3)
    assert equal.ssp_margin(0.5) == pytest.approx(2 * norm.ppf(0.75))
    assert PAPER.ssp_margin(1) == 0


def test_ssp_risks_and_priors_are_those_of_the_points_left():
    rng = np.random.default_rng(0)
    n, margin = 400_000, 0.6
    m = GaussianMixture(-1, 1, 0.5, 1, 0.3)
    y = rng.random(n) >= m.phi0
    x = np.where(y, m.mu1, m.mu0) + np.where(y, m.sigma1, m.sigma0) * rng.standard_normal(n)
    left = np.abs(x - np.where(y, m.mu1, m.mu0)) > margin
    x, y = x[left], y[left]
    np.testing.assert_allclose(m.ssp_priors(margin), [np.mean(~y), np.mean(y)], atol=0.004)
    for t in (-2.5, -1.7, -1.0, -0.2, 0.6, 1.2, 2.5):  # on both sides of both intervals
        found = [np.mean(x[~y] > t), np.mean(x[y] <= t)]
        np.testing.assert_allclose(m.ssp_risks(t, margin), found, atol=0.006)
        assert m.ssp_average_risk(t, margin) == pytest.approx(np.mean((x > t) != y), abs=0.004)


@given(mixtures(), densities)
@example(GaussianMixture(0, 6, 10**-0.25, 10**-0.75, 0.75), 0.021484375)  # a prior of 5e-11 is left
def test_between_the_margins_ssp_scales_the_average_risk(m, d):
    """Appendix B.3: R' is R times a constant where neither interval reaches."""
    margin = m.ssp_margin(d)
    assume(m.mu0 + margin < m.mu1 - margin and min(m.ssp_densities(margin)) > 1e-12)
    t = np.linspace(m.mu0 + margin, m.mu1 - margin, 7)
    # The second prior is 1 less the first, to within the rounding of 1.
    found = m.ssp_average_risk(t, margin) * d
    np.testing.assert_allclose(found, average_risk(m, t), rtol=1e-7, atol=1e-15)


@given(mixtures(), densities)
@example(PAPER, 0.3)
def test_ssp_minimizer_is_the_global_minimizer(m, d):
    margin = m.ssp_margin(d)
    assume(min(m.ssp_densities(margin)) > 1e-12)

    def kept_risk(t):
        wrong0 = norm.sf(np.maximum(t, m.mu0 + margin), m.mu0, m.sigma0)
        wrong0 += np.clip(
            norm.cdf(m.mu0 - margin, m.mu0, m.sigma0) - norm.cdf(t, m.mu0, m.sigma0), 0, 1
        )
        wrong1 = norm.cdf(np.minimum(t, m.mu1 - margin), m.mu1, m.sigma1)
        wrong1 += np.clip(
            norm.cdf(t, m.mu1, m.sigma1) - norm.cdf(m.mu1 + margin, m.mu1, m.sigma1), 0, 1
        )
        return (m.phi0 * wrong0 + m.phi1 * wrong1) / d

    assert kept_risk(m.ssp_minimizer(margin)) <= least(kept_risk, m) + 1e-9


def test_what_ssp_leaves_of_a_narrow_class_far_out_sits_at_the_ends_of_the_interval():
    """At a margin of 40 deviations nothing of the class is left in floats; at 30 there is."""
    narrow = GaussianMixture(mu0=0, mu1=10, sigma0=0.01, sigma1=1, phi0=0.5)
    for margin in (0.3, 0.4):
        above = narrow.ssp_risks([-0.5, 0.0, 0.5], margin)[0]
        np.testing.assert_allclose(above, [1, 0.5, 0], atol=1e-12)
    assert narrow.ssp_priors(0.4) == (0, 1)
    assert narrow.ssp_minimizer(narrow.ssp_margin(0.3)) == -math.inf


def test_ssp_moves_the_minimizer_to_the_edge_of_the_emptied_interval():
    """The minimum that Appendix B.3 does not look at, for the mixture of Figure 3."""
    shallow, deep = PAPER.ssp_margin(0.5), PAPER.ssp_margin(0.45)
    assert PAPER.ssp_minimizer(shallow) == PAPER.average_minimizer()
    assert PAPER.ssp_minimizer(deep) == pytest.approx(PAPER.mu0 - deep)
    # t* itself lies where the appendix assumes it to.
    assert PAPER.mu0 + deep < PAPER.average_minimizer() < PAPER.mu1 - deep


# Bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"mu0": 1.0}, ValueError, "mu0 must be below mu1, got mu0=1.0 and mu1=1.0"),
        ({"sigma1": 0.0}, ValueError, "deviations must be positive, got sigma0=0.5 and sigma1=0.0"),
        ({"phi0": 1.0}, ValueError, "phi0 must lie strictly between 0 and 1, got 1.0"),
        ({"phi0": math.nan}, ValueError, "phi0 must be finite, got nan"),
        ({"sigma0": "0.5"}, TypeError, "sigma0 must be a real number, got '0.5'"),
        ({"mu1": True}, TypeError, "mu1 must be a real number, got True"),
    ],
)
def test_bad_mixtures_are_refused_in_one_sentence(change, error, message):
    values = {"mu0": -1.0, "mu1": 1.0, "sigma0": 0.5, "sigma1": 1.0, "phi0": 0.5}
    with pytest.raises(error, match=message):
        GaussianMixture(**{**values, **change})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PAPER.risks(math.nan), "a threshold must be a number or .*inf, got NaN"),
        (lambda: PAPER.optimal_densities(0), r"density is 0: it must lie in \(0, 1\]"),
        (lambda: PAPER.drop_densities(1.5), r"density is 1.5: it must lie in \(0, 1\]"),
        (lambda: PAPER.ssp_margin(0), r"density is 0: it must lie in \(0, 1\]"),
        (lambda: PAPER.ssp_mass(-1), "margin must be at least 0, got -1"),
        (lambda: PAPER.pruned(0, 1), "both class densities must be positive, got 0 and 1"),
    ],
)
def test_bad_arguments_are_refused_in_one_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
