"""Quality of recalls and what it costs, against scipy and sums by hand."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from dropkit.figures import query_length
from dropkit.metrics import Difference


def recalls(seed: int, shape=(12, 4)) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=shape)


def test_query_recalls_are_sorted_by_seed():
    records = [
        {"trial": {"seed": seed}, "query": {"recalls": [seed / 10, 0.5]}} for seed in (3, 1, 2, 1)
    ]
    assert query_length.query_recalls(records).tolist() == [[0.1, 0.5], [0.2, 0.5], [0.3, 0.5]]


@given(st.integers(0, 2**32 - 1))
def test_correlation_is_pearsons_over_classes(seed):
    a, b = recalls(seed), recalls(seed + 1)
    expected = np.mean([stats.pearsonr(x, y).statistic for x, y in zip(a, b, strict=True)])
    assert query_length.correlation(a, b) == pytest.approx(expected)


def test_equal_recalls_say_nothing_about_classes():
    measured = np.array([[0.5, 0.5, 0.5], [0.1, 0.2, 0.3]])
    final = np.array([[0.1, 0.2, 0.3], [0.2, 0.4, 0.6]])
    assert query_length.correlation(measured, final) == pytest.approx(0.5)


def test_quality_row_by_hand():
    measured = np.array([[1.0, 0.6], [0.8, 0.8]])  # deviations 0.2 and 0
    final = np.array([[0.9, 0.5], [0.9, 0.5]])
    table = query_length.quality({5: measured, 1: final}, final)
    assert table.rows[1] == [5, "80.0", "10.0", "0.50", "1.00", "50%"]
    assert [len(row) for row in table.rows] == [len(table.headers)] * 2


def flat(level, seeds=4):
    """Recalls of two classes with the same level in each seed."""
    return np.full((seeds, 2), level)


def same(points):
    """A difference that every seed has."""
    text = f"{points:+.1f}".replace("-", "−")
    return f"{text} [{text},\xa0{text}]"


def test_gains_and_losses_are_those_against_the_usual_length():
    by_epochs = {
        1: {0.4: flat(0.3), 0.8: flat(0.6)},
        10: {0.4: flat(0.5), 0.8: flat(0.7)},
        20: {0.4: flat(0.6), 0.8: flat(0.7)},
    }
    gains = query_length.gains(by_epochs, 10, "worst")
    assert gains.rows == [[1, same(-20), same(-10)], [20, same(10), same(0)]]
    assert gains.title == "worst class, per seed: minus 10 epochs"
    losses = query_length.losses(by_epochs, 10, "pooled")
    assert losses.rows == [[1, "+20.0", "+10.0", same(10)]]
    one_density = {epochs: {0.4: found[0.4]} for epochs, found in by_epochs.items()}
    assert query_length.losses(one_density, 10, "pooled").rows == []


def test_shares_set_both_rules_beside_random_pruning_and_each_other():
    lines = {
        "literal": {0.1: flat(0.2), 1.0: flat(0.5)},
        "smoothed": {0.1: flat(0.5), 1.0: flat(0.5)},
    }
    measured = {0.1: np.array([[1.0, 0.5]] * 3 + [[0.5, 0.5]]), 1.0: flat(0.5)}
    table = query_length.shares(lines, flat(0.4), measured, {1.0: 44.2, 0.1: 4.6}, "worst")
    assert table.rows == [
        ["0.1", "5", "75%", same(-20), same(10), same(30)],
        ["1", "44", "0%", same(10), same(10), same(0)],
    ]


def test_noise_is_compared_with_random_pruning_and_with_the_least_noise():
    measured = {0.0: np.array([[0.9, 0.6]]), 0.4: np.array([[0.7, 0.4]])}
    gains, changes = query_length.noise({0.0: flat(0.5), 0.4: flat(0.6)}, flat(0.4), measured)
    assert gains.rows == [["0", "4.0", *[same(10)] * 3], ["0.4", "2.0", *[same(20)] * 3]]
    assert changes.rows == [["0.4", *[same(10)] * 3]]


class TestFigures:
    def test_each_panel_draws_its_measure(self):
        lines = {name: {v: recalls(10 * i + v) for v in (1, 10)} for i, name in enumerate("ab")}
        baselines = {"A": recalls(50), "B": recalls(51)}
        figure = query_length.against_setting(lines, baselines, "epochs", log=True)
        expected = {
            "average accuracy (%)": lambda r: r.mean(),
            "worst-class accuracy (%)": lambda r: r.min(axis=1).mean(),
            "pooled worst class (%)": lambda r: r.mean(axis=0).min(),
            "max − min recall (%)": lambda r: np.ptp(r, axis=1).mean(),
            "std of recalls (%)": lambda r: r.std(axis=1).mean(),
        }
        panels = {ax.get_ylabel(): ax for ax in figure.axes if ax.lines}
        assert set(panels) == set(expected)
        for label, measure in expected.items():
            ax = panels[label]
            assert ax.get_xscale() == "log" and ax.get_xlabel() == "epochs"
            assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "10"]
            drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
            for name, line in lines.items():
                means = [100 * measure(line[value]) for value in (1, 10)]
                np.testing.assert_allclose(drawn[name], means)
            for name, rows in baselines.items():
                np.testing.assert_allclose(drawn[name], 100 * measure(rows))

    def test_bands_are_intervals(self):
        rows = recalls(3)
        figure = query_length.against_setting({"a": {1: rows, 2: rows}}, {}, "epochs")
        (band,) = figure.axes[0].collections
        ends = np.unique(band.get_paths()[0].vertices[:, 1].round(9))
        values = 100 * rows.mean(axis=1)
        oracle = stats.ttest_1samp(values, 0).confidence_interval()
        assert ends == pytest.approx([oracle.low, oracle.high])

    def test_a_baseline_has_the_colour_of_its_line(self):
        lines = {name: {1: recalls(i), 2: recalls(i)} for i, name in enumerate("ab")}
        own = query_length.against_setting(lines, {"A": recalls(5), "B": recalls(6)}, "x")
        drawn = {line.get_label(): line.get_color() for line in own.axes[0].lines}
        assert tuple(drawn["a"]) == tuple(drawn["A"]) != tuple(drawn["B"]) == tuple(drawn["b"])
        common = query_length.against_setting(lines, {"all": recalls(5)}, "x")
        drawn = {line.get_label(): line.get_color() for line in common.axes[0].lines}
        assert drawn["all"] == "#707070"

    def test_gains_stand_at_the_quality_of_their_recalls(self):
        gains = {"worst": Difference(3, 1, 6), "pooled": Difference(-2, -3, 0)}
        series = {"epochs": [(0.4, gains), (0.7, gains)], "noise": [(0.5, gains)]}
        figure = query_length.gain_against_quality(series, "correlation")
        for ax, value, ends in zip(figure.axes, (3, -2), ([1, 6], [-3, 0]), strict=True):
            points, noise, _ = ax.lines
            np.testing.assert_allclose(points.get_xydata(), [[0.4, value], [0.7, value]])
            np.testing.assert_allclose(noise.get_xydata(), [[0.5, value]])
            (segment,) = ax.collections[1].get_segments()
            np.testing.assert_allclose(segment[:, 1], ends)
