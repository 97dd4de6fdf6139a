"""Measures and their differences against what hand and scipy make of them."""

import numpy as np
import pytest
from scipy import stats

from dropkit.metrics import Difference
from dropkit.study.measures import COMPARED, MEASURES, compare, contrast, difference, gain
from tests.made_records import grid, only, random_rows, record


def test_seeds_are_paired_where_both_have_them():
    a, b = random_rows(0), random_rows(1)
    records = grid(a, "el2n") + grid(b)[2:9]
    found, seeds = contrast(only(records), [("el2n", 0.5)], [("random", 0.5)], "worst")
    oracle = stats.ttest_rel(100 * a[2:9].min(1), 100 * b[2:9].min(1)).confidence_interval()
    assert seeds == 7
    assert found[1:] == pytest.approx((oracle.low, oracle.high))
    assert found.value == pytest.approx(100 * (a[2:9].min(1) - b[2:9].min(1)).mean())


def test_the_mean_over_densities_pairs_within_seeds():
    a, b, c = (random_rows(seed) for seed in range(3))
    records = grid(a, "el2n", 0.3) + grid(b, "el2n", 0.7) + grid(c, "full", 1.0)
    plus, minus = [("el2n", 0.3), ("el2n", 0.7)], [("full", 1.0)] * 2
    found, _ = contrast(only(records), plus, minus, "average")
    values = 100 * (0.5 * a.mean(1) + 0.5 * b.mean(1) - c.mean(1))
    oracle = stats.ttest_1samp(values, 0).confidence_interval()
    assert found == pytest.approx((values.mean(), oracle.low, oracle.high))


def test_many_seeds_have_a_bootstrap_that_draws_the_same_seeds_of_all():
    a, b, c = (random_rows(seed, 30) for seed in range(3))

    def gain(seeds):
        first, second, third = (rows[seeds].mean(axis=0).min() for rows in (a, b, c))
        return 50 * (first - second + first - third)

    seeds = np.arange(30)
    oracle = stats.bootstrap(
        (seeds,), gain, vectorized=False, method="percentile", rng=np.random.default_rng(4)
    ).confidence_interval
    value, *ends = difference([a, a], [b, c], "pooled")
    assert value == pytest.approx(gain(seeds))
    assert ends == pytest.approx(list(oracle), abs=0.05 * (oracle.high - oracle.low))


def test_the_pooled_worst_class_is_a_minimum_of_means():
    a, b = np.array([[0.2, 0.6], [1.0, 0.4]]), np.full((2, 2), 0.3)
    assert difference([a], [b], "pooled").value == pytest.approx(20)


@pytest.mark.parametrize("seeds", [2, 20])
def test_pairing_removes_what_seeds_share(seeds):
    shared = np.random.default_rng(6).uniform(0.2, 0.8, (seeds, 1))
    found = difference([shared + [0.1, 0.15]], [shared + [0.0, 0.05]], "pooled")
    assert found == pytest.approx((10, 10, 10))


def test_few_seeds_have_a_jackknife_which_is_students_where_one_class_is_always_worst():
    """The minimum is then a mean over seeds, and the jackknife of a mean is its t interval."""
    a, b = random_rows(0, 4), random_rows(1, 4)
    a[:, 0] -= 0.3
    b[:, 2] -= 0.3
    oracle = stats.ttest_rel(100 * a[:, 0], 100 * b[:, 2]).confidence_interval()
    assert difference([a], [b], "pooled")[1:] == pytest.approx((oracle.low, oracle.high))


def test_one_seed_has_no_interval():
    rows = random_rows(0, 1)
    for measure in COMPARED:
        found = difference([rows], [rows], measure)
        assert found.value == 0 and np.isnan(found[1:]).all()


def test_lacking_records_give_nothing():
    cells = only(grid(random_rows(0)))
    assert contrast(cells, [("random", 0.5)], [("el2n", 0.5)], "worst") is None
    assert contrast(cells, [("random", 0.5)], [], "spares") is None  # no full data
    assert contrast(cells, [], [], "worst") is None


def test_the_full_data_stand_at_every_density_of_a_gain():
    a, b = random_rows(0), random_rows(1)
    cells = only(grid(a, "el2n", 0.3) + grid(a, "el2n", 0.7) + grid(b, "full", 1.0))
    found = gain(cells, "el2n", "full", "average", densities=[0.3, 0.7])
    oracle = stats.ttest_rel(100 * a.mean(1), 100 * b.mean(1)).confidence_interval()
    assert found == pytest.approx((100 * (a - b).mean(), oracle.low, oracle.high))
    assert gain(cells, "full", densities=[0.3]).value == pytest.approx(100 * b.min(1).mean())
    assert gain(cells, "el2n", "random", densities=[0.3]) is None


def test_correlation_of_class_density_and_accuracy():
    full = [record("full", 1.0, s, (0.9, 0.8, 0.5)) for s in range(3)]
    hard_kept = [record("el2n", 0.5, s, (0.9, 0.8, 0.5), kept=[4, 6, 12]) for s in range(3)]
    even = [record("random", 0.5, s, (0.9, 0.8, 0.5), kept=[7, 7, 7]) for s in range(3)]
    cells = only(full + hard_kept + even)
    found, _ = contrast(cells, [("el2n", 0.5)], [], "spares")
    oracle = stats.pearsonr([4, 6, 12], [0.9, 0.8, 0.5]).statistic
    assert found.value == pytest.approx(oracle)
    assert contrast(cells, [("random", 0.5)], [], "spares")[0].value == 0
    uneven, _ = contrast(cells, [("el2n", 0.5)], [("random", 0.5)], "uneven")
    assert uneven.value == pytest.approx(100 * np.std([0.2, 0.3, 0.6]))


def test_classes_are_lost_or_without_an_error():
    kept = [[0, 6, 0], [2, 4, 0]]
    rows = [record("random+drop", 0.5, s, (0.0, 0.8, 0.0), kept=kept[s]) for s in range(2)]
    for row, recalls in zip(rows, ([1.0, 0.9, 1.0], [0.95, 0.9, 1.0]), strict=True):
        row["query"] = {"recalls": recalls, "val_sizes": [20, 20, 20]}
    for measure in ("lost", "flawless"):
        assert gain(only(rows), "random+drop", "", measure, densities=[0.5]).value == 1.5


def curves(seed: int = 0) -> dict:
    """Twelve seeds and three classes: `good` lies 0.2 above `poor` in every class."""
    rng = np.random.default_rng(seed)
    poor = rng.uniform(0.3, 0.5, size=(12, 3))
    return {"poor": {0.5: poor, 0.7: poor}, "good": {0.5: poor + 0.2}, "full": {1.0: poor + 0.1}}


def test_compare_gives_points_of_accuracy_at_shared_densities():
    found = compare(curves(), "good", "poor")
    assert list(found) == [0.5]
    for each in found[0.5].values():
        assert each.value == pytest.approx(20)


def test_full_data_is_compared_at_every_density():
    found = compare(curves(), "poor", "full")
    assert list(found) == [0.5, 0.7]
    assert found[0.7]["worst"].value == pytest.approx(-10)


def test_the_average_has_scipys_paired_interval():
    data = curves()
    rng = np.random.default_rng(1)
    noisy = data["poor"][0.5] + rng.normal(0.05, 0.02, size=(12, 3))
    found = compare({"a": {0.5: noisy}, "b": data["poor"]}, "a", "b")[0.5]["average"]
    oracle = stats.ttest_rel(noisy.mean(1), data["poor"][0.5].mean(1)).confidence_interval()
    assert found[1:] == pytest.approx((100 * oracle.low, 100 * oracle.high))


@pytest.mark.parametrize("seeds", [2, 3, 9])
def test_of_few_seeds_the_pooled_worst_class_has_a_jackknifes_interval(seeds):
    rng = np.random.default_rng(seeds)
    a, b = rng.uniform(0.2, 0.9, size=(2, seeds, 4))
    found = compare({"a": {0.5: a}, "b": {0.5: b}}, "a", "b")[0.5]["pooled"]

    def gain(rows):
        return 100 * (a[rows].mean(axis=0).min() - b[rows].mean(axis=0).min())

    everyone = list(range(seeds))
    without = [gain([row for row in everyone if row != left_out]) for left_out in everyone]
    error = np.sqrt((seeds - 1) / seeds * np.square(np.subtract(without, np.mean(without))).sum())
    half = stats.t.ppf(0.975, seeds - 1) * error
    assert found == pytest.approx((gain(everyone), gain(everyone) - half, gain(everyone) + half))


def test_from_ten_seeds_on_it_has_the_bootstraps():
    # Four of ten seeds gain 20 points, the others none: in a draw of ten they are binomial.
    shared = np.random.default_rng(0).uniform(0.2, 0.5, size=(10, 1)) + [0.0, 0.3]
    gains = np.repeat([0.2, 0.0], [4, 6])[:, None]
    found = compare({"a": {0.5: shared + gains}, "b": {0.5: shared}}, "a", "b")
    expected = [8, *(20 * stats.binom.ppf([0.025, 0.975], 10, 0.4) / 10)]
    assert found[0.5]["pooled"] == pytest.approx(expected)


def more(first, second, measure):
    """How much more the first (plus, minus) of recalls differ than the second: twice a mean."""
    half = difference([first[0], second[1]], [first[1], second[0]], measure)
    return Difference(*(2 * np.array(half)))


BY_HAND = {"average": lambda r: r.mean(axis=1), "worst": lambda r: r.min(axis=1)}


@pytest.mark.parametrize("estimate", BY_HAND)
def test_more_is_scipys_interval_of_a_difference_of_differences(estimate):
    poor, good, poor_second, good_second = (random_rows(seed) for seed in range(4))
    found = more((good, poor), (good_second, poor_second), estimate)
    measure = BY_HAND[estimate]
    each = 100 * ((measure(good) - measure(poor)) - (measure(good_second) - measure(poor_second)))
    oracle = stats.ttest_1samp(each, 0).confidence_interval()
    assert found == pytest.approx((each.mean(), oracle.low, oracle.high))


def test_the_pooled_difference_of_differences_resamples_seeds():
    poor, good, poor_second, good_second = parts = [random_rows(seed) for seed in range(4)]
    found = more((good, poor), (good_second, poor_second), "pooled")

    def value(rows):
        worst = [part[rows].mean(axis=0).min() for part in parts]
        return 100 * ((worst[1] - worst[0]) - (worst[3] - worst[2]))

    assert found.value == pytest.approx(value(np.arange(12)))
    rng = np.random.default_rng(1)
    draws = [value(rng.integers(12, size=12)) for _ in range(4000)]
    spread = np.std(draws)
    assert found.low == pytest.approx(np.quantile(draws, 0.025), abs=0.2 * spread)
    assert found.high == pytest.approx(np.quantile(draws, 0.975), abs=0.2 * spread)


@pytest.mark.parametrize("estimate", COMPARED)
def test_a_loss_common_to_both_is_no_difference(estimate):
    poor, good = random_rows(0), random_rows(1)
    assert more((good, poor), (good, poor), estimate) == (0, 0, 0)


@pytest.mark.parametrize("estimate", COMPARED)
def test_one_seed_has_no_interval_of_a_difference_of_differences(estimate):
    parts = [random_rows(seed, 1) for seed in range(4)]
    found = more(parts[:2], parts[2:], estimate)
    assert np.isfinite(found.value)
    assert np.isnan(found[1:]).all()


@pytest.mark.parametrize("measure", ["gap", "std"])
def test_a_mean_alone_has_students_interval(measure):
    rows = random_rows(3)
    values = 100 * {"gap": np.ptp, "std": np.std}[measure](rows, axis=1)
    oracle = stats.ttest_1samp(values, 0).confidence_interval()
    assert difference([rows], [], measure) == pytest.approx(
        (values.mean(), oracle.low, oracle.high)
    )


def test_every_measure_of_recalls_has_an_axis():
    assert {key for key, measure in MEASURES.items() if measure.axis} == {
        "average", "worst", "pooled", "tenth", "gap", "std",
    }  # fmt: skip
