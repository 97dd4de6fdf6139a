"""Chunked pruning against `prune`, which has all labels in memory."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st

from dropkit._common.rounding import budget
from dropkit.commands import _chunks
from dropkit.metrics import class_recalls
from dropkit.pruning import prune
from dropkit.quotas import class_counts, drop_densities


@pytest.fixture(scope="module", autouse=True)
def small_chunks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_chunks, "CHUNK", 7)
        yield


def test_spans_cover_each_label_once():
    parts = list(_chunks.spans(16))
    assert [(part.start, part.stop) for part in parts] == [(0, 7), (7, 14), (14, 16)]


@given(st.lists(st.integers(-3, 9), min_size=1, max_size=40))
def test_classes_sizes_and_codes(labels):
    labels = np.array(labels)
    classes, sizes = _chunks.classes_of(labels)
    assert dict(zip(classes.tolist(), sizes.tolist(), strict=True)) == Counter(labels.tolist())
    assert classes.tolist() == sorted(classes.tolist())
    encode = _chunks.encoder(classes)
    assert (classes[encode(labels)] == labels).all()


@given(st.integers(1, 200), st.integers(1, 6), st.floats(0.01, 1), st.integers(0, 2**32))
def test_same_indices_as_in_memory(n, num_classes, density, seed):
    assume(budget(n, density) > 0)
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, n)
    recalls = rng.integers(0, 3, num_classes) / 2  # ties, and classes that keep all or nothing
    sizes = np.bincount(labels, minlength=num_classes)
    densities = drop_densities(sizes, recalls, density)
    counts = class_counts(sizes, densities, total=budget(n, density))
    encode = _chunks.encoder(np.arange(num_classes))
    parts = _chunks.kept_at_random(labels, encode, sizes, counts, seed)
    expected = prune("random+drop", labels, density, recalls=recalls, seed=seed)
    assert np.concatenate(list(parts)).tolist() == expected.tolist()


def test_a_cut_outside_the_expected_range_is_searched_further(monkeypatch):
    labels = np.repeat([0, 1], 20_000)
    monkeypatch.setattr(_chunks, "CHUNK", 1024)
    searched = []
    near = _chunks._near_the_cut

    def counted(labels, encode, low, high, *rest):
        searched.append(high - low)
        # As if the keys were so unevenly drawn that the cut is missed at first.
        shift = 0.3 if len(searched) < 3 else 0
        return near(labels, encode, low + shift, high + shift, *rest)

    monkeypatch.setattr(_chunks, "_near_the_cut", counted)
    parts = _chunks.kept_at_random(
        labels, _chunks.encoder(np.arange(2)), np.array([20_000] * 2), np.array([2_000, 8_000]), 0
    )
    expected = prune("random+drop", labels, 0.25, recalls=[0.9, 0.6])
    assert np.concatenate(list(parts)).tolist() == expected.tolist()
    assert [round(float(each.max() / searched[0].max())) for each in searched] == [1, 4, 16]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_recalls_are_those_in_memory(pairs):
    labels, predictions = np.array(pairs).T
    recalls, sizes = _chunks.recalls_of(
        labels, predictions, labels, _chunks.encoder(np.arange(4)), 4
    )
    np.testing.assert_array_equal(recalls, class_recalls(labels, predictions, 4))
    assert sizes.sum() == len(pairs)


def test_text_labels():
    labels = np.array(["ox", "bee", "ox"])
    classes, sizes = _chunks.classes_of(labels)
    assert classes.tolist() == ["bee", "ox"] and sizes.tolist() == [1, 2]
    encode = _chunks.encoder(classes)
    assert encode(labels).tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match="val hold cow, which is no class of the data"):
        _chunks.encoder(np.array(["bee", "ox"]), "val")(np.array(["ox", "cow"]))


@pytest.mark.parametrize(
    "labels, message",
    [
        (np.r_[np.zeros(9), np.nan], r"labels\[9\] is nan"),
        (np.array([1, 2.5]), "2.5 is among the labels: expected whole numbers or text"),
    ],
)
def test_unfit_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        _chunks.classes_of(labels)
