"""Figures 3 and 4 of the paper, what pruning by distance does to the average risk, and tables."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm, spearmanr

from dropkit._common.checks import Floats
from dropkit.figures.style import COLOURS, canvas, curve, legend, log_ticks, look
from dropkit.figures.tables import Table, number
from dropkit.metrics import Difference
from dropkit.theory.limits import (
    RatioSummary,
    Summary,
    kept_densities,
    limit_threshold,
    summarise,
)
from dropkit.theory.mixture import GaussianMixture

CLASS_COLOURS = ("#0072B2", "#E69F00")
# Line styles differ as well, for readers who do not see the colours.
LINES = {
    "t*": {"color": COLOURS["full"], "linestyle": "--", "linewidth": 1.3},
    "t-hat": {"color": "#009E73", "linestyle": "-", "linewidth": 4, "alpha": 0.45},
    "mean ERM": {"color": COLOURS["random+drop"], "linestyle": "-", "linewidth": 1.3},
}
LABELS = {"t*": "$t^*$, average risk", "t-hat": r"$\hat{t}$, worst class", "mean ERM": "mean ERM"}


def thresholds(mixture: GaussianMixture, panels: Mapping[str, tuple[str, float, Floats]]) -> Figure:
    """Draw Figures 3 and 4b: class densities after pruning, and below them the fitted thresholds.

    `panels` are columns by their titles: a procedure, its density and what was fitted after it.
    """
    figure, axes = canvas(2, len(panels), height=1.9)
    axes[0, 0].get_gridspec().set_height_ratios([1.6, 1])
    means, reach = (mixture.mu0, mixture.mu1), 3 * np.array([mixture.sigma0, mixture.sigma1])
    limits = min(means - reach), max(means + reach)
    for (above, below), (title, panel) in zip(axes.T, panels.items(), strict=True):
        procedure, density, fits = panel
        _densities(above, mixture, procedure, density, limits)
        _fits(below, fits)
        lines = {
            "t-hat": mixture.worst_class_minimizer(),
            "t*": mixture.average_minimizer(),
            "mean ERM": summarise(mixture, fits).mean,
        }
        for ax in (above, below):
            for name, t in lines.items():
                if np.isfinite(t):
                    ax.axvline(t, label=LABELS[name], zorder=1.5, **LINES[name])
            ax.set(xlim=limits, yticks=[])
        above.set_title(title)
        above.tick_params(labelbottom=False)
        below.set_xlabel("$x$ and threshold")
    axes[0, 0].set_ylabel("class densities\nafter pruning")
    axes[1, 0].set_ylabel("fitted\nthresholds")
    legend(figure, axes[0, :1], columns=5)
    return figure


def figure_4a(ratios: Mapping[float, tuple[Floats, Floats, Floats]]) -> Figure:
    """Draw Figure 4a: class risk ratios against optimal ratios, one panel a separation.

    ``ratios`` maps each separation of the means to what ``theory.limits.risk_ratios`` returns.
    Ratios beyond four decades lie outside the frame.
    """
    columns = min(2, len(ratios))
    figure, axes = canvas(-(-len(ratios) // columns), columns, width=5.6, height=2.4)
    figure.set_dpi(200)  # of the dots, which would be too heavy as vectors
    for ax in axes.flat[len(ratios) :]:
        ax.remove()
    for ax, (separation, (risks, optimal, widths)) in zip(axes.flat, ratios.items(), strict=False):
        finite = np.isfinite(risks)
        style = {"s": 3, "cmap": "viridis", "vmin": 0, "vmax": 2, "rasterized": True}
        dots = ax.scatter(optimal[finite], risks[finite], c=widths[finite], **style)
        ax.axline((0, 0), slope=1, color=COLOURS["full"], linewidth=0.8)
        rank = spearmanr(optimal[finite], risks[finite]).statistic
        ax.set_title(f"separation {separation:g}\nrank corr. {rank:.2f}", size=9)
        ax.set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal", xticks=(-4, -2, 0, 2, 4))
        ax.set_yticks(ax.get_xticks())
    figure.supylabel("$\\log_{10}\\;R_0(t^*)/R_1(t^*)$", size=9)
    figure.supxlabel(r"optimal ratio, $\log_{10}\;\varphi_1\sigma_0/(\varphi_0\sigma_1)$", size=9)
    figure.colorbar(dots, ax=figure.axes, label=r"$\log_{10}\;\sigma_1/\sigma_0$", shrink=0.7)
    return figure


def figure_ssp(
    mixture: GaussianMixture, densities: list[float], fits: Mapping[int, Floats]
) -> Figure:
    """Draw the average risk after SSP over all thresholds, a curve a density, and where fits land.

    `fits` are thresholds fitted after SSP, by the number of points a data set had before pruning.
    """
    figure, axes = canvas(1, 2, height=2.8)
    curves, landing = axes[0]
    t = np.linspace(mixture.mu0 - 3 * mixture.sigma0, mixture.mu1, 601)
    shades = ("#56B4E9", "#0072B2", "#CC79A7", "#D55E00")
    for i, density in enumerate(densities):
        margin = mixture.ssp_margin(density)
        shade = shades[i % len(shades)]
        curves.plot(t, mixture.ssp_average_risk(t, margin), color=shade, label=f"{density:.2f}")
        best = mixture.ssp_minimizer(margin)
        if np.isfinite(best):
            curves.plot(best, mixture.ssp_average_risk(best, margin), "o", color=shade)
    t_star = mixture.average_minimizer()
    if np.isfinite(t_star):
        curves.axvline(t_star, **LINES["t*"])
        landing.axhline(t_star, label=LABELS["t*"], **LINES["t*"])
    curves.set(xlabel="threshold $t$", ylabel="average risk after SSP", ylim=(0, None))
    curves.legend(title="density", fontsize=8, loc="lower right")

    sizes = list(fits)
    summaries = [summarise(mixture, fits[n]) for n in sizes]
    means = [Difference(s.mean, s.mean - 2 * s.mean_se, s.mean + 2 * s.mean_se) for s in summaries]
    curve(landing, sizes, means, {"marker": "o", "label": "mean", "color": "#D55E00"})
    landing.plot(sizes, [s.median for s in summaries], "s--", label="median", color="#0072B2")
    landing.set(xlabel="points before pruning", ylabel="fitted threshold")
    log_ticks(landing, sizes)
    landing.legend(fontsize=8)
    return figure


LOOKS = {
    "random": look("random"),
    "optimal quotas": {"color": "#009E73", "marker": "D", "label": "optimal quotas"},
    "drop": look("random+drop") | {"label": "DRoP's quotas"},
    "ssp": look("ssp"),
    "ssp quotas": look("ssp") | {"linestyle": ":", "marker": "^", "label": "SSP's quotas"},
}


def risks(mixture: GaussianMixture, fitted: Mapping[str, Mapping[float, Summary]]) -> Figure:
    """Draw the worst-class risk against density: in the limit, and pooled over fitted data sets.

    `fitted` has summaries by procedure and density; their bands are two standard errors either way.
    Risks beyond two and a half times that of all data lie outside the frame.
    """
    figure, axes = canvas(1, 2, height=2.7)
    grid = np.linspace(0.05, 1, 39)
    for procedure, by_density in fitted.items():
        style = LOOKS[procedure]
        limits = [limit_threshold(mixture, procedure, density) for density in grid]
        worst = 100 * np.max(mixture.risks(limits), axis=0)
        axes[0, 0].plot(grid, worst, lw=1.4, **style | {"marker": ""})
        found = [
            Difference(s.pooled, s.pooled - 2 * s.pooled_se, s.pooled + 2 * s.pooled_se)
            for s in by_density.values()
        ]
        curve(
            axes[0, 1], list(by_density), [Difference(*(100 * x for x in f)) for f in found], style
        )
    best = 100 * mixture.risks(mixture.worst_class_minimizer())[0]
    top = 250 * max(mixture.risks(mixture.average_minimizer()))
    for ax, title in zip(axes[0], ("unlimited data", "fitted to data sets"), strict=True):
        ax.axhline(best, color="#333333", lw=1, ls="--", label="least possible")
        ax.set(xlabel="density", title=title, ylim=(0, np.clip(top, 1e-9, 100)))
    axes[0, 0].set_ylabel("worst-class risk (%)")
    axes[0, 1].sharey(axes[0, 0])
    legend(figure, axes[0, 1:], columns=3)
    return figure


def _densities(
    ax: Axes, mixture: GaussianMixture, procedure: str, density: float, limits: tuple[float, float]
) -> None:
    """Draw the scaled class densities, before (outline) and after (filled) pruning."""
    kept, margin = kept_densities(mixture, procedure, density), 0.0
    if procedure == "ssp":  # it keeps all of what lies outside the margin
        kept, margin = (1.0, 1.0), mixture.ssp_margin(density)
    classes = (
        (mixture.mu0, mixture.sigma0, mixture.phi0),
        (mixture.mu1, mixture.sigma1, mixture.phi1),
    )
    for k, (mu, sigma, phi) in enumerate(classes):
        edges = np.array([mu - margin, mu + margin])
        x = np.sort(np.concatenate([np.linspace(*limits, 301), edges - 1e-9, edges + 1e-9]))
        before = phi * norm.pdf(x, mu, sigma)
        after = np.where(np.abs(x - mu) >= margin, kept[k] * before, 0)
        ax.plot(x, before, color=CLASS_COLOURS[k], linewidth=0.8, linestyle=":")
        ax.fill_between(x, after, color=CLASS_COLOURS[k], alpha=0.4, label=f"class {k}")


def _fits(ax: Axes, fits: Floats) -> None:
    """Draw all fitted thresholds as a histogram and the first ten as dots."""
    finite = fits[np.isfinite(fits)]
    style = {"histtype": "stepfilled", "color": COLOURS["random"], "alpha": 0.6, "zorder": 1}
    counts, *_ = ax.hist(finite, bins=80, **style)
    height = 0.75 * counts.max()
    first = finite[:10]
    style = {"color": COLOURS["random+drop"], "ms": 3.5, "mec": "white", "mew": 0.5}
    ax.plot(first, np.linspace(0.2, 1, len(first)) * height, "o", label="ten data sets", **style)


Runs = Mapping[str, tuple[str, float]]  # name -> procedure and density


def threshold(value: float) -> str:
    """Return a threshold with three decimals, −∞ or ∞ where it gives up a class, – for none."""
    return (
        number(value, ".3f") if np.isfinite(value) else {-np.inf: "−∞", np.inf: "∞"}.get(value, "–")
    )


def place(found: Summary) -> str:
    """Return the mean of fitted thresholds and its error; those that are not finite are said."""
    if np.isnan(found.mean):
        return "too few finite"
    rest = f", without {found.infinite} infinite" if found.infinite else ""
    return f"{number(found.mean, '.3f')} ± {found.mean_se:.3f}{rest}"


def fits_table(
    mixture: GaussianMixture,
    runs: Runs,
    limits: Mapping[str, float],
    found: Mapping[str, Summary],
    datasets: int,
) -> Table:
    """Return class densities and thresholds of runs, with unlimited data and fitted to data sets.

    The last column is the standard error that the mean of ten data sets would have.
    """
    rows = []
    for name, summary in found.items():
        error = summary.mean_se * np.sqrt(datasets / 10)
        rows.append(
            [
                name,
                *(f"{kept:.3f}" for kept in kept_densities(mixture, *runs[name])),
                threshold(limits[name]),
                place(summary),
                threshold(summary.median),
                f"± {error:.2f}" if np.isfinite(error) else "–",
            ]
        )
    headers = ["pruning", "d₀", "d₁", "unlimited data", "mean ERM ± s.e.", "median", "s.e. of ten"]
    return Table(rows, headers)


def ratios_table(found: Mapping[float, RatioSummary]) -> Table:
    """Return how well risk ratios stand in for the optimal ones, by separation of the means."""
    rows = [
        [
            separation,
            f"{100 * s.finite:.1f} %",
            f"{s.rank:.3f} ± {s.rank_se:.3f}",
            f"{s.logs:.3f}",
            *(f"{factor:.3g}" for factor in (s.factor, s.factor_similar, s.factor_different)),
        ]
        for separation, s in found.items()
    ]
    headers = ["separation", "finite t*", "rank correlation ± s.e.", "correlation of logarithms"]
    return Table(rows, [*headers, "median factor", "where σ₁ < 2σ₀", "where σ₁ ≥ 2σ₀"])
