"""What pruning does to a mixture in the limit of large data sets, and to fitted thresholds."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.stats import bootstrap, sem, spearmanr

from dropkit._common.checks import Floats, check_choice
from dropkit.theory.mixture import GaussianMixture
from dropkit.theory.samples import PROCEDURES


class Summary(NamedTuple):
    """What thresholds fitted to many data sets amount to; ``_se`` marks standard errors."""

    mean: float  # of the finite thresholds
    mean_se: float
    median: float
    infinite: int  # thresholds at -inf or +inf
    worst: float  # the larger class risk, averaged over data sets
    worst_se: float
    pooled: float  # the larger of the class risks averaged over data sets
    pooled_se: float


def summarise(mixture: GaussianMixture, thresholds: Floats) -> Summary:
    """Return where thresholds, shape (datasets,), land and their risks in the whole mixture.

    The mean and its error are NaN where fewer than two thresholds are finite, the median where it
    would lie between -inf and inf.
    """
    if len(thresholds) < 2:
        raise ValueError(f"a summary needs two data sets or more, got {len(thresholds)}")
    finite = thresholds[np.isfinite(thresholds)]
    risks = np.array(mixture.risks(thresholds))
    worst, pooled = risks.max(axis=0), risks[risks.mean(axis=1).argmax()]
    with np.errstate(invalid="ignore"):  # half way from -inf to inf is nowhere
        median = float(np.median(thresholds))
    return Summary(
        *(_mean_and_error(finite) if finite.size > 1 else (np.nan, np.nan)),
        median,
        thresholds.size - finite.size,
        *_mean_and_error(worst),
        *_mean_and_error(pooled),
    )


def _mean_and_error(values: Floats) -> tuple[float, float]:
    return float(values.mean()), float(sem(values))


def kept_densities(mixture: GaussianMixture, procedure: str, density: float) -> tuple[float, float]:
    """Return the class densities of a procedure of `samples.PROCEDURES` in the limit."""
    check_choice(procedure, "procedure", PROCEDURES)
    if procedure == "optimal quotas":
        return mixture.optimal_densities(density)
    if procedure == "drop":
        return mixture.drop_densities(density)
    if procedure in ("ssp", "ssp quotas"):
        return mixture.ssp_densities(mixture.ssp_margin(density))
    return (1.0, 1.0) if procedure == "full" else (density, density)


def limit_threshold(mixture: GaussianMixture, procedure: str, density: float) -> float:
    """Return the threshold that fits to ever larger pruned data sets approach."""
    if procedure == "ssp":
        return mixture.ssp_minimizer(mixture.ssp_margin(density))
    return mixture.pruned_minimizer(*kept_densities(mixture, procedure, density))


def tipping_density(mixture: GaussianMixture) -> float:
    """Return the density below which SSP moves the average minimiser away from t*.

    Searched between 0.05 and 1; NaN where t* is infinite or keeps its place.
    """
    t = mixture.average_minimizer()

    def lead(density: float) -> float:  # of the best other threshold over t*
        margin = mixture.ssp_margin(density)
        edges = [mixture.mu0 - margin, mixture.mu1 + margin]
        return float(
            mixture.ssp_average_risk(t, margin) - mixture.ssp_average_risk(edges, margin).min()
        )

    if not np.isfinite(t):
        return np.nan
    grid = np.linspace(1, 0.05, 96)
    tipped = next((i for i, density in enumerate(grid) if lead(density) > 0), 0)
    return brentq(lead, grid[tipped], grid[tipped - 1]) if tipped else np.nan


def risk_ratios(separation: float, draws: int, *, seed: int = 0) -> tuple[Floats, Floats, Floats]:
    """Draw mixtures as Figure 4a does and compare DRoP's class ratios with the optimal ones.

    Deviations sigma0 < sigma1 are uniform in [0.01, 100], phi0 is uniform in [0, 1]; the paper does
    not state the separation mu1 - mu0. Returned are decadic logarithms, (draws,) each: of the risks
    R0(t*) / R1(t*), which is d0 / d1 under DRoP, NaN where t* is infinite; of the optimal d0 / d1
    (Eq. 5), phi1 sigma0 / (phi0 sigma1); and of the widths sigma1 / sigma0.
    """
    rng = np.random.default_rng(seed)
    sigmas = np.sort(rng.uniform(1e-2, 1e2, (draws, 2)), axis=1)
    priors = rng.uniform(0, 1, draws)
    risks = np.full(draws, np.nan)
    for i, (sigma0, sigma1) in enumerate(sigmas):
        mixture = GaussianMixture(0, separation, sigma0, sigma1, priors[i])
        t = mixture.average_minimizer()
        if np.isfinite(t):
            risk0, risk1 = mixture.log_risks(t)
            risks[i] = (risk0 - risk1) / np.log(10)
    widths = np.log10(sigmas[:, 1] / sigmas[:, 0])
    return risks, np.log10((1 - priors) / priors) - widths, widths


class RatioSummary(NamedTuple):
    """How well risk ratios stand in for the optimal ratios of `risk_ratios`."""

    finite: float  # share of the mixtures with a finite t*; the rest is over these
    rank: float  # Spearman's correlation of the two ratios
    rank_se: float  # its bootstrap standard error
    logs: float  # Pearson's correlation of their logarithms
    factor: float  # median factor between them, at least 1
    factor_similar: float  # the same where sigma1 < 2 sigma0
    factor_different: float  # and where not


def summarise_ratios(risks: Floats, optimal: Floats, widths: Floats) -> RatioSummary:
    """Return how closely the ratios of `risk_ratios` agree, over mixtures with a finite t*."""
    finite = np.isfinite(risks)
    pairs, similar = (risks[finite], optimal[finite]), widths[finite] < np.log10(2)
    error = np.abs(pairs[0] - pairs[1])

    def rank(x: Floats, y: Floats) -> float:
        return spearmanr(x, y).statistic

    resampled = bootstrap(
        pairs, rank, paired=True, vectorized=False, n_resamples=200, method="percentile", rng=0
    )
    return RatioSummary(
        float(finite.mean()),
        float(rank(*pairs)),
        float(resampled.standard_error),
        float(np.corrcoef(*pairs)[0, 1]),
        *(float(10 ** np.median(error[group])) for group in (slice(None), similar, ~similar)),
    )


def equal_priors_factor(width: float) -> float:
    """Return the factor between risk and optimal ratio at equal priors and sigma1 = width sigma0.

    The means are 2 (sigma0 + sigma1) apart.
    """
    mixture = GaussianMixture(0, 2 * (1 + width), 1, width, 0.5)
    risk0, risk1 = mixture.log_risks(mixture.average_minimizer())
    return float(np.exp(abs(risk0 - risk1 + np.log(width))))
