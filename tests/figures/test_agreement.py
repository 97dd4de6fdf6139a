"""How far scores agree: SciPy's Spearman, sums over classes written out, and closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from dropkit.figures import agreement
from dropkit.figures.agreement import Pair

RNG = np.random.default_rng(0)


def compare(first, second, labels=None, density=0.5):
    """The pair of two scores of one seed."""
    labels = [0] * len(first) if labels is None else labels
    (pair,) = agreement.pairs({"el2n": [first], "grand": [second]}, [labels], density)
    return pair


# Few values and few classes: ties in every way, classes of one sample, and missing ones.
columns = st.lists(st.tuples(*[st.integers(0, 5)] * 2, st.integers(0, 3)), min_size=2, max_size=40)
tied = columns.map(lambda rows: [list(column) for column in zip(*rows, strict=True)])


@given(tied)
def test_overall_is_scipys_spearman(drawn):
    first, second, labels = drawn
    found = compare(first, second, labels).overall
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert math.isnan(found[0])
    else:
        assert found == pytest.approx([stats.spearmanr(first, second).statistic])


@given(tied)
def test_parts_are_the_sums_over_classes(drawn):
    first, second, labels = drawn
    pair = compare(first, second, labels)
    ranks = np.stack([stats.rankdata(first), stats.rankdata(second)])
    between, within = np.zeros((2, 2)), np.zeros((2, 2))
    for k in set(labels):
        members = ranks[:, np.array(labels) == k]
        shift = members.mean(axis=1) - ranks.mean(axis=1)
        between += members.shape[1] * np.outer(shift, shift)
        within += members.shape[1] * np.cov(members, ddof=0)
    total = between + within
    if not math.isnan(pair.overall[0]):
        assert pair.between[0] == pytest.approx(
            between[0, 1] / math.sqrt(total[0, 0] * total[1, 1]), abs=1e-12
        )
    if within.diagonal().min() > 1e-9:
        expected = within[0, 1] / math.sqrt(within[0, 0] * within[1, 1])
        assert pair.within[0] == pytest.approx(expected, abs=1e-9)
    else:
        assert math.isnan(pair.within[0])


def test_any_increasing_function_agrees_and_the_reverse_disagrees():
    values, labels = RNG.normal(size=50), RNG.integers(0, 4, 50)
    same, reverse = compare(values, np.exp(values), labels), compare(values, -values, labels)
    assert [same.overall[0], same.within[0]] == pytest.approx([1, 1])
    assert [reverse.overall[0], reverse.within[0]] == pytest.approx([-1, -1])
    assert same.common == 1 and reverse.common == 0


def test_independent_scores_hardly_agree():
    n = 20_000
    first, second = RNG.normal(size=(2, n))
    pair = compare(first, second, RNG.integers(0, 10, n), density=0.1)
    # Five standard errors: 1/√n of the correlations, and of a share of 2,000 near 0.1.
    assert abs(pair.overall[0]) < 5 / math.sqrt(n) and abs(pair.within[0]) < 5 / math.sqrt(n)
    assert abs(pair.common[0] - 0.1) < 5 * math.sqrt(0.1 * 0.9 / 2000)


@pytest.mark.parametrize("half", [2, 5, 50])
def test_scores_that_agree_on_the_classes_alone(half):
    """Two classes, all of one above the other, and inside them one order and its reverse.

    The classes' mean ranks are n/4 from the mean and ranks vary by (n² - 1)/12, so their part is
    3n²/(4(n² - 1)) =: b, and the correlation is b less the rest, 1 - b.
    """
    n = 2 * half
    rising = np.arange(n)
    pair = compare(rising, np.r_[rising[:half][::-1], rising[half:][::-1]], np.repeat([0, 1], half))
    between = 3 * n**2 / (4 * (n**2 - 1))
    assert pair.within == pytest.approx([-1])
    assert pair.between == pytest.approx([between])
    assert pair.overall == pytest.approx([2 * between - 1])


def test_classes_with_one_mean_rank_have_no_part():
    labels = [0, 1, 1, 0, 0, 1, 1, 0]  # ranks 1, 4, 5, 8 and 2, 3, 6, 7: mean 4.5 both
    pair = compare(range(8), [0, 1, 2, 3, 5, 4, 7, 6], labels)
    assert pair.between == 0
    assert pair.within == pytest.approx(pair.overall)


def test_a_score_that_knows_the_class_alone_says_nothing_within():
    labels = [0, 0, 1, 1, 2, 2]
    pair = compare(labels, [1, 2, 3, 4, 5, 6], labels)
    assert pair.between == pytest.approx(pair.overall) and pair.overall[0] > 0.9
    assert math.isnan(pair.within[0])


def test_infinite_scores_are_tied_above_all_others():
    infinite = compare([1, np.inf, 0, np.inf, 2], [3, 1, 4, 1, 5])
    finite = compare([1, 9, 0, 9, 2], [3, 1, 4, 1, 5])
    assert np.array_equal(infinite[2:], finite[2:])


@pytest.mark.parametrize("kept", [1, 3, 15, 30])
def test_common_is_counted_among_the_highest_ties_by_lowest_index(kept):
    first, second = RNG.integers(0, 6, (2, 30)).tolist()
    one, other = (
        set(sorted(range(30), key=lambda i: (-values[i], i))[:kept]) for values in (first, second)
    )
    found = compare(first, second, density=kept / 30).common
    assert found == pytest.approx([len(one & other) / kept])


def test_seeds_are_compared_by_themselves_and_pairs_keep_the_order():
    scores = {key: RNG.normal(size=(3, 20)) for key in ("el2n", "ssp", "grand")}
    labels = RNG.integers(0, 3, (3, 20))
    found = agreement.pairs(scores, labels, 0.25)
    assert [pair[:2] for pair in found] == [("el2n", "ssp"), ("el2n", "grand"), ("ssp", "grand")]
    for s in range(3):
        alone = compare(scores["el2n"][s], scores["grand"][s], labels[s], 0.25)
        assert np.array([part[s] for part in found[1][2:]]) == pytest.approx(np.ravel(alone[2:]))


def test_fewer_than_two_scores_make_no_pair():
    assert agreement.pairs({}, [[0, 1]], 0.5) == []
    assert agreement.pairs({"el2n": [[0.1, 0.2]]}, [[0, 1]], 0.5) == []
    assert agreement.table([], 0.5).rows == []


@pytest.mark.parametrize(
    ("scores", "labels", "density", "message"),
    [
        ([[1, 2, 3]], [[0, 1]], 0.5, r"'el2n' have shape \(1, 3\) and labels \(1, 2\)"),
        ([[1, np.nan]], [[0, 1]], 0.5, r"scores\[1\] is nan"),
        ([[1, 2]], [0, 1], 0.5, r"labels have shape \(2,\): they must be \(S, n\)"),
        ([[1, 2]], [[0, -1]], 0.5, "label -1 is no class"),
        ([[1, 2]], [[0, 1]], 1.5, "density is 1.5"),
        ([[1, 2]], [[0, 1]], 0.1, "keeps none"),
    ],
)
def test_what_cannot_be_compared_is_named(scores, labels, density, message):
    with pytest.raises(ValueError, match=message):
        agreement.pairs({"el2n": scores}, labels, density)


def test_a_name_that_is_no_score_is_refused():
    with pytest.raises(ValueError, match="'typed' is not known"):
        agreement.pairs({"typed": [[1, 2]]}, [[0, 1]], 0.5)


def test_rows_are_ordered_and_say_what_is_not_known():
    one, two, gap = (np.array(values) for values in ([0.2, 0.4], [-0.001, 0.001], [np.nan] * 2))
    found = [
        Pair("el2n", "dynunc", overall=two, between=-one, within=gap, common=one),
        Pair("el2n", "ssp", overall=gap, between=gap, within=gap, common=two),
        Pair("el2n", "grand", overall=one, between=two, within=one, common=one),
    ]
    # Of two values the interval is t(0.975, 1) = tan(0.475π) times half their difference.
    half = 0.1 * math.tan(0.475 * math.pi)
    wide = f"0.30 [−{half - 0.3:.2f},\N{NO-BREAK SPACE}{0.3 + half:.2f}]"
    narrow = f"0.00 [−{half / 100:.2f},\N{NO-BREAK SPACE}{half / 100:.2f}]"
    assert agreement.table(found, 0.5).rows == [
        ["EL2N, GraNd", wide, "0.00", wide, "30"],
        ["EL2N, Dynamic Uncertainty", narrow, "−0.30", "–", "30"],
        ["EL2N, SSP", "–", "–", "–", "0"],
    ]
    table = agreement.table(found, 0.5)
    assert {len(row) for row in table.rows} == {len(table.headers)}


def test_one_seed_has_no_interval():
    (row,) = agreement.table([compare([1, 2, 3, 4], [1, 2, 4, 3])], 0.5).rows
    assert row[1] == "0.80"  # 1 - 6 Σd²/(n(n² - 1)) with Σd² = 2
