"""Metrics against loops, hand-computed numbers and scipy."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from dropkit.metrics import (
    adjusted_average,
    bias,
    class_recalls,
    lowest_tenth,
    over_seeds,
    paired_difference,
    pooled_interval,
    pooled_worst,
    worst,
)

recall_tables = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 5)),
    elements=st.floats(0, 1),
)


def recall_of(labels, predictions, k):
    inside = [p for y, p in zip(labels, predictions, strict=True) if y == k]
    return sum(p == k for p in inside) / len(inside) if inside else math.nan


class TestLowestTenth:
    def test_hand_computed(self):
        recalls = np.linspace(0, 1, 20)[::-1]  # 1 of 10, 2 of 11 to 20, 10 of 100
        assert lowest_tenth(recalls) == pytest.approx(np.mean([0, 1 / 19]))
        assert lowest_tenth(recalls[-11:]) == pytest.approx(np.mean([0, 1 / 19]))
        assert lowest_tenth(np.arange(100) / 100) == pytest.approx(0.045)

    @given(recall_tables)
    def test_of_few_classes_it_is_the_worst(self, recalls):
        np.testing.assert_array_equal(lowest_tenth(recalls), worst(recalls))

    @given(hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1)))
    def test_it_lies_between_worst_and_average(self, recalls):
        found = bias(recalls)
        assert found.worst - 1e-12 <= lowest_tenth(recalls) <= found.average + 1e-12


class TestClassRecalls:
    def test_hand_computed(self):
        recalls = class_recalls([0, 0, 0, 0, 2, 2], [0, 0, 0, 1, 2, 0], 3)
        np.testing.assert_array_equal(recalls, [0.75, np.nan, 0.5])

    @given(
        st.integers(1, 4).flatmap(
            lambda k: st.tuples(
                st.just(k),
                hnp.arrays(np.int64, (2, 3, 8), elements=st.integers(-1, k - 1)),
                hnp.arrays(np.uint8, (2, 3, 8), elements=st.integers(0, k - 1)),
            )
        )
    )
    def test_definition_with_leading_axes(self, case):
        num_classes, predictions, labels = case
        per_model = class_recalls(labels, predictions, num_classes)
        shared = class_recalls(labels[0, 0], predictions, num_classes)
        assert per_model.shape == shared.shape == (2, 3, num_classes)
        for i, j, k in np.ndindex(per_model.shape):
            expected = recall_of(labels[i, j], predictions[i, j], k)
            np.testing.assert_equal(per_model[i, j, k], expected)
            np.testing.assert_equal(shared[i, j, k], recall_of(labels[0, 0], predictions[i, j], k))

    @pytest.mark.parametrize(
        ("labels", "predictions", "error", "message"),
        [
            ([0, 1, 1], [0, 1], ValueError, r"labels have shape \(3,\) and predictions \(2,\)"),
            ([[0, 1]], [0, 1], ValueError, r"labels have shape \(1, 2\) and predictions \(2,\)"),
            ([0, 3], [0, 1], ValueError, r"label 3 is no class: labels must be integers 0\.\.2"),
            ([0, 1], [0, 3], ValueError, r"prediction 3 is no class: expected -1\.\.2"),
            ([0, 1], [0, -2], ValueError, "prediction -2 is no class"),
            ([0, 1], [0.2, 0.8], TypeError, "predictions are float64: they must be class indices"),
            ([0, 1], np.zeros((0, 2), int), ValueError, r"predictions \(0, 2\): .* not empty"),
        ],
    )
    def test_bad_values(self, labels, predictions, error, message):
        with pytest.raises(error, match=message):
            class_recalls(labels, predictions, 3)


class TestBias:
    def test_hand_computed(self):
        result = bias([[0.5, 0.75, 1.0, 0.75], [1, 1, 1, 1]])
        np.testing.assert_allclose(result.average, [0.75, 1])
        np.testing.assert_allclose(result.worst, [0.5, 1])
        np.testing.assert_allclose(result.gap, [0.5, 0])
        np.testing.assert_allclose(result.std, [math.sqrt(0.125 / 4), 0])

    def test_class_without_samples_is_not_hidden(self):
        assert all(np.isnan(bias([0.5, math.nan])))

    def test_bad_values(self):
        with pytest.raises(ValueError, match=r"recalls\[1\] is 79\.8: it must lie in \[0, 1\]"):
            bias([0.6, 79.8])
        with pytest.raises(ValueError, match=r"recalls have shape \(\): expected \(\.\.\., K\)"):
            bias(0.5)


class TestPooledWorst:
    def test_hand_computed(self):
        # class means .6, .5, .7; the mean of the per-seed minima is .3
        assert pooled_worst([[0.2, 0.6, 0.8], [1.0, 0.4, 0.6]]) == pytest.approx(0.5)

    @given(recall_tables)
    def test_never_below_the_mean_of_the_per_seed_minima(self, recalls):
        assert worst(recalls).mean() <= pooled_worst(recalls) + 1e-12

    @pytest.mark.parametrize("seeds", [2, 5, 9])
    def test_interval_of_few_seeds_is_a_jackknifes(self, seeds):
        recalls = np.random.default_rng(seeds).uniform(0.2, 0.9, (seeds, 4))
        worst_of_all = min(sum(column) / seeds for column in recalls.T)
        pseudo = []
        for left_out in range(seeds):
            rows = [row for s, row in enumerate(recalls) if s != left_out]
            worst_of_rest = min(sum(column) / len(rows) for column in zip(*rows, strict=True))
            pseudo.append(seeds * worst_of_all - (seeds - 1) * worst_of_rest)
        low, high = pooled_interval(recalls)
        half = stats.t.ppf(0.975, seeds - 1) * stats.sem(pseudo)
        assert (low, high) == pytest.approx((worst_of_all - half, worst_of_all + half))

    def test_interval_of_ten_seeds_is_a_bootstraps(self):
        # Four of ten seeds have 0.8 and six 0.3: draws of the eight-tenths are binomial.
        recalls = [[0.8, 0.9]] * 4 + [[0.3, 0.9]] * 6
        expected = 0.3 + 0.05 * stats.binom.ppf([0.025, 0.975], 10, 0.4)
        assert pooled_interval(recalls) == pytest.approx(tuple(expected))

    def test_interval_agrees_with_scipys_bootstrap(self):
        recalls = np.random.default_rng(3).beta(8, 3, (30, 4))
        reference = stats.bootstrap(
            (np.arange(30),),
            lambda seeds, axis: recalls[seeds.astype(int)].mean(axis=axis - 1).min(axis=-1),
            vectorized=True,
            n_resamples=20_000,
            method="percentile",
            rng=np.random.default_rng(4),
        ).confidence_interval
        low, high = pooled_interval(recalls)
        width = reference.high - reference.low
        assert (low, high) == pytest.approx(tuple(reference), abs=0.05 * width)

    def test_one_seed_has_no_interval(self):
        assert all(np.isnan(pooled_interval([[0.5, 0.7]])))

    def test_bad_values(self):
        with pytest.raises(ValueError, match=r"recalls have shape \(2,\): expected \(S, K\)"):
            pooled_worst([0.5, 0.7])
        with pytest.raises(ValueError, match=r"level is 95: it must lie in \(0, 1\)"):
            over_seeds(np.mean, 2, level=95)


class TestDifferences:
    def test_paired_difference_is_scipys_paired_t_interval(self):
        rng = np.random.default_rng(5)
        a, b = rng.random((12, 4)), rng.random((12, 4))
        for statistic in (worst, lambda recalls: recalls.mean(axis=-1)):
            test = stats.ttest_rel(statistic(a), statistic(b))
            interval = test.confidence_interval(0.95)
            difference = paired_difference(a, b, statistic)
            assert difference.value == pytest.approx((statistic(a) - statistic(b)).mean())
            assert difference[1:] == pytest.approx(tuple(interval))

    def test_default_statistic_is_the_worst_class(self):
        a, b = [[0.5, 0.9], [0.8, 0.6]], [[0.4, 0.3], [0.9, 0.4]]
        assert paired_difference(a, b).value == pytest.approx(0.2)

    def test_pairing_removes_what_seeds_share(self):
        shared = np.random.default_rng(6).uniform(0.2, 0.8, (20, 1))
        a, b = shared + [0.1, 0.15], shared + [0.0, 0.05]
        assert paired_difference(a, b) == pytest.approx((0.1, 0.1, 0.1))

    def test_one_seed(self):
        difference = paired_difference([[0.5, 0.7]], [[0.4, 0.7]])
        assert difference.value == pytest.approx(0.1)
        assert np.isnan(difference[1:]).all()

    def test_bad_values(self):
        with pytest.raises(ValueError, match=r"shapes \(2, 1\) and \(1, 1\): pair by seed"):
            paired_difference([[0.5], [0.6]], [[0.5]])
        with pytest.raises(ValueError, match=r"statistic gives shape \(\): expected \(2,\)"):
            paired_difference([[0.5], [0.6]], [[0.5], [0.4]], np.mean)


class TestAdjustedAverage:
    def test_is_the_accuracy_where_groups_are_as_frequent_as_in_training(self):
        # Waterbirds: a test sample of group g stands for n_g / m_g training samples.
        train, test = [3498, 184, 56, 1057], [2255, 2255, 642, 642]
        rng = np.random.default_rng(0)
        right = [rng.random(size) < 0.9 - 0.2 * g for g, size in enumerate(test)]
        stands_for = np.repeat(np.array(train) / test, test)
        expected = np.average(np.concatenate(right), weights=stands_for)
        recalls = [hits.mean() for hits in right]
        assert adjusted_average(recalls, train) == pytest.approx(expected)

    def test_rows_are_seeds(self):
        averages = adjusted_average([[1, 0], [0.5, 0.5], [0, 1]], [3, 1])
        assert averages == pytest.approx([0.75, 0.5, 0.25])

    def test_group_without_test_samples(self):
        assert np.isnan(adjusted_average([0.5, np.nan], [3, 1]))

    @pytest.mark.parametrize(
        ("sizes", "message"),
        [
            ([0, 0], r"_sizes sum to 0\.0: they must be counts, not all of them 0"),
            ([-1, 2], r"_sizes\[0\] is -1\.0: it must be finite and not negative"),
            ([1, np.nan], r"_sizes\[1\] is nan: it must be finite"),
            ([np.inf, 1], r"_sizes\[0\] is inf: it must be finite"),
        ],
    )
    def test_bad_sizes(self, sizes, message):
        with pytest.raises(ValueError, match=message):
            adjusted_average([0.5, 0.5], sizes)

    def test_other_number_of_sizes(self):
        with pytest.raises(ValueError, match=r"sizes have shape \(3,\): expected \(2,\)"):
            adjusted_average([[0.5, 0.5]], [1, 2, 3])

    def test_bad_recalls(self):
        with pytest.raises(ValueError, match=r"recalls\[0\] is 1\.5"):
            adjusted_average([1.5, 0.5], [1, 2])
