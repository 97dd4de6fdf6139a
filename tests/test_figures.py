"""What the figures show: the numbers drawn are those of the recalls, and names are the paper's."""

import numpy as np
import pytest
from scipy import stats

from dropkit import class_figures, figures
from dropkit.study import SMOOTHED

RECALLS = {
    "full": {1.0: np.array([[0.9, 0.6], [0.8, 0.7]])},
    "random": {0.3: np.array([[0.5, 0.4], [0.2, 0.7]]), 0.6: np.array([[0.8, 0.5], [0.8, 0.5]])},
    "random+drop": {0.3: np.array([[0.6, 0.5], [0.6, 0.5]])},
}


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("full", "Full data"),
        ("random+drop", "Random+DRoP"),
        ("random+el2nq", "Random+EL2NQ"),
        ("dynunc", "Dynamic Uncertainty"),
        ("cdbw+el2n", "CDB-W+EL2N"),
        ("random+drop" + SMOOTHED, "Random+DRoP (smoothed)"),
    ],
)
def test_names_are_the_papers(protocol, expected):
    assert figures.name(protocol) == expected


def test_every_protocol_looks_different():
    bases = ["random", "el2n", "grand", "forgetting", "dynunc", "coreset"]
    protocols = [*bases, *(f"{b}+drop" for b in bases), *(f"random+{b}q" for b in bases[1:])]
    protocols += ["random+drop" + SMOOTHED, "full+cdbw", "el2n+cdbw"]
    looks = [tuple(str(v) for v in figures.look(p).values()) for p in protocols]
    assert len({look[:3] for look in looks}) == len(protocols)


def lines(ax) -> dict:
    return {line.get_label(): line.get_xydata() for line in ax.get_lines()}


def test_tradeoff_draws_means_over_seeds():
    density, worst = figures.tradeoff(RECALLS, ["density", "worst"]).axes[:2]
    assert lines(density)["Random"] == pytest.approx(np.array([[0.3, 45], [0.6, 65]]))
    assert lines(density)["Full data"][:, 1] == pytest.approx([75, 75])
    assert lines(worst)["Random"] == pytest.approx(np.array([[30, 45], [50, 65]]))
    assert lines(worst)["Full data"] == pytest.approx(np.array([[65, 75]]))


def test_bands_are_t_intervals_of_the_mean():
    ax = figures.against_density(RECALLS, ["worst"]).axes[0]
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    low, high = stats.t.interval(0.95, 1, loc=30, scale=stats.sem([40, 20]))
    assert band.min() == pytest.approx(low)
    assert band.max() == pytest.approx(high)


def test_pooled_averages_before_the_minimum():
    per_seed, pooled = figures.pooled(RECALLS).axes[:2]
    assert lines(per_seed)["Random"][0, 1] == pytest.approx(30)
    drawn = {box.get_label(): box[0].get_ydata() for box in pooled.containers}
    assert drawn["Random"][0] == pytest.approx(35)
    assert drawn["Random+DRoP"][0] == pytest.approx(50)


def test_density_correlation_is_averaged_over_densities():
    kept = {0.2: np.array([[1, 2, 3]]), 0.4: np.array([[3, 2, 7]])}
    sizes, recalls = np.array([10, 10, 10]), np.array([0.9, 0.6, 0.5])
    expected = np.mean([np.corrcoef(k[0], recalls)[0, 1] for k in kept.values()])
    assert class_figures.density_correlation(kept, sizes, recalls) == pytest.approx(expected)
    even = {0.5: np.array([[5, 5, 5]])}
    assert np.isnan(class_figures.density_correlation(even, sizes, recalls))


def test_class_densities_sorts_classes_and_counts_the_smallest():
    kept = {0.3: np.array([[1, 5], [2, 4]]), 0.6: np.array([[4, 8], [4, 8]])}
    figure = class_figures.class_densities(kept, np.array([10, 10]), np.array([[0.9, 0.5]]))
    left = figure.axes[0]
    assert left.get_title() == "min SPC at d = 0.3: 1"
    assert left.get_lines()[0].get_ydata() == pytest.approx([0.45, 0.15])


def test_correlation_table_is_spearmans():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 50))
    table = class_figures.correlation_table({"el2n": a, "grand": a + b})
    expected = np.mean([stats.spearmanr(a[s], (a + b)[s]).statistic for s in range(3)])
    assert table == pytest.approx(np.array([[1, expected], [expected, 1]]))


def test_lowest_and_highest_shows_the_extremes():
    images = np.arange(6.0).reshape(6, 1, 1, 1) * np.ones((6, 1, 2, 2))
    scores = {"el2n": np.array([5, 0, 3, 1, 4, 2])}
    figure = class_figures.lowest_and_highest(images, scores, count=2)
    shown = [ax.get_images()[0].get_array().max() for ax in figure.axes if ax.get_images()]
    assert shown == [1, 3, 0, 4]  # lowest 0, 1 at indices 1, 3; highest 5, 4 at indices 0, 4
