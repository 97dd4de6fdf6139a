"""Sentences on who leads: chosen on one data set, measured on the other."""

import numpy as np
import pytest

from dropkit.notebook import later
from dropkit.notebook.guarded import Unsupported


def curves(**levels):
    """Recalls (4, 2) at density .3 whose worst class is at a level, a little apart over seeds."""
    wave = np.array([0.0, 0.01, -0.01, 0.0])[:, None]
    return {label: {0.3: np.array([[level, 0.9]]) + wave} for label, level in levels.items()}


SETS = {
    "birds": curves(random=0.3, ours=0.5, theirs=0.8),
    "digits": curves(random=0.4, ours=0.7, theirs=0.6),
    "photos": curves(random=0.1, ours=0.3, theirs=0.25),
}


def test_the_leader_elsewhere():
    """By gains over random pruning: on digits and photos ours has .25 in the mean, theirs .175."""
    labels = ["random", "ours", "theirs"]
    assert later.leader(SETS, "birds", labels, 0.3) == "ours"
    assert later.leader(SETS, "digits", labels, 0.3) == "theirs"


def test_a_table_of_what_to_choose():
    found = later.choices(SETS, {"a query": ["ours", "theirs"], "none": ["random"]}, 0.3)
    assert found.headers == ["what it costs", "birds", "digits", "photos"]
    (first, second) = found.rows
    assert first[0] == "a query" and first[1].startswith("ours: +20.0")
    assert first[2].startswith("theirs: +20.0") and second[1].startswith("Random: +0.0")


def test_seeds_that_all_labels_have():
    rows = {seed: {"recalls": [seed / 10, 0.5]} for seed in range(4)}
    few = {seed: rows[seed] for seed in (1, 3)}
    cells = {"full": {1.0: rows}, "random": {0.1: rows, 0.2: {}}, "ours": {0.1: few}}
    found = later.alike(cells, [0.1])
    assert {label: list(each) for label, each in found.items()} == {
        "full": [1.0], "random": [0.1], "ours": [0.1]
    }  # fmt: skip
    assert [each.tolist() for by in found.values() for each in by.values()] == 3 * [
        [[0.1, 0.5], [0.3, 0.5]]
    ]


def test_moved_is_a_mean_over_densities():
    first = {d: np.full((3, 2), level) for d, level in ((0.1, 0.5), (0.3, 0.7))}
    found = {"a": first, "full": {1.0: np.full((3, 2), 0.5)}}
    assert later.moved(found, "a", "full", [0.1, 0.3]).startswith("rises by 10.0 points")


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


def test_what_is_advised_is_measured_where_it_was_not_chosen():
    found = later.advised(SETS, ["ours", "theirs"], "ours", 0.3)
    assert found["birds"][0] == "ours" and found["birds"][1].value == pytest.approx(0)
    assert found["digits"][0] == "theirs" and found["digits"][1].value == pytest.approx(-10)


def advised_cells(**changes):
    levels = {f"{rule}{end}": level for rule in ("ccs", "moderate", "beta")
              for end, level in (("", 0.3), ("+drop (smoothed)", 0.5))}  # fmt: skip
    levels |= {"random+drop (smoothed)": 0.4, "ccs:el2n+drop (smoothed)": 0.6, "infobatch": 0.3}
    levels |= changes
    waves = np.array([0.0, 0.01, -0.01, 0.0])
    high = {"infobatch": 1.0}
    return {
        label: {0.3: {s: {"recalls": [level + w, high.get(label, 0.7)]}
                      for s, w in enumerate(waves)}}
        for label, level in levels.items()
    }  # fmt: skip


def test_advice_stands_on_the_records():
    assert later.advice(advised_cells(), 0.3).startswith("choose the quotas first, strata")
    with pytest.raises(Unsupported, match="strata inside them raise it"):
        later.advice(advised_cells(**{"ccs:el2n+drop (smoothed)": 0.3}), 0.3)
    with pytest.raises(Unsupported, match="InfoBatch raises the average"):
        later.advice(advised_cells(infobatch=0.05), 0.3)
    lacking = advised_cells()
    del lacking["infobatch"]
    with pytest.raises(Unsupported, match="no records of infobatch"):
        later.advice(lacking, 0.3)
