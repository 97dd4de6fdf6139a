"""The drawn lines and points are those asked for."""

import numpy as np
import pytest
from scipy.stats import norm

from dropkit.figures.theory import (
    LABELS,
    figure_4a,
    figure_ssp,
    place,
    risks,
    threshold,
    thresholds,
)
from dropkit.theory import GaussianMixture
from dropkit.theory.limits import summarise

PAPER = GaussianMixture(mu0=-1, mu1=1, sigma0=0.5, sigma1=1, phi0=0.5)  # Figure 3
FITS = np.array([-0.5, -0.3, -0.1, -0.3])


def verticals(ax):
    return {line.get_label(): line.get_xdata()[0] for line in ax.lines}


def filled_area(ax, k):
    """The area under the filled curve of class k."""
    (path,) = ax.collections[k].get_paths()
    x, y = path.vertices.T
    return abs(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


def test_figure_3_has_the_papers_panels_lines_and_masses():
    fits = {"optimal quotas": FITS, "ssp": FITS - 1, "ssp quotas": FITS}
    panels = {f"by {name}": (name, 0.5, found) for name, found in fits.items()}
    axes = np.reshape(thresholds(PAPER, panels).axes, (2, 3))
    assert [ax.get_title() for ax in axes[0]] == list(panels)
    for column, ((above, below), values) in enumerate(zip(axes.T, fits.values(), strict=True)):
        for ax in (above, below):
            drawn = verticals(ax)
            assert drawn[LABELS["t*"]] == pytest.approx(-0.1700, abs=1e-4)
            assert drawn[LABELS["t-hat"]] == pytest.approx(-1 / 3)
            assert drawn[LABELS["mean ERM"]] == pytest.approx(values.mean())
        # Half of the mass is left, less what the frame cuts off beyond three deviations.
        assert filled_area(above, 0) + filled_area(above, 1) == pytest.approx(0.5, abs=0.005)
        if column == 0:
            assert filled_area(above, 0) * 2 == pytest.approx(filled_area(above, 1), rel=0.01)


def test_figure_4b_has_one_panel_a_density():
    figure = thresholds(PAPER, {"a": ("drop", 0.75, FITS), "b": ("drop", 0.5, FITS - 0.1)})
    axes = np.reshape(figure.axes, (2, 2))
    for above, density in zip(axes[0], (0.75, 0.5), strict=True):
        total = filled_area(above, 0) + filled_area(above, 1)
        assert total == pytest.approx(density, abs=0.005)


def test_figure_4a_draws_the_finite_ratios_against_the_optimal_ones():
    risks, optimal = np.array([0.5, np.nan, -1, -2]), np.array([0.4, 1, -1, -3])
    figure = figure_4a({20: (risks, optimal, np.ones(4))})
    dots = figure.axes[0].collections[0].get_offsets()
    np.testing.assert_array_equal(dots, [[0.4, 0.5], [-1, -1], [-3, -2]])
    assert "separation 20" in figure.axes[0].get_title()


def test_figure_ssp_marks_the_global_minimum_of_each_curve():
    figure = figure_ssp(PAPER, [0.6, 0.3], {100: FITS, 400: FITS + 1})
    curves, landing = figure.axes
    lines = [line for line in curves.lines if len(line.get_xdata()) > 2]
    marks = [line for line in curves.lines if len(line.get_xdata()) == 1]
    for line, mark in zip(lines, marks, strict=True):
        assert mark.get_ydata()[0] <= line.get_ydata().min() + 1e-12
    assert marks[0].get_xdata()[0] == PAPER.average_minimizer() > marks[1].get_xdata()[0] + 1
    assert [
        line.get_ydata().tolist() for line in landing.lines if line.get_label() == "median"
    ] == [[-0.3, 0.7]]


INFINITE = float("inf")


@pytest.mark.parametrize(
    ("thresholds", "mean", "median"),
    [
        ([0.1, 0.3], "0.200 ± 0.100", "0.200"),
        ([0.1, 0.3, -INFINITE], "0.200 ± 0.100, without 1 infinite", "0.100"),
        ([0.1, -INFINITE, -INFINITE], "too few finite", "−∞"),
        ([INFINITE, INFINITE], "too few finite", "∞"),
        ([-INFINITE, INFINITE], "too few finite", "–"),
    ],
)
def test_thresholds_that_give_up_a_class_are_shown_as_such(thresholds, mean, median):
    found = summarise(PAPER, np.array(thresholds))
    assert (place(found), threshold(found.median)) == (mean, median)


def test_worst_class_risks_are_those_of_the_thresholds():
    fits = np.array([0.1, 0.3, 0.2])
    summary = summarise(PAPER, fits)
    figure = risks(PAPER, {"optimal quotas": {0.3: summary, 0.5: summary}})
    limit, fitted = figure.axes
    drawn = {line.get_label(): line for line in limit.lines}
    # Optimal quotas reach the least possible risk, Phi(-4/3), as long as no class is full.
    least = 100 * norm.cdf(-4 / 3)
    curve = drawn["optimal quotas"]
    low = curve.get_ydata()[curve.get_xdata() < 0.75]
    np.testing.assert_allclose(low, least)
    assert drawn["least possible"].get_ydata()[0] == pytest.approx(least)
    risk0, risk1 = norm.cdf((-1 - fits) / 0.5), norm.cdf(fits - 1)
    (line, *_) = fitted.lines
    np.testing.assert_allclose(line.get_xdata(), [0.3, 0.5])
    np.testing.assert_allclose(line.get_ydata(), 100 * max(risk0.mean(), risk1.mean()))
