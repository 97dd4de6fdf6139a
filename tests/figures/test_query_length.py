"""Quality of recalls and what it costs, against scipy and sums by hand."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from dropkit.figures import query_length
from dropkit.metrics import Difference
from tests.made_records import QUERY, grid, only, record


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


def queried(epochs, seed, recalls, kept=(10, 10), density=0.5):
    """A record of Random+DRoP after queries that measured these recalls."""
    query = QUERY | {"recipe": {"epochs": epochs}}
    made = record("random+drop", density, seed, (0.9, 0.5), recall_query=query, kept=list(kept))
    return made | {"query": {"recalls": list(recalls)}, "key": f"{epochs}{density}{seed}"}


def test_lengths_are_those_of_trials_that_vary_nothing_else():
    few = QUERY | {"val_share": 0.1}
    records = [queried(20, 0, (0.5, 0.5)), queried(10, 0, (0.5, 0.5)), queried(1, 0, (0.5, 0.5))]
    records += [record("random+drop", recall_query=few), record("random")]
    records += [record("random+drop", recall_query=QUERY, smoothing=1.0)]
    found = query_length.lengths(only(records))
    assert list(found.items()) == [
        (1, "random+drop, query of 1 epoch"),
        (10, "random+drop"),
        (20, "random+drop, query of 20 epochs"),
    ]


def test_quality_rows_by_hand():
    # Of seed 2 there are no full data, so that it counts nowhere but in what is kept.
    records = [queried(5, 0, (1.0, 0.6), (20, 10)), queried(5, 1, (0.8, 0.8), (10, 10))]
    records += [queried(10, seed, (0.7, 0.3)) for seed in (0, 1)]
    records += grid([(0.9, 0.5), (0.9, 0.5)], "full", 1.0)
    table = query_length.quality(only(records), 0.5)
    # Shares (1, 0.5) and (0.5, 0.5) have deviations of 25 and 0 points.
    assert table.rows == [
        [5, "80.0", "0.50", "1.00", "50%", "12.5"],
        [10, "50.0", "1.00", "1.00", "0%", "0.0"],
    ]
    assert len(table.headers) == 6


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

    def test_gains_after_each_length_are_scipys(self):
        random = grid(recalls(9, (5, 3)), "random")
        drop = {epochs: recalls(epochs, (5, 3)) for epochs in (1, 10)}
        cells = only(
            random
            + [
                record("random+drop", 0.5, s, row, recall_query=QUERY | {"recipe": {"epochs": e}})
                | {"key": f"{e}{s}"}
                for e, rows in drop.items()
                for s, row in enumerate(rows)
            ]
        )
        figure = query_length.gains({"a": (cells, 0.5)}, ["average"])
        (ax,) = figure.axes
        assert ax.get_title() == "a"
        assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "10"]
        before = 100 * np.mean([one["recalls"] for one in random], axis=1)
        segments = ax.collections[0].get_segments()
        for i, rows in enumerate(drop.values()):
            gained = stats.ttest_rel(100 * rows.mean(axis=1), before).confidence_interval()
            np.testing.assert_allclose(segments[i][:, 1], gained)
            assert ax.lines[0].get_ydata()[i] == pytest.approx(np.mean(gained))

    def test_as_many_panels_as_measures(self):
        figure = query_length.against_setting({"a": {1: recalls(3)}}, {}, "x", ["worst", "gap"])
        labels = [ax.get_ylabel() for ax in figure.axes]
        assert labels == ["worst-class accuracy (%)", "max − min recall (%)"]

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
