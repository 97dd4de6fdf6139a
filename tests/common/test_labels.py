"""Classes by name, minimum counts against brute force, and what is said about unfit labels."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dropkit._common.class_table import class_table, encode
from dropkit.pruning import prune
from dropkit.quotas import at_least


class TestEncode:
    @pytest.mark.parametrize(
        "labels, classes, codes",
        [
            ([3, -1, 3, 7], [-1, 3, 7], [1, 0, 1, 2]),
            (["b", "a", "b"], ["a", "b"], [1, 0, 1]),
            ([True, False], [False, True], [1, 0]),
            (np.array(["x", "é"], dtype=object), ["x", "é"], [0, 1]),
        ],
    )
    def test_sorted_classes_and_their_indices(self, labels, classes, codes):
        found, indices = encode(labels)
        assert found.tolist() == classes
        assert indices.tolist() == codes

    @pytest.mark.parametrize(
        "labels, message",
        [
            ([], r"shape \(0,\): expected \(n,\) with n ≥ 1"),
            ([[1, 2]], r"shape \(1, 2\)"),
            ([1.0, np.nan], r"labels\[1\] is nan"),
            (np.array(["a", None], dtype=object), r"labels\[1\] is None"),
            (np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"), r"labels\[1\] is NaT"),
            (np.array(["a", 1], dtype=object), "labels mix int and str: use one type"),
        ],
    )
    def test_unfit_labels(self, labels, message):
        with pytest.raises(ValueError, match=message):
            encode(labels)


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

    def test_prune_holds_it(self):
        labels = np.repeat([0, 1, 2], [10, 10, 2])
        kept = prune("random+drop", labels, 0.5, recalls=[1, 0, 1], minimum=3)
        assert np.bincount(labels[kept]).tolist() == [3, 6, 2]


class TestClassTable:
    def test_literal_rule_by_hand(self):
        table = class_table(list("ab"), [100, 100], [0.9, 0.7], 0.4, smoothing=0)
        assert table.counts.tolist() == [20, 60]
        assert table.densities == pytest.approx([0.2, 0.6])

    def test_classes_under_the_minimum_are_named(self):
        names = list("abcdefg")
        perfect = [1.0] * 6 + [0.5]
        with pytest.warns(UserWarning, match=r"classes a, b, c, d, e, \.\.\. \(6 in all\) would"):
            class_table(names, [10] * 7, perfect, 0.1, smoothing=0)
        with pytest.raises(ValueError, match=r"fewer than the minimum of 2 at density 0.1"):
            class_table(names, [10] * 7, perfect, 0.1, smoothing=0, minimum=2, below="raise")

    def test_small_and_empty_classes_need_only_keep_what_they_have(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            class_table(list("abc"), [100, 2, 0], [0.5, 0.0, 0.5], 0.9, minimum=5)

    def test_unknown_choice(self):
        with pytest.raises(ValueError, match="below is 'ignore': it must be"):
            class_table(list("ab"), [1, 1], [0, 0], 1, below="ignore")
