"""Numbers and differences as texts, and the tables that chapters share."""

from types import SimpleNamespace

import numpy as np
import pytest

from dropkit.figures import tables
from dropkit.metrics import Difference
from tests.study.test_measures import curves


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.1, 2, "higher"), (-2, -0.1, "lower"), (-1, 1, "not separated"), (0, 1, "not separated")],
)
def test_a_direction_is_read_from_the_interval(low, high, expected):
    assert tables.direction(Difference(0.0, low, high)) == expected


def test_one_seed_separates_nothing():
    assert tables.direction(Difference(3.0, np.nan, np.nan)) == "not separated"


def test_one_seed_is_shown_without_an_interval():
    one = {label: {d: r[:1] for d, r in by.items()} for label, by in curves().items()}
    table = tables.differences(one, "good", "poor")
    assert table.rows == [[0.5, "+20.0", "+20.0", "+20.0"]]


def test_differences():
    table = tables.differences(curves(), "good", "full")
    assert table.title == "good minus Full data"
    assert table.headers == [
        "density", "average", "worst class, per seed", "worst class, pooled",
    ]  # fmt: skip
    (row,) = table.rows
    assert row == [0.5, *["+10.0 [+10.0,\xa0+10.0]"] * 3]
    assert tables.differences(curves(), "good", "poor", "Gain").title == "Gain"


def test_points_have_a_sign_which_is_never_that_of_a_rounded_zero():
    texts = [tables.number(value, tables.POINTS) for value in (-0.04, 0.04, -1.25)]
    assert texts == ["+0.0", "+0.0", "−1.2"]


def test_summaries_are_means_over_seeds():
    recalls = np.array([[0.5, 0.9], [0.9, 0.3]])
    # Averages 70 and 60, worst 50 and 30, of means 60, gaps 40 and 60, deviations half of that.
    assert tables.summary(recalls) == ["65.0", "40.0", "60.0", "50.0", "25.0"]
    assert tables.summary(recalls, ["worst"]) == ["40.0"]


def test_classes_lost_are_counted_by_seed():
    kept = {
        "full": {1.0: np.full((2, 2), 9)},
        "el2n": {0.1: np.array([[0, 3], [2, 1]]), 0.5: np.array([[4, 5], [6, 3]])},
    }
    table = tables.classes_lost(kept, [0.5, 0.1])
    assert table.rows == [["EL2N", "50%", "0%"]]
    assert table.headers == ["protocol", "d = 0.1", "d = 0.5"]


def test_methods_are_ranked_by_their_worst_class():
    even, uneven = np.array([[0.5, 0.6]]), np.array([[0.9, 0.3]])
    table = tables.ranked({"full": {1.0: uneven}, "el2n": {0.3: even}}, 0.3)
    assert [row[:3] for row in table.rows] == [
        ["EL2N", "55.0", "50.0"],
        ["Full data", "60.0", "30.0"],
    ]
    assert table.title == "Density 0.3, in %, best worst class first"


def test_what_is_deleted_is_beside_what_is_left():
    recalls = {"random": {0.1: np.array([[0.2, 0.6], [0.4, 0.4]])}}
    kept = {"random": {0.1: np.array([[0, 5], [2, 3]])}}
    (row,) = tables.deletions(recalls, kept, ["random"]).rows
    assert row == ["Random", 0.1, "1 of 2", "40.0", "30.0", "30.0"]


def test_groups_have_a_reweighted_average():
    curves = {"full": {1.0: np.array([[0.9, 0.5]])}, "random": {0.3: np.array([[0.8, 0.2]])}}
    kept = {"full": {1.0: np.array([[30, 10]])}, "random": {0.3: np.array([[9, 3]])}}
    table = tables.of_groups(curves, kept, np.array([30, 10]), 0.3)
    assert table.rows == [
        ["Full data", "30, 10", "70.0", "80.0", "50.0", "50.0"],
        ["Random", "9, 3", "50.0", "65.0", "20.0", "20.0"],
    ]
    assert table.headers[-1] == "worst group, pooled"


def test_what_is_kept_of_each_group_stands_beside_what_is_right():
    data = SimpleNamespace(sizes=lambda: np.array([1200, 10]), strata_names=["land", "water"])
    curves = {
        "full": {1.0: np.array([[0.9, 0.5], [0.8, 0.6]])},
        "random": {0.5: np.array([[0.7, 0.2]])},
    }
    kept = {"random": {0.5: np.array([[600, 5]])}}
    table = tables.kept_and_right(curves, kept, data, ["random"], 0.5)
    assert table.rows == [
        ["land", "1,200: 85.0", "600: 70.0"],
        ["water", "10: 55.0", "5: 20.0"],
    ]
    assert table.headers[1:] == ["all", "Random"]


def test_what_is_kept_of_classes_of_one_size():
    curves = {
        "full": {1.0: np.array([[0.9, 0.5, 0.7], [0.8, 0.6, 0.9]])},
        "random": {0.5: np.array([[0.7, 0.2, 0.5]])},
    }
    kept = {"random": {0.5: np.array([[60, 5, 51]])}}
    table = tables.by_size(curves, kept, np.array([100, 10, 100]), ["random"], 0.5)
    assert table.rows == [[10, 1, "55", "5.0: 20"], [100, 2, "82", "55.5: 60"]]
    assert table.headers[-1] == "Random"


def test_worst_classes_of_the_full_data_stand_in_the_title():
    curves = {"full": {1.0: np.array([[0.9, 0.5]])}, "el2n": {0.3: np.array([[0.8, 0.2]])}}
    table = tables.worst_classes(curves, [0.3])
    assert table.rows == [["EL2N", "20.0 / 20.0"]]
    assert table.title == "Worst class (%), per seed / pooled; Full data 50.0 / 50.0"
