"""Greedy k-centre against the plain loop, and in exact integer arithmetic where points tie."""

from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from dropkit.scores import farthest_first, k_center, k_center_scores


def plain_loop(points: np.ndarray, budget: int, first: int) -> list[int]:
    """The definition, recomputing the distances to each new centre; centres are left out."""
    points = points.astype(np.float64)
    order, least = [first], np.full(len(points), np.inf)
    while len(order) < budget:
        least = np.minimum(least, ((points - points[order[-1]]) ** 2).sum(axis=1))
        least[order] = -1
        order.append(int(least.argmax()))
    return order


def gaussian(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d))


def clusters(n: int, d: int) -> np.ndarray:
    """Tight clusters of very different norm, non-negative as after a ReLU."""
    rng = np.random.default_rng(1)
    centres = rng.gamma(1, 5, (7, d)) * np.array([0.01, 0.1, 1, 1, 1, 10, 100])[:, None]
    return np.maximum(centres[rng.integers(7, size=n)] + 0.05 * rng.normal(size=(n, d)), 0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "points",
    [
        gaussian(1500, 20),
        gaussian(1500, 2),
        gaussian(700, 300) + 1000,
        clusters(1500, 30),
        np.round(10 * gaussian(1500, 3)),
        np.eye(60)[np.random.default_rng(0).integers(60, size=1200)],
        np.repeat(gaussian(90, 5), 9, axis=0),
    ],
    ids=["gaussian", "plane", "offset", "clusters", "grid", "one-hot", "copies"],
)
def test_equals_the_plain_loop(points, dtype):
    points = points.astype(dtype)
    order = k_center(points, 600)
    to_mean = np.linalg.norm(points - points.mean(axis=0, dtype=np.float64), axis=1)
    assert to_mean[order[0]] == pytest.approx(to_mean.min(), rel=1e-6)
    assert order.tolist() == plain_loop(points, 600, int(order[0]))


@given(
    points=arrays(
        np.int64, st.tuples(st.integers(1, 40), st.integers(1, 3)), elements=st.integers(-4, 4)
    ),
    offset=st.sampled_from([0, 1000, 2**20]),
    scale=st.sampled_from([1, 0.125]),
    candidates=st.sampled_from([1, 4, 128]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_each_centre_is_the_farthest_of_lowest_index(points, offset, scale, candidates, dtype):
    features = ((points + offset) * scale).astype(dtype)  # exact in both types
    with patch.object(farthest_first, "CANDIDATES", candidates):
        order = k_center(features, len(points)).tolist()
    assert sorted(order) == list(range(len(points)))
    squares = ((points[:, None] - points) ** 2).sum(axis=2)
    for step in range(1, len(order)):
        left = [i for i in range(len(points)) if i not in order[:step]]
        farthest = max(squares[i, order[:step]].min() for i in left)
        ties = [i for i in left if squares[i, order[:step]].min() == farthest]
        assert order[step] == ties[0]


def test_first_centre_is_nearest_the_mean():
    points = gaussian(300, 4) + 5
    nearest = np.linalg.norm(points - points.mean(axis=0), axis=1).argmin()
    assert k_center(points, 1).tolist() == [nearest]
    assert k_center(points, 50).tolist() == plain_loop(points, 50, nearest)


def test_smaller_budgets_are_prefixes():
    points = gaussian(800, 10)
    whole = k_center(points, 800)
    for budget in (1, 2, 128, 129, 500):
        assert k_center(points, budget).tolist() == whole[:budget].tolist()


def test_all_points_alike_come_in_order():
    assert k_center(np.full((5, 2), 0.1), 5).tolist() == [0, 1, 2, 3, 4]


def test_accepts_tensors_integers_and_read_only_arrays():
    points = np.random.default_rng(0).integers(0, 50, (200, 6))
    expected = k_center(points, 90).tolist()
    points.flags.writeable = False
    for same in (points, points.tolist(), torch.tensor(points), points.astype(np.float16)):
        assert k_center(same, 90).tolist() == expected
    tensor = torch.tensor(points, dtype=torch.float32, requires_grad=True)
    assert k_center(tensor.T.contiguous().T, 90).tolist() == expected


def test_does_not_depend_on_the_precision_chosen_for_training():
    points = gaussian(900, 40).astype(np.float32)
    expected = k_center(points, 300).tolist()
    chosen = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert k_center(points, 300).tolist() == expected
    finally:
        torch.set_float32_matmul_precision(chosen)


def test_progress_is_shown_for_long_runs_only(capsys):
    points = gaussian(300, 2)
    with patch.object(farthest_first, "tqdm", wraps=farthest_first.tqdm) as bar:
        k_center(points, 100)
        with patch.object(farthest_first, "LONG", 300 * 100):
            k_center(points, 100)
    assert [call.kwargs["disable"] for call in bar.call_args_list] == [True, None]
    assert capsys.readouterr().err == ""  # not a terminal


def test_scores_rank_by_the_order_of_selection():
    points = gaussian(100, 3)
    scores = k_center_scores(points)
    assert np.argsort(-scores).tolist() == k_center(points, 100).tolist()
    assert (scores.min(), scores.max()) == (1, 100)


@pytest.mark.parametrize(
    ("features", "budget", "message"),
    [
        (np.zeros((5, 2)), 6, r"budget is 6: it must be in 1..5"),
        (np.zeros((5, 2)), 0, r"budget is 0"),
        (np.zeros(5), 2, r"shape \(5,\)"),
        (np.zeros((0, 3)), 1, r"shape \(0, 3\)"),
        (np.array([[0.0], [1.0], [np.nan]]), 2, r"features\[2\] is not finite"),
        (np.array([[0.0], [np.inf], [1.0]]), 2, r"features\[1\] is not finite"),
        (np.array([[0.0], [1e200]]), 2, "features are too large"),
    ],
)
def test_refuses_unfit_input(features, budget, message):
    with pytest.raises(ValueError, match=message):
        k_center(features, budget)


def test_refuses_a_fractional_budget():
    with pytest.raises(TypeError, match="float"):
        k_center(np.zeros((5, 2)), 2.5)
