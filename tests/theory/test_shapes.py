"""Shapes of classes against SciPy's laws, the Gaussian mixture and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from dropkit.theory import GaussianMixture, shapes
from dropkit.theory.shapes import TwoClasses

gauss = shapes.bimodal  # with modes 0 apart


@given(st.floats(-10, 10), st.floats(-3, 3), st.floats(0.1, 3))
def test_skew_normal_as_in_scipy(shape, mean, sigma):
    centre, variance = stats.skewnorm.stats(shape, moments="mv")
    scale = sigma / np.sqrt(variance)
    theirs = stats.skewnorm(shape, mean - scale * centre, scale)
    ((_, ours),) = shapes.skewed(mean, sigma, shape)
    t = mean + sigma * np.linspace(-3, 3, 7)
    for name in ("cdf", "pdf", "sf"):
        np.testing.assert_allclose(getattr(ours, name)(t), getattr(theirs, name)(t), atol=1e-9)


@pytest.mark.parametrize(
    "law",
    [shapes.student(1, 2, 5), shapes.skewed(1, 2, 4), shapes.bimodal(1, 2, 0.8)],
    ids=["student", "skewed", "bimodal"],
)
def test_laws_have_the_mean_and_deviation_they_are_asked_for(law):
    t = np.linspace(-400, 400, 800_001)
    density = sum(weight * each.pdf(t) for weight, each in law)
    mass, mean = np.trapezoid(density, t), np.trapezoid(t * density, t)
    assert (mass, mean) == pytest.approx((1, 1), abs=1e-4)
    assert np.sqrt(np.trapezoid((t - 1) ** 2 * density, t)) == pytest.approx(2, rel=1e-3)
    assert shapes.deviation(law) == pytest.approx(2)


@settings(deadline=None)
@given(st.floats(0.3, 3), st.floats(1.5, 6), st.floats(0.2, 5))
def test_gaussians_as_in_the_mixture(sigma1, gap, ratio):
    mixture = GaussianMixture(0, gap, 1, sigma1, ratio / (1 + ratio))
    two = TwoClasses((gauss(0, 1, 0), gauss(gap, sigma1, 0)))
    assert two.worst_class_minimizer == pytest.approx(mixture.worst_class_minimizer())
    assert two.optimal_ratio() == pytest.approx(1 / sigma1)
    ours, theirs = two.minimizer(ratio), mixture.average_minimizer()
    assert mixture.average_risk(ours) == pytest.approx(mixture.average_risk(theirs), abs=1e-9)


SYMMETRIC = {
    "student": lambda mean, sigma: shapes.student(mean, sigma, 3),
    "bimodal": lambda mean, sigma: shapes.bimodal(mean, sigma, 0.7),
}


@pytest.mark.parametrize("law", SYMMETRIC.values(), ids=SYMMETRIC)
def test_a_shared_symmetric_shape_keeps_equation_5(law):
    """Both standardised distances are equal at the worst-class minimiser, and so are densities."""
    two = TwoClasses((law(0, 1), law(5, 2)))
    assert two.optimal_ratio() == pytest.approx(0.5)
    assert two.deviation_ratio() == pytest.approx(0.5)


def test_mirrored_skew_keeps_equation_5_and_parallel_skew_does_not():
    mirrored = TwoClasses((shapes.skewed(0, 1, 4), shapes.skewed(5, 2, -4)))
    assert mirrored.optimal_ratio() == pytest.approx(0.5)
    parallel = TwoClasses((shapes.skewed(0, 1, 4), shapes.skewed(5, 2, 4)))
    assert parallel.optimal_ratio() > 1


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_wrong_labels_move_the_optimum_by_a_closed_form(share):
    """f1's density becomes (1 - q) f1 + q f0, and f1 / f0 is 1 / sigma1 at that place."""
    laws = (gauss(0, 1, 0), gauss(5, 2, 0))
    two = TwoClasses(laws, (laws[0], shapes.mixed(laws[1], laws[0], share)))
    assert two.optimal_ratio() == pytest.approx((1 - share) / 2 + share)
    spread = (1 - share) * 4 + share + share * (1 - share) * 25
    assert two.deviation_ratio() == pytest.approx(1 / np.sqrt(spread))
    assert two.risks(two.minimizer(two.optimal_ratio()))[0] == pytest.approx(
        two.risks(two.worst_class_minimizer)[1], rel=1e-3
    )


def test_errors_after_equal_sizes_are_those_of_the_mixture():
    mixture = GaussianMixture(-1, 1, 0.5, 1, 0.5)
    risks = mixture.risks(mixture.average_minimizer())
    two = TwoClasses((gauss(-1, 0.5, 0), gauss(1, 1, 0)))
    assert two.error_ratio() == pytest.approx(risks[0] / risks[1], rel=1e-4)


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (lambda: shapes.student(0, 1, 2), "freedom is 2: it must be above 2"),
        (lambda: shapes.bimodal(0, 1, 1), "apart is 1: it must be from 0 to below 1"),
        (lambda: shapes.mixed([], [], -0.1), "share is -0.1: it must be from 0 to below 1"),
    ],
)
def test_amounts_out_of_range(make, wrong):
    with pytest.raises(ValueError, match=wrong):
        make()


def test_how_far_sizes_reach():
    """By the best sizes always; by equal sizes nowhere, where they cost more than a point at 0."""
    for title, (amounts, classes) in shapes.families(2, 0.5, 1).items():
        away = amounts[amounts >= 0]
        assert shapes.reach(away, classes, "best sizes") == pytest.approx(away[-1])
        assert shapes.reach(away, classes, "equal sizes") == 0, title
    amounts, classes = shapes.families(2, 0.5, 1)["wrong labels in the wide class (share)"]
    end = shapes.reach(amounts, classes, "by deviations")
    two = classes(end)
    lost = two.worst_risk(two.minimizer(two.deviation_ratio())) - two.worst_risk(
        two.worst_class_minimizer
    )
    assert lost == pytest.approx(0.01, abs=5e-4)
