"""What the paper says about pruning two Gaussians: Figures 3 and 4, Appendices B.3 and B.4."""

import math
from functools import cache, partial

import numpy as np
from scipy import stats

from dropkit.claims.paper.theory import PAPER, mixtures
from dropkit.claims.verdicts import Claim, Effect, exact, share, violations
from dropkit.metrics import Difference, student
from dropkit.study.measures import difference
from dropkit.theory import limits
from dropkit.theory.reduction import reduce_multivariate
from dropkit.theory.samples import fitted_thresholds

T_STAR, T_HAT = PAPER.average_minimizer(), PAPER.worst_class_minimizer()
DATASETS, POINTS = 2000, 400
NEAR = abs(T_STAR - T_HAT) / 2  # so that no threshold is near both


@cache
def fits(procedure: str, density: float) -> np.ndarray:
    """Thresholds fitted to the paper's mixture after pruning; the data sets are the same each time.

    As in the chapter on the theory: ties take the widest gap.
    """
    return fitted_thresholds(PAPER, procedure, density, points=POINTS, datasets=DATASETS, seed=0)


def near(procedure: str, density: float, target: float, text: str) -> list[Effect]:
    """The mean fitted threshold lies within half the distance of t* and t̂ of a target."""
    found = student(fits(procedure, density) - target)
    return [Effect(f"{text}, {POINTS} points", found, DATASETS, -NEAR, NEAR)]


def ssp_prunes_the_easier() -> list[Effect]:
    kept = (m.ssp_densities(m.ssp_margin(0.5)) for m in mixtures())
    failed = [kept0 >= kept1 for kept0, kept1 in kept]
    return violations("SSP keeps more of the narrower class", failed)


def ssp_scales_the_risk() -> list[Effect]:
    failed = []
    for m in mixtures():
        margin = m.ssp_margin(0.8)
        inside = np.linspace(m.mu0 + margin, m.mu1 - margin, 9)
        if inside[0] < inside[-1]:
            ratio = m.ssp_average_risk(inside, margin) / m.average_risk(inside)
            failed.append(np.ptp(ratio) > 1e-9 * ratio.max())
    return violations("R'/R is not constant between the emptied intervals, d = 0.8", failed)


def t_star_is_between() -> list[Effect]:
    finite = [m for m in mixtures() if m.minimizer_is_finite()]
    failed = [not m.mu0 < m.average_minimizer() < m.mu1 for m in finite]
    return violations("t* is not between the means where Equations 6 and 7 hold", failed)


def ssp_keeps_the_minimiser() -> list[Effect]:
    effects = []
    for density in (0.9, 0.7, 0.5, 0.3, 0.1):
        moved = limits.limit_threshold(PAPER, "ssp", density) - T_STAR
        text = f"SSP's minimiser − t*, d = {density:g}, unlimited data"
        effects += exact(text, moved, -1e-9, 1e-9)
    return effects


def ssp_quotas_help() -> list[Effect]:
    pruned, full = (
        1 - np.stack(PAPER.risks(fits(*run)), axis=1)
        for run in (("ssp quotas", 0.5), ("full", 1.0))
    )
    text = "SSP's quotas − all data, worst-class accuracy in points"
    return [
        Effect(f"{text}, {reading}", difference([pruned], [full], measure), DATASETS)
        for measure, reading in (("worst", "per data set"), ("pooled", "pooled"))
    ]


def proxy_is_good() -> list[Effect]:
    effects = []
    for separation in (1, 20, 200, 1000):
        risks, optimal, _ = limits.risk_ratios(separation, 2000)
        finite = np.isfinite(risks)
        within = int((np.abs(risks - optimal)[finite] < np.log10(2)).sum())
        text = f"mixtures whose two ratios agree within a factor of 2 (%), separation {separation}"
        effects.append(share(within, int(finite.sum()), text, 50))
    return effects


def proxy_ignores_the_means() -> list[Effect]:
    near_, far = (
        limits.summarise_ratios(*limits.risk_ratios(separation, 2000)) for separation in (1, 1000)
    )
    half = 1.96 * math.hypot(near_.rank_se, far.rank_se)
    gap = far.rank - near_.rank
    text = "rank correlation of the two ratios, separation 1000 − separation 1"
    return [Effect(text, Difference(gap, gap - half, gap + half), 2000, -0.1, 0.1)]


def proxy_likes_small_ratios() -> list[Effect]:
    effects = []
    for separation in (1, 1000):
        risks, optimal, widths = limits.risk_ratios(separation, 2000)
        error, finite = np.abs(risks - optimal), np.isfinite(risks)
        similar = finite & (widths < np.log10(2))
        test = stats.ttest_ind(error[finite & ~similar], error[similar], equal_var=False)
        ends = test.confidence_interval()
        gap = error[finite & ~similar].mean() - error[similar].mean()
        text = f"mean log₁₀ error of the proxy, σ₁ ≥ 2σ₀ − σ₁ < 2σ₀, separation {separation}"
        effects.append(Effect(text, Difference(gap, *map(float, ends)), int(finite.sum())))
    factors = [limits.equal_priors_factor(width) for width in (2, 10)]
    text = "factor between the ratios at equal priors, σ₁/σ₀ = 10 − σ₁/σ₀ = 2"
    return [*effects, *exact(text, factors[1] - factors[0], 0)]


def drop_is_near_optimal() -> list[Effect]:
    def worst(t: float) -> float:
        return float(max(PAPER.risks(t)))

    before, best = worst(T_STAR), worst(T_HAT)
    effects = []
    for density in (0.75, 0.5):
        after = worst(limits.limit_threshold(PAPER, "drop", density))
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
        average = reduced.average_risk(reduced.average_minimizer())
        worst = max(reduced.risks(reduced.worst_class_minimizer()))
        beaten = (prior * risk0 + (1 - prior) * risk1).min() < average - 1e-12
        failed.append(beaten or np.maximum(risk0, risk1).min() < worst - 1e-12)
    return violations("a random hyperplane beats the best along the means in either risk", failed)


MIXTURE = [
    Claim("T8", "Random pruning to the optimal quotas puts the mean fitted threshold near t̂",
          "Section 3, Figure 3 left",
          fact=partial(near, "optimal quotas", 0.5, T_HAT, "mean threshold − t̂"),
          note="near: within half the distance of t* and t̂"),
    Claim("T8a", "... and without pruning it lies near t*", "Section 3",
          fact=partial(near, "full", 1.0, T_STAR, "mean threshold on all data − t*"),
          note="said of sufficiently large sets; near as in T8"),
    Claim("T9", "SSP prunes the easier class more", "Section 3, Figure 3 middle",
          fact=ssp_prunes_the_easier),
    Claim("T10", "After SSP the mean fitted threshold remains close to t*",
          "Section 3, Figure 3 middle",
          fact=partial(near, "ssp", 0.5, T_STAR, "mean threshold after SSP − t*"),
          note="near: within half the distance of t* and t̂"),
    Claim("T10a", "Between the emptied intervals SSP only scales the average risk",
          "Appendix B.3", fact=ssp_scales_the_risk),
    Claim("T10b", "... where t* lies, for Equation 7 puts it between the means", "Appendix B.3",
          fact=t_star_is_between),
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
          fact=partial(near, "drop", 0.75, T_HAT, "mean threshold − t̂")),
    Claim("T17", "DRoP at d = 50 % puts the mean fitted threshold near t̂", "Figure 4b",
          fact=partial(near, "drop", 0.5, T_HAT, "mean threshold − t̂")),
    Claim("T18", "Error-based quotas operate near-optimally in this mixture", "Section 3",
          fact=drop_is_near_optimal,
          note="read as: they recover 90 % of the possible gain in worst-class risk"),
    Claim("T19", "Isotropic Gaussians in many dimensions reduce to one", "Appendix B.4",
          fact=hyperplanes_reduce),
]  # fmt: skip
