"""Comparisons of made-up records whose truth is known, against scipy's intervals."""

import numpy as np
import pytest
from scipy import stats

from dropkit.claims.comparisons import (
    Beaten,
    Better,
    Close,
    CostsMore,
    LevelOf,
    Moves,
    TradesBetter,
)
from dropkit.claims.verdicts import CONTRADICTED, HOLDS, MIXED, judge
from dropkit.study.curves import arrange
from tests.made_records import grid, random_rows, record, shifted, words


def cells(**shifts):
    """Protocols at densities 0.3 and 0.7, `+0.1` better or so than random; full data as random."""
    rows = random_rows(0)
    records = grid(rows, "full", 1.0)
    for density in (0.3, 0.7):
        records += grid(rows, "random", density)
        for name, by in shifts.items():
            records += grid(shifted(rows, by, len(records)), name, density)
    (found,) = arrange(records).values()
    return found


def test_better_reads_both_ways_and_every_measure():
    found = cells(el2n=0.1, grand=-0.1)
    assert words(Better("el2n", "random"), found) == [HOLDS, HOLDS]
    assert words(Better("grand", "random"), found) == [CONTRADICTED, CONTRADICTED]
    assert words(Better("el2n", ("random", "grand", "dynunc")), found) == [HOLDS] * 4 + [None] * 2
    assert words(Better("el2n", "full", over="each"), found) == [HOLDS] * 4
    assert words(Better("el2n", "random", "average", within=(0.8, 1)), found) == [None]


@pytest.mark.parametrize(("classes", "readings"), [(10, 2), (11, 3), (40, 3)])
def test_many_classes_are_read_a_third_way(classes, readings):
    """By the lowest tenth of the classes, here against scipy."""
    rng = np.random.default_rng(0)
    first, second = rng.uniform(0.3, 0.9, (2, 6, classes))
    (found,) = arrange(
        grid(first, "random") + grid(second, "el2n") + grid(first, "full", 1.0)
    ).values()
    effects = list(Better("el2n", "random").effects(found))
    assert len(effects) == readings == len(list(TradesBetter("el2n", "random").effects(found)))
    if readings == 3:
        lowest = [np.sort(rows)[:, : -(-classes // 10)].mean(1) for rows in (second, first)]
        oracle = stats.ttest_1samp(100 * (lowest[0] - lowest[1]), 0).confidence_interval()
        assert effects[2].found[1:] == pytest.approx((oracle.low, oracle.high))
    assert len(list(Better("el2n", "random", "average").effects(found))) == 1


def test_the_margin_says_how_far_the_first_may_stay_behind():
    found = cells(el2n=-0.1)
    assert words(Better("el2n", "random", "average", margin=12), found) == [HOLDS]
    assert words(Better("el2n", "random", "average", margin=8), found) == [CONTRADICTED]


def test_a_smaller_gap_is_better():
    rows = random_rows(0)
    narrow = rows.mean(1, keepdims=True) + 0.5 * (rows - rows.mean(1, keepdims=True))
    (found,) = arrange(grid(rows) + grid(narrow, "el2n")).values()
    assert words(Better("el2n", "random", ("gap", "std")), found) == [HOLDS, HOLDS]


def test_some_widens_intervals_by_bonferroni():
    found = cells(el2n=0.1)
    one, two = (
        list(Better("el2n", "random", "average", over=over).effects(found))
        for over in ("each", "some")
    )
    assert len(one) == len(two) == 2
    ratio = stats.t.ppf(1 - 0.025 / 2, 11) / stats.t.ppf(0.975, 11)
    for narrow, wide in zip(one, two, strict=True):
        widths = [e.found.high - e.found.low for e in (narrow, wide)]
        assert widths[1] / widths[0] == pytest.approx(ratio)


def test_moves_compares_densities_of_one_protocol():
    rows = random_rows(0)
    records = grid(rows, "random", 0.9) + grid(shifted(rows, 0.1, 1), "random", 0.3)
    (found,) = arrange(records).values()
    assert words(Moves("random", (0.3,), 0.9), found) == [HOLDS, HOLDS]
    assert words(Moves("random", (0.9,), 0.3), found) == [CONTRADICTED, CONTRADICTED]
    assert words(Moves("random", (0.1,), 0.9), found) == [None, None]


def test_close_wants_a_value_within_a_margin():
    found = cells(el2n=0.1)
    near = {"value": 10, "margin": 3, "at": [0.3]}
    assert words(Close("el2n", "random", "average", **near), found) == [HOLDS]
    assert words(Close("el2n", "random", "average", margin=3), found) == [
        CONTRADICTED,
        CONTRADICTED,
    ]


def test_costs_more_compares_losses_within_seeds():
    """The difference of two losses of each seed, against scipy's interval."""
    rows = {(p, d): random_rows(i) for i, (p, d) in enumerate(
        (p, d) for p in ("random", "el2n") for d in (0.3, 0.7)
    )}  # fmt: skip
    records = [r for (protocol, d), made in rows.items() for r in grid(made, protocol, d)]
    (found,) = arrange(records).values()
    one, _ = CostsMore("random", "el2n", 0.3, 0.7).effects(found)
    means = {place: 100 * made.min(1) for place, made in rows.items()}
    lost = {d: means["random", d] - means["el2n", d] for d in (0.3, 0.7)}
    oracle = stats.ttest_rel(lost[0.3], lost[0.7]).confidence_interval()
    assert one.found.value == pytest.approx((lost[0.3] - lost[0.7]).mean())
    assert one.found[1:] == pytest.approx((oracle.low, oracle.high))
    assert words(CostsMore("random", "grand", 0.3, 0.7), found) == [None, None]


def test_level_of_correlations():
    full = [record("full", 1.0, s, (0.9, 0.8, 0.5)) for s in range(5)]
    hard = [record("el2n", 0.5, s, (0.9, 0.8, 0.5), kept=[4, 5 + s % 2, 12]) for s in range(5)]
    (found,) = arrange(full + hard).values()
    assert words(LevelOf("el2n", "spares"), found) == [HOLDS]
    assert words(LevelOf("el2n", "starves"), found) == [CONTRADICTED]


def test_a_best_method_is_not_beaten():
    found = cells(el2n=0.1, grand=-0.1)
    test = Beaten(("random", "el2n", "grand"), "average")
    parts = {one.part: one.word for one in test.effects(found)}
    assert parts == {"random": HOLDS, "el2n": CONTRADICTED, "grand": HOLDS}
    assert judge(list(test.effects(found)), "any").word == MIXED
    assert words(Beaten(("random", "dynunc"), "average"), found) == [None, None]


def test_trades_better_compares_at_equal_average():
    """From an average of 50 % to the full data's 80 %; only the worst of three classes differs."""

    def rows(worst):
        spread = np.random.default_rng(0).normal(0, 0.01, 12) + worst
        return np.stack([spread, np.full(12, 0.5), 1 - spread], axis=1)

    records = grid(np.full((12, 3), 0.8), "full", 1.0)
    records += grid(rows(0.3), "random") + grid(rows(0.4), "el2n") + grid(rows(0.2), "grand")
    (found,) = arrange(records).values()
    assert words(TradesBetter("el2n", "random"), found) == [HOLDS, HOLDS]
    assert words(TradesBetter("grand", "random"), found) == [CONTRADICTED, CONTRADICTED]
    assert words(TradesBetter("el2n", ("dynunc", "grand")), found) == [None, None, HOLDS, HOLDS]
