"""Algorithm 1 as printed: where it ends it solves Section 4's equation; and where it does not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropkit import printed


def residual(sizes, recalls, density, densities):
    """How far densities are from d_k = min(1, λ (1 − r_k)) with Σ N_k d_k = dN."""
    weights = 1 - np.asarray(recalls)
    part = (densities < 1) & (weights > 0)
    spread = np.ptp(densities[part] / weights[part]) if part.any() else 0.0
    return abs(np.dot(sizes, densities) - density * np.sum(sizes)) / np.sum(sizes), spread


@given(
    st.lists(st.tuples(st.integers(1, 500), st.floats(0, 0.95)), min_size=1, max_size=12),
    st.floats(0.05, 0.95),
)
def test_where_it_ends_it_solves_the_equation(classes, density):
    sizes, recalls = map(np.array, zip(*classes, strict=True))
    found = printed.algorithm_1(sizes, recalls, density)
    if found.outcome == printed.ENDS:
        missed, spread = residual(sizes, recalls, density, found.densities)
        assert missed < 1e-9
        assert spread < 1e-6


def test_a_round_by_hand():
    """Weights 0.1 and 0.3 of two classes of 100, d = 0.4: Z = 0.5, densities 0.2 and 0.6."""
    found = printed.algorithm_1([100, 100], [0.9, 0.7], 0.4)
    assert found.densities == pytest.approx([0.2, 0.6])


def test_a_full_class_hands_its_excess_on():
    """d = 0.75 asks for 0.375 and 1.125: the second class is full and the first takes the rest."""
    found = printed.algorithm_1([100, 100], [0.9, 0.7], 0.75)
    assert found.densities == pytest.approx([0.5, 1.0])


def test_perfect_recall_divides_by_zero_when_the_others_are_full():
    found = printed.algorithm_1([100, 100], [1.0, 0.5], 0.75)
    assert found.outcome == printed.DIVIDES
    assert printed.algorithm_1([100, 100], [1.0, 1.0], 0.5).outcome == printed.DIVIDES


def test_rounding_can_keep_it_from_ending():
    """An excess of 1e-14 or so is never handed out; tried, as it depends on rounding."""
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(200):
        sizes, recalls = rng.integers(1, 500, 8), rng.uniform(0, 1, 8)
        found = printed.algorithm_1(sizes, recalls, rng.uniform())
        outcomes.add(found.outcome)
        assert found.rounds == 1000 or found.outcome != printed.NEVER
    assert printed.NEVER in outcomes and printed.ENDS in outcomes


def test_skipping_starves_the_class_after_a_full_one():
    """Three classes; in round one class 0 fills and is taken from the list that is walked along.

    Worked out: N = 100 each, weights .6 .2 .2, d = .6, so E = 180 and 1/Z = 180/100 = 1.8.
    Class 0 would get 1.08 and is cut to 1, its 8 samples return; class 1 is skipped; class 2 gets
    .36. Round two has E = 180 − 100 − 36 = 44 for the weights .2 .2: 1/Z = 44/40 = 1.1, so both
    get .22: class 1 ends at .22 and class 2 at .58, in place of .4 each.
    """
    sizes, recalls = [100, 100, 100], [0.4, 0.8, 0.8]
    plain = printed.algorithm_1(sizes, recalls, 0.6)
    skipped = printed.algorithm_1(sizes, recalls, 0.6, skipping=True)
    assert plain.densities == pytest.approx([1, 0.4, 0.4])
    assert skipped.densities == pytest.approx([1, 0.22, 0.58])
