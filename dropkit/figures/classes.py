"""Figures about single classes and samples: what a method keeps, and of whom.

Shapes: S seeds, K classes, n training samples.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from textwrap import fill

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dropkit import datasets
from dropkit.datasets.loading import Data
from dropkit.figures.names import name
from dropkit.figures.style import canvas, curve, legend, look, width, words
from dropkit.figures.tables import Table, number
from dropkit.metrics import Difference, student
from dropkit.study.curves import ByDensity, Cells, Curves, shared_seeds

UNPRUNED = "no protocol here prunes"
TITLE = 24  # letters above a panel of three
EXTREMES = 12  # images at each end of a score
EXAMPLES = 8  # images of a group


def views(names: Sequence[str]) -> Figure:
    """Draw one image of each class, a row for each data set."""
    rows = {}
    for each in names:
        data = datasets.load(each)
        rows[each] = data.x[[np.flatnonzero(data.y == k)[0] for k in range(data.num_classes)]]
    return _rows_of_images(rows, height=0.8, cmap="gray_r")


def class_recalls(recalls: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw the recall of each class, (S, K): mean over seeds with its 95 % interval."""
    figure, axes = canvas(height=2.4)
    ax = axes[0, 0]
    means, low, high = np.transpose([student(100 * column) for column in recalls.T])
    ax.bar(classes, means, color="#56B4E9")
    ax.vlines(range(len(classes)), low, high, color="#000000", lw=1.4)
    ax.axhline(100 * recalls.mean(), color="#000000", lw=1, ls=":", label="average")
    ax.set(xlabel="class", ylabel="recall (%)")
    if len(classes) > 40:  # no room for names
        ax.set(xticks=[], xlabel=f"{len(classes)} classes")
    elif max(map(len, classes)) > 2:
        ax.tick_params(axis="x", labelrotation=90)
    ax.legend(fontsize=8)
    return figure


def recalls_from_largest(panels: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Draw recalls (S, K) by protocol, classes from the largest on; a panel a title."""
    if not panels:
        return words("no records yet")
    figure, axes = canvas(1, len(panels), width=min(width(len(panels)), 7.2), height=3.0)
    for ax, (title, of_each) in zip(axes[0], panels.items(), strict=True):
        for protocol, values in of_each.items():
            found = [student(100 * column) for column in values.T]
            curve(ax, range(1, len(found) + 1), found, look(protocol))
        # An interval of two seeds may reach far beyond what a recall can be.
        ax.set(xlabel="class, from the largest", title=fill(title, TITLE), ylim=(0, 100))
    for ax in axes[0, 1:]:
        ax.tick_params(labelleft=False)
    axes[0, 0].set_ylabel("recall (%)")
    legend(figure, axes[0])
    return figure


def class_densities(kept: ByDensity, class_sizes: np.ndarray, full_recalls: np.ndarray) -> Figure:
    """Draw Figures 2 and 6 for one protocol: how unevenly it prunes, and which classes.

    The title of the left panel is the minimum of samples per class (SPC) at the lowest density,
    that of the right one ``density_correlation``; recalls are (K,) or (S, K).
    """
    if not kept:
        return words(UNPRUNED)
    figure, axes = canvas(1, 2, height=3.0)
    _sorted_panel(axes[0, 0], kept, class_sizes)
    _scatter_panel(axes[0, 1], kept, class_sizes, full_recalls)
    axes[0, 0].set(xlabel="classes, by density", ylabel="density of the class")
    axes[0, 1].set(xlabel="density of the class", ylabel="accuracy on full data (%)")
    legend(figure, axes[0, :1], columns=6, title="density")
    return figure


def sorted_densities(kept: Curves, class_sizes: np.ndarray) -> Figure:
    """Draw Figure 14: sorted class densities, a panel a protocol, as in ``class_densities``."""
    draw = partial(_sorted_panel, class_sizes=class_sizes)
    return _panels(kept, draw, "classes, by density", "density of the class")


def accuracy_against_density(
    kept: Curves, class_sizes: np.ndarray, full_recalls: np.ndarray
) -> Figure:
    """Draw Figure 13: full-data accuracy against class density, a panel a protocol."""
    draw = partial(_scatter_panel, class_sizes=class_sizes, full_recalls=full_recalls)
    return _panels(kept, draw, "density of the class", "accuracy (%)")


def _panels(kept: Curves, draw: Callable[..., None], xlabel: str, ylabel: str) -> Figure:
    """Small panels, four a row, titled by protocol; common axes and one legend of densities."""
    if not kept:
        return words(UNPRUNED)
    figure, axes = canvas(-(-len(kept) // 4), 4, width=8.4, height=2.2)
    panels = list(axes.flat[: len(kept)])
    for ax in axes.flat[len(kept) :]:
        ax.remove()
    for index, (ax, (protocol, by_density)) in enumerate(zip(panels, kept.items(), strict=True)):
        ax.sharex(panels[0])
        ax.sharey(panels[0])
        draw(ax, by_density)
        ax.set_title(f"{name(protocol)}\n{ax.get_title()}", fontsize=8)
        if index % 4 == 0:
            ax.set_ylabel(ylabel)
        if index + 4 >= len(kept):
            ax.set_xlabel(xlabel)
    legend(figure, panels[:1], columns=6, title="density")
    return figure


def _shades(kept: ByDensity) -> list[tuple[float, tuple]]:
    """Each density with its colour, dark for low ones."""
    shades = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.85, len(kept)))
    return list(zip(sorted(kept), map(tuple, shades), strict=True))


def _sorted_panel(ax: Axes, kept: ByDensity, class_sizes: np.ndarray) -> None:
    """Class densities in falling order, mean and range over seeds."""
    for density, shade in _shades(kept):
        ranked = -np.sort(-kept[density] / class_sizes, axis=1)
        ranks = np.arange(1, ranked.shape[1] + 1)
        ax.plot(ranks, ranked.mean(axis=0), "o-", ms=2.5, color=shade, label=f"{density:g}")
        ax.fill_between(ranks, ranked.min(0), ranked.max(0), color=shade, alpha=0.15, lw=0)
    lowest = min(kept)
    ax.set_ylim(0, 1.05)
    ax.set_title(f"min SPC at d = {lowest:g}: {kept[lowest].min()}", fontsize=9)


def _scatter_panel(
    ax: Axes, kept: ByDensity, class_sizes: np.ndarray, full_recalls: np.ndarray
) -> None:
    """Full-data accuracy against mean class density, one point a class."""
    recalls = np.atleast_2d(full_recalls).mean(axis=0)
    for density, shade in _shades(kept):
        share = (kept[density] / class_sizes).mean(axis=0)
        ax.plot(share, 100 * recalls, "o", ms=3.5, color=shade, label=f"{density:g}")
    correlation = density_correlation(kept, class_sizes, recalls)
    ax.set_title(f"correlation {correlation:.2f}", fontsize=9)


def density_correlation(
    kept: ByDensity, class_sizes: np.ndarray, full_recalls: np.ndarray
) -> float:
    """Return the correlation over classes of full-data accuracy and class density.

    A mean over densities without those at which all classes keep the same share; NaN without any.
    """
    recalls = np.atleast_2d(full_recalls).mean(axis=0)
    shares = [(counts / class_sizes).mean(axis=0) for counts in kept.values()]
    varied = [share for share in shares if np.ptp(share) > 1e-12]
    if not varied:
        return float("nan")
    return float(np.mean([np.corrcoef(share, recalls)[0, 1] for share in varied]))


def correlations(kept: Curves, class_sizes: np.ndarray, full_recalls: np.ndarray) -> Table:
    """Return each protocol's `density_correlation`, over all densities and at the lowest one."""
    lowest = min((d for by_density in kept.values() for d in by_density), default=1.0)
    rows = []
    for protocol, by_density in kept.items():
        parts = by_density, {lowest: by_density[lowest]}
        found = [density_correlation(part, class_sizes, full_recalls) for part in parts]
        uneven = (by_density[lowest] / class_sizes).std(axis=1).mean()
        rows.append([name(protocol), *(number(each, "z.2f") for each in found), f"{uneven:.3f}"])
    headers = ["protocol", "correlation, all densities", f"at d = {lowest:g}"]
    return Table(rows, [*headers, f"std of class densities at d = {lowest:g}"])


def doublings_and_gains(
    cells: Cells, first: str, second: str, density: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return log2 of the samples kept, and recalls in points, both first against second, (S, K).

    A class that keeps nothing counts as one sample.
    """
    seeds = shared_seeds(cells, [(first, density), (second, density)])
    kept, recalls = (
        np.array([[cells[p][density][seed][field] for seed in seeds] for p in (first, second)])
        for field in ("kept", "recalls")
    )
    doublings = np.log2(np.maximum(kept, 1))
    return doublings[0] - doublings[1], 100 * (recalls[0] - recalls[1])


def per_doubling(doublings: np.ndarray, gains: np.ndarray) -> Difference:
    """Return the slope over classes of gains (S, K) in points, a mean over seeds."""
    pairs = zip(doublings, gains, strict=True)
    return student(np.array([np.polyfit(x, y, 1)[0] for x, y in pairs]))


def gains_by_share(panels: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Draw what each class gains in recall against its samples, of ``doublings_and_gains``."""
    figure, axes = canvas(1, len(panels), width=width(len(panels)), height=2.6)
    for ax, (title, found) in zip(axes[0], panels.items(), strict=True):
        x, y = (each.mean(axis=0) for each in found)
        ax.plot(x, y, "o", ms=3.5, color="#D55E00", alpha=0.6)
        slope, at_zero = np.polyfit(x, y, 1)
        ax.axline((0, at_zero), slope=slope, color="#333333", lw=1)
        ax.axhline(0, color="#707070", lw=0.8, ls=":")
        ax.set_title(f"{title}\ncorrelation {np.corrcoef(x, y)[0, 1]:.2f}", fontsize=9)
        ax.set(xlabel="samples of the class, times", xticks=range(-2, 2))
        ax.set_xticklabels(["1/4", "1/2", "1", "2"])
        ax.set_xlim(min(-1.1, x.min() - 0.1), max(1.1, x.max() + 0.1))
    axes[0, 0].set_ylabel("gain in recall (points)")
    return figure


def lowest_and_highest(images: np.ndarray, scores: Mapping[str, np.ndarray]) -> Figure:
    """Draw what each score removes first and keeps longest: its lowest and highest images.

    `images` (n, C, H, W) and one seed's scores (n,); a row a strategy, removed on the left.
    """
    if not scores:
        return words("no scores among the protocols")
    rows = {}
    for strategy, values in scores.items():
        order = np.argsort(values, kind="stable")
        first, last = images[order[:EXTREMES]], images[order[::-1][:EXTREMES]]
        rows[name(strategy)] = [*first, None, *last]
    return _rows_of_images(rows, height=0.5, cmap="gray_r")


def group_examples(data: Data) -> Figure:
    """Draw a few training images of each group, under its name and training size.

    Images are uint8 or floats in [-1, 1]; where the data have no groups the rows are classes.
    """
    rows = {}
    for g, group in enumerate(data.strata_names):
        members = data.train[data.strata[data.train] == g]
        # Spread over the group: neighbours are often of one species.
        images = data.x[members[:: max(1, len(members) // EXAMPLES)][:EXAMPLES]]
        images = images / 255 if images.dtype == np.uint8 else (images + 1) / 2
        tiles = [*images, *[None] * (EXAMPLES - len(images))]
        rows[f"{group}, {len(members):,} in training"] = tiles
    return _rows_of_images(rows, height=1.05, cmap="gray", vmin=0, vmax=1)


def _rows_of_images(
    rows: Mapping[str, Sequence[np.ndarray | None]], height: float, **style
) -> Figure:
    """Draw images (C, H, W) as squares in rows under their titles; None leaves a gap."""
    figure, axes = canvas(len(rows), height=height)
    # An axes for each image would take longer to lay out than all else on its page.
    for ax, (title, tiles) in zip(axes[:, 0], rows.items(), strict=True):
        for place, tile in enumerate(tiles):
            if tile is not None:
                extent = (1.1 * place, 1.1 * place + 1, 0, 1)
                # The pixels themselves, where these are fewer than their copies at the page's size.
                drawn = "none" if tile.shape[1] <= 32 else "auto"
                ax.imshow(np.moveaxis(tile, 0, -1), extent=extent, interpolation=drawn, **style)
        ax.set(xlim=(0, 1.1 * len(tiles) - 0.1), ylim=(0, 1))
        ax.set_title(title, loc="left", fontsize=8, pad=2)
        ax.axis("off")
    return figure
