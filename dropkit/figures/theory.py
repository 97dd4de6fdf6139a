"""Figures 3 and 4 of the paper, and what pruning by distance does to the average risk."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm, spearmanr

from dropkit._common.checks import Floats
from dropkit.figures.curves import COLOURS, canvas
from dropkit.theory.limits import kept_densities, summarise
from dropkit.theory.mixture import GaussianMixture

CLASS_COLOURS = ("#0072B2", "#E69F00")
# Line styles differ as well, for readers who do not see the colours.
LINES = {
    "t*": {"color": COLOURS["full"], "linestyle": "--", "linewidth": 1.3},
    "t-hat": {"color": "#009E73", "linestyle": "-", "linewidth": 4, "alpha": 0.45},
    "mean ERM": {"color": COLOURS["random+drop"], "linestyle": "-", "linewidth": 1.3},
}
LABELS = {"t*": "$t^*$, average risk", "t-hat": r"$\hat{t}$, worst class", "mean ERM": "mean ERM"}


def figure_3(mixture: GaussianMixture, density: float, fits: Mapping[str, Floats]) -> Figure:
    """Draw Figure 3: optimal quotas, SSP, and SSP's quotas with random points inside.

    Parameters
    ----------
    mixture : GaussianMixture
        The mixture that the data sets come from.
    density : float
        Overall density after pruning.
    fits : mapping of str to ndarray, shape (datasets,)
        Fitted thresholds for "optimal quotas", "ssp" and "ssp quotas".
    """
    titles = {
        "optimal quotas": "Optimal quotas, random",
        "ssp": "SSP",
        "ssp quotas": "SSP's quotas, random",
    }
    panels = [(title, name, density, fits[name]) for name, title in titles.items()]
    return _threshold_panels(mixture, panels)


def figure_4b(mixture: GaussianMixture, fits: Mapping[float, Floats]) -> Figure:
    """Draw Figure 4b: random pruning with DRoP's quotas; ``fits`` maps densities to thresholds."""
    panels = [(f"DRoP, $d = {density:.0%}$", "drop", density, t) for density, t in fits.items()]
    panels = [(title.replace("%", r"\%"), *rest) for title, *rest in panels]
    return _threshold_panels(mixture, panels)


def figure_4a(ratios: Mapping[float, tuple[Floats, Floats, Floats]]) -> Figure:
    """Draw Figure 4a: class risk ratios against optimal ratios, one panel a separation.

    ``ratios`` maps each separation of the means to what `limits.risk_ratios` returns.
    Ratios beyond four decades lie outside the frame.
    """
    columns = min(2, len(ratios))
    figure, axes = canvas(-(-len(ratios) // columns), columns, width=5.6, height=2.4)
    figure.set_dpi(200)  # of the dots, which would be too heavy as vectors
    for ax in axes.flat[len(ratios) :]:
        ax.remove()
    for ax, (separation, (risks, optimal, widths)) in zip(axes.flat, ratios.items(), strict=False):
        finite = np.isfinite(risks)
        dots = ax.scatter(
            optimal[finite],
            risks[finite],
            c=widths[finite],
            s=3,
            cmap="viridis",
            vmin=0,
            vmax=2,
            rasterized=True,
        )
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
    """Draw the average risk after SSP over all thresholds, and where data sets of n points land.

    Parameters
    ----------
    mixture : GaussianMixture
        The mixture before pruning.
    densities : list of float
        Overall densities, one curve each.
    fits : mapping of int to ndarray, shape (datasets,)
        Thresholds fitted after SSP, by the number of points a data set had before pruning.
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
    means, medians = [s.mean for s in summaries], [s.median for s in summaries]
    landing.errorbar(
        sizes,
        means,
        [2 * s.mean_se for s in summaries],
        fmt="o-",
        capsize=3,
        label="mean",
        color="#D55E00",
    )
    landing.plot(sizes, medians, "s--", label="median", color="#0072B2")
    landing.set(xscale="log", xlabel="points before pruning", ylabel="fitted threshold")
    landing.set_xticks(sizes, [str(n) for n in sizes])
    landing.minorticks_off()
    landing.legend(fontsize=8)
    return figure


def _threshold_panels(
    mixture: GaussianMixture, panels: list[tuple[str, str, float, Floats]]
) -> Figure:
    """Draw one column a panel (title, procedure, density, fits): densities above, fits below."""
    figure, axes = canvas(2, len(panels), height=1.9)
    axes[0, 0].get_gridspec().set_height_ratios([1.6, 1])
    reach = [
        (mixture.mu0 - 3 * mixture.sigma0, mixture.mu0 + 3 * mixture.sigma0),
        (mixture.mu1 - 3 * mixture.sigma1, mixture.mu1 + 3 * mixture.sigma1),
    ]
    limits = (min(low for low, _ in reach), max(high for _, high in reach))
    for (above, below), (title, procedure, density, fits) in zip(axes.T, panels, strict=True):
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
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, fontsize=8)
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
    ax.plot(
        finite[:10],
        np.linspace(0.2, 1, len(finite[:10])) * height,
        "o",
        color=COLOURS["random+drop"],
        markersize=3.5,
        markeredgecolor="white",
        markeredgewidth=0.5,
        label="ten data sets",
    )
