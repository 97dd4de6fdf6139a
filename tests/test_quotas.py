"""Quotas against the printed Algorithm 1, brute force, hand-computed cases and properties."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given, strategies as st

from dropkit._common.rounding import budget
from dropkit.quotas import (
    at_least,
    class_counts,
    drop_densities,
    strategy_densities,
    variance_densities,
)


def algorithm_1(sizes, recalls, density, cap=200):
    """Algorithm 1 as the paper prints it; None where it divides by zero or does not end."""
    sizes, recalls = [float(n) for n in sizes], [float(r) for r in recalls]
    unsaturated = list(range(len(sizes)))
    excess = density * sum(sizes)
    densities = [0.0] * len(sizes)
    for _ in range(cap):
        if not excess > 0:
            return np.array(densities)
        z = sum(sizes[k] * (1 - recalls[k]) for k in unsaturated) / excess
        for k in list(unsaturated):
            if z == 0:
                return None
            step = (1 - recalls[k]) / z
            densities[k] += step
            excess -= sizes[k] * step
            if densities[k] > 1:
                unsaturated.remove(k)
                excess += sizes[k] * (densities[k] - 1)
                densities[k] = 1.0
    return None


# Recalls on a grid of 1/64, so that 1 - r and its halves are exact; ends of the range included.
grid = st.integers(0, 64).map(lambda i: i / 64)
fractions = st.floats(1e-6, 1)


@st.composite
def instances(draw, recall=grid):
    count = draw(st.integers(1, 12))
    sizes = draw(st.lists(st.integers(0, 5000), min_size=count, max_size=count))
    recalls = draw(st.lists(recall, min_size=count, max_size=count))
    assume(sum(sizes) > 0)
    return np.array(sizes, dtype=float), np.array(recalls)


class TestDropDensities:
    @pytest.mark.parametrize(
        ("sizes", "recalls", "density", "expected"),
        [
            ([100, 100], [0.9, 0.7], 0.4, [0.2, 0.6]),  # proportional to (.1, .3)
            ([100, 100], [0.9, 0.5], 0.75, [0.5, 1.0]),  # the second class fills up
            ([100, 50], [0.5, 0.0], 0.5, [3 / 8, 3 / 4]),  # 100λ/2 + 50λ = 75
            ([10, 20, 30], [0.5, 0.5, 0.5], 0.3, [0.3, 0.3, 0.3]),  # equal recalls
            ([10], [0.2], 0.7, [0.7]),  # one class
            ([10], [1.0], 0.7, [0.7]),  # one class, never wrong
            ([10, 30], [1.0, 1.0], 0.25, [0.25, 0.25]),  # all perfect: uniform
            ([10, 10], [1.0, 0.5], 0.25, [0.0, 0.5]),  # perfect: nothing ...
            ([10, 10, 20], [1.0, 0.5, 1.0], 0.5, [1 / 3, 1.0, 1 / 3]),  # ... but what remains
            ([10, 10], [0.3, 0.4], 0.0, [0.0, 0.0]),
            ([10, 0, 7], [0.3, 1.0, 1.0], 1.0, [1.0, 1.0, 1.0]),
            ([0, 10], [0.5, 0.5], 0.5, [0.5, 0.5]),  # empty class: min(1, λw)
            ([0, 10], [0.0, 0.75], 0.5, [1.0, 0.5]),
            ([0, 10], [0.75, 1.0], 0.5, [1.0, 0.5]),  # all weight on an empty class
        ],
    )
    def test_hand_computed(self, sizes, recalls, density, expected):
        np.testing.assert_allclose(
            drop_densities(sizes, recalls, density), expected, rtol=1e-14, atol=1e-15
        )

    def test_density_one_is_exact(self):
        densities = drop_densities([5.1, 7.5, 9.5, 0.4, 1.5], [0.875, 1.0, 0.25, 1.0, 0.875], 1)
        np.testing.assert_array_equal(densities, np.ones(5))

    def test_equals_algorithm_1_wherever_it_ends(self):
        rng = np.random.default_rng(7)
        ended = 0
        for _ in range(1500):
            count = rng.integers(2, 40)
            sizes = rng.integers(1, 1000, count)
            recalls, density = rng.random(count), rng.uniform(0.05, 0.95)
            literal = algorithm_1(sizes, recalls, density)
            if literal is not None:
                ended += 1
                np.testing.assert_allclose(
                    drop_densities(sizes, recalls, density), literal, rtol=0, atol=1e-12
                )
        assert ended > 900

    @given(instances(), st.integers(0, 64).map(lambda i: i / 64))
    def test_equals_algorithm_1_on_edge_cases(self, instance, density):
        literal = algorithm_1(*instance, density)
        assume(literal is not None)
        np.testing.assert_allclose(drop_densities(*instance, density), literal, rtol=0, atol=1e-11)

    @given(instances(st.floats(0, 1)), fractions, st.sampled_from(["densities", "counts"]))
    @example((np.array([10.0, 0.0]), np.array([0.5, 1.0])), 1 - 2**-53, "densities")
    @example((np.array([1e15, 3.0]), np.array([0.5, 0.1])), 0.3, "densities")
    @example(  # rounding alone gives the first class 1 + 2e-16
        (np.array([3.4, 3.5, 1.5, 6.7]), np.array([0.5, 0.25, 0.0, 0.25])),
        0.9999999999999999,
        "densities",
    )
    @example(  # and perfect classes -2e-16
        (
            np.array([2.2, 2.1, 1.6, 9.4, 6.6, 3.5, 6.8, 7.3]),
            np.array([1.0, 0.375, 0.75, 0.75, 1.0, 0.75, 1.0, 0.75]),
        ),
        0.6050632911392405,
        "densities",
    )
    def test_total_is_met_and_no_class_exceeds_one(self, instance, density, rule):
        sizes, recalls = instance
        densities = drop_densities(sizes, recalls, density, rule=rule)
        assert ((densities >= 0) & (densities <= 1)).all()
        assert math.isclose(sizes @ densities, density * sizes.sum(), rel_tol=1e-9)

    @given(instances(), fractions)
    def test_proportional_to_the_error_where_unsaturated(self, instance, density):
        sizes, recalls = instance
        densities, weights = drop_densities(sizes, recalls, density), 1 - recalls
        some = (densities < 1) & (weights > 0)
        if some.any():
            slope = densities[some] / weights[some]
            assert slope.max() <= slope.min() * (1 + 1e-12)
            full = (densities == 1) & (weights > 0)
            assert (slope.max() * weights[full] >= 1 - 1e-12).all()
            assert (densities[weights == 0] <= 1e-12).all()

    @given(instances(), fractions, fractions)
    def test_monotone_in_density(self, instance, one, other):
        low, high = sorted((one, other))
        less, more = drop_densities(*instance, low), drop_densities(*instance, high)
        assert (less <= more + 1e-12).all()

    @given(instances(), fractions, st.floats(1e-3, 1e6), st.integers(1, 20))
    def test_free_of_the_scale_of_sizes_and_errors(self, instance, density, factor, halvings):
        sizes, recalls = instance
        base = drop_densities(sizes, recalls, density)
        scaled = drop_densities(sizes * factor, recalls, density)
        np.testing.assert_allclose(scaled, base, rtol=1e-10, atol=1e-13)
        milder = 1 - (1 - recalls) / 2.0**halvings
        np.testing.assert_allclose(
            drop_densities(sizes, milder, density), base, rtol=1e-10, atol=1e-13
        )

    @given(instances(), fractions, st.randoms(use_true_random=False))
    def test_permutation_equivariant(self, instance, density, random):
        sizes, recalls = instance
        order = random.sample(range(sizes.size), sizes.size)
        np.testing.assert_allclose(
            drop_densities(sizes[order], recalls[order], density),
            drop_densities(sizes, recalls, density)[order],
            rtol=1e-12,
            atol=1e-14,
        )

    @given(instances(), fractions)
    def test_equal_classes_get_equal_densities_to_the_last_bit(self, instance, density):
        sizes, recalls = np.tile(instance, 2)
        first, second = np.split(drop_densities(sizes, recalls, density), 2)
        np.testing.assert_array_equal(first, second)

    @given(instances(), fractions)
    def test_counts_rule_makes_counts_proportional_to_the_error(self, instance, density):
        sizes, recalls = instance
        counts = sizes * drop_densities(sizes, recalls, density, rule="counts")
        weights = 1 - recalls
        some = (counts < sizes * (1 - 1e-9)) & (weights > 0)
        if some.any():
            slope = counts[some] / weights[some]
            assert slope.max() <= slope.min() * (1 + 1e-9)

    def test_rules_agree_on_balanced_classes_and_differ_under_a_long_tail(self):
        recalls = [0.9, 0.7, 0.2]
        balanced = [drop_densities([50] * 3, recalls, 0.3, rule=r) for r in ("densities", "counts")]
        np.testing.assert_allclose(*balanced, rtol=1e-14)
        # of 20 samples, densities as 1 : 2 are (1/6, 1/3); counts as 1 : 2 are (20/3, 40/3)
        tail = drop_densities([80, 20], [0.8, 0.6], 0.2, rule="densities")
        np.testing.assert_allclose(tail, [1 / 6, 1 / 3], rtol=1e-14)
        tail = drop_densities([80, 20], [0.8, 0.6], 0.2, rule="counts")
        np.testing.assert_allclose(tail, [1 / 12, 2 / 3], rtol=1e-14)

    def test_laplace_smoothing_keeps_a_perfect_class(self):
        # (0 + 1) / (8 + 2) = .1 and (4 + 1) / (8 + 2) = .5
        densities = drop_densities([60, 60], [1.0, 0.5], 0.3, 1.0, [8, 8])
        np.testing.assert_allclose(densities, [0.1, 0.5], rtol=1e-14)

    def test_smoothing_takes_class_sizes_for_validation_sizes(self):
        default = drop_densities([8, 18], [1.0, 0.5], 0.3, smoothing=1)
        explicit = drop_densities([8, 18], [1.0, 0.5], 0.3, smoothing=1, val_sizes=[8, 18])
        np.testing.assert_array_equal(default, explicit)
        # weights 1/10 and 10/20: 8λ/10 + 18λ/2 = 7.8, λ = 7.8 / 9.8
        np.testing.assert_allclose(default, np.array([0.1, 0.5]) * 7.8 / 9.8, rtol=1e-14)

    def test_class_without_validation_samples_gets_the_prior(self):
        for recall in (np.nan, 0.9):
            densities = drop_densities([10, 10], [recall, 0.5], 0.5, 2.0, [0, 6])
            np.testing.assert_allclose(densities, [0.5, 0.5], rtol=1e-14)

    @pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
    def test_weights_of_any_size(self, scale):
        densities = variance_densities([100, 100], [scale, 2 * scale], 0.3)
        np.testing.assert_allclose(densities, [0.2, 0.4], rtol=1e-12)

    def test_weights_far_apart(self):
        densities = variance_densities([10, 10, 20], [1e300, 1e-300, 4e-300], 0.5)
        np.testing.assert_allclose(densities, [1.0, 0.2, 0.4], rtol=1e-12)
        almost = np.nextafter(1.0, 0.0)
        densities = drop_densities([10, 10, 10], [0.0, almost, 1.0], 0.5)
        np.testing.assert_allclose(densities, [1.0, 0.5, 0.0], rtol=1e-12)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (([10, 10], [0.5, 0.5], 1.5), r"density is 1\.5: it must lie in \[0, 1\]"),
            (([10, 10], [0.5, 0.5], math.nan), r"density is nan"),
            (([10, 10], [0.5, 1.2], 0.5), r"recalls\[1\] is 1\.2: it must lie in \[0, 1\]"),
            (([10, 10], [-0.1, 0.2], 0.5), r"recalls\[0\] is -0\.1"),
            (([10, 10], [0.5, math.nan], 0.5), r"recalls\[1\] is nan"),
            (([10, 10], [0.5, math.nan], 0.5, 1.0), r"recalls\[1\] is nan"),
            (([10, 10], [0.5], 0.5), r"recalls have shape \(1,\): expected \(2,\)"),
            (([10, -3], [0.5, 0.5], 0.5), r"class_sizes\[1\] is -3\.0: .* not negative"),
            (([0, 0], [0.5, 0.5], 0.5), r"class_sizes sum to 0\.0"),
            (([], [], 0.5), r"class_sizes sum to 0\.0"),
            (([[10]], [0.5], 0.5), r"class_sizes have shape \(1, 1\): expected \(K,\)"),
            (([10, math.inf], [0.5, 0.5], 0.5), r"class_sizes\[1\] is inf"),
            (([10, 10], [0.5, 0.5], 0.5, -1.0), r"smoothing is -1\.0"),
            (([10, 10], [0.5, 0.5], 0.5, 0.0, [5, 0]), r"class 1 has no validation samples"),
            (([10, 10], [0.5, 0.5], 0.5, 1.0, [5]), r"val_sizes have shape \(1,\)"),
            (([10, 10], [0.5, 0.5], 0.5, 1.0, [5, -2]), r"val_sizes\[1\] is -2\.0"),
        ],
    )
    def test_bad_values(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            drop_densities(*arguments)

    def test_bad_types_and_rule(self):
        with pytest.raises(TypeError, match="density is '0.3': it must be a number"):
            drop_densities([10], [0.5], "0.3")
        with pytest.raises(TypeError, match="recalls must be an array of numbers"):
            drop_densities([10], ["high"], 0.3)
        with pytest.raises(ValueError, match="rule is .count.: it must be one of densities,"):
            drop_densities([10], [0.5], 0.3, rule="count")


class TestVarianceDensities:
    def test_equation_5_for_two_classes(self):
        # d0 N0 σ1 = d1 N1 σ0
        sizes, (sigma0, sigma1) = np.array([300, 500]), (0.5, 1.0)
        d0, d1 = variance_densities(sizes, [sigma0, sigma1], 0.4)
        assert math.isclose(d0 * 300 * sigma1, d1 * 500 * sigma0, rel_tol=1e-12)
        assert math.isclose(d0 * 300 + d1 * 500, 320, rel_tol=1e-12)

    def test_excess_of_a_full_class_goes_to_the_others_by_sigma(self):
        # 120 samples as 1 : 2 : 5 would be 15, 30, 75; the last has 60, so 60 as 1 : 2
        densities = variance_densities([100, 100, 60], [1, 2, 5], 120 / 260)
        np.testing.assert_allclose(densities, [0.2, 0.4, 1.0], rtol=1e-12)

    def test_zero_sigma_and_empty_class(self):
        np.testing.assert_allclose(variance_densities([10, 10, 0], [0, 1, 1], 0.4), [0, 0.8, 0])
        np.testing.assert_allclose(variance_densities([10, 30], [0, 0], 0.4), [0.4, 0.4])

    def test_bad_sigma(self):
        with pytest.raises(ValueError, match=r"sigmas\[1\] is -1\.0"):
            variance_densities([10, 10], [1, -1], 0.5)


class TestStrategyDensities:
    def test_hand_computed(self):
        labels, scores = [0, 0, 0, 0, 2, 2], [9, 1, 8, 0, 7, 6]
        np.testing.assert_array_equal(strategy_densities(labels, scores, 0.5), [0.5, 0, 0.5])

    def test_ties_go_to_the_lower_index(self):
        np.testing.assert_array_equal(strategy_densities([1, 0, 1, 0], [1] * 4, 0.25), [0, 0.5])

    @given(
        st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=1, max_size=40),
        st.integers(0, 20).map(lambda i: i / 20),
    )
    def test_definition(self, samples, density):
        kept = sorted(range(len(samples)), key=lambda i: (-samples[i][1], i))
        kept = kept[: math.floor(Fraction(str(density)) * len(samples) + Fraction(1, 2))]
        labels, scores = zip(*samples, strict=True)
        expected = [
            sum(labels[i] == k for i in kept) / max(1, labels.count(k))
            for k in range(max(labels) + 1)
        ]
        np.testing.assert_allclose(strategy_densities(labels, scores, density), expected)

    def test_infinite_scores_rank(self):
        densities = strategy_densities([0, 1, 1], [-math.inf, math.inf, 0], 1 / 3)
        np.testing.assert_array_equal(densities, [0, 0.5])

    def test_bad_values(self):
        with pytest.raises(ValueError, match=r"scores\[1\] is nan"):
            strategy_densities([0, 1], [1, math.nan], 0.5)
        with pytest.raises(ValueError, match=r"scores have shape \(3,\): expected \(2,\)"):
            strategy_densities([0, 1], [1, 2, 3], 0.5)


def best_counts(sizes, quotas_, total):
    """Counts closest to the quotas in squares, by enumeration; ties serve lower classes first."""
    feasible = [
        counts
        for counts in itertools.product(*(range(n, -1, -1) for n in sizes))
        if sum(counts) == total
    ]
    return min(feasible, key=lambda c: sum((n - q) ** 2 for n, q in zip(c, quotas_, strict=True)))


class TestClassCounts:
    @given(
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 20)), min_size=1, max_size=4),
        st.data(),
    )
    def test_brute_force(self, classes, data):
        sizes = [n for n, _ in classes]
        assume(sum(sizes) > 0)
        exact = [n * Fraction(i, 20) for n, i in classes]
        lowest, highest = math.floor(sum(exact)), math.ceil(sum(exact))
        half_up = math.floor(sum(exact) + Fraction(1, 2))
        total = data.draw(st.sampled_from([None, lowest, highest]))
        counts = class_counts(sizes, [i / 20 for _, i in classes], total)
        expected = best_counts(sizes, exact, half_up if total is None else total)
        np.testing.assert_array_equal(counts, expected)

    @given(instances(st.floats(0, 1)), fractions)
    def test_reaches_the_budget_within_the_caps(self, instance, density):
        sizes, recalls = instance
        densities = drop_densities(sizes, recalls, density)
        counts = class_counts(sizes, densities, total=budget(int(sizes.sum()), density))
        assert counts.dtype == np.int64
        assert abs(counts.sum() - density * sizes.sum()) <= 0.5 + 1e-6
        assert ((counts >= 0) & (counts <= sizes)).all()
        assert (abs(counts - sizes * densities) < 1 + 1e-6).all()

    def test_ties_serve_the_lower_class_first(self):
        np.testing.assert_array_equal(class_counts([10] * 4, [0.35] * 4), [4, 4, 3, 3])
        # .1 of 10,000,001 and of 1 both leave a tenth, but for float noise
        np.testing.assert_array_equal(
            class_counts([1, 10_000_001], [0.1, 0.1], 1_000_001), [1, 10**6]
        )

    def test_full_class_is_passed_over_for_the_smallest_remainder(self):
        np.testing.assert_array_equal(class_counts([1, 1], [1.0, 1e-10], 2), [1, 1])

    def test_halves_round_up_free_of_float_noise(self):
        assert 0.145 * 100 < 14.5
        assert [budget(100, 0.145), budget(10, 0.25), budget(10, 0.35), budget(10, 0.34)] == [
            15,
            3,
            4,
            3,
        ]
        np.testing.assert_array_equal(class_counts([100], [0.145]), [15])

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (([10, 10], [0.5, 1.1]), r"densities\[1\] is 1\.1"),
            (([10, 10], [0.5]), r"densities have shape \(1,\)"),
            (([10, 2.5], [0.5, 0.5]), r"class_sizes\[1\] is 2\.5: it must be a whole number"),
            (([10, 10], [0.5, 0.5], 13), r"total is 13 but the densities ask for 10 samples"),
            (([10, 10], [0.5, 0.5], 9), r"total is 9 but"),
            (([10, 10], [0.5, 0.5], 11), r"total is 11 but"),
            (([10, 10], [0.5, math.nan]), r"densities\[1\] is nan"),
        ],
    )
    def test_bad_values(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            class_counts(*arguments)

    def test_bad_total(self):
        with pytest.raises(TypeError, match=r"total is 3\.5"):
            class_counts([10], [0.35], 3.5)


@st.composite
def counted(draw):
    sizes = draw(st.lists(st.integers(0, 8), min_size=1, max_size=4))
    counts = [draw(st.integers(0, size)) for size in sizes]
    return counts, sizes, draw(st.integers(0, 4))


class TestAtLeast:
    @given(counted())
    def test_no_vector_with_the_minimum_and_the_sum_is_nearer(self, instance):
        counts, sizes, minimum = instance
        floor = [min(minimum, size) for size in sizes]
        if sum(floor) > sum(counts):
            with pytest.raises(ValueError, match=f"at least {minimum} samples of each class"):
                at_least(counts, sizes, minimum)
            return
        result = at_least(counts, sizes, minimum)

        def moved(vector):
            return sum(abs(a - b) for a, b in zip(vector, counts, strict=True))

        choices = itertools.product(
            *(range(low, n + 1) for low, n in zip(floor, sizes, strict=True))
        )
        feasible = [each for each in choices if sum(each) == sum(counts)]
        assert tuple(result) in feasible
        assert moved(result) == min(map(moved, feasible))

    def test_the_others_give_in_proportion_to_what_they_have_above_it(self):
        assert at_least([0, 21, 41], [50, 50, 50], minimum=6).tolist() == [6, 19, 37]

    def test_negative_minimum(self):
        with pytest.raises(ValueError, match="minimum is -1"):
            at_least([1], [1], -1)
