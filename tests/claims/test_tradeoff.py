"""Heights of lines in the plane of average and worst class, against geometry and scipy."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays
from scipy import integrate, interpolate, stats

from dropkit.claims.tradeoff import AVERAGES, _heights, height
from dropkit.study.curves import arrange
from tests.made_records import grid


def rows(average, worst):
    """Recalls (S, 2) of two classes with these averages and worst classes."""
    average, worst = np.broadcast_arrays(average, worst)
    return np.stack([worst, 2 * average - worst], axis=-1)


def cells(full, **lines):
    """Cells of lines given as density -> recalls (S, K), and of the full data."""
    records = grid(full, "full", 1.0)
    for name, line in lines.items():
        for density, recalls in line.items():
            records += grid(recalls, name, density)
    (found,) = arrange(records).values()
    return found


def test_two_straight_lines():
    """Over averages 60 to 80 the heights are linear, so their mean is that at 70."""
    full = rows([0.8, 0.8], 0.6)
    found = cells(full, a={0.5: rows([0.6, 0.6], 0.5)}, b={0.5: rows([0.5, 0.5], 0.2)})
    expected = 100 * ((0.5 + 0.6) / 2 - (0.2 + 0.4 * 2 / 3))
    for measure in ("worst", "pooled"):
        difference, seeds = height(found, "a", "b", [0.5], measure)
        assert seeds == 2
        assert difference == pytest.approx([expected] * 3)
        back, _ = height(found, "b", "a", [0.5], measure)
        assert back.value == pytest.approx(-expected)


def test_bent_lines_against_an_integral():
    rng = np.random.default_rng(3)
    densities = [0.1, 0.3, 0.5, 0.7]
    points = {name: (rng.uniform(0.5, 0.8, 4), rng.uniform(0.1, 0.5, 4)) for name in "ab"}
    made = {
        name: {d: rows([a, a], w) for d, a, w in zip(densities, *line, strict=True)}
        for name, line in points.items()
    }
    found = cells(rows([0.75, 0.75], 0.4), **made)
    whole = {name: (np.append(a, 0.75), np.append(w, 0.4)) for name, (a, w) in points.items()}
    low = max(a.min() for a, _ in whole.values())
    high = min(a.max() for a, _ in whole.values())
    above, below = (interpolate.interp1d(*whole[name]) for name in "ab")
    area = integrate.quad(lambda x: above(x) - below(x), low, high, limit=500)[0]
    difference, _ = height(found, "a", "b", densities, "worst")
    assert difference.value == pytest.approx(100 * area / (high - low), abs=0.3)


def test_of_few_seeds_the_interval_is_students_where_averages_do_not_vary():
    """With one average each, the lines part linearly: half the seeds' differences at d = 0.5."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0.1, 0.5, (2, 6))
    found = cells(rows(np.full(6, 0.8), 0.6), a={0.5: rows(0.6, a)}, b={0.5: rows(0.6, b)})
    difference, seeds = height(found, "a", "b", [0.5], "worst")
    oracle = stats.ttest_rel(50 * a, 50 * b).confidence_interval()
    assert seeds == 6
    assert difference == pytest.approx((50 * (a - b).mean(), oracle.low, oracle.high))


def test_the_pooled_worst_class_is_that_of_the_means():
    """Each seed loses another class, so that the mean over seeds loses none."""
    full, even = rows([0.8, 0.8], 0.8), rows([0.6, 0.6], 0.6)
    found = cells(full, a={0.5: np.array([[0.3, 0.9], [0.9, 0.3]])}, b={0.5: even})
    assert height(found, "a", "b", [0.5], "worst")[0].value == pytest.approx(-15)
    assert height(found, "a", "b", [0.5], "pooled")[0].value == pytest.approx(0)


def test_seeds_are_those_of_all_points():
    full, line = rows(np.full(5, 0.8), 0.6), {0.3: rows(np.full(5, 0.6), 0.5)}
    found = cells(full[:4], a=line | {0.5: rows(np.full(3, 0.7), 0.5)}, b=line | {0.5: line[0.3]})
    assert height(found, "a", "b", [0.3, 0.5], "worst")[1] == 3


def test_lacking_records_give_nothing():
    line = {0.5: rows([0.6, 0.6], 0.5)}
    found = cells(rows([0.8, 0.8], 0.6), a=line, b=line)
    assert height(found, "a", "c", [0.5], "worst") is None
    assert height(found, "a", "b", [], "worst") is None
    del found["full"]
    assert height(found, "a", "b", [0.5], "worst") is None


@given(
    arrays(float, (4, 2, 2, 3), elements=st.sampled_from(np.linspace(0, 1, 6))),
)
def test_many_lines_against_interp(lines):
    """Every bootstrap sample's lines at once, equal averages among them, as one after the other."""
    expected = []
    for pair in lines:
        low, high = pair[:, 0].min(-1).max(), pair[:, 0].max(-1).min()
        at = np.linspace(low, high, AVERAGES)
        ordered = [line[:, line[0].argsort(kind="stable")] for line in pair]
        first, second = (np.interp(at, *line) for line in ordered)
        expected.append((first - second).mean())
    np.testing.assert_allclose(_heights(lines[:, 0], lines[:, 1]), expected, atol=1e-12)
