"""What the paper says about two Gaussians: facts that need no records."""

import math
from functools import cache

import numpy as np
from scipy import stats

from dropkit import mixture_summary
from dropkit.evidence import pooled, student
from dropkit.metrics import Difference
from dropkit.mixture_reduction import reduce_multivariate
from dropkit.mixture_samples import fitted_thresholds
from dropkit.theory import GaussianMixture
from dropkit.verdicts import Claim, Effect, share

PAPER = GaussianMixture(-1, 1, 0.5, 1, 0.5)  # Figure 3
DATASETS, POINTS = 2000, 400
NEAR = 0.2  # a tenth of the distance of the means


@cache
def fits(procedure: str, density: float) -> np.ndarray:
    """Thresholds fitted to the paper's mixture after pruning; the data sets are the same each time.

    As in the chapter on the theory: ties take the widest gap.
    """
    return fitted_thresholds(PAPER, procedure, density, points=POINTS, datasets=DATASETS, seed=0)


@cache
def mixtures(count: int = 2000) -> list[GaussianMixture]:
    """Random mixtures with the narrower class on the left, as the paper has them."""
    rng = np.random.default_rng(0)
    sigmas = np.sort(rng.uniform(0.05, 2, (count, 2)), axis=1)
    rows = zip(rng.uniform(0.2, 6, count), sigmas, rng.uniform(0.02, 0.98, count), strict=True)
    return [GaussianMixture(0, gap, *pair, prior) for gap, pair, prior in rows]


def exact(
    text: str, value: float, above: float = -math.inf, below: float = math.inf
) -> list[Effect]:
    """A computation without chance: its interval is a point."""
    return [Effect(text, Difference(value, value, value), 0, above, below)]


def violations(text: str, failed: list[bool]) -> list[Effect]:
    """The share of instances that contradict a theorem, which must lie below half a percent."""
    return [share(sum(failed), len(failed), f"{text} (% of instances)", -math.inf, 0.5)]


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
    equal = [GaussianMixture(m.mu0, m.mu1, m.sigma0, m.sigma1, 0.5) for m in mixtures()]
    return [m for m in equal if math.isfinite(m.average_minimizer())]


def wider_is_harder() -> list[Effect]:
    pairs = [m.risks(m.average_minimizer()) for m in balanced()]
    return violations("R₁ not above R₀ at t*(1)", [bool(r1 <= r0) for r0, r1 in pairs])


def t_hat_is_left() -> list[Effect]:
    failed = [m.worst_class_minimizer() >= m.average_minimizer() for m in balanced()]
    return violations("t̂ not below t*(1)", failed)


def t_hat_is_minimax() -> list[Effect]:
    grid = np.linspace(-10, 15, 2501)
    failed = []
    for m in mixtures():
        r0, r1 = m.risks(m.worst_class_minimizer())
        least = np.maximum(*m.risks(grid)).min()
        failed.append(bool(abs(r0 - r1) > 1e-9 or least < max(r0, r1) - 1e-9))
    return violations("t̂ has unequal risks, or a threshold on a grid is better", failed)


def equal_deviations() -> list[Effect]:
    grid = np.linspace(-30, 40, 7001)
    failed = []
    for m in mixtures():
        s, odds = m.sigma1, m.phi0 / m.phi1
        equal = GaussianMixture(m.mu0, m.mu1, s, s, m.phi0)
        t = (2 * s**2 * math.log(odds) + m.mu1**2 - m.mu0**2) / (2 * (m.mu1 - m.mu0))
        failed.append(bool(equal.average_risk(t) > equal.average_risk(grid).min() + 1e-12))
    return violations("a threshold on a grid beats the Remark's formula", failed)


def equation_5() -> list[Effect]:
    separated = [m for m in mixtures() if m.means_are_separated()]
    apart = []
    for m in separated:
        best = GaussianMixture(m.mu0, m.mu1, m.sigma0, m.sigma1, m.optimal_priors()[0])
        apart.append(abs(best.average_minimizer() - m.worst_class_minimizer()) > 1e-9 * m.mu1)
    return violations("t*(σ₀/σ₁) differs from t̂ where Equation 11 holds", apart)


def theorem_b1() -> list[Effect]:
    failed = []
    for m in mixtures():
        if m.minimizer_is_finite():
            grid = np.linspace(-20, 20, 4001)
            least = min(m.average_risk(grid).min(), m.phi0, m.phi1)
            failed.append(bool(m.average_risk(m.stationary_points()[1]) > least + 1e-12))
    return violations("a threshold on a grid beats t* where Equations 6 and 7 hold", failed)


def equation_11() -> list[Effect]:
    failed = []
    for m in mixtures():
        best = GaussianMixture(m.mu0, m.mu1, m.sigma0, m.sigma1, m.optimal_priors()[0])
        failed.append(best.minimizer_is_finite() != m.means_are_separated())
    return violations("Equations 7 and 11 disagree at the optimal priors", failed)


def near(procedure: str, density: float, target: float, text: str) -> list[Effect]:
    """The mean fitted threshold lies within a tenth of the means' distance of a target."""
    found = student(fits(procedure, density) - target)
    return [Effect(f"{text}, {POINTS} points", found, DATASETS, -NEAR, NEAR)]


def ssp_prunes_the_easier() -> list[Effect]:
    failed = []
    for m in mixtures():
        kept0, kept1 = m.ssp_densities(m.ssp_margin(0.5))
        failed.append(kept0 >= kept1)
    return violations("SSP keeps more of the narrower class", failed)


def ssp_scales_the_risk() -> list[Effect]:
    failed = []
    for m in mixtures():
        margin = m.ssp_margin(0.8)
        inside = np.linspace(m.mu0 + margin, m.mu1 - margin, 9)
        if inside[0] < inside[-1]:
            ratio = m.ssp_average_risk(inside, margin) / m.average_risk(inside)
            failed.append(bool(np.ptp(ratio) > 1e-9 * ratio.max()))
    return violations("R'/R is not constant between the emptied intervals, d = 0.8", failed)


def ssp_keeps_the_minimiser() -> list[Effect]:
    t = PAPER.average_minimizer()
    effects = []
    for density in (0.9, 0.7, 0.5, 0.3, 0.1):
        moved = mixture_summary.limit_threshold(PAPER, "ssp", density) - t
        text = f"SSP's minimiser − t*, d = {density:g}, unlimited data"
        effects += exact(text, moved, -1e-9, 1e-9)
    return effects


def ssp_quotas_help() -> list[Effect]:
    pruned, full = (
        1 - np.stack(PAPER.risks(fits(*run)), axis=1)
        for run in (("ssp quotas", 0.5), ("full", 1.0))
    )
    per_set = 100 * np.array(student(pruned.min(axis=1) - full.min(axis=1)))
    text = "SSP's quotas − all data, worst-class accuracy in points"
    both = 100 * np.array(pooled([(pruned, full)]))
    return [
        Effect(f"{text}, per data set", Difference(*per_set), DATASETS),
        Effect(f"{text}, pooled", Difference(*both), DATASETS),
    ]


def proxy_is_good() -> list[Effect]:
    effects = []
    for separation in (1, 20, 200, 1000):
        risks, optimal, _ = mixture_summary.risk_ratios(separation, 2000)
        finite = np.isfinite(risks)
        within = int((np.abs(risks - optimal)[finite] < np.log10(2)).sum())
        text = f"mixtures whose two ratios agree within a factor of 2 (%), separation {separation}"
        effects.append(share(within, int(finite.sum()), text, 50))
    return effects


def proxy_ignores_the_means() -> list[Effect]:
    near_, far = (
        mixture_summary.summarise_ratios(*mixture_summary.risk_ratios(separation, 2000))
        for separation in (1, 1000)
    )
    half = 1.96 * math.hypot(near_.rank_se, far.rank_se)
    gap = far.rank - near_.rank
    text = "rank correlation of the two ratios, separation 1000 − separation 1"
    return [Effect(text, Difference(gap, gap - half, gap + half), 2000, -0.1, 0.1)]


def proxy_likes_small_ratios() -> list[Effect]:
    effects = []
    for separation in (1, 1000):
        risks, optimal, widths = mixture_summary.risk_ratios(separation, 2000)
        error, finite = np.abs(risks - optimal), np.isfinite(risks)
        similar = finite & (widths < np.log10(2))
        test = stats.ttest_ind(error[finite & ~similar], error[similar], equal_var=False)
        ends = test.confidence_interval()
        gap = error[finite & ~similar].mean() - error[similar].mean()
        text = f"mean log₁₀ error of the proxy, σ₁ ≥ 2σ₀ − σ₁ < 2σ₀, separation {separation}"
        effects.append(Effect(text, Difference(gap, *map(float, ends)), int(finite.sum())))
    factors = [mixture_summary.equal_priors_factor(width) for width in (2, 10)]
    text = "factor between the ratios at equal priors, σ₁/σ₀ = 10 − σ₁/σ₀ = 2"
    return [*effects, *exact(text, factors[1] - factors[0], 0)]


def drop_is_near_optimal() -> list[Effect]:
    def worst(t: float) -> float:
        return float(max(PAPER.risks(t)))

    before, best = worst(PAPER.average_minimizer()), worst(PAPER.worst_class_minimizer())
    effects = []
    for density in (0.75, 0.5):
        after = worst(mixture_summary.limit_threshold(PAPER, "drop", density))
        text = f"% of the possible gain in worst-class risk, d = {density:g}, unlimited data"
        effects += exact(text, 100 * (before - after) / (before - best), 90)
    return effects


def hyperplanes_reduce() -> list[Effect]:
    rng = np.random.default_rng(0)
    failed = []
    for _ in range(1500):
        mean, direction = rng.normal(size=(2, 3))
        sigma0, sigma1, prior = rng.uniform(0.2, 1.5), rng.uniform(0.2, 1.5), rng.uniform(0.1, 0.9)
        reduced, _ = reduce_multivariate(-mean, mean, sigma0, sigma1, prior)
        along = float(direction @ mean) / np.linalg.norm(direction)
        grid = np.linspace(-8, 8, 801)
        risk0 = stats.norm.cdf((-along - grid) / sigma0)
        risk1 = stats.norm.cdf((grid - along) / sigma1)
        least = (prior * risk0 + (1 - prior) * risk1).min()
        failed.append(bool(least < reduced.average_risk(reduced.average_minimizer()) - 1e-12))
    return violations("a random hyperplane beats the best one along the means", failed)


T_STAR, T_HAT = PAPER.average_minimizer(), PAPER.worst_class_minimizer()

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
    Claim("T5", "Class sizes in proportion to the deviations make both thresholds one",
          "Equation 5, Appendix B.2", fact=equation_5),
    Claim("T6", "Under Equations 6 and 7 t* is the minimiser of the average risk",
          "Theorem B.1", fact=theorem_b1),
    Claim("T7", "Equation 11 is Equation 7 at the optimal priors", "Appendix B.2",
          fact=equation_11),
    Claim("T8", "Random pruning to the optimal quotas puts the mean fitted threshold near t̂",
          "Section 3, Figure 3 left",
          fact=lambda: near("optimal quotas", 0.5, T_HAT, "mean threshold − t̂"),
          note="near: within a tenth of the distance of the means"),
    Claim("T9", "SSP prunes the easier class more", "Section 3, Figure 3 middle",
          fact=ssp_prunes_the_easier),
    Claim("T10", "After SSP the mean fitted threshold remains close to t*",
          "Section 3, Figure 3 middle",
          fact=lambda: near("ssp", 0.5, T_STAR, "mean threshold after SSP − t*"),
          note="near: within a tenth of the distance of the means"),
    Claim("T10a", "Between the emptied intervals SSP only scales the average risk",
          "Appendix B.3", fact=ssp_scales_the_risk),
    Claim("T11", "SSP leaves the minimiser of the average risk where it was", "Appendix B.3",
          fact=ssp_keeps_the_minimiser,
          note="the appendix says: for sufficiently small margins"),
    Claim("T12", "Random pruning to SSP's class sizes improves the worst class",
          "Section 3, Figure 3 right", fact=ssp_quotas_help),
    Claim("T13", "Error ratios approximate the optimal ratios fairly well", "Figure 4a",
          fact=proxy_is_good, note="read as: most mixtures agree within a factor of 2"),
    Claim("T14", "... whatever the means", "Figure 4a", fact=proxy_ignores_the_means),
    Claim("T15", "... best where σ₁/σ₀ is small", "Section 3, Figure 4a",
          fact=proxy_likes_small_ratios),
    Claim("T16", "DRoP at d = 75 % puts the mean fitted threshold near t̂", "Figure 4b",
          fact=lambda: near("drop", 0.75, T_HAT, "mean threshold − t̂")),
    Claim("T17", "DRoP at d = 50 % puts the mean fitted threshold near t̂", "Figure 4b",
          fact=lambda: near("drop", 0.5, T_HAT, "mean threshold − t̂")),
    Claim("T18", "Error-based quotas operate near-optimally in this mixture", "Section 3",
          fact=drop_is_near_optimal,
          note="read as: they recover 90 % of the possible gain in worst-class risk"),
    Claim("T19", "Isotropic Gaussians in many dimensions reduce to one", "Appendix B.4",
          fact=hyperplanes_reduce),
]  # fmt: skip
