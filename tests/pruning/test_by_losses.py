"""InfoBatch and RCAP at a given number of samples, against their definitions as plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dropkit import prune
from dropkit.pruning import Protocol, parse
from dropkit.pruning.by_losses import ANNEALING, Moment, infobatch, rcap

GUESS = math.log(3)


@st.composite
def moments(draw, least=0.01, most=0.8):
    """What is known of 4 to 40 samples of three classes, and how many to select."""
    n = draw(st.integers(4, 40))
    losses = np.array(draw(st.lists(st.floats(0.0, 3.0), min_size=n, max_size=n)))
    labels = np.array([0, 1, 2, *draw(st.lists(st.integers(0, 2), min_size=n - 3, max_size=n - 3))])
    before = np.flatnonzero(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    return Moment(losses, labels, before, GUESS, draw(st.floats(least, most))), draw(
        st.integers(1, n)
    )


def stream(seed=0):
    return np.random.default_rng(seed).random


class TestInfoBatch:
    @given(moments())
    def test_the_definition(self, given_):
        moment, total = given_
        mean = moment.losses.mean()
        learned = [i for i, loss in enumerate(moment.losses) if loss < mean]
        others = [i for i, loss in enumerate(moment.losses) if not loss < mean]
        fewest = math.ceil(total * len(learned) / len(moment.losses) / 2 - 1e-9)
        few = max(total - len(others), fewest)
        chosen, weights = infobatch(moment, total, stream())
        assert len(set(chosen)) == len(chosen) == total
        assert len(set(chosen) & set(learned)) == few
        for i, weight in zip(chosen, weights, strict=True):
            mass, kept = (len(learned), few) if i in learned else (len(others), total - few)
            assert weight == pytest.approx(mass / kept)

    @given(moments())
    def test_all_above_the_mean_stay_where_that_leaves_half_of_a_proportion(self, given_):
        moment, total = given_
        others = np.flatnonzero(~(moment.losses < moment.losses.mean()))
        learned = len(moment.losses) - len(others)
        if total - len(others) >= total * learned / len(moment.losses) / 2:
            assert set(others) <= set(infobatch(moment, total, stream()).chosen)

    def test_the_weighted_mean_is_that_of_all(self):
        """Over many draws: the mean of any quantity, here of the losses themselves."""
        losses = np.random.default_rng(1).exponential(size=60)
        moment = Moment(losses, np.zeros(60, dtype=int), np.arange(60), GUESS, 0.5)
        draw, means = stream(2), []
        for _ in range(4000):
            chosen, weights = infobatch(moment, 40, draw)
            means.append((losses[chosen] * weights).sum() / weights.sum())
        error = np.std(means) / math.sqrt(len(means))
        assert np.mean(means) == pytest.approx(losses.mean(), abs=5 * error)

    @given(moments(ANNEALING, 1.0))
    def test_the_last_eighth_draws_from_all_alike(self, given_):
        moment, total = given_
        chosen, weights = infobatch(moment, total, stream(3))
        expected = np.sort(np.argsort(-stream(3)(len(moment.losses)), kind="stable")[:total])
        np.testing.assert_array_equal(chosen, expected)
        assert len(set(weights)) == 1


class TestRCAP:
    @given(moments())
    def test_class_counts_by_the_definition(self, given_):
        """Shares as roots of size times mass, spilled over by classes that are full."""
        moment, total = given_
        chosen, weights = rcap(moment, total, stream())
        assert len(set(chosen)) == len(chosen) == total and (weights == 1).all()
        roots, sizes = [], []
        for k in range(3):
            members = [i for i, label in enumerate(moment.labels) if label == k]
            exps = {i: math.exp(min(max(moment.losses[i], 0), GUESS)) for i in members}
            mass = sum(exps[i] for i in members if i in moment.before) / sum(exps.values())
            roots.append(math.sqrt(mass * len(members)))
            sizes.append(len(members))
        wanted, free, left = [0.0] * 3, {k for k in range(3) if roots[k]}, float(total)
        while free:  # fill what is full, share the rest anew
            whole = sum(roots[k] for k in free)
            full = {k for k in free if left * roots[k] >= whole * sizes[k]}
            for k in full or free:
                wanted[k] = sizes[k] if full else left * roots[k] / whole
            left -= sum(sizes[k] for k in full)
            free = free - full if full else set()
        counts = np.bincount(moment.labels[chosen], minlength=3)
        if sum(wanted) == pytest.approx(total):  # else classes without mass must help out
            assert (np.abs(counts - wanted) < 1 + 1e-6).all()

    def test_draws_inside_a_class_follow_the_softmax(self):
        losses = np.array([0.0, 0.5, 1.0, 9.0])
        moment = Moment(losses, np.zeros(4, dtype=int), np.arange(4), GUESS, 0.5)
        draw, draws = stream(5), 20000
        hits = np.bincount([rcap(moment, 1, draw).chosen[0] for _ in range(draws)], minlength=4)
        exps = np.exp(np.minimum(losses, GUESS))
        expected = exps / exps.sum()
        error = np.sqrt(expected * (1 - expected) / draws)
        assert (np.abs(hits / draws - expected) < 5 * error).all()

    def test_blind_to_how_hard_a_class_is(self):
        """Its softmax is one in every class: mean losses of .02 and .7 keep the same number."""
        losses = np.repeat([0.02, 0.7], 500)
        moment = Moment(losses, np.repeat([0, 1], 500), np.arange(1000), math.log(2), 0.5)
        chosen = rcap(moment, 300, stream(6)).chosen
        assert np.bincount(moment.labels[chosen]).tolist() == [150, 150]


class TestNames:
    @pytest.mark.parametrize("name", ["infobatch", "rcap"])
    def test_before_any_loss_is_known(self, name):
        plan = parse(name)
        assert plan == Protocol("random", name)
        assert plan.dynamic and plan.by_losses and not (plan.needs_scores or plan.needs_recalls)
        labels = np.repeat([0, 1], [90, 10])
        kept = prune(name, labels, 0.4, seed=1)
        counts = np.bincount(labels[kept], minlength=2)
        assert kept.size == 40
        # RCAP's shares are as roots of sizes, 3 to 1.
        assert counts.tolist() == [30, 10] if name == "rcap" else counts[0] > 30

    @pytest.mark.parametrize(
        "name", ["infobatch+drop", "random+infobatch", "rcap+cdbw", "cdbw+rcap", "rcap:el2n"]
    )
    def test_no_other_place_in_a_name(self, name):
        with pytest.raises(ValueError, match="use full, infobatch, rcap, S"):
            parse(name)
