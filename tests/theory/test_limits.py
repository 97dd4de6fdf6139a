"""Limits of pruning against large samples, summaries against arithmetic by hand."""

import math

import numpy as np
import pytest
from scipy.stats import norm, spearmanr

from dropkit.theory import GaussianMixture
from dropkit.theory.limits import (
    equal_priors_factor,
    kept_densities,
    limit_threshold,
    risk_ratios,
    summarise,
    summarise_ratios,
    tipping_density,
)
from dropkit.theory.samples import PROCEDURES, empirical_minimizer, keep, sample

PAPER = GaussianMixture(mu0=-1, mu1=1, sigma0=0.5, sigma1=1, phi0=0.5)  # Figure 3


@pytest.mark.parametrize("procedure", sorted(PROCEDURES))
def test_limits_are_those_of_a_large_sample(procedure):
    m, density = GaussianMixture(-1, 1, 0.5, 1, 0.4), 0.6
    x, y = sample(m, 400_000, 1, seed=0)
    kept = keep(procedure, m, x, y, density, 0)
    shares = [np.mean(kept[y == k]) for k in (0, 1)]
    np.testing.assert_allclose(kept_densities(m, procedure, density), shares, atol=0.01)
    # Near its minimum the risk is flat, so thresholds agree less closely than risks do.
    fitted = empirical_minimizer(x, y, kept=kept)
    assert fitted == pytest.approx([limit_threshold(m, procedure, density)], abs=0.06)


def test_limits_of_the_papers_mixture():
    for procedure, t in (("full", -0.1700), ("random", -0.1700), ("optimal quotas", -1 / 3)):
        assert limit_threshold(PAPER, procedure, 0.5) == pytest.approx(t, abs=1e-4)
    assert limit_threshold(PAPER, "drop", 0.75) == pytest.approx(-1 / 3)  # class 1 is whole


def test_tipping_density_is_where_both_minima_are_level():
    d = tipping_density(PAPER)
    margin = PAPER.ssp_margin(d)

    def errors(t):  # mass of the kept points on the wrong side
        wrong0 = norm.sf(max(t, -1 + margin), -1, 0.5)
        wrong0 += max(norm.cdf(-1 - margin, -1, 0.5) - norm.cdf(t, -1, 0.5), 0)
        return wrong0 + norm.cdf(t, 1, 1)

    assert errors(-1 - margin) == pytest.approx(errors(-0.170045), abs=1e-8)
    above, below = PAPER.ssp_margin(d + 0.001), PAPER.ssp_margin(d - 0.001)
    assert PAPER.ssp_minimizer(above) == PAPER.average_minimizer()
    assert PAPER.ssp_minimizer(below) == pytest.approx(PAPER.mu0 - below)


def test_tipping_density_of_mixtures_that_do_not_tip():
    assert math.isnan(tipping_density(GaussianMixture(-0.05, 0.05, 0.5, 1, 0.1)))  # t* = -inf
    assert math.isnan(tipping_density(GaussianMixture(-20, 20, 1, 1, 0.5)))


def test_summary_of_thresholds_by_hand():
    thresholds = np.array([-1.0, 0.0, 2.0, np.inf])
    risk0, risk1 = norm.sf(thresholds, -1, 0.5), norm.cdf(thresholds, 1, 1)
    found = summarise(PAPER, thresholds)
    assert found.mean == pytest.approx(1 / 3) and found.median == 1 and found.infinite == 1
    assert found.mean_se == pytest.approx(np.sqrt(7 / 3 / 3))  # sample variance 7/3 of three
    assert found.worst == pytest.approx(
        np.mean([max(a, b) for a, b in zip(risk0, risk1, strict=True)])
    )
    assert found.pooled == pytest.approx(risk1.mean())
    assert found.pooled_se == pytest.approx(np.std(risk1, ddof=1) / 2)
    assert found.worst_se == pytest.approx(np.std(np.maximum(risk0, risk1), ddof=1) / 2)


def test_risk_ratios_near_the_optimal_ones_only_for_far_means():
    for separation, least, most in ((1, 0, 0.9), (1000, 0.999, 1)):
        risks, optimal, widths = risk_ratios(separation, 500, seed=0)
        finite = np.isfinite(risks)
        assert least <= spearmanr(risks[finite], optimal[finite]).statistic <= most
        assert (widths >= 0).all()


def test_risk_ratio_of_one_draw_by_hand():
    risks, optimal, widths = risk_ratios(50, 20, seed=5)
    i = int(np.flatnonzero(np.isfinite(risks))[0])
    rng = np.random.default_rng(5)
    sigma0, sigma1 = sorted(rng.uniform(0.01, 100, (20, 2))[i])
    phi0 = rng.uniform(0, 1, 20)[i]
    m = GaussianMixture(7, 57, sigma0, sigma1, phi0)  # the place of the means does not matter
    risk0, risk1 = m.risks(m.average_minimizer())
    assert 10 ** risks[i] == pytest.approx(risk0 / risk1)
    assert 10 ** optimal[i] == pytest.approx((1 - phi0) * sigma0 / (phi0 * sigma1))
    assert 10 ** widths[i] == pytest.approx(sigma1 / sigma0)


def test_summary_without_a_finite_threshold():
    found = summarise(PAPER, np.array([-np.inf, -np.inf]))
    assert math.isnan(found.mean) and found.infinite == 2 and found.worst == found.pooled == 1


def test_summary_of_ratios_by_hand():
    optimal = np.arange(10.0)
    risks = optimal + [0, 0.1, 0.2, 0.3, 1, -0.5, 0.6, 0.7, -2.5, np.nan]
    widths = np.array([0.1] * 5 + [1] * 4 + [0.1])
    found = summarise_ratios(risks, optimal, widths)
    assert found.finite == 0.9
    order = np.argsort(np.argsort(risks[:9]))
    expected = 1 - 6 * np.sum((order - np.arange(9)) ** 2) / (9 * (81 - 1))
    assert found.rank == pytest.approx(expected) and found.rank < 1
    assert found.logs == pytest.approx(np.corrcoef(risks[:9], optimal[:9])[0, 1])
    assert found.factor == pytest.approx(10**0.5)
    assert found.factor_similar == pytest.approx(10**0.2)
    assert found.factor_different == pytest.approx(10**0.65)


def test_rank_error_is_that_of_repeated_draws():
    repeated = [spearmanr(*_finite(*risk_ratios(20, 300, seed=i)[:2])).statistic for i in range(40)]
    found = summarise_ratios(*risk_ratios(20, 300, seed=0))
    assert found.rank_se == pytest.approx(np.std(repeated), rel=0.5)


def _finite(risks, optimal):
    return risks[np.isfinite(risks)], optimal[np.isfinite(risks)]


def test_equal_deviations_and_priors_have_equal_ratios():
    assert equal_priors_factor(1) == pytest.approx(1)
    m = GaussianMixture(-6, 6, 2, 4, 0.5)  # the same mixture in other units
    risk0, risk1 = m.risks(m.average_minimizer())
    assert equal_priors_factor(2) == pytest.approx(risk1 / risk0 / 2)


def test_bad_arguments_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match="two data sets or more, got 1"):
        summarise(PAPER, np.array([0.0]))
    with pytest.raises(ValueError, match="procedure is .droop.: it must be one of full, random"):
        kept_densities(PAPER, "droop", 0.5)
