"""Scores against their definitions, and the registry."""

import math
import statistics
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from dropkit import scores
from dropkit.scores import SCORES


def softmax(seed: int, *shape: int) -> np.ndarray:
    raw = np.exp(3 * np.random.default_rng(seed).normal(size=shape))
    return raw / raw.sum(axis=-1, keepdims=True)


# EL2N


def test_el2n_by_hand():
    probs = [[0.5, 0.5, 0], [0, 0, 1], [1, 0, 0]]
    expected = [math.sqrt(0.5), 0, math.sqrt(2)]
    np.testing.assert_allclose(scores.el2n(probs, [0, 2, 1]), expected)


def test_el2n_averages_norms_over_initialisations():
    probs, labels = softmax(0, 3, 20, 5), np.arange(20) % 5
    expected = [
        statistics.mean(
            math.dist(run[i], [float(k == labels[i]) for k in range(5)]) for run in probs
        )
        for i in range(20)
    ]
    np.testing.assert_allclose(scores.el2n(probs, labels), expected, rtol=1e-12)


def test_el2n_of_confident_samples_does_not_cancel():
    probs = np.array([[1 - 1e-10, 1e-10]])
    np.testing.assert_allclose(scores.el2n(probs, [0]), math.sqrt(2) * 1e-10, rtol=1e-5)


@pytest.mark.parametrize(
    ("probs", "labels", "message"),
    [
        ([[0.5, np.nan]], [0], r"probs\[0, 1\] is nan"),
        ([[2.0, -1.0]], [0], "not probabilities"),
        ([[0.7, 0.7]], [0], "not probabilities"),
        ([[0.5, 0.5]], [0, 1], r"labels have shape \(2,\): expected \(1,\)"),
        ([[0.5, 0.5]], [2], r"label 2 is no class: .* integers 0..1"),
        ([[0.5, 0.5]], [-1], "label -1 is no class"),
        ([[0.5, 0.5]], [0.0], "labels are float64"),
        ([0.5, 0.5], [0], r"probs have shape \(2,\)"),
    ],
)
def test_el2n_refuses(probs, labels, message):
    with pytest.raises(ValueError, match=message):
        scores.el2n(probs, labels)


# Forgetting

HISTORIES = {  # one sample an entry, epochs from left to right
    "1111": 0,
    "0111": 0,
    "1000": 1,
    "1010": 2,
    "0101": 1,
    "0010": 1,
    "0000": math.inf,
}


def test_forgetting_counts_falls_from_correct_to_wrong():
    correct = np.array([[bit == "1" for bit in history] for history in HISTORIES]).T
    assert scores.forgetting(correct).tolist() == list(HISTORIES.values())
    zero = scores.forgetting(correct, never_learned="zero")
    assert zero.tolist() == [*list(HISTORIES.values())[:-1], 0]


@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 6))))
def test_forgetting_counts_the_pattern_10(correct):
    for column, score in zip(correct.T, scores.forgetting(correct), strict=True):
        history = "".join("01"[int(c)] for c in column)
        assert score == (history.count("10") if "1" in history else math.inf)


def test_forgetting_refuses():
    with pytest.raises(ValueError, match="float64 of shape .* booleans"):
        scores.forgetting(np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        scores.forgetting(np.zeros(3, bool))
    with pytest.raises(ValueError, match="never_learned is 'inf'"):
        scores.forgetting(np.zeros((3, 2), bool), never_learned="inf")


# Dynamic Uncertainty


@pytest.mark.parametrize("window", [2, 3, 10, 14])
@pytest.mark.parametrize("statistic", ["deviation", "variance"])
def test_dynamic_uncertainty_by_the_definition(window, statistic):
    probs = softmax(1, 14, 6, 2)[..., 0]
    spread = {"deviation": statistics.stdev, "variance": statistics.variance}[statistic]
    expected = [
        statistics.mean(spread(history[e : e + window]) for e in range(14 - window + 1))
        for history in probs.T.tolist()
    ]
    actual = scores.dynamic_uncertainty(probs, window, statistic=statistic)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_dynamic_uncertainty_of_a_step():
    history = [0.0] * 10 + [1.0]  # windows of ten: constant, then a single one among nine zeros
    (score,) = scores.dynamic_uncertainty(np.array(history)[:, None])
    assert score == pytest.approx((0 + math.sqrt(0.1)) / 2)


def test_dynamic_uncertainty_is_exact_for_float32_near_one():
    probs = (1 - 1e-6 * np.arange(1, 13)[:, None]).astype(np.float32)
    history = probs[:, 0].astype(float).tolist()
    expected = statistics.mean(statistics.stdev(history[e : e + 10]) for e in range(3))
    np.testing.assert_allclose(scores.dynamic_uncertainty(probs), [expected], rtol=1e-9)


def test_dynamic_uncertainty_refuses():
    with pytest.raises(ValueError, match="window is 10 and the history has 9 epochs"):
        scores.dynamic_uncertainty(np.zeros((9, 3)))
    with pytest.raises(ValueError, match="window is 1 "):
        scores.dynamic_uncertainty(np.zeros((9, 3)), 1)
    with pytest.raises(ValueError, match=r"probs\[4, 1\] is nan"):
        scores.dynamic_uncertainty(np.where(np.arange(30).reshape(15, 2) == 9, np.nan, 0.5))
    with pytest.raises(ValueError, match="statistic is 'std'"):
        scores.dynamic_uncertainty(np.zeros((12, 3)), statistic="std")


# SSP


def test_ssp_by_hand():
    features = [[0, 0], [0, 2], [3, 4], [0, 4]]
    assert scores.ssp(features, [1, 1, 0, 1]).tolist() == [2, 0, 0, 2]


@given(
    arrays(np.float64, (12, 3), elements=st.floats(-1e3, 1e3)),
    arrays(np.int64, 12, elements=st.integers(0, 3)),
)
def test_ssp_is_the_distance_to_the_own_class_mean(features, labels):
    for i, score in enumerate(scores.ssp(features, labels)):
        own = [features[j] for j in range(12) if labels[j] == labels[i]]
        mean = [math.fsum(column) / len(own) for column in zip(*own, strict=True)]
        assert score == pytest.approx(math.dist(features[i], mean), abs=1e-9)


def test_ssp_refuses():
    with pytest.raises(ValueError, match=r"labels have shape \(3,\): expected \(4,\)"):
        scores.ssp(np.zeros((4, 2)), [0, 1, 0])
    with pytest.raises(ValueError, match=r"features\[1, 0\] is inf"):
        scores.ssp([[0.0], [np.inf]], [0, 1])


# The registry


@pytest.fixture
def registry():
    return SCORES


def record(**changes) -> scores.QueryRecord:
    rng = np.random.default_rng(0)
    arrays = {
        "labels": np.arange(30) % 3,
        "probs": softmax(2, 5, 30, 3),
        "grad_norms": rng.random((5, 30)),
        "target_probs": rng.random((12, 30)),
        "correct": rng.random((12, 30)) < 0.5,
        "features": rng.normal(size=(30, 4)),
        "margins": rng.uniform(-1, 1, (12, 30)),
    }
    return scores.QueryRecord(**(arrays | changes))


def test_the_papers_scores_have_their_definitions():
    query = record()
    expected = {
        "el2n": scores.el2n(query.probs, query.labels),
        "grand": sum(query.grad_norms) / 5,
        "forgetting": scores.forgetting(query.correct),
        "dynunc": scores.dynamic_uncertainty(query.target_probs),
        "coreset": scores.k_center_scores(query.features),
        "ssp": scores.ssp(query.features, query.labels),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(SCORES[name](query), values, rtol=1e-12)
    assert scores.names() >= expected.keys()


def test_el2n_and_grand_need_short_query_runs_the_others_one_long_run():
    short = {name for name in scores.names() if SCORES[name].schedule == "short"}
    assert short >= {"el2n", "grand"}
    assert not short & {"forgetting", "dynunc", "coreset", "ssp"}  # Appendix A


@pytest.mark.parametrize("name", ["el2n", "grand", "forgetting", "dynunc", "coreset", "ssp"])
def test_a_score_says_what_its_record_lacks(name):
    needed = SCORES[name].needs[0]
    with pytest.raises(ValueError, match=f"'{name}' needs {needed}: its query did not record"):
        SCORES[name](record(**{needed: None}))


def test_an_own_score_joins(registry):
    @scores.register("margin", needs=("probs",))
    def margin(query):
        least, most = np.sort(query.probs.mean(axis=0), axis=1)[:, -2:].T
        return least - most

    assert "margin" in scores.names()
    assert registry["margin"].schedule == "short"
    query = record()
    np.testing.assert_array_equal(registry["margin"](query), margin(query))
    scores.register("margin", needs=("labels",))(lambda query: -query.labels)  # a cell run again
    assert registry["margin"](query).tolist() == (-query.labels).tolist()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda query: np.where(query.labels == 1, np.nan, 0), r"own scores\[1\] is nan"),
        (lambda query: query.probs, r"own scores have shape \(5, 30, 3\): expected \(30,\)"),
        (lambda query: query.labels[:7], r"own scores have shape \(7,\): expected \(30,\)"),
    ],
)
def test_unfit_scores_are_refused(registry, value, message):
    scores.register("own", needs=("probs", "labels"))(value)
    with pytest.raises(ValueError, match=message):
        registry["own"](record())


@pytest.mark.parametrize(
    ("name", "needs", "schedule", "message"),
    [
        ("el2n", ("probs",), "short", "'el2n' cannot be used"),
        ("random", ("probs",), "short", "'random' cannot be used"),
        ("a+b", ("probs",), "short", "lower-case letters"),
        ("Own", ("probs",), "short", "lower-case letters"),
        (7, ("probs",), "short", "lower-case letters"),
        ("own", ("logits",), "short", r"needs is \('logits',\)"),
        ("own", "probs", "short", "needs is 'probs': it must be a tuple"),
        ("own", ("probs",), "medium", "schedule is 'medium'"),
    ],
)
def test_registration_refuses(name, needs, schedule, message):
    with pytest.raises(ValueError, match=message):
        scores.register(name, needs=needs, schedule=schedule)


def test_importing_scores_does_not_import_torch():
    command = "import sys, dropkit.scores; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0


def test_dynamic_uncertainty_of_a_run_shorter_than_its_window():
    probs = np.random.default_rng(5).uniform(size=(6, 40)).astype(np.float32)
    expected = [statistics.stdev(map(float, sample)) for sample in probs.T]
    found = SCORES["dynunc"](scores.QueryRecord(target_probs=probs))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
