"""Sentences are true of what was found."""

import math

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
