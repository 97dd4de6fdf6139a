"""Forests and strips against differences computed here, and what they do without any."""

import numpy as np
import pytest
from scipy import stats

from dropkit import figures

RNG = np.random.default_rng(0)
CURVES = {
    "full": {1.0: RNG.uniform(0.5, 0.9, (5, 4))},
    "random": {d: RNG.uniform(0.4, 0.8, (5, 4)) for d in (0.2, 0.5)},
    "random+drop": {d: RNG.uniform(0.4, 0.8, (5, 4)) for d in (0.2, 0.5)},
}


def worst_gain(first, second, density):
    """Mean and 95 % interval of paired differences of minima, in points, by SciPy."""
    gains = 100 * (CURVES[first][density].min(axis=1) - CURVES[second][density].min(axis=1))
    interval = stats.ttest_1samp(gains, 0).confidence_interval(0.95)
    return gains.mean(), interval.low, interval.high


def marked(ax):
    """Lines of single dots, without those of the legend, which are empty."""
    return [line for line in ax.lines if line.get_marker() == "o" and len(line.get_xdata())]


def test_a_forest_has_every_mean_and_interval():
    figure = figures.forest({"one": CURVES}, [("random+drop", "random")], ["worst"])
    (ax,) = figure.axes
    dots = [line.get_xdata()[0] for line in marked(ax)]
    bars = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2]
    for density, dot, bar in zip((0.5, 0.2), dots, bars, strict=False):
        mean, *interval = worst_gain("random+drop", "random", density)
        assert dot == pytest.approx(mean)
        np.testing.assert_allclose(bar, interval)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["0.5", "0.2", "Random+DRoP − Random"]


def test_forests_and_strips_take_any_measure_of_recalls():
    """The lowest tenth of four classes is the worst."""
    figure = figures.forest({"one": CURVES}, [("random+drop", "random")], ["tenth"])
    (dot, *_) = [line for line in figure.axes[0].lines if line.get_marker() == "s"]
    assert dot.get_xdata()[0] == pytest.approx(worst_gain("random+drop", "random", 0.5)[0])
    (ax,) = figures.strips(CURVES, ["random+drop"], "random", ["tenth"]).axes
    shade = worst_gain("random+drop", "random", 0.2)[0]  # to the tenth that is printed
    assert ax.images[0].get_array()[0, 0] == pytest.approx(shade, abs=0.05)


def test_a_setting_that_lacks_a_pair_leaves_it_empty():
    fewer = {"full": CURVES["full"], "random": CURVES["random"]}
    figure = figures.forest({"a": CURVES, "b": fewer}, [("random+drop", "random")], ["worst"])
    assert [len(marked(ax)) for ax in figure.axes] == [2, 0]


def test_strips_frame_what_is_apart():
    figure = figures.strips(CURVES, ["random", "random+drop", "dynunc"], "full", ["average"])
    (ax,) = figure.axes
    full = CURVES["full"][1.0].mean(axis=1)
    texts, apart = [], 0
    for label in ("random", "random+drop"):
        for density in (0.2, 0.5):
            gains = 100 * (CURVES[label][density].mean(axis=1) - full)
            texts.append(f"{gains.mean():+.1f}".replace("-", "−"))
            apart += stats.ttest_1samp(gains, 0).pvalue < 0.05
    assert [text.get_text() for text in ax.texts] == texts
    assert len(ax.patches) == apart > 0


@pytest.mark.parametrize("draw", [lambda: figures.forest({"a": CURVES}, [("el2n", "full")]),
                                  lambda: figures.strips(CURVES, ["el2n"])])  # fmt: skip
def test_nothing_to_compare(draw):
    assert "nothing to compare" in draw().axes[0].texts[0].get_text()
