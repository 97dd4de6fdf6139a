"""Sentences on who leads: chosen on one data set, measured on the other."""

import numpy as np

from dropkit.notebook import later


def curves(**levels):
    """Recalls (4, 2) at density .3 whose worst class is at a level, a little apart over seeds."""
    wave = np.array([0.0, 0.01, -0.01, 0.0])[:, None]
    return {label: {0.3: np.array([[level, 0.9]]) + wave} for label, level in levels.items()}


SETS = {
    "birds": curves(random=0.3, ours=0.5, theirs=0.8),
    "digits": curves(random=0.4, ours=0.7, theirs=0.6),
}


def test_the_leader_of_one_set_is_measured_on_the_other():
    labels = ["random", "ours", "theirs"]
    assert later.leader(SETS["birds"], labels, 0.3) == "theirs"
    text = later.told(SETS, "birds", labels, 0.3, ["theirs", "random"])
    start = "ours leads on digits; on birds its worst is at 50.0 % and falls by 30.0 points"
    assert text.startswith(start)
    assert "against theirs, and rises by 20.0 points" in text
    alone = later.told(SETS, "digits", ["theirs"], 0.3, ["theirs"])
    assert alone == "theirs leads on birds; on digits its worst is at 60.0 %"


def test_labels_may_be_smoothed():
    assert later.labelled({"random+drop (smoothed)": {}}, "random+drop") == "random+drop (smoothed)"
    assert later.labelled({"ccs": {}}, "ccs") == "ccs"


def test_steps():
    full = {1.0: np.full((3, 2), 0.5)}
    rising = {d: np.full((3, 2), level) for d, level in ((0.9, 0.5), (0.5, 0.6), (0.1, 0.7))}
    text = later.steps({"a": rising, "full": full}, "a", "full", [0.9, 0.5, 0.1])
    assert text == "grows at every step (+0.0, +10.0, +20.0 points)"
    text = later.steps({"a": rising, "full": full}, "a", "full", [0.1, 0.5, 0.9])
    assert text.startswith("does not grow at every step (+20.0, ")
