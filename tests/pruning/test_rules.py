"""Rules of selection against their definitions as plain loops, and rules of one's own."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from scipy.stats import beta as beta_density

from dropkit import prune, pruning
from dropkit.pruning import RULES, Protocol, parse, register
from dropkit.pruning.rules import beta, ccs
from dropkit.quotas import hardness_densities


@pytest.fixture
def registry():
    return RULES


def stream(seed=0):
    return np.random.default_rng(seed).random


@st.composite
def pools(draw, most=60):
    """Labels, distinct scores, and how many of each class to keep."""
    n = draw(st.integers(2, most))
    labels = np.array(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    scores = np.array(draw(st.permutations(range(n)))) ** draw(st.sampled_from([0.5, 1, 2])) - 3.0
    counts = [draw(st.integers(0, int((labels == k).sum()))) for k in range(3)]
    assume(sum(counts))
    return labels, scores, np.array(counts)


class TestGrammar:
    @pytest.mark.parametrize(
        ("name", "expected", "needs"),
        [
            ("ccs", Protocol("aum", rule="ccs"), ("aum",)),
            ("ccs:el2n+drop", Protocol("el2n", "drop", rule="ccs"), ("el2n",)),
            ("easy:grand+balance", Protocol("grand", "balance", rule="easy"), ("grand",)),
            ("ccs+el2nq", Protocol("aum", "el2n", rule="ccs"), ("aum", "el2n")),
            ("ccs+aumq", Protocol("aum", "aum", rule="ccs"), ("aum",)),
            ("beta+proportional", Protocol("dual", "proportional", rule="beta"),
             ("dual", "meanprob")),
            ("beta:el2n", Protocol("el2n", rule="beta"), ("el2n", "meanprob")),
            ("random+hardness:el2n", Protocol("random", "hardness:el2n"), ("el2n",)),
            ("ssp+hardness:aum", Protocol("ssp", "hardness:aum"), ("ssp", "aum")),
            ("cdbw+moderate+cdbw", Protocol("ssp", "global", "cdbw", "cdbw", "moderate"), ("ssp",)),
        ],
    )  # fmt: skip
    def test_any_rule_in_any_quota(self, name, expected, needs):
        assert parse(name) == expected
        assert parse(name).strategies == needs

    @pytest.mark.parametrize(
        "name",
        ["easy", "easy:", "easy:easy", "ccs:random", "ccs:ccs", "ccs:el2n:grand", "el2n:ccs"]
        + ["random+hardness", "random+hardness:", "random+hardness:random", "hardness:el2n"]
        + [
            "random:el2n",
            "ccs+ccsq",
            "full+proportional",
            "drop:el2n",
            "ccs+global",
            "random+el2nhardness:",
        ],
    )
    def test_other_names_list_scores_and_rules(self, name):
        with pytest.raises(ValueError, match=r"a rule of beta, ccs, easy, median, mixture, moder"):
            parse(name)


def ccs_by_hand(scores, counts, labels, share, most):
    """Of each class, the numbers that each stratum gives, by the published steps.

    In ease, the negated score: cut the lowest off; strata of equal width; the smallest first.
    """
    found = []
    for k, count in enumerate(counts):
        members = sorted((i for i in range(len(labels)) if labels[i] == k), key=lambda i: scores[i])
        cut = math.floor(Fraction(str(share)) * len(members))
        members = members[: len(members) - cut]
        if not members:
            continue
        ease = {i: -float(scores[i]) for i in members}
        low, high = min(ease.values()), max(ease.values())
        strata = min(most, max(int(count), 1))  # so that each can give one
        pools = [[] for _ in range(strata)]
        for i in members:
            place = math.floor((ease[i] - low) / ((high - low) / strata or 1.0))
            pools[min(place, strata - 1)].append(i)
        rest, budgets = count, {}
        order = sorted(range(strata), key=lambda s: len(pools[s]))
        for done, s in enumerate(order):
            budgets[s] = min(len(pools[s]), rest // (strata - done))
            rest -= budgets[s]
        assert rest == 0
        found += [(set(pools[s]), budgets[s]) for s in range(strata)]
    return found


class TestCCS:
    @given(pools(), st.sampled_from([0, 0.1, 0.3]), st.sampled_from([1, 7, 50]))
    def test_strata_by_definition(self, pool, share, strata):
        labels, scores, counts = pool
        sizes = np.bincount(labels, minlength=3)
        counts = np.minimum(counts, sizes - np.floor(share * sizes + 1e-9).astype(int))
        kept = ccs(scores, labels, counts, stream(), hard_cut=share, strata=strata)
        kept = set(kept.tolist())
        expected = ccs_by_hand(scores, counts, labels, share, strata)
        assert sum(budget for _, budget in expected) == len(kept)
        for members, budget in expected:
            assert len(members & kept) == budget

    def test_the_hardest_are_cut_off(self):
        scores, labels = np.arange(90.0), np.zeros(90, int)
        kept = prune("ccs:el2n", labels, 0.1, scores=scores)
        assert len(kept) == 9 and kept.max() < 63  # a third of the nine tenths that go
        every = [prune("ccs:el2n", labels, 0.1, scores=scores, seed=s) for s in range(40)]
        assert np.concatenate(every).max() == 62

    def test_strata_without_a_cut_reach_the_hardest(self):
        scores = np.r_[np.zeros(98), 1.0, 2.0]
        kept = prune("stratified:aum", np.zeros(100, int), 0.04, scores=scores)
        assert {98, 99} <= set(kept.tolist())

    def test_a_cut_that_leaves_too_few(self):
        with pytest.raises(ValueError, match="cut of 0.5 leaves 5 of 10 samples, but 6 are to be"):
            ccs(np.arange(10.0), np.zeros(10, int), np.array([6]), stream(), hard_cut=0.5)

    def test_infinite_scores_have_no_strata(self):
        with pytest.raises(ValueError, match=r"scores\[1\] is inf: it must be finite to be div"):
            prune("ccs:forgetting", [0, 0], 0.5, scores=[1, math.inf])


@given(pools())
def test_moderate_keeps_middle_ranks(pool):
    labels, scores, counts = pool
    expected = []
    for k, count in enumerate(counts):
        ranked = sorted(np.flatnonzero(labels == k), key=lambda i: (scores[i], i))
        below = (len(ranked) - count) // 2
        expected += ranked[below : below + count]
    found = RULES["moderate"](scores, labels, counts, stream())
    assert found.tolist() == sorted(expected)


@given(pools())
def test_median_and_easy(pool):
    labels, scores, counts = pool
    middle = sorted(scores.tolist())
    middle = (middle[(len(middle) - 1) // 2] + middle[len(middle) // 2]) / 2
    for name, key in (("median", lambda i: abs(scores[i] - middle)), ("easy", lambda i: scores[i])):
        expected = [
            sorted(np.flatnonzero(labels == k), key=lambda i: (key(i), i))[:count]
            for k, count in enumerate(counts)
        ]
        found = RULES[name](scores, labels, counts, stream())
        assert found.tolist() == sorted(sum(expected, []))


class TestBeta:
    def test_first_draws_go_by_the_weights(self):
        """One of six samples is drawn in proportion to score times the Beta density, by hand."""
        score = np.array([0.5, 1.0, 2.0, 4.0, 1.5, 0.1])
        mean = np.array([0.2, 0.4, 0.6, 0.3, 0.8, 0.9])
        gone, anchor = 5 / 6, mean.mean()  # all six are among the ten highest scores
        b = 15 * (1 - anchor) * (1 - gone**5.5)
        weights = score * beta_density.pdf(mean, 16 - b, b)
        draw, times = stream(1), np.zeros(6)
        for _ in range(6000):
            chosen = beta(np.array([score, mean]), np.zeros(6, int), np.array([1]), draw)
            times[chosen] += 1
        expected = weights / weights.sum()
        deviation = np.sqrt(6000 * expected * (1 - expected))
        assert (np.abs(times - 6000 * expected) < 5 * deviation + 1).all()

    def test_samples_of_no_weight_come_last(self):
        rows = np.array([[0, 0, 1, 1.0], [0.5, 0.5, 0.5, 0.5]])
        kept = prune("beta", [0, 0, 0, 0], 0.5, scores=rows)
        assert kept.tolist() == [2, 3]
        assert len(prune("beta", [0, 0, 0, 0], 0.75, scores=rows)) == 3


class TestMixture:
    def test_the_uncertain_are_drawn_first(self):
        """Two clusters of scores, and two samples between them, which the posteriors share."""
        rng = np.random.default_rng(5)
        scores = np.r_[rng.normal(0, 1, 300), rng.normal(12, 1, 300), 6.0, 6.01]
        kept = prune("mixture:el2n", np.zeros(602, int), 2 / 602, scores=scores, seed=1)
        assert kept.tolist() == [600, 601]

    def test_scores_that_are_all_alike(self):
        kept = prune("mixture+drop", [0, 0, 1, 1], 0.5, scores=[1, 1, 1, 1], recalls=[0.5, 0.5])
        assert len(kept) == 2


class TestHardness:
    def test_counts_go_by_mean_scores(self):
        labels, scores = np.repeat([0, 1], 50), np.repeat([0.1, 0.3], 50)
        kept = prune("random+hardness:el2n", labels, 0.4, scores=scores)
        assert np.bincount(labels[kept]).tolist() == [10, 30]

    def test_negated_ease_counts_by_its_inverse(self):
        labels = np.repeat([0, 1], 50)  # mean eases 3 and 1: hardness 1/3 and 1
        found = hardness_densities(labels, np.repeat([-3.0, -1.0], 50), 0.4)
        np.testing.assert_allclose(50 * found, [10, 30])

    def test_ease_below_zero_is_shifted(self):
        labels = np.repeat([0, 1, 3], 10)
        found = hardness_densities(labels, np.repeat([-3.0, -1.0, 2.0], 10), 0.5)
        # Eases 5, 3 and 0, and 1e-4: the last class is full, the others share 5 by 3 : 5.
        np.testing.assert_allclose(10 * found[[0, 1, 3]], [1.875, 3.125, 10], rtol=1e-4)
        assert found[2] == 0

    def test_infinite_scores(self):
        with pytest.raises(ValueError, match=r"scores\[0\] is inf: it must be finite to have"):
            hardness_densities([0, 1], [math.inf, 1], 0.5)


@given(
    pools(),
    st.sampled_from(sorted(RULES)),
    st.sampled_from(["", "+balance", "+drop", "+proportional"]),
)
def test_every_rule_fills_every_quota(pool, rule, quota):
    labels, scores, _ = pool
    density, name = 0.5, f"{rule}:el2n{quota}"
    rows = np.array([scores, np.linspace(0.1, 0.9, scores.size)]) if rule == "beta" else scores
    given = {"scores": rows, "recalls": [0.9, 0.5, 0.2]}
    kept = prune(name, labels, density, **given)
    assert len(set(kept.tolist())) == len(kept) == math.floor(labels.size / 2 + 0.5)
    if quota:
        counts = np.bincount(labels[prune(f"random{quota}", labels, density, **given)], minlength=3)
        assert np.bincount(labels[kept], minlength=3).tolist() == counts.tolist()
    assert kept.tolist() == prune(name, labels, density, **given).tolist()


def test_proportional_counts():
    labels = np.repeat([0, 1, 2], [10, 20, 30])
    kept = prune("random+proportional", labels, 0.3)
    assert np.bincount(labels[kept]).tolist() == [3, 6, 9]


def test_a_quota_of_other_scores_than_the_rules():
    labels = np.repeat([0, 1], 10)
    rows = np.array([np.arange(20.0), np.r_[np.zeros(10), np.ones(10)]])
    kept = prune("easy:aum+el2nq", labels, 0.25, scores=rows)  # EL2N asks for class 1 alone
    assert kept.tolist() == [10, 11, 12, 13, 14]
    with pytest.raises(ValueError, match="scores have 1 rows: they must be aum, el2n"):
        prune("easy:aum+el2nq", labels, 0.25, scores=rows[:1])


class TestOwnRules:
    def test_joins_every_quota(self, registry):
        @register("first", scores=())
        def first(scores, labels, counts, draw):
            chosen = [np.flatnonzero(labels == k)[:count] for k, count in enumerate(counts)]
            return np.concatenate(chosen)

        assert prune("first", [0, 1, 0, 1], 0.5).tolist() == [0, 1]
        assert prune("first+balance", [0, 0, 1, 1], 0.5).tolist() == [0, 2]
        drop = prune("first+drop", [0] * 8 + [1] * 8, 0.5, recalls=[0.75, 0.25])
        assert drop.tolist() == [0, 1, 8, 9, 10, 11, 12, 13]
        assert parse("first").strategies == ()
        with pytest.raises(ValueError, match="'first:el2n' is not known"):
            parse("first:el2n")

    @pytest.mark.parametrize(
        ("chosen", "message"),
        [
            ([0, 1], r"the rule 'own' returned 2 samples: it must be 3"),
            ([0, 1, 2, 3], r"returned 4 samples: it must be 3"),
            ([0, 1, 1], r"returned sample 1 more than once"),
            ([0, 1, 6], r"returned index 6: it must be one of 0\.\.5"),
            ([0, 1, -1], r"returned index -1"),
            ([0.0, 1.0, 2.0], r"returned float64 of shape \(3,\): it must be indices"),
            ([[0, 1, 2]], r"of shape \(1, 3\)"),
        ],
    )
    def test_what_does_not_fit_is_refused_by_name(self, registry, chosen, message):
        register("own", scores=())(lambda *given: np.array(chosen))
        with pytest.raises(ValueError, match=message):
            prune("own", [0, 0, 0, 1, 1, 1], 0.5)

    def test_counts_of_classes(self, registry):
        register("own", scores=())(lambda *given: np.array([0, 1, 3]))
        with pytest.raises(ValueError, match="'own' returned 2 samples of class 0: it must be 1"):
            prune("own+drop", [0, 0, 0, 1, 1, 1], 0.5, recalls=[0.75, 0.5], seed=1)

    @pytest.mark.parametrize(
        "name", ["el2n", "random", "ccs", "hardness", "rcap", "infobatch", "Own", "a+b", "", 7]
    )
    def test_names_that_cannot_be_used(self, registry, name):
        with pytest.raises(
            ValueError, match=re.escape(f"rule name {name!r} cannot be used: it must")
        ):
            register(name)

    @pytest.mark.parametrize("scores", [("nothing",), "el2n", ["el2n"]])
    def test_scores_that_are_not_known(self, registry, scores):
        with pytest.raises(ValueError, match="scores is .*: it must be a tuple of names among aum"):
            register("own", scores=scores)

    def test_another_function_is_another_version(self, registry):
        register("own")(lambda scores, labels, counts, draw: [0])
        before = registry["own"].version()
        register("own")(lambda scores, labels, counts, draw: [1])
        assert before != registry["own"].version()
        assert pruning.RULES["ccs"].version() == ""
