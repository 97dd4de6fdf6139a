"""Figures about single classes and samples: what a method keeps, and of whom.

Shapes: S seeds, K classes, n training samples.
"""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from dropkit import datasets
from dropkit.figures import canvas, half_width, name


def views(names: Sequence[str]) -> Figure:
    """One image of each class, a row for each data set."""
    sets = [datasets.load(each) for each in names]
    columns = max(data.num_classes for data in sets)
    figure, axes = canvas(len(sets), columns, height=0.8)
    for row, data in zip(axes, sets, strict=True):
        for k, ax in enumerate(row[: data.num_classes]):
            image = data.x[np.flatnonzero(data.y == k)[0]]
            ax.imshow(np.moveaxis(image, 0, -1), cmap="gray_r", aspect="auto")
    for ax in axes.flat:
        ax.axis("off")
    return figure


def class_recalls(recalls: np.ndarray, classes: Sequence[str]) -> Figure:
    """Recall of each class, (S, K): mean over seeds with its 95 % interval."""
    figure, axes = canvas(height=2.4)
    half = [half_width(100 * column) for column in recalls.T]
    ax = axes[0, 0]
    ax.bar(classes, 100 * recalls.mean(axis=0), yerr=half, capsize=2, color="#56B4E9")
    ax.axhline(100 * recalls.mean(), color="#000000", lw=1, ls=":", label="average")
    ax.set(xlabel="class", ylabel="recall (%)")
    ax.legend(fontsize=8)
    return figure


def class_densities(
    kept: Mapping[float, np.ndarray], class_sizes: np.ndarray, full_recalls: np.ndarray
) -> Figure:
    """Figures 2, 6, 13 and 14 for one protocol: how unevenly it prunes, and which classes.

    Parameters
    ----------
    kept : density -> (S, K) samples kept of each class
    class_sizes : (K,) before pruning
    full_recalls : (K,) or (S, K) recalls after training on the full data

    The title of the left panel is the minimum of samples per class (SPC) at the lowest density,
    that of the right one ``density_correlation``.
    """
    recalls = np.atleast_2d(full_recalls).mean(axis=0)
    shades = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.85, len(kept)))
    figure, axes = canvas(1, 2, height=3.0)
    for shade, density in zip(shades, sorted(kept), strict=True):
        share = kept[density] / class_sizes
        ranked = -np.sort(-share, axis=1)
        ranks = np.arange(1, share.shape[1] + 1)
        axes[0, 0].plot(ranks, ranked.mean(axis=0), "o-", ms=3, color=shade, label=f"{density:g}")
        axes[0, 0].fill_between(ranks, ranked.min(0), ranked.max(0), color=shade, alpha=0.15, lw=0)
        axes[0, 1].plot(share.mean(axis=0), 100 * recalls, "o", ms=4, color=shade)
    lowest = min(kept)
    axes[0, 0].set(xlabel="classes, by density", ylabel="density of the class", ylim=(0, 1.05))
    axes[0, 0].set_title(f"min SPC at d = {lowest:g}: {kept[lowest].min()}", fontsize=9)
    axes[0, 1].set(xlabel="density of the class", ylabel="accuracy on full data (%)")
    correlation = density_correlation(kept, class_sizes, recalls)
    axes[0, 1].set_title(f"correlation {correlation:.2f}", fontsize=9)
    axes[0, 0].legend(title="density", fontsize=8)
    return figure


def density_correlation(
    kept: Mapping[float, np.ndarray], class_sizes: np.ndarray, full_recalls: np.ndarray
) -> float:
    """Correlation over classes of full-data accuracy and class density, averaged over densities.

    Shapes as in ``class_densities``; densities at which all classes keep the same share are left
    out, NaN if that is so at each.
    """
    recalls = np.atleast_2d(full_recalls).mean(axis=0)
    shares = [(counts / class_sizes).mean(axis=0) for counts in kept.values()]
    varied = [share for share in shares if np.ptp(share) > 1e-12]
    if not varied:
        return float("nan")
    return float(np.mean([np.corrcoef(share, recalls)[0, 1] for share in varied]))


def score_correlations(scores: Mapping[str, np.ndarray]) -> Figure:
    """Spearman's rank correlation between scores (n,) or (S, n), averaged over seeds."""
    table = correlation_table(scores)
    figure, axes = canvas(width=4.6, height=3.6)
    ax = axes[0, 0]
    ax.imshow(table, cmap="RdBu_r", vmin=-1, vmax=1)
    ax.grid(False)
    labels = [name(strategy) for strategy in scores]
    ax.set_xticks(range(len(labels)), labels, rotation=40, ha="right")
    ax.set_yticks(range(len(labels)), labels)
    for (row, column), value in np.ndenumerate(table):
        ink = "white" if abs(value) > 0.6 else "black"
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=8)
    return figure


def correlation_table(scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """Spearman's rank correlations between scores, (S, n) each, averaged over seeds."""
    stacked = np.stack([np.atleast_2d(values) for values in scores.values()])
    ranks = stats.rankdata(stacked, axis=-1)
    return np.mean([np.corrcoef(ranks[:, s]) for s in range(ranks.shape[1])], axis=0)


def lowest_and_highest(
    images: np.ndarray, scores: Mapping[str, np.ndarray], count: int = 12
) -> Figure:
    """What each score removes first and keeps longest: its lowest and its highest images.

    `images` (n, C, H, W) and one seed's scores (n,); a row a strategy, removed on the left.
    """
    figure, axes = canvas(len(scores), 2 * count + 1, height=0.55)
    for row, (strategy, values) in zip(axes, scores.items(), strict=True):
        order = np.argsort(values, kind="stable")
        shown = [*order[:count], None, *order[::-1][:count]]
        for ax, index in zip(row, shown, strict=True):
            ax.axis("off")
            if index is not None:
                ax.imshow(np.moveaxis(images[index], 0, -1), cmap="gray_r", aspect="auto")
        row[0].set_title(name(strategy), loc="left", fontsize=8)
    return figure
