"""Sentences are true of what was found."""

import math

import numpy as np
import pytest

from dropkit.metrics import Difference
from dropkit.notebook import answers, moves


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((5.5, 0.1, 11.0), "rises by 5.5 points [0.1, 11.0]"),
        ((-5.5, -11.0, -0.1), "falls by 5.5 points [0.1, 11.0]"),
        ((5.5, 0.0, 11.0), "does not move measurably (+5.5 points [+0.0, +11.0])"),
        ((-0.01, -1.0, 1.0), "does not move measurably (+0.0 points [−1.0, +1.0])"),
        ((2.0, math.nan, math.nan), "moves by +2.0 points in the one seed there is"),
    ],
)
def test_words_follow_the_interval(found, expected):
    assert moves(Difference(*found)) == expected


def test_what_was_not_measured_is_said():
    assert moves(None) == "was not measured"
    assert answers.moves is moves


def test_on_which_data_sets():
    found = {
        "A": Difference(1.5, -4.5, 7.5),
        "B": Difference(6.6, 4.8, 8.3),
        "C": None,
        "D": Difference(-2.0, -3.0, -1.0),
        "E": Difference(1.8, -0.1, 3.7),
    }
    expected = "rises on B (+6.6), falls on D (−2.0) and does not move measurably on E (+1.8) and A"
    assert answers.across(found) == f"{expected} (+1.5)"
    assert answers.across({"B": found["B"]}) == "rises on B (+6.6)"
    one = {"A": Difference(2.0, math.nan, math.nan)}
    assert answers.across(one) == "moves in the one seed there is on A (+2.0)"
    assert answers.across({"C": None}) == answers.across({}) == "was not measured"


def test_who_stands_where():
    noise = np.random.default_rng(0).normal(0, 0.01, (3, 6, 2))
    high, middle, low = (
        {0.5: np.array([0.9, level]) + each}
        for level, each in zip((0.8, 0.5, 0.2), noise, strict=True)
    )
    curves = {"random": middle, "el2n": low, "grand": low, "random+drop": high, "ssp": middle}
    found = answers.standing(curves, ["el2n", "random+drop", "grand", "ssp", "none"], "random", 0.5)
    assert found == "EL2N and GraNd below; Random+DRoP above; SSP not measurably apart"
    assert answers.standing(curves, ["el2n"], "random", 0.3) == ""
    assert answers.standing(curves, ["el2n"], "absent", 0.5) == ""
    counts = {"random": middle, "random+drop, by counts": high}
    found = answers.standing(counts, ["random+drop, by counts"], "random", 0.5)
    assert found == "Random+DRoP (by counts) above"


def test_percent_is_the_mean_over_seeds_of_each_runs_measure():
    curves = {
        "full": {1.0: np.array([[0.9, 0.5], [0.3, 0.7]])},
        "random": {0.3: np.array([[0.8, 0.2]])},
    }
    assert answers.percent(curves, "full", 0.3) == pytest.approx(40)  # of 50 and 30
    assert answers.percent(curves, "full", 0.3, "average") == pytest.approx(60)
    assert answers.percent(curves, "random", 0.3) == pytest.approx(20)
    assert math.isnan(answers.percent(curves, "random", 0.5))
    assert math.isnan(answers.percent(curves, "el2n", 0.3))


def test_percents_have_short_names(monkeypatch):
    glued = {}
    monkeypatch.setattr(answers, "glue", lambda name, value, form: glued.update({name: value}))
    curves = {label: {0.3: np.array([[0.5, 0.3]])} for label in ("random+drop", "el2n+drop")}
    answers.percents("a-{}-b", curves, [*curves, "full+cdbw", "random"], 0.3)
    assert list(glued) == ["a-drop-b", "a-el2n-drop-b", "a-cdbw-b", "a-random-b"]
    assert glued["a-drop-b"] == pytest.approx(30) and math.isnan(glued["a-cdbw-b"])
