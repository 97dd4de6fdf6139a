"""Long tails against Cui et al.'s formula, and what must not change."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dropkit.datasets import load, load_imbalanced
from dropkit.datasets.long_tail import long_tail, tail_sizes


def test_cifar_100_long_tail_as_published():
    """Cui et al. (2019): CIFAR-100 with factor 100 keeps 500 down to 5 images a class."""
    sizes = tail_sizes(500, 100, 100)
    assert (sizes[0], sizes[-1]) == (500, 5)
    mu = 100 ** (-1 / 99)
    assert sizes.tolist() == [int(500 * mu**k + 1e-9) for k in range(100)]


@given(st.integers(20, 5000), st.integers(2, 50), st.floats(1, 20))
def test_sizes_fall_from_the_largest_to_its_share(largest, num_classes, factor):
    sizes = tail_sizes(largest, num_classes, factor)
    assert sizes[0] == largest
    assert sizes[-1] == pytest.approx(largest / factor, abs=1)
    assert (np.diff(sizes) <= 0).all()


def test_one_class_keeps_its_size():
    assert tail_sizes(10, 1, 5).tolist() == [10]


@pytest.mark.parametrize("factor", [0.5, 0, -1, float("nan")])
def test_factor_below_one(factor):
    with pytest.raises(ValueError, match=f"must be at least 1, got {factor}"):
        tail_sizes(10, 3, factor)


def test_factor_that_empties_a_class():
    with pytest.raises(ValueError, match="factor of 100 empties the smallest class: with 87"):
        long_tail(load("digits-2x4"), 100, seed=0)


def test_long_tail_of_the_digits():
    data = load("digits-2x4", seed=3)
    tail = long_tail(data, 5, seed=3)
    smallest = np.bincount(data.y[data.train]).min()
    sizes = np.bincount(tail.y[tail.train])
    expected = tail_sizes(smallest, 10, 5)
    assert sorted(sizes, reverse=True) == expected.tolist()
    assert set(tail.train) <= set(data.train)
    np.testing.assert_array_equal(tail.val, data.val)
    np.testing.assert_array_equal(tail.test, data.test)


def test_seeds_order_the_classes_and_every_order_has_one_total():
    tails = [load_imbalanced("digits-2x4", seed, 5) for seed in range(8)]
    orders = {tuple(np.argsort(-np.bincount(t.y[t.train]), kind="stable")) for t in tails}
    assert len(orders) > 1
    assert len({len(t.train) for t in tails}) == 1


def test_factor_one_changes_nothing():
    data = load("digits-2x4")
    assert long_tail(data, 1, seed=0) is data
