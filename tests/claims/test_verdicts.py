"""Verdicts of made-up records whose truth is known, and the catalogue of claims."""

import math
import re
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given as drawn, strategies as st
from scipy import stats

from dropkit import claims
from dropkit.claims import Claim, Effect, cards, page, paper
from dropkit.claims.comparisons import Better
from dropkit.claims.trials import GROUPED, live_trials
from dropkit.claims.verdicts import (
    ABSENT,
    CONTRADICTED,
    HOLDS,
    MIXED,
    MOSTLY,
    NO_RECORDS,
    OPEN,
    REFUTED,
    SUPPORTED,
    Tally,
    exact,
    judge,
    violations,
)
from dropkit.metrics import Difference
from dropkit.notebook.larger_scales import all_published
from dropkit.study.curves import arrange
from tests.made_records import QUERY, grid, random_rows, shifted

UP, DOWN, WIDE = Difference(2, 1, 3), Difference(-2, -3, -1), Difference(0, -1, 1)


def effect(found, part="", above=0.0, below=math.inf):
    return Effect("", found, 12, above, below, part)


@pytest.mark.parametrize(
    ("found", "above", "below", "expected"),
    [
        (UP, 0, math.inf, HOLDS),
        (DOWN, 0, math.inf, CONTRADICTED),
        (WIDE, 0, math.inf, OPEN),
        (UP, -math.inf, 4, HOLDS),
        (UP, -math.inf, 0, CONTRADICTED),
        (UP, 0, 2.5, OPEN),
        (UP, 5, 6, CONTRADICTED),
        (Difference(3, math.nan, math.nan), 0, math.inf, OPEN),
    ],
)
def test_a_comparison_is_read_by_its_interval_and_range(found, above, below, expected):
    assert effect(found, "", above, below).word == expected


@pytest.mark.parametrize(
    ("tally", "expected"),
    [
        ((9, 1, 0), SUPPORTED),
        ((89, 11, 0), MOSTLY),
        ((99, 0, 1), MOSTLY),
        ((60, 31, 9), MOSTLY),
        ((59, 41, 0), MIXED),
        ((60, 30, 10), MIXED),
        ((51, 0, 49), MIXED),
        ((50, 0, 50), REFUTED),
        ((0, 80, 20), REFUTED),
        ((1, 80, 20), MIXED),
        ((19, 81, 0), OPEN),
        ((0, 81, 19), OPEN),
        ((20, 80, 0), MIXED),
        ((1, 0, 0), SUPPORTED),
        ((0, 1, 0), OPEN),
        ((0, 0, 1), REFUTED),
    ],
)
def test_words_go_by_thresholds(tally, expected):
    assert Tally(*tally).word == expected


@drawn(st.tuples(*[st.integers(0, 40)] * 3).filter(any))
def test_a_better_tally_has_no_worse_word(tally):
    """One comparison more that holds in place of one that does not; open and mixed are level."""
    hold, undecided, contradicted = tally
    rank = {REFUTED: 0, OPEN: 1, MIXED: 1, MOSTLY: 2, SUPPORTED: 3}
    better = [(hold + 1, undecided - 1, contradicted), (hold + 1, undecided, contradicted - 1)]
    better.append((hold, undecided + 1, contradicted - 1))
    for each in better:
        if min(each) >= 0:
            assert rank[Tally(*each).word] >= rank[Tally(*tally).word]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([(DOWN, "a"), (UP, "a")], SUPPORTED),
        ([(DOWN, "a"), (DOWN, "a")], REFUTED),
        ([(DOWN, "a"), (WIDE, "a")], OPEN),
        ([(UP, "a"), (WIDE, "b"), (DOWN, "b")], MIXED),
        ([(DOWN, "a"), (WIDE, "b")], REFUTED),
    ],
)
def test_any_comparison_of_a_part_is_enough(found, expected):
    assert judge([effect(*one) for one in found], "any").word == expected


def test_the_word_is_that_of_the_papers_own_measure():
    found = judge([effect(UP), effect(DOWN)._replace(reading="pooled"), None])
    assert (found.word, found.missing) == (SUPPORTED, 1)
    assert {name: tally.word for name, tally in found.tallies.items()} == {
        "": SUPPORTED,
        "pooled": REFUTED,
    }
    assert judge([]).word == judge([None]).word == NO_RECORDS


@pytest.mark.parametrize(
    ("failed", "total", "expected"), [(0, 2000, HOLDS), (2, 100, OPEN), (20, 100, CONTRADICTED)]
)
def test_a_theorem_allows_for_hardly_any_violation(failed, total, expected):
    (one,) = violations("a theorem", [True] * failed + [False] * (total - failed))
    assert (one.word, one.found.value, one.seeds) == (expected, 100 * failed / total, total)


@pytest.mark.parametrize(("value", "expected"), [(9.12, HOLDS), (9.2, CONTRADICTED)])
def test_a_computation_without_chance_is_decided(value, expected):
    (one,) = exact("a risk", value, 9.05, 9.15)
    assert (one.word, one.seeds) == (expected, 0)


CLAIM = Claim("X1", "", "", Better("el2n", "random", ["average"]))


def test_a_claim_finds_the_records_of_its_scale_by_itself():
    rows = random_rows(0, 4)
    records = grid(rows, dataset="cifar10", model="mini")
    records += grid(shifted(rows, 0.1, 0), "el2n", dataset="cifar10", model="mini")
    assert CLAIM.check(records, "mini").word == SUPPORTED
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
    assert found.word == REFUTED
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
    [((0.1, 0.1), SUPPORTED, 2), ((0.1, -0.1), REFUTED, 2), ((-0.1, -0.1), REFUTED, 2),
     ((0.1, None), SUPPORTED, 1)],
)  # fmt: skip
def test_some_density_must_be_found_in_each_data_set(shifts, expected, count):
    claim = Claim("X4", "", "", Better("el2n", "random", ["average"], over="some"), rule="any")
    found = claim.check(several(shifts), "mini")
    assert (found.word, len(found.effects), found.missing) == (expected, count, 0)


def test_what_was_not_run_is_said():
    claim = Claim("X5", "", "", Better(("el2n", "grand"), "random", ["average"]))
    found = claim.check(several((0.1, None)), "mini")
    assert (found.word, found.missing) == (SUPPORTED, 1)
    assert page.in_numbers(found).endswith(" points; 1 not run")
    assert claim.check(several((None, None)), "mini").word == NO_RECORDS


def test_claims_about_tails_and_groups_see_only_those():
    rows = random_rows(0)
    for data, given in (("tail", {"imbalance": 5.0}), ("groups", {"dataset": "digits-on-photos"})):
        claim = Claim("X2", "", "", Better("el2n", "random"), data=data)
        plain = grid(rows) + grid(rows, "el2n")
        assert claim.check(plain).word == NO_RECORDS
        special = grid(rows, **given) + grid(shifted(rows, 0.1, 0), "el2n", **given)
        found = claim.check(plain + special)
        assert found.word == SUPPORTED
        assert ("worst group" in found.effects[0].text) == (data == "groups")


def test_a_number_of_the_paper_is_tested_on_its_data_and_network_alone():
    claim = Claim("X3", "", "", CLAIM.test, only="cifar100")
    rows = random_rows(0, 4)
    for dataset, model, scale, expected in (
        ("cifar10", "vgg16", "paper", NO_RECORDS),
        ("cifar100", "mini", "mini", NO_RECORDS),
        ("cifar100", "vgg19", "paper", SUPPORTED),
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
    """Made-up records of those trials: nothing that a claim asks for is missing on digits.

    What no chapter trains live the published records decide.
    """
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
    few = [r for r in records if r["trial"]["dataset"] == "waterbirds-features"]
    published = arrange([*all_published(), *few])
    for claim in [claim for claim in claims.CLAIMS if not claim.fact]:
        checked = claim.check(found)
        lacking = checked.missing or not checked.effects
        if lacking and claim.source in ("later", "ours", "summary") and claim.test:
            elsewhere = claim.check(published, "features")
            assert elsewhere.effects and elsewhere.missing == 0, claim.key
            continue
        assert checked.missing == 0, claim.key
        assert checked.effects or claim.only or checked.word == ABSENT, claim.key
        if claim.data == "groups":  # which Waterbirds decide, too
            assert len(claim.check(found, "features").effects) == len(checked.effects), claim.key


def test_a_claim_with_a_known_answer_in_each_direction():
    """D1 on records in which DRoP is 10 points better, and 10 points worse, at each density."""
    (claim,) = [claim for claim in claims.CLAIMS if claim.key == "D1"]
    rows = random_rows(0)
    for by, expected in ((0.1, SUPPORTED), (-0.1, REFUTED)):
        records = []
        for density in (0.3, 0.7):
            records += grid(rows, "random", density)
            better_rows = shifted(rows, by, 1)
            records += grid(better_rows, "random+drop", density, recall_query=QUERY)
        assert claim.check(records).word == expected


@pytest.mark.parametrize(("implying", "implied"), [("D4", "D2"), ("C2", "C7"), ("B17", "B2")])
@pytest.mark.parametrize("by", [-0.05, 0.0, 0.02, 0.05])
def test_a_claim_is_never_worse_than_one_that_implies_it(implying, implied, by):
    """On records in which what is compared moves by as much, at each density its own."""
    by_key = {claim.key: claim for claim in claims.CLAIMS}
    rank = {REFUTED: 0, OPEN: 1, MIXED: 1, MOSTLY: 2, SUPPORTED: 3}
    first, second = by_key[implying].test.first, by_key[implying].test.second
    for seed in range(5):
        rows, records = random_rows(seed, 6), []
        records += grid(rows, second, 1.0)
        for density, spread in ((0.1, -0.1), (0.5, 0.0), (0.9, 0.0)):
            query = {"recall_query": QUERY} if "drop" in first else {}
            records += grid(shifted(rows, by + spread, seed), first, density, **query)
        words = {}
        for key in (implying, implied):
            found = by_key[key].check(records)
            words[key] = {reading: tally.word for reading, tally in found.tallies.items()}
        for reading, word in words[implying].items():
            assert rank[words[implied][reading]] >= rank[word], (seed, words)


def test_what_rarely_happens_may_not_happen_by_two_points():
    (claim,) = [claim for claim in claims.CLAIMS if claim.key == "B16"]
    rows = random_rows(0)
    for by, expected in ((0.0, SUPPORTED), (-0.2, SUPPORTED), (0.1, REFUTED)):
        records = grid(rows, "full", 1.0) + grid(shifted(rows, by, 0), "el2n", 0.5)
        assert claim.check(records).word == expected


def test_similarly_well_allows_for_better():
    (claim,) = [claim for claim in claims.CLAIMS if claim.key == "D13a"]
    rows = random_rows(0)
    for by, expected in ((0.3, SUPPORTED), (0.0, SUPPORTED), (-0.1, REFUTED)):
        records = grid(rows, "el2n+drop", 0.5, recall_query=QUERY)
        records += grid(shifted(rows, by, 0), "random+el2nq", 0.5)
        assert claim.check(records).word == expected


def test_identities_and_other_sources_are_outside_the_headline():
    keys = {claim.key for claim in claims.CLAIMS}
    assert keys >= paper.IDENTITIES
    assert all(claim.fact for claim in claims.CLAIMS if claim.key in paper.IDENTITIES)
    counted = {claim.key for claim in claims.CLAIMS if paper.scored(claim)}
    assert counted == {k for k in keys if k[0] in "BDCIGT"} - paper.IDENTITIES


# The page ---------------------------------------------------------------------------------------


class Cards(HTMLParser):
    """What the cards of a page say: by anchor the words of scales, and the cells of each row."""

    def __init__(self, page):
        super().__init__()
        self.words, self.rows, self.cell = {}, {}, False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "article":
            self.key = given["id"].removeprefix("claim-")
            self.words[self.key] = dict(
                each.split(":") for each in given["data-words"].split(";") if each
            )
            self.rows[self.key] = []
        elif tag == "tr":
            self.rows[self.key].append([])
        self.cell = tag == "td" or (self.cell and tag == "i")
        if tag == "td":
            self.rows[self.key][-1].append("")

    def handle_data(self, text):
        if self.cell:
            self.rows[self.key][-1][-1] += text


def test_cards_show_every_claim_word_and_comparison():
    found = arrange(grid(random_rows(0)) + grid(random_rows(1), "el2n"))
    verdicts = page.check_all(claims.SECTIONS, found)
    shown = Cards("".join(cards.cards(*each, verdicts) for each in claims.SECTIONS.items()))
    assert list(shown.words) == [claim.key for claim in claims.CLAIMS]
    for claim in claims.CLAIMS:
        own = {s: v for (key, s), v in verdicts.items() if key == claim.key}
        if claim.fact:
            assert shown.words[claim.key] == {"computed": own["digits"].word}
        elif own["digits"].word != ABSENT:
            there = {s: v.word for s, v in own.items() if v.word != NO_RECORDS}
            assert shown.words[claim.key] == there
        effects = [effect for verdict in own.values() for effect in verdict.effects]
        rows = [row for row in shown.rows[claim.key] if row]
        assert [(row[1], row[7]) for row in rows] == [(e.text, e.word) for e in effects]
        assert {len(row) for row in rows} <= {len(cards.COLUMNS)}


def test_the_headline_counts_each_claim_once_at_its_largest_scale():
    rows = random_rows(0)
    records = grid(rows) + grid(shifted(rows, -0.1, 0), "coreset")
    records += grid(rows, dataset="cifar10", model="mini")
    records += grid(shifted(rows, 0.1, 0), "coreset", dataset="cifar10", model="mini")
    verdicts = page.check_all(claims.SECTIONS, arrange(records))
    assert [verdicts["B19", scale].word for scale in ("digits", "mini")] == [SUPPORTED, REFUTED]
    largest, digits = page.score(verdicts)
    computed = Counter(
        verdicts[claim.key, "digits"].word
        for claim in claims.CLAIMS
        if claim.fact and paper.scored(claim)
    )
    trained = [
        claim
        for claim in claims.CLAIMS
        if not claim.fact and paper.scored(claim) and verdicts[claim.key, "mini"].effects
    ]
    words = computed + Counter(verdicts[claim.key, "mini"].word for claim in trained)
    assert f"Of {words.total()} statements" in largest
    assert f"small network: {len(trained)}; computed: {computed.total()}" in largest
    assert f"{words[SUPPORTED]} supported" in largest and f"{words[OPEN]} open" in largest
    assert digits.startswith(f"On the digits alone, of {len(trained)}, ")


def test_numbers_show_estimates_and_counts_with_their_unit():
    points = [effect(found)._replace(unit="points") for found in (UP, DOWN, WIDE)]
    assert page.in_numbers(judge(points[:1])) == "+2.00 [+1.00,\xa0+3.00] points"
    pooled = points[1]._replace(reading="pooled")
    assert page.in_numbers(judge([*points, pooled])) == (
        "1 of 3 hold, 1 contradicted, −2.0 to +2.0 points; pooled: −2.00 [−3.00,\xa0−1.00] points"
    )
    one_seed = judge([effect(Difference(-1.5, math.nan, math.nan))])
    assert page.in_numbers(one_seed) == "−1.50, no interval"


@pytest.mark.parametrize(
    ("above", "below", "expected"),
    [(0.0, math.inf, "above 0 points"), (-2, math.inf, "above −2 points"),
     (-math.inf, 0.5, "below 0.5 points"), (9.5, 10.5, "9.5 to 10.5 points")],
)  # fmt: skip
def test_wanted_ranges_in_words(above, below, expected):
    assert page.wanted(effect(UP, "", above, below)._replace(unit="points")) == expected


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
    assert first[3].startswith(f"{gain:+.2f} [{low:+.2f},\xa0{high:+.2f}] points; pooled: ")
    assert first[4] == "✓ **supported**"
    assert computed[3:] == ["16; 20", "✗ **not supported**"]
    assert absent[3:] == ["", "∅ **not in the paper**"]
    assert claims.shown(["D1"], records, "mini").rows[0][3:] == ["", "– **no records**"]
