"""Fitted thresholds against a search over all of them, pruned sets against their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dropkit.theory import GaussianMixture
from dropkit.theory.samples import empirical_minimizer, fitted_thresholds, keep, sample

PAPER = GaussianMixture(mu0=-1, mu1=1, sigma0=0.5, sigma1=1, phi0=0.5)  # Figure 3


def tied_gaps(x, y):
    """Every gap of least error as (lower, upper, errors), by trying one threshold in each gap."""
    points = sorted(set(x))
    edges = [-math.inf, *points, math.inf]
    gaps = []
    for lower, upper in zip(edges, edges[1:], strict=False):
        # A threshold at a point puts that point on the left, so `lower` stands for the whole gap.
        errors = sum((a > lower) != b for a, b in zip(x, y, strict=True))
        gaps.append((lower, upper, errors))
    least = min(errors for *_, errors in gaps)
    return [gap for gap in gaps if gap[2] == least]


labelled = st.lists(
    st.tuples(st.integers(-6, 6).map(lambda i: i / 2), st.integers(0, 1)), min_size=1, max_size=14
)


@given(labelled)
def test_every_tie_rule_gives_the_middle_of_a_gap_of_least_error(pairs):
    x, y = zip(*pairs, strict=True)
    gaps = tied_gaps(x, y)
    for ties, gap in (("lowest", gaps[0]), ("highest", gaps[-1])):
        assert empirical_minimizer(x, y, ties=ties) == (gap[0] + gap[1]) / 2
    finite = [gap for gap in gaps if np.isfinite(gap[:2]).all()]
    widest = max(finite or gaps[:1], key=lambda gap: gap[1] - gap[0])  # the first of equal ones
    assert empirical_minimizer(x, y) == (widest[0] + widest[1]) / 2


@given(st.lists(labelled, min_size=1, max_size=4), st.data())
def test_points_left_out_change_nothing(sets, data):
    n = max(map(len, sets))
    shape = (len(sets), n)
    x, y, kept = np.zeros(shape), np.zeros(shape, dtype=int), np.zeros(shape, dtype=bool)
    for i, pairs in enumerate(sets):
        places = data.draw(st.permutations(range(n)))[: len(pairs)]
        x[i, places], y[i, places] = np.transpose(pairs)
        kept[i, places] = True
    y[~kept] = data.draw(st.integers(0, 1))
    together = empirical_minimizer(x, y, kept=kept)
    alone = [empirical_minimizer(x[i, kept[i]], y[i, kept[i]]) for i in range(len(sets))]
    assert together.tolist() == alone


@pytest.mark.parametrize("lower", [1.0, np.nextafter(1.0, 2.0)])  # midpoints round down and up
def test_a_threshold_between_neighbouring_floats_errs_no_more(lower):
    upper = np.nextafter(lower, 2)
    assert lower <= empirical_minimizer([lower, upper], [0, 1]) < upper


def test_one_class_alone_has_no_finite_threshold():
    assert empirical_minimizer([0.0, 1.0], [1, 1]) == -math.inf
    assert empirical_minimizer([0.0, 1.0], [0, 0]) == math.inf


def test_leading_axes_are_data_sets():
    x, y = sample(PAPER, 30, 6, seed=3)
    stacked = empirical_minimizer(x.reshape(2, 3, 30), y.reshape(2, 3, 30))
    assert stacked.shape == (2, 3)
    assert stacked.ravel().tolist() == [
        empirical_minimizer(a, b) for a, b in zip(x, y, strict=True)
    ]


def test_samples_follow_the_mixture():
    m = GaussianMixture(-2, 1, 0.5, 3, 0.3)
    x, y = sample(m, 500, 400, seed=1)
    assert x.shape == y.shape == (400, 500)
    assert np.mean(y == 0) == pytest.approx(0.3, abs=0.005)
    for k, (mu, sigma) in enumerate([(-2, 0.5), (1, 3)]):
        assert np.mean(x[y == k]) == pytest.approx(mu, abs=0.03)
        assert np.std(x[y == k]) == pytest.approx(sigma, rel=0.01)
    again, _ = sample(m, 500, 400, seed=1)
    other, _ = sample(m, 500, 400, seed=2)
    assert np.array_equal(x, again) and not np.array_equal(x, other)


def class_counts(y, kept):
    return np.stack([(kept & (y == k)).sum(axis=1) for k in (0, 1)], axis=1)


def test_optimal_quotas_keep_sigma_to_sigma_in_every_data_set():
    x, y = sample(PAPER, 300, 50, seed=0)
    counts = class_counts(y, keep("optimal quotas", PAPER, x, y, 0.5, 0))
    assert (counts == [50, 100]).all()


def test_drop_quotas_keep_risk_to_risk_by_density():
    x, y = sample(PAPER, 1000, 50, seed=0)
    counts = class_counts(y, keep("drop", PAPER, x, y, 0.4, 0))
    assert (counts.sum(axis=1) == 400).all()
    kept_share = counts / class_counts(y, np.ones_like(y, dtype=bool))
    # The published risks at t*: 4.8 % and 12.1 % (Figure 3).
    np.testing.assert_allclose(kept_share[:, 0] / kept_share[:, 1], 4.8466 / 12.0991, rtol=0.02)


def test_ssp_keeps_the_points_farthest_from_their_own_mean():
    x, y = sample(PAPER, 41, 5, seed=0)
    kept = keep("ssp", PAPER, x, y, 0.4, 0)
    for row in range(5):
        distance = [abs(a - (1 if b else -1)) for a, b in zip(x[row], y[row], strict=True)]
        farthest = sorted(range(41), key=lambda i: -distance[i])[:16]  # 0.4 * 41 = 16.4
        assert set(np.flatnonzero(kept[row])) == set(farthest)


def test_ssp_quotas_keep_as_many_of_each_class_but_others():
    x, y = sample(PAPER, 200, 20, seed=0)
    ssp = keep("ssp", PAPER, x, y, 0.5, 0)
    random = keep("ssp quotas", PAPER, x, y, 0.5, 0)
    assert (class_counts(y, ssp) == class_counts(y, random)).all()
    near = np.abs(x - np.where(y == 1, 1, -1)) < 0.3
    assert not (ssp & near).any() and (random & near).any(axis=1).all()


def test_random_quotas_choose_without_regard_to_place():
    x, y = sample(PAPER, 400, 200, seed=0)
    kept = keep("optimal quotas", PAPER, x, y, 0.5, 0)
    for k, (mu, sigma) in enumerate([(-1, 0.5), (1, 1)]):
        chosen = x[kept & (y == k)]
        assert np.mean(chosen) == pytest.approx(mu, abs=5 * sigma / math.sqrt(chosen.size))
        assert np.std(chosen) == pytest.approx(sigma, rel=0.03)


def test_random_keeps_the_density_without_regard_to_class():
    x, y = sample(PAPER, 300, 100, seed=0)
    kept = keep("random", PAPER, x, y, 0.25, 0)
    assert (kept.sum(axis=1) == 75).all() and keep("full", PAPER, x, y, 0.25, 0).all()
    assert np.mean(y[kept]) == pytest.approx(np.mean(y), abs=0.02)
    assert len(set(class_counts(y, kept)[:, 0])) > 5


def test_thresholds_of_large_samples_approach_the_minimisers():
    settings = {"points": 20_000, "datasets": 30, "seed": 0}
    full = fitted_thresholds(PAPER, "full", 1.0, **settings)
    optimal = fitted_thresholds(PAPER, "optimal quotas", 0.5, **settings)
    assert full.mean() == pytest.approx(-0.1700, abs=0.03)  # Equation 3
    assert optimal.mean() == pytest.approx(-1 / 3, abs=0.03)  # Equation 4
    assert np.isfinite(full).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sample(PAPER, 0), "n is 0: it must be a whole number, 1 or more"),
        (lambda: sample(PAPER, 10, 2.5), "datasets is 2.5: it must be a whole number"),
        (lambda: empirical_minimizer([0, 1], [1]), r"one shape .*got shapes \(2,\), \(1,\)"),
        (lambda: empirical_minimizer([0, np.nan], [0, 1]), "x must be finite"),
        (lambda: empirical_minimizer([0, 1], [0, 2]), r"classes 0 and 1, got \[0, 2\]"),
        (lambda: empirical_minimizer([0], [0], kept=[False]), "keep at least one point"),
        (
            lambda: fitted_thresholds(PAPER, "ssp", 0.01, points=9, datasets=2, seed=0),
            "density is 0.01: of 9 samples that keeps none, so it must be at least 1/9",
        ),
        (lambda: empirical_minimizer([0], [0], kept=[1]), "kept must be a boolean mask, got dtype"),
        (
            lambda: empirical_minimizer([0], [0], ties="first"),
            "ties is .first.: it must be one of",
        ),
        (
            lambda: fitted_thresholds(PAPER, "droop", 0.5, points=9, datasets=1, seed=0),
            "procedure is .droop.: it must be one of full, random",
        ),
        (
            lambda: fitted_thresholds(PAPER, "drop", 2, points=9, datasets=1, seed=0),
            r"density is 2: it must lie in \(0, 1\]",
        ),
    ],
)
def test_bad_arguments_are_refused_in_one_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
