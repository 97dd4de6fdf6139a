"""What the paper says about the Gaussian mixture, what a run measured, and whether both agree."""

from collections.abc import Mapping

import numpy as np

from dropkit.theory.limits import (
    RatioSummary,
    Summary,
    equal_priors_factor,
    kept_densities,
    limit_threshold,
    tipping_density,
)
from dropkit.theory.mixture import GaussianMixture

HEADERS = ["paper", "measured", "agrees?"]
Rows = list[list[str]]


def comparison(
    mixture: GaussianMixture,
    density: float,
    found: Mapping[str, Summary],
    ratios: Mapping[float, RatioSummary],
) -> Rows:
    """Return rows under `HEADERS`, one a statement of Section 3 or Appendix B.

    Parameters
    ----------
    mixture : GaussianMixture
        The mixture before pruning; the paper's numbers are for that of Figure 3.
    density : float
        Overall density of Figure 3.
    found : mapping of str to Summary
        Fitted thresholds after "all data", "optimal quotas", "SSP", "SSP's quotas",
        "DRoP, d = 0.75" and "DRoP, d = 0.5".
    ratios : mapping of float to RatioSummary
        Figure 4a by separation of the means.
    """
    return [
        *_closed_form(mixture),
        *_figure_3(mixture, density, found),
        *_figure_4a(ratios),
        *_figure_4b(mixture, found),
    ]


def percent(value: float, error: float) -> str:
    """Return a fraction and its standard error in percent."""
    return f"{100 * value:.2f} ± {100 * error:.2f} %"


def verdict(*holds: bool) -> str:
    """Return "agrees" if all parts hold, "partly" if some do, else "does not hold"."""
    return "agrees" if all(holds) else "partly" if any(holds) else "does not hold"


def _near(mixture: GaussianMixture, a: float, b: float) -> bool:
    """Whether two thresholds are closer than half of what parts t* and t̂.

    A tenth of the distance of the means where that is less, or where t* and t̂ are one.
    """
    apart = abs(mixture.average_minimizer() - mixture.worst_class_minimizer())
    within = 0.1 * (mixture.mu1 - mixture.mu0)
    return abs(a - b) < (within if apart < 1e-9 else min(within, apart / 2))


def threshold(value: float) -> str:
    """Return a threshold with three decimals, −∞ or ∞ where it gives up a class, – for none."""
    return f"{value:.3f}" if np.isfinite(value) else {-np.inf: "−∞", np.inf: "∞"}.get(value, "–")


def place(summary: Summary) -> str:
    """Return the mean of fitted thresholds and its error; those that are not finite are said."""
    if np.isnan(summary.mean):
        return "too few finite"
    rest = f", without {summary.infinite} infinite" if summary.infinite else ""
    return f"{summary.mean:.3f} ± {summary.mean_se:.3f}{rest}"


def _closed_form(mixture: GaussianMixture) -> Rows:
    t_star, t_hat = mixture.average_minimizer(), mixture.worst_class_minimizer()
    at_star = [100 * float(risk) for risk in mixture.risks(t_star)]
    at_hat = 100 * float(mixture.risks(t_hat)[0])
    phi0, _ = mixture.optimal_priors()
    balanced = GaussianMixture(mixture.mu0, mixture.mu1, mixture.sigma0, mixture.sigma1, phi0)
    apart = abs(balanced.average_minimizer() - t_hat)
    return [
        [
            "risks at t*: 4.8 % and 12.1 % (Figure 3)",
            f"{at_star[0]:.2f} % and {at_star[1]:.2f} %",
            verdict(np.allclose(at_star, [4.8, 12.1], rtol=0, atol=0.05)),
        ],
        [
            "both risks at t̂: 9.1 % (Figure 3)",
            f"{at_hat:.2f} %",
            verdict(abs(at_hat - 9.1) < 0.05),
        ],
        [
            "Equation 5's priors make t* equal t̂",
            "equal to nine decimals" if apart < 1e-9 else f"{threshold(apart)} apart",
            verdict(apart < 1e-9),
        ],
    ]


def _figure_3(mixture: GaussianMixture, density: float, found: Mapping[str, Summary]) -> Rows:
    t_star, t_hat = mixture.average_minimizer(), mixture.worst_class_minimizer()
    full, ssp, quotas = found["all data"], found["SSP"], found["SSP's quotas"]
    optimal, tipping = found["optimal quotas"], tipping_density(mixture)
    kept0, kept1 = kept_densities(mixture, "ssp", density)
    coincides = f"for densities above {tipping:.3f}" if tipping > 0 else "for all densities"
    if not np.isfinite(t_star):
        coincides = f"t* = {threshold(t_star)} to begin with"
    return [
        [
            "optimal quotas: mean ERM near t̂ (Figure 3, left)",
            f"{place(optimal)}, t̂ = {threshold(t_hat)}",
            verdict(_near(mixture, optimal.mean, t_hat)),
        ],
        [
            "SSP prunes the easier class more (Figure 3, middle)",
            f"it keeps {kept0:.3f} and {kept1:.3f}",
            verdict((kept1 - kept0) * (mixture.sigma1 - mixture.sigma0) > 0),
        ],
        [
            "SSP: the solution remains close to t* (Figure 3, middle)",
            f"mean {place(ssp)}, median {threshold(ssp.median)}, t* = {threshold(t_star)}",
            verdict(_near(mixture, ssp.mean, t_star)),
        ],
        [
            "SSP: the minimiser coincides with the original one (Appendix B.3)",
            coincides,
            "–" if not np.isfinite(t_star) else verdict(True, not tipping > 0),
        ],
        [
            "SSP's quotas, random inside: better worst class (Figure 3, right)",
            f"risk pooled {percent(quotas.pooled, quotas.pooled_se)}, on all data "
            f"{percent(full.pooled, full.pooled_se)}; per data set "
            f"{percent(quotas.worst, quotas.worst_se)} and {percent(full.worst, full.worst_se)}",
            verdict(quotas.pooled < full.pooled, quotas.worst < full.worst),
        ],
    ]


def _figure_4a(ratios: Mapping[float, RatioSummary]) -> Rows:
    (near, first), *_, (far, last) = ratios.items()
    return [
        [
            "risk ratios approximate the optimal ones fairly well (Figure 4a)",
            f"median factor {first.factor:.3g} at separation {near:g}, "
            f"{last.factor:.3g} at {far:g}",
            verdict(*(ratio.factor < 1.5 for ratio in ratios.values())),
        ],
        [
            "… independently of the means",
            f"rank correlation {first.rank:.2f} ± {first.rank_se:.2f} at separation {near:g}, "
            f"{last.rank:.2f} ± {last.rank_se:.2f} at {far:g}",
            verdict(abs(last.rank - first.rank) < 2 * np.hypot(first.rank_se, last.rank_se)),
        ],
        [
            "… especially when σ₁/σ₀ is small",
            f"median factor {first.factor_similar:.3g} where σ₁ < 2σ₀, "
            f"{first.factor_different:.3g} elsewhere, at separation {near:g}; at equal priors "
            f"{equal_priors_factor(2):.2f} for σ₁/σ₀ = 2, {equal_priors_factor(10):.2f} for 10",
            verdict(
                all(r.factor_similar < r.factor_different for r in ratios.values()),
                equal_priors_factor(2) < equal_priors_factor(10),
            ),
        ],
    ]


def _figure_4b(mixture: GaussianMixture, found: Mapping[str, Summary]) -> Rows:
    t_hat = mixture.worst_class_minimizer()
    limit = limit_threshold(mixture, "drop", 0.5)
    kept, optimal = mixture.drop_densities(0.75), mixture.optimal_densities(0.75)
    worst, before, best = (
        float(max(mixture.risks(t))) for t in (limit, mixture.average_minimizer(), t_hat)
    )
    drop75, drop50 = found["DRoP, d = 0.75"], found["DRoP, d = 0.5"]
    return [
        [
            "DRoP, d = 75 %: mean ERM near t̂ (Figure 4b)",
            f"{place(drop75)}; class densities {kept[0]:.2f} and {kept[1]:.2f}, "
            f"optimal are {optimal[0]:.2f} and {optimal[1]:.2f}",
            verdict(_near(mixture, drop75.mean, t_hat)),
        ],
        [
            "DRoP, d = 50 %: mean ERM near t̂ (Figure 4b)",
            f"{place(drop50)}, with unlimited data {threshold(limit)}",
            verdict(_near(mixture, drop50.mean, t_hat)),
        ],
        [
            "error-based quotas operate near-optimally here (Section 3)",
            f"worst-class risk {100 * worst:.1f} % at d = 0.5 with unlimited data; "
            f"{100 * before:.1f} % unpruned, {100 * best:.1f} % at best",
            verdict(worst < before, before - worst > 0.9 * (before - best)),
        ],
    ]
