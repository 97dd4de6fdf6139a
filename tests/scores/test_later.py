"""Scores of later work against their definitions, sample by sample."""

import math
import statistics

import numpy as np
import pytest

from dropkit import scores
from dropkit.scores import SCORES, QueryRecord, later

RNG = np.random.default_rng(3)
PROBS = RNG.random((40, 6))


def test_aum_is_the_negated_sum_of_margins():
    found = scores.aum([[0.5, -1.0, 0.25], [0.25, -0.5, 0.0]])
    assert found.tolist() == [-0.75, 1.5, -0.25]
    assert SCORES["aum"](QueryRecord(margins=np.eye(3))).tolist() == [-1, -1, -1]


def by_hand(history, window):
    """Ten times this is the score as released: the same order."""
    parts = [history[e : e + window] for e in range(len(history) - window + 1)]
    return statistics.mean(statistics.stdev(p) * (1 - statistics.mean(p)) for p in parts)


@pytest.mark.parametrize("window", [2, 10, 40])
def test_dual_by_definition(window):
    expected = [by_hand(history, window) for history in PROBS.T.tolist()]
    np.testing.assert_allclose(scores.dual(PROBS, window), expected, rtol=1e-12)


@pytest.mark.parametrize(("epochs", "read"), [(200, 30), (60, 20), (12, 12), (160, 24)])
def test_dual_reads_the_first_epochs(epochs, read):
    probs = RNG.random((epochs, 5))
    query = QueryRecord(target_probs=probs)
    expected = [by_hand(history, 10) for history in probs[:read].T.tolist()]
    np.testing.assert_allclose(SCORES["dual"](query), expected, rtol=1e-12)
    np.testing.assert_allclose(SCORES["meanprob"](query), probs[:read].mean(axis=0))


def test_dual_of_a_run_shorter_than_its_window():
    query = QueryRecord(target_probs=PROBS[:4])
    np.testing.assert_allclose(SCORES["dual"](query)[0], by_hand(PROBS[:4, 0].tolist(), 4))


def test_prototypes_are_medians_of_the_class():
    features, labels = RNG.normal(size=(15, 3)), np.arange(15) % 2
    for i, score in enumerate(scores.supervised_prototypes(features, labels)):
        own = [features[j] for j in range(15) if labels[j] == labels[i]]
        centre = [statistics.median(column) for column in zip(*own, strict=True)]
        assert score == pytest.approx(math.dist(features[i], centre))
    query = QueryRecord(features=features, labels=labels)
    np.testing.assert_array_equal(
        SCORES["supproto"](query), later.supervised_prototypes(features, labels)
    )


def test_they_refuse():
    with pytest.raises(ValueError, match=r"margins\[0, 1\] is nan: it must be finite"):
        scores.aum([[1.0, np.nan]])
    with pytest.raises(ValueError, match="window is 10 and the history has 4 epochs"):
        scores.dual(PROBS[:4])
    with pytest.raises(ValueError, match="'aum' needs margins: its query did not record it"):
        SCORES["aum"](QueryRecord(target_probs=PROBS))
    with pytest.raises(ValueError, match=r"labels have shape \(2,\): expected \(3,\)"):
        scores.supervised_prototypes(np.zeros((3, 2)), [0, 1])


def test_kmeans_prototypes_of_clusters_far_apart():
    """Each sample's distance to the mean of its own cluster, whatever its label."""
    noise, number = RNG.normal(size=(60, 3)), np.arange(60) % 4
    features = 100 * np.eye(4, 3)[number] + noise
    centres = [features[number == k].mean(axis=0) for k in range(4)]
    expected = [math.dist(x, centres[k]) for x, k in zip(features, number, strict=True)]
    np.testing.assert_allclose(scores.kmeans_prototypes(features, 4), expected, rtol=1e-6)
    record = QueryRecord(features=features, labels=RNG.permutation(number))
    np.testing.assert_allclose(SCORES["selfproto"](record), expected, rtol=1e-6)


@pytest.mark.parametrize("clusters", [0, 6])
def test_kmeans_needs_as_many_samples_as_clusters(clusters):
    with pytest.raises(ValueError, match=f"clusters is {clusters}: it must be in 1..5"):
        scores.kmeans_prototypes(np.eye(5), clusters)
