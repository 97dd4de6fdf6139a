"""Protocols against their definitions as plain loops, and the random stream as published."""

import math
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, strategies as st

from dropkit.pruning import Protocol, class_table, parse, prune
from dropkit.scores import SCORES, register

# The first outputs of PCG64 seeded with 0xdeadbeaf, as NumPy publishes them
# (numpy/random/tests/data/pcg64-testset-1.csv).
PUBLISHED_SEED = 0xDEADBEAF
PUBLISHED_STREAM = [
    0x60D24054E17A0698,
    0xD5E79D89856E4F12,
    0xD254972FE64BD782,
    0xF1E3072A53C72571,
    0xD7C1D7393D4115C9,
]


@pytest.fixture
def registry():
    """A registry of the test's own, so that a registered name is forgotten afterwards."""
    before = dict(SCORES)
    yield
    SCORES.clear()
    SCORES.update(before)


def round_half_up(density, n):
    return math.floor(Fraction(str(density)) * n + Fraction(1, 2))


def best(indices, scores, count):
    return sorted(indices, key=lambda i: (-scores[i], i))[:count]


def members(labels, k):
    return [i for i, label in enumerate(labels) if label == k]


@st.composite
def samples(draw, most=40):
    n = draw(st.integers(1, most))
    labels = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    scores = draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
    return labels, scores


densities = st.integers(1, 20).map(lambda i: i / 20)


@st.composite
def prunable(draw):
    """Labels, scores and a density that keeps some of them."""
    labels, scores = draw(samples())
    density = draw(densities)
    assume(round_half_up(density, len(labels)))
    return labels, scores, density


class TestParse:
    @pytest.mark.parametrize(
        ("name", "expected", "scores", "recalls"),
        [
            ("full", Protocol("full"), False, False),
            ("random", Protocol("random"), False, False),
            ("dynunc", Protocol("dynunc"), True, False),
            ("random+drop", Protocol("random", "drop"), False, True),
            ("coreset+drop", Protocol("coreset", "drop"), True, True),
            ("random+el2nq", Protocol("random", "el2n"), True, False),
            ("full+cdbw", Protocol("full", loss="cdbw"), False, False),
            ("el2n+cdbw", Protocol("el2n", loss="cdbw"), True, False),
            ("cdbw+el2n", Protocol("el2n", query_loss="cdbw"), True, False),
            ("cdbw+random+drop", Protocol("random", "drop", query_loss="cdbw"), False, True),
        ],
    )
    def test_valid_names(self, name, expected, scores, recalls):
        assert parse(name) == expected
        assert parse(name).needs_scores is scores
        assert parse(name).needs_recalls is recalls

    @pytest.mark.parametrize(
        ("name", "strategy"),
        [("full", ()), ("random", ()), ("random+drop", ()), ("el2n+drop", ("el2n",))]
        + [("grand", ("grand",)), ("random+forgettingq", ("forgetting",))],
    )
    def test_whose_scores(self, name, strategy):
        assert parse(name).strategies == strategy

    @pytest.mark.parametrize(
        "name",
        ["droop", "random+dropp", "", "drop", "+drop", "random+", "el2n+el2nq", "random+el2n"]
        + ["random+randomq", "random+q", "full+drop", "EL2N", "cdbw", "cdbw+cdbw", "cdbw+full"]
        + ["cdbw+random", "full+cdbw+cdbw", "random+drop+drop", " random"],
    )
    def test_typos_end_in_one_sentence_of_valid_forms(self, name):
        with pytest.raises(
            ValueError, match="use full, infobatch, rcap, S, S\\+drop, S\\+balance"
        ) as info:
            parse(name)
        assert f"protocol {name!r} is not known" in str(info.value)
        assert "coreset, dual, dynunc, el2n, forgetting, grand, meanprob, random" in str(info.value)
        assert "\n" not in str(info.value)

    def test_not_a_name(self):
        with pytest.raises(TypeError, match="protocol is None: it must be a name"):
            parse(None)


class TestRegister:
    def test_registered_strategy_joins_every_form(self, registry):
        with pytest.raises(ValueError, match="protocol 'margin'"):
            parse("margin")
        register("margin", needs=("probs",))(lambda query: -query.probs.max(axis=-1).mean(axis=0))
        assert parse("margin+drop") == Protocol("margin", "drop")
        assert parse("random+marginq") == Protocol("random", "margin")
        np.testing.assert_array_equal(prune("margin", [0, 0, 1], 1 / 3, scores=[1, 3, 2]), [1])


class TestPrune:
    @given(prunable())
    def test_strategy_is_a_global_cut(self, sample):
        labels, scores, density = sample
        kept = prune("el2n", labels, density, scores=scores)
        n = len(labels)
        assert kept.tolist() == sorted(best(range(n), scores, round_half_up(density, n)))
        assert kept.dtype == np.int64

    @given(prunable())
    def test_strategy_with_drop_quotas_cuts_inside_classes(self, sample):
        labels, scores, density = sample
        # Equal errors ask for N_k d of each class: largest remainders, lower classes first.
        total = round_half_up(density, len(labels))
        wanted = [len(members(labels, k)) * Fraction(str(density)) for k in range(4)]
        counts = [math.floor(q) for q in wanted]
        order = sorted(range(4), key=lambda k: (counts[k] - wanted[k], k))
        for k in order[: total - sum(counts)]:
            counts[k] += 1
        expected = [i for k in range(4) for i in best(members(labels, k), scores, counts[k])]
        kept = prune("grand+drop", labels, density, scores=scores, recalls=[0.5] * 4)
        assert kept.tolist() == sorted(expected)

    @given(prunable())
    def test_balance_raises_the_smallest_classes_first(self, sample):
        labels, scores, density = sample
        sizes = [len(members(labels, k)) for k in range(max(labels) + 1)]
        # Brute force: hand out samples one by one to the class that has the fewest so far.
        counts = [0] * len(sizes)
        for _ in range(round_half_up(density, len(labels))):
            open_classes = [k for k in range(len(sizes)) if counts[k] < sizes[k]]
            counts[min(open_classes, key=lambda k: (counts[k], k))] += 1
        kept = prune("el2n+balance", labels, density, scores=scores)
        found = np.bincount(np.array(labels)[kept], minlength=len(sizes))
        assert np.abs(found - counts).max() <= 1
        assert found.sum() == sum(counts)

    @given(prunable(), st.integers(0, 5))
    def test_random_with_induced_quotas_has_the_strategys_counts(self, sample, seed):
        labels, scores, density = np.array(sample[0]), *sample[1:]
        cut = best(range(labels.size), scores, round_half_up(density, labels.size))
        kept = prune("random+sspq", labels, density, scores=scores, seed=seed)
        np.testing.assert_array_equal(
            np.bincount(labels[kept], minlength=4), np.bincount(labels[cut], minlength=4)
        )
        # Random inside: a class loses none above one it keeps in the ranking of plain `random`.
        kept, n = set(kept.tolist()), labels.size
        ranking = [prune("random", labels, (m + 1) / n, seed=seed) for m in range(n)]
        place = {i: sum(i not in subset for subset in ranking) for i in range(n)}
        for k in range(4):
            inside = sorted(members(labels, k), key=place.get)
            chosen = [i in kept for i in inside]
            assert chosen == sorted(chosen, reverse=True)

    def test_drop_counts_by_hand(self):
        # Errors (.1, .3) of 10 each at d = .4 ask for 2 and 6; with counts n_k ∝ error also.
        labels = np.repeat([0, 1], 10)
        for rule in ("densities", "counts"):
            kept = prune("random+drop", labels, 0.4, recalls=[0.9, 0.7], rule=rule)
            assert np.bincount(labels[kept]).tolist() == [2, 6]
        # 24 and 6 samples, errors (.2, .4), d = .2: densities 1 : 2 ask for 4, 2; counts for 2, 4.
        labels = np.repeat([0, 1], [24, 6])
        by_density = prune("random+drop", labels, 0.2, recalls=[0.8, 0.6])
        by_count = prune("random+drop", labels, 0.2, recalls=[0.8, 0.6], rule="counts")
        assert np.bincount(labels[by_density]).tolist() == [4, 2]
        assert np.bincount(labels[by_count]).tolist() == [2, 4]

    def test_smoothing_reaches_the_quotas(self):
        labels = np.repeat([0, 1], 60)
        literal = prune("random+drop", labels, 0.3, recalls=[1.0, 0.5])
        assert np.bincount(labels[literal], minlength=2).tolist() == [0, 36]
        smoothed = prune(
            "random+drop", labels, 0.3, recalls=[1.0, 0.5], smoothing=1.0, val_sizes=[8, 8]
        )
        assert np.bincount(labels[smoothed]).tolist() == [6, 30]

    def test_recalls_may_cover_classes_without_training_samples(self):
        kept = prune("el2n+drop", [2, 2, 0], 1 / 3, recalls=[1, 0, 0.5], scores=[1, 2, 9])
        assert kept.tolist() == [1]

    @pytest.mark.parametrize("name", ["full", "random", "el2n", "random+drop", "random+el2nq"])
    def test_density_one_keeps_all(self, name):
        kept = prune(name, [0, 1, 1], 1.0, scores=[3, 1, 2], recalls=[1.0, 1.0])
        assert kept.tolist() == [0, 1, 2]
        assert kept.dtype == np.int64

    @pytest.mark.parametrize(("name", "base"), [("full+cdbw", "full"), ("cdbw+el2n", "el2n")])
    def test_training_losses_do_not_change_the_subset(self, name, base):
        density = 1 if base == "full" else 0.5
        labels, scores = [0, 1, 0, 1], [4, 2, 3, 1]
        np.testing.assert_array_equal(
            prune(name, labels, density, scores=scores),
            prune(base, labels, density, scores=scores),
        )

    def test_the_minimum_is_held(self):
        labels = np.repeat([0, 1, 2], [10, 10, 2])
        kept = prune("random+drop", labels, 0.5, recalls=[1, 0, 1], minimum=3)
        assert np.bincount(labels[kept]).tolist() == [3, 6, 2]


class TestRandom:
    @pytest.mark.parametrize("count", range(1, 6))
    def test_ranking_is_numpys_published_stream(self, count):
        expected = sorted(best(range(5), PUBLISHED_STREAM, count))
        kept = prune("random", [0] * 5, count / 5, seed=PUBLISHED_SEED)
        assert kept.tolist() == expected

    @given(st.integers(1, 60), densities, densities, st.integers(0, 2**40))
    def test_subsets_nest(self, n, one, other, seed):
        low, high = sorted((one, other))
        assume(round_half_up(low, n))
        less, more = (prune("random", np.zeros(n, int), d, seed=seed) for d in (low, high))
        assert set(less.tolist()) <= set(more.tolist())
        assert (less.size, more.size) == (round_half_up(low, n), round_half_up(high, n))

    def test_every_sample_is_kept_equally_often(self):
        labels = np.zeros(20, int)
        times = np.bincount(
            np.concatenate([prune("random", labels, 0.3, seed=s) for s in range(2000)])
        )
        # 600 expected, deviation √(2000 · .3 · .7) = 20.5: five of them either way
        assert abs(times - 600).max() < 103

    def test_seeds_differ(self):
        labels = np.zeros(100, int)
        assert set(prune("random", labels, 0.5, seed=0)) != set(
            prune("random", labels, 0.5, seed=1)
        )


class TestBadInput:
    @pytest.mark.parametrize(
        ("name", "labels", "density", "options", "message"),
        [
            ("random", [0, 1], 0, {}, r"density is 0: it must lie in \(0, 1\]"),
            ("random", [0, 1], 1.01, {}, r"density is 1\.01: it must lie in \(0, 1\]"),
            ("random", [0, 1], math.nan, {}, r"density is nan"),
            (
                "random+drop",
                [0, 1, 1],
                0.1,
                {"recalls": [0.5, 0.5], "minimum": 1},
                r"^density is 0\.1: of 3 samples that keeps none, so it must be at least 1/3$",
            ),
            ("random", [], 0.5, {}, r"labels have shape \(0,\)"),
            ("random", [0, -1], 0.5, {}, r"label -1 is no class"),
            ("random", [0, 1], 0.5, {"seed": -1}, r"seed is -1"),
            ("random", [0, 1], 0.5, {"seed": None}, r"seed is None"),
            ("full", [0, 1], 0.5, {}, r"density is 0\.5: protocol 'full' keeps all"),
            ("el2n", [0, 1], 0.5, {}, r"protocol 'el2n' needs scores: pass scores="),
            ("random+el2nq", [0, 1], 0.5, {}, r"'random\+el2nq' needs scores"),
            ("random+drop", [0, 1], 0.5, {}, r"'random\+drop' needs recalls: pass recalls="),
            ("el2n", [0, 1], 0.5, {"scores": [1.0]}, r"scores have shape \(1,\)"),
            ("el2n", [0, 1], 0.5, {"scores": [1.0, math.nan]}, r"scores\[1\] is nan"),
            (
                "random+drop",
                [0, 2],
                0.5,
                {"recalls": [0.5, 0.5]},
                r"label 2 has no recall: recalls have shape \(2,\), one for each .* 0\.\.1",
            ),
            ("random", [0, 1], 0.5, {"minimum": 0.5}, "minimum is 0.5: it must be a whole number"),
            ("random+drop", [0, 1], 0.5, {"recalls": [0.5, 50]}, r"recalls\[1\] is 50\.0"),
            ("random+drop", [0, 1], 0.5, {"recalls": [0.5, math.nan]}, r"recalls\[1\] is nan"),
        ],
    )
    def test_names_the_value(self, name, labels, density, options, message):
        with pytest.raises(ValueError, match=message):
            prune(name, labels, density, **options)

    def test_series_go_by_their_index(self):
        labels, recalls, sizes = [0] * 40 + [1] * 40 + [2] * 40, [0.9, 0.2, 0.5], [10, 30, 20]
        expected = prune("random+drop", labels, 0.4, recalls=recalls, smoothing=1, val_sizes=sizes)
        kept = prune(
            "random+drop",
            labels,
            0.4,
            recalls=pd.Series(recalls).sort_values(),
            smoothing=1,
            val_sizes=pd.Series(np.repeat([0, 1, 2], sizes)).value_counts(),
        )
        assert kept.tolist() == expected.tolist()

    @given(
        name=st.sampled_from(["random", "el2n", "random+drop", "el2n+balance", "random+sspq"]),
        n=st.integers(1, 500),
        part=st.floats(0.001, 2),
    )
    def test_a_density_that_rounds_to_no_sample(self, name, n, part):
        """Half a sample rounds up to one, anything below it to none."""
        assume(abs(part - 0.5) > 1e-6 and part <= n)
        labels, density = np.arange(n) % 3, part / n
        given = {"scores": np.arange(n), "recalls": [0.9, 0.8, 0.7]}
        if part > 0.5:
            assert len(prune(name, labels, density, **given)) >= 1
            return
        with pytest.raises(ValueError, match=f"density is .*: of {n} samples .* at least 1/{n}$"):
            prune(name, labels, density, **given)
        assert len(prune(name, labels, 1 / n, **given)) == 1

    def test_types(self):
        with pytest.raises(TypeError, match="density is '0.3'"):
            prune("random", [0, 1], "0.3")
        with pytest.raises(ValueError, match="labels are float64"):
            prune("random", [0.0, 1.0], 0.5)
        with pytest.raises(TypeError, match="scores must be an array of numbers"):
            prune("el2n", [0, 1], 0.5, scores=["a", "b"])


class TestClassTable:
    def test_literal_rule_by_hand(self):
        table = class_table(list("ab"), [100, 100], [0.9, 0.7], 0.4, smoothing=0)
        assert table.counts.tolist() == [20, 60]
        assert table.densities == pytest.approx([0.2, 0.6])

    def test_classes_under_the_minimum_are_named(self):
        names = list("abcdefg")
        perfect = [1.0] * 6 + [0.5]
        with pytest.warns(UserWarning, match=r"classes a, b, c, d, e, \.\.\. \(6 in all\) would"):
            class_table(names, [10] * 7, perfect, 0.1, smoothing=0)
        with pytest.raises(ValueError, match=r"fewer than the minimum of 2 at density 0.1"):
            class_table(names, [10] * 7, perfect, 0.1, smoothing=0, minimum=2, below="raise")

    def test_small_and_empty_classes_need_only_keep_what_they_have(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            class_table(list("abc"), [100, 2, 0], [0.5, 0.0, 0.5], 0.9, minimum=5)

    def test_unknown_choice(self):
        with pytest.raises(ValueError, match="below is .ignore.: it must be one of warn, raise"):
            class_table(list("ab"), [1, 1], [0, 0], 1, below="ignore")
