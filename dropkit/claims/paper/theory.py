"""What the paper says about two Gaussians: Section 3's equations, Appendices B.1 and B.2."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from dropkit.claims.verdicts import Claim, Effect, exact, violations
from dropkit.theory.mixture import GaussianMixture

PAPER = GaussianMixture(-1, 1, 0.5, 1, 0.5)  # Figure 3
MIXTURES = 2000  # random ones


@cache
def mixtures() -> list[GaussianMixture]:
    """Return random mixtures with the narrower class on the left, as the paper has them."""
    rng = np.random.default_rng(0)
    sigmas = np.sort(rng.uniform(0.05, 2, (MIXTURES, 2)), axis=1)
    gaps, priors = rng.uniform(0.2, 6, MIXTURES), rng.uniform(0.02, 0.98, MIXTURES)
    rows = zip(gaps, sigmas, priors, strict=True)
    return [GaussianMixture(0, gap, *pair, prior) for gap, pair, prior in rows]


def risks_at_t_star() -> list[Effect]:
    at = [100 * float(risk) for risk in PAPER.risks(PAPER.average_minimizer())]
    return [
        *exact("R₀(t*) in %, printed 4.8", at[0], 4.75, 4.85),
        *exact("R₁(t*) in %, printed 12.1", at[1], 12.05, 12.15),
    ]


def risks_at_t_hat() -> list[Effect]:
    at = [100 * float(risk) for risk in PAPER.risks(PAPER.worst_class_minimizer())]
    return [
        *exact("R₀(t̂) in %, printed 9.1", at[0], 9.05, 9.15),
        *exact("R₁(t̂) in %, printed 9.1", at[1], 9.05, 9.15),
    ]


@cache
def balanced() -> list[GaussianMixture]:
    """The random mixtures with equal priors whose average risk has a finite minimiser."""
    equal = [replace(m, phi0=0.5) for m in mixtures()]
    return [m for m in equal if math.isfinite(m.average_minimizer())]


@cache
def optimal() -> list[GaussianMixture]:
    """The random mixtures with their optimal priors, in the same order."""
    return [replace(m, phi0=m.optimal_priors()[0]) for m in mixtures()]


def wider_is_harder() -> list[Effect]:
    pairs = [m.risks(m.average_minimizer()) for m in balanced()]
    return violations("R₁ not above R₀ at t*(1)", [r1 <= r0 for r0, r1 in pairs])


def t_hat_is_left() -> list[Effect]:
    failed = [m.worst_class_minimizer() >= m.average_minimizer() for m in balanced()]
    return violations("t̂ not below t*(1)", failed)


def t_hat_is_minimax() -> list[Effect]:
    grid = np.linspace(-10, 15, 2501)
    failed = []
    for m in mixtures():
        r0, r1 = m.risks(m.worst_class_minimizer())
        least = np.maximum(*m.risks(grid)).min()
        failed.append(abs(r0 - r1) > 1e-9 or least < max(r0, r1) - 1e-9)
    return violations("t̂ has unequal risks, or a threshold on a grid is better", failed)


def equal_deviations() -> list[Effect]:
    grid = np.linspace(-30, 40, 7001)
    failed = []
    for m in mixtures():
        equal, odds = replace(m, sigma0=m.sigma1), m.phi0 / m.phi1
        t = (2 * m.sigma1**2 * math.log(odds) + m.mu1**2 - m.mu0**2) / (2 * (m.mu1 - m.mu0))
        failed.append(equal.average_risk(t) > equal.average_risk(grid).min() + 1e-12)
    return violations("a threshold on a grid beats the Remark's formula", failed)


def equal_deviations_meet_halfway() -> list[Effect]:
    failed = []
    for m in mixtures():
        equal = replace(m, sigma0=m.sigma1, phi0=0.5)
        found = equal.average_minimizer(), equal.worst_class_minimizer()
        failed.append(not np.allclose(found, (m.mu0 + m.mu1) / 2, rtol=1e-9))
    return violations("t* or t̂ is not half way", failed)


def equation_5() -> list[Effect]:
    apart = [
        abs(best.average_minimizer() - m.worst_class_minimizer()) > 1e-9 * m.mu1
        for m, best in zip(mixtures(), optimal(), strict=True)
        if m.means_are_separated()
    ]
    return violations("t*(σ₀/σ₁) differs from t̂ where Equation 11 holds", apart)


def theorem_b1() -> list[Effect]:
    failed = []
    for m in mixtures():
        if m.minimizer_is_finite():
            grid = np.linspace(-20, 20, 4001)
            least = min(m.average_risk(grid).min(), m.phi0, m.phi1)
            failed.append(m.average_risk(m.stationary_points()[1]) > least + 1e-12)
    return violations("a threshold on a grid beats t* where Equations 6 and 7 hold", failed)


def _log_ratio(m: GaussianMixture, t: ArrayLike) -> np.ndarray:
    """log φ₀f₀ − log φ₁f₁ at thresholds: 0 where the weighted densities cross."""
    z0, z1 = (np.asarray(t) - m.mu0) / m.sigma0, (np.asarray(t) - m.mu1) / m.sigma1
    return (z1**2 - z0**2) / 2 + math.log(m.phi0 * m.sigma1 / (m.phi1 * m.sigma0))


def equation_6() -> list[Effect]:
    wrong, not_last = [], []
    steps = np.geomspace(1e-3, 100, 50)
    for m in mixtures():
        # The logarithm of the ratio is a parabola, which is largest here.
        top = (m.mu0 * m.sigma1**2 - m.mu1 * m.sigma0**2) / (m.sigma1**2 - m.sigma0**2)
        crosses = bool(_log_ratio(m, top) >= 0)
        wrong.append(crosses != m.densities_cross())
        if crosses:
            t = m.stationary_points()[1]
            later = _log_ratio(m, t + steps) >= 0
            not_last.append(abs(_log_ratio(m, t)) > 1e-6 or later.any())
    return [
        *violations("Equation 6 is wrong on whether the weighted densities cross", wrong),
        *violations("t* is not their rightmost crossing", not_last),
    ]


def equation_6_at_optimal_priors() -> list[Effect]:
    failed = [not best.densities_cross() for best in optimal()]
    return violations("Equation 6 fails at the optimal priors", failed)


def equation_11() -> list[Effect]:
    pairs = zip(mixtures(), optimal(), strict=True)
    failed = [best.minimizer_is_finite() != m.means_are_separated() for m, best in pairs]
    return violations("Equations 7 and 11 disagree at the optimal priors", failed)


THEORY = [
    Claim("T1", "The best average threshold has risks of 4.8 % and 12.1 %", "Figure 3",
          fact=risks_at_t_star),
    Claim("T2", "The best worst-class threshold has risk 9.1 % in both classes", "Figure 3",
          fact=risks_at_t_hat),
    Claim("T3", "With equal priors the wider class is the harder one", "Section 3",
          fact=wider_is_harder),
    Claim("T4", "... and the worst-class threshold lies nearer to the easier class", "Section 3",
          fact=t_hat_is_left),
    Claim("T4a", "... where both risks are equal and their maximum is least",
          "Section 3, Lemma B.2", fact=t_hat_is_minimax),
    Claim("T4b", "With equal deviations t* has the form of the Remark", "Appendix B.1",
          fact=equal_deviations),
    Claim("T4c", "... and with equal priors too both thresholds are half way between the means",
          "Appendix B.2", fact=equal_deviations_meet_halfway),
    Claim("T5", "Class sizes in proportion to the deviations make both thresholds one",
          "Equation 5, Appendix B.2", fact=equation_5),
    Claim("T6", "Under Equations 6 and 7 t* is the minimiser of the average risk",
          "Theorem B.1", fact=theorem_b1),
    Claim("T6a", "Equation 6 says whether the weighted densities cross, and t* is the rightmost "
          "crossing", "Section 3, Appendix B.1", fact=equation_6),
    Claim("T6b", "... and at the optimal priors it is satisfied by itself", "Appendix B.2",
          fact=equation_6_at_optimal_priors),
    Claim("T7", "Equation 11 is Equation 7 at the optimal priors", "Appendix B.2",
          fact=equation_11),
]  # fmt: skip
