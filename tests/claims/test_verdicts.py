"""Verdicts of made-up records whose truth is known, and the catalogue of claims."""

import math
import re

import numpy as np
import pytest
from scipy import stats

from dropkit import claims
from dropkit.claims import Claim, Effect, page
from dropkit.claims.comparisons import Better
from dropkit.claims.trials import GROUPED, live_trials
from dropkit.claims.verdicts import (
    ABSENT,
    FAILS,
    HOLDS,
    NO_RECORDS,
    PARTLY,
    UNDECIDED,
    exact,
    judge,
    violations,
)
from dropkit.metrics import Difference
from dropkit.study.curves import arrange
from tests.made_records import QUERY, grid, random_rows, shifted

UP, DOWN, WIDE = Difference(2, 1, 3), Difference(-2, -3, -1), Difference(0, -1, 1)


def effect(found, part="", above=0.0, below=math.inf):
    return Effect("", found, 12, above, below, part)


@pytest.mark.parametrize(
    ("found", "above", "below", "expected"),
    [
        (UP, 0, math.inf, HOLDS),
        (DOWN, 0, math.inf, FAILS),
        (WIDE, 0, math.inf, UNDECIDED),
        (UP, -math.inf, 4, HOLDS),
        (UP, -math.inf, 0, FAILS),
        (UP, 0, 2.5, UNDECIDED),
        (UP, 5, 6, FAILS),
        (Difference(3, math.nan, math.nan), 0, math.inf, UNDECIDED),
    ],
)
def test_a_comparison_is_read_by_its_interval_and_range(found, above, below, expected):
    assert effect(found, "", above, below).word == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([UP, UP], HOLDS),
        ([UP, WIDE], PARTLY),
        ([UP, DOWN], PARTLY),
        ([DOWN, WIDE], FAILS),
        ([WIDE], UNDECIDED),
        ([], NO_RECORDS),
    ],
)
def test_all_comparisons_must_hold(found, expected):
    assert judge([effect(one) for one in found]).word == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([(DOWN, "a"), (UP, "a")], HOLDS),
        ([(DOWN, "a"), (DOWN, "a")], FAILS),
        ([(DOWN, "a"), (WIDE, "a")], UNDECIDED),
        ([(UP, "a"), (DOWN, "b")], PARTLY),
        ([(DOWN, "a"), (WIDE, "b")], FAILS),
    ],
)
def test_any_comparison_of_a_part_is_enough(found, expected):
    assert judge([effect(*one) for one in found], "any").word == expected


@pytest.mark.parametrize(
    ("failed", "total", "expected"), [(0, 2000, HOLDS), (2, 100, UNDECIDED), (20, 100, FAILS)]
)
def test_a_theorem_allows_for_hardly_any_violation(failed, total, expected):
    (one,) = violations("a theorem", [True] * failed + [False] * (total - failed))
    assert (one.word, one.found.value, one.seeds) == (expected, 100 * failed / total, total)


@pytest.mark.parametrize(("value", "expected"), [(9.12, HOLDS), (9.2, FAILS)])
def test_a_computation_without_chance_is_decided(value, expected):
    (one,) = exact("a risk", value, 9.05, 9.15)
    assert (one.word, one.seeds) == (expected, 0)


def test_missing_comparisons_are_counted():
    found = judge([effect(UP), None, None])
    assert (found.word, found.missing) == (HOLDS, 2)


CLAIM = Claim("X1", "", "", Better("el2n", "random", ["average"]))


def test_a_claim_finds_the_records_of_its_scale_by_itself():
    rows = random_rows(0, 4)
    records = grid(rows, dataset="cifar10", model="mini")
    records += grid(shifted(rows, 0.1, 0), "el2n", dataset="cifar10", model="mini")
    assert CLAIM.check(records, "mini").word == HOLDS
    assert CLAIM.check(records, "digits").word == NO_RECORDS
    assert CLAIM.check(records, "paper").word == NO_RECORDS
    assert CLAIM.check(arrange(records), "mini") == CLAIM.check(iter(records), "mini")


def test_several_settings_of_a_scale_are_all_comparisons():
    rows = random_rows(0, 4)
    records = []
    for dataset, by in (("cifar10", 0.1), ("cifar100", -0.1)):
        records += grid(rows, dataset=dataset, model="mini")
        records += grid(shifted(rows, by, 0), "el2n", dataset=dataset, model="mini")
    found = CLAIM.check(records, "mini")
    assert found.word == PARTLY
    assert [one.text.split(":")[0] for one in found.effects] == ["cifar10, mini", "cifar100, mini"]


def several(shifts):
    """`el2n` above `random` by a shift in each of two data sets of one scale; None: not run."""
    rows = random_rows(0, 12)
    records = []
    for dataset, by in zip(("cifar10", "cifar100"), shifts, strict=True):
        records += grid(rows, dataset=dataset, model="mini")
        if by is not None:
            records += grid(shifted(rows, by, 0), "el2n", dataset=dataset, model="mini")
    return records


@pytest.mark.parametrize(
    ("shifts", "expected", "count"),
    [((0.1, 0.1), HOLDS, 2), ((0.1, -0.1), PARTLY, 2), ((-0.1, -0.1), FAILS, 2),
     ((0.1, None), HOLDS, 1)],
)  # fmt: skip
def test_some_density_must_be_found_in_each_data_set(shifts, expected, count):
    claim = Claim("X4", "", "", Better("el2n", "random", ["average"], over="some"), rule="any")
    found = claim.check(several(shifts), "mini")
    assert (found.word, len(found.effects), found.missing) == (expected, count, 0)


def test_what_was_not_run_is_said():
    claim = Claim("X5", "", "", Better(("el2n", "grand"), "random", ["average"]))
    assert page.cell(claim.check(several((0.1, None)), "mini")).startswith(
        "✓ **holds**, 1 not run; +"
    )
    assert claim.check(several((None, None)), "mini").word == NO_RECORDS


def test_claims_about_tails_and_groups_see_only_those():
    rows = random_rows(0)
    for data, given in (("tail", {"imbalance": 5.0}), ("groups", {"dataset": "digits-on-photos"})):
        claim = Claim("X2", "", "", Better("el2n", "random"), data=data)
        plain = grid(rows) + grid(rows, "el2n")
        assert claim.check(plain).word == NO_RECORDS
        special = grid(rows, **given) + grid(shifted(rows, 0.1, 0), "el2n", **given)
        found = claim.check(plain + special)
        assert found.word == HOLDS
        assert ("worst group" in found.effects[0].text) == (data == "groups")


def test_a_number_of_the_paper_is_tested_on_its_data_and_network_alone():
    claim = Claim("X3", "", "", CLAIM.test, only="cifar100")
    rows = random_rows(0, 4)
    for dataset, model, scale, expected in (
        ("cifar10", "vgg16", "paper", NO_RECORDS),
        ("cifar100", "mini", "mini", NO_RECORDS),
        ("cifar100", "vgg19", "paper", HOLDS),
    ):
        where = {"dataset": dataset, "model": model}
        records = grid(rows, **where) + grid(shifted(rows, 0.1, 0), "el2n", **where)
        assert claim.check(records, scale).word == expected


def test_the_clean_digits_decide_nothing():
    records = grid(random_rows(0), dataset="digits") + grid(
        random_rows(1), "el2n", dataset="digits"
    )
    assert CLAIM.check(records).word == NO_RECORDS


# The catalogue ----------------------------------------------------------------------------------


def test_every_claim_has_a_name_a_place_and_a_decision():
    keys = [claim.key for claim in claims.CLAIMS]
    assert len(set(keys)) == len(keys) >= 35
    for claim in claims.CLAIMS:
        assert claim.text and claim.place, claim.key
        if claim.source == "paper":
            assert claim.test or claim.fact, claim.key
            assert re.search(r"Abstract|Section|Appendi|Figure|Equation|Theorem", claim.place)
        if not (claim.test or claim.fact):
            assert claim.note, claim.key  # where one can see it
            assert claim.check([]).word == ABSENT
        assert not claim.text.endswith("."), claim.key


def test_without_records_there_is_no_verdict():
    for claim in claims.CLAIMS:
        if claim.fact is None:
            found = claim.check([], "paper")
            assert found.word in (NO_RECORDS, ABSENT) and not found.effects


def test_no_verdict_without_an_interval():
    """Every comparison of a computation has finite ends."""
    for claim in claims.CLAIMS:
        if claim.fact:
            for one in claim.check([]).effects:
                assert np.isfinite(one.found).all(), (claim.key, one.text)
                assert one.found.low <= one.found.value <= one.found.high


def test_the_live_trials_give_every_claim_its_comparisons():
    """Made-up records of those trials: nothing that a claim asks for is missing on digits."""
    rng = np.random.default_rng(0)
    records = []
    for trial in live_trials(3, 2):
        config = trial.config
        if config["recall_query"]:
            config = config | {"recall_query": QUERY | config["recall_query"]}
        k = 4 if trial.dataset in GROUPED else 10
        made = {"recalls": rng.uniform(0.2, 1, k).tolist(), "class_sizes": [90] * k}
        kept = rng.integers(1, 90, k).tolist()
        records.append({"key": trial.key, "trial": config, "kept": kept, "provenance": {}} | made)
    found = arrange(records)
    for claim in [claim for claim in claims.CLAIMS if not claim.fact]:
        checked = claim.check(found)
        assert checked.missing == 0, claim.key
        assert checked.effects or claim.only or checked.word == ABSENT, claim.key
        if claim.data == "groups":  # which Waterbirds decide, too
            assert len(claim.check(found, "features").effects) == len(checked.effects), claim.key


def test_a_claim_with_a_known_answer_in_each_direction():
    """D1 on records in which DRoP is 10 points better, and 10 points worse, at each density."""
    (claim,) = [claim for claim in claims.CLAIMS if claim.key == "D1"]
    rows = random_rows(0)
    for by, expected in ((0.1, HOLDS), (-0.1, FAILS)):
        records = []
        for density in (0.3, 0.7):
            records += grid(rows, "random", density)
            better_rows = shifted(rows, by, 1)
            records += grid(better_rows, "random+drop", density, recall_query=QUERY)
        assert claim.check(records).word == expected


# The page ---------------------------------------------------------------------------------------


def test_rows_fit_their_headers_and_sum_up():
    found = arrange(grid(random_rows(0)) + grid(random_rows(1), "el2n"))
    sections = {"some": claims.CLAIMS[:3], "one": [CLAIM]}
    verdicts = page.check_all(sections, found)
    summary = page.summary(sections, verdicts, "digits")
    assert summary.rows[-1][1] == 4 == sum(summary.rows[-1][2:])
    statements, effects = (make([CLAIM], verdicts) for make in (page.statements, page.evidence))
    assert statements.rows[0][-2:] == ["– **no records**"] * 2
    for table in (summary, statements, effects):
        assert table.rows and all(len(row) == len(table.headers) for row in table.rows)


def test_cells_show_estimates_and_counts():
    assert page.cell(judge([effect(UP)])) == "✓ **holds**; +2.00 [+1.00,\xa0+3.00]"
    many = page.cell(judge([effect(UP), effect(DOWN), effect(WIDE)]))
    assert many == "◐ **partly**, 1 of 3 hold, 1 contradicted; −2.0 to +2.0"
    one_seed = judge([effect(Difference(-1.5, math.nan, math.nan))])
    assert page.cell(one_seed) == "? **undecided**; −1.50, no interval"


@pytest.mark.parametrize(
    ("above", "below", "expected"),
    [(0.0, math.inf, "above 0"), (-2, math.inf, "above −2"), (-math.inf, 0.5, "below 0.5"),
     (9.5, 10.5, "9.5 to 10.5")],
)  # fmt: skip
def test_wanted_ranges_in_words(above, below, expected):
    assert page.wanted(effect(UP, "", above, below)) == expected


def test_chapters_show_claims_by_key():
    """D1 on records in which DRoP is better at each density, and a claim that is computed."""
    rows = random_rows(0)
    better = shifted(rows, 0.1, 1)
    records = grid(rows) + grid(better, "random+drop", recall_query=QUERY)
    shown = claims.shown(["D1", "T22a", "K2"], records)
    assert all(len(row) == len(shown.headers) for row in shown.rows)
    first, computed, absent = shown.rows
    assert first[0] == "**D1**" and first[2] == "Section 4, Figure 5"
    low, high = stats.ttest_rel(100 * better.min(1), 100 * rows.min(1)).confidence_interval()
    gain = 100 * (better.min(1) - rows.min(1)).mean()
    assert first[3].startswith(f"{gain:+.2f} [{low:+.2f},\xa0{high:+.2f}]; ")
    assert first[4] == "✓ **holds**"
    assert computed[3:] == ["16; 20", "◐ **partly**"]
    assert absent[3:] == ["", "∅ **not in the paper**"]
    assert claims.shown(["D1"], records, "mini").rows[0][3:] == ["", "– **no records**"]
