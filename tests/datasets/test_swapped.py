"""Swapped labels: sizes stay, the test is clean, so many of one class are wrong."""

import numpy as np
import pytest

from dropkit.datasets import load
from dropkit.datasets.swapped import swapped

CLEAN = load("digits-2x4", 3)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_so_many_labels_of_one_class_are_wrong(share):
    data = swapped("digits-2x4", 3, share)(3, None).sound()
    of_class = CLEAN.y == 3
    for split in ("train", "val", "test"):
        np.testing.assert_array_equal(data.x[getattr(data, split)], CLEAN.x[getattr(CLEAN, split)])
    np.testing.assert_array_equal(data.y[data.test], CLEAN.y[CLEAN.test])
    now = np.concatenate([data.y[data.train], data.y[data.val]])
    before = np.concatenate([CLEAN.y[CLEAN.train], CLEAN.y[CLEAN.val]])
    was = before == 3
    wrong = (now != before)[was].mean()
    assert wrong == pytest.approx(min(share, (CLEAN.y != 3).sum() / of_class.sum()), abs=0.1)


def test_the_pool_is_the_same_for_every_seed_and_its_sizes_are_those_without_noise():
    loader = swapped("digits-2x4", 0, 0.4)
    first, second = loader(0, None), loader(1, None)
    assert first.x is second.x and first.y is second.y
    base = len(CLEAN.y)
    copies = first.y[base:]
    assert (copies == 0).sum() * 2 == copies.size == 2 * round(0.4 * (CLEAN.y == 0).sum())


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        (("digits-2x4", 3, 1.5), "share is 1.5: it must lie in"),
        (("digits-2x4", 10, 0.1), "label is 10 of digits-2x4: it must be one of its 10"),
        (("digits-on-photos", 0, 0.1), "must have no groups"),
    ],
)
def test_what_cannot_be_swapped(settings, wrong):
    with pytest.raises(ValueError, match=wrong):
        swapped(*settings)(0, None)
