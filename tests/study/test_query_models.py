"""Recorded recalls and outputs against query models trained one by one by a plain loop."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy import stats
from torch.nn import functional as F

from dropkit import scores
from dropkit.datasets import Data, load
from dropkit.store import DamagedRecord, Store
from dropkit.study import executors, query_models
from dropkit.study.executors import Workers
from dropkit.study.queries import Network, Query
from dropkit.training import engine
from tests.networks import alone, network_seeds, outputs, plain_recalls, recorded_by
from tests.training.test_engine import TINY

LONG = {"schedule": "long", "initialisations": 1}


def query(seed, **fields):
    return replace(Query("digits-2x4", "mlp", seed, TINY, "short", 2), **fields)


def gradient_norm(network, data, i):
    """The gradient norm of one sample's loss, from a backward pass of its own."""
    network.zero_grad()
    logits = network(torch.from_numpy(data.x[[i]]))
    F.cross_entropy(logits, torch.from_numpy(data.y[[i]])).backward()
    return math.sqrt(sum((weight.grad**2).sum().item() for weight in network.parameters()))


def interrupt_after(count, calls, monkeypatch):
    """Have a user interrupt the run when so many calls of `training.train` have returned."""
    train = engine.train

    def interrupted(*args, **kwargs):
        if len(calls) == count:
            raise KeyboardInterrupt
        return train(*args, **kwargs)

    monkeypatch.setattr(engine, "train", interrupted)


class TestShort:
    @pytest.mark.parametrize("model", ["mlp", "cnn"])
    def test_against_networks_trained_alone(self, tmp_path, calls, model):
        asked = [query(3, model=model), query(11, model=model)]
        found = recorded_by(asked, Store(tmp_path))
        each = [network_seeds(q) for q in asked]
        # Perceptrons gain by training together, others do not.
        singly = [[seed] for seeds in each for seed in seeds]
        assert calls == ([each[0] + each[1]] if model == "mlp" else singly)
        for q in asked:
            data, recorded = load("digits-2x4", q.seed), found[q]
            train, truth = data.train, data.y[data.train]
            np.testing.assert_array_equal(recorded.labels, truth)
            assert recorded.probs.shape == (2, len(train), 10)
            assert recorded.val_sizes.tolist() == np.bincount(data.y[data.val]).tolist()
            assert (recorded.target_probs, recorded.correct, recorded.features) == (None,) * 3
            for r, seed in enumerate(network_seeds(q)):
                network = alone(model, data, train, q.recipe, seed).network
                probs = torch.from_numpy(outputs(network, data, train)).softmax(dim=1)
                np.testing.assert_allclose(recorded.probs[r], probs, rtol=0, atol=1e-6)
                norms = scores.grand(network, data.x[train], truth)
                np.testing.assert_allclose(recorded.grad_norms[r], norms, rtol=1e-5, atol=1e-6)
                for i in range(0, len(train), 150):
                    expected = gradient_norm(network, data, train[i])
                    assert recorded.grad_norms[r, i] == pytest.approx(expected, rel=1e-5, abs=1e-6)
                recalls = plain_recalls(network, data, data.val, data.y[data.val])
                np.testing.assert_allclose(recorded.recalls[r], recalls, rtol=0, atol=1e-12)

    def test_weights_are_not_those_of_the_final_networks(self, tmp_path, calls):
        recorded_by([query(seed) for seed in range(5)], Store(tmp_path))
        assert len(set(calls[0])) == len(calls[0]) == 10
        assert not set(calls[0]) & set(range(1000))

    def test_a_query_does_not_depend_on_its_group(self, tmp_path):
        together = recorded_by([query(0), query(1)], Store(tmp_path / "a"))
        single = recorded_by([query(1)], Store(tmp_path / "b"))
        for name in ("probs", "grad_norms", "recalls", "val_sizes", "labels"):
            first, second = (getattr(found[query(1)], name) for found in (together, single))
            np.testing.assert_allclose(first, second, atol=1e-5)

    def test_query_models_of_cdbw(self, tmp_path):
        q = query(2, recipe=replace(TINY, epochs=3, loss="cdbw"), initialisations=1)
        data = load("digits-2x4", 2)
        (recorded,) = recorded_by([q], Store(tmp_path)).values()
        by_loss = {}
        for loss in ("ce", "cdbw"):
            recipe = replace(q.recipe, loss=loss)
            network = alone("mlp", data, data.train, recipe, *network_seeds(q)).network
            by_loss[loss] = torch.from_numpy(outputs(network, data, data.train)).softmax(dim=1)
        np.testing.assert_allclose(recorded.probs[0], by_loss["cdbw"], rtol=0, atol=1e-6)
        assert abs(recorded.probs[0] - by_loss["ce"].numpy()).max() > 0.05


class TestLong:
    @pytest.mark.parametrize("model", ["mlp", "cnn"])
    def test_against_networks_trained_alone(self, tmp_path, calls, model):
        recipe = replace(TINY, epochs=3, batch=64)
        asked = [query(seed, model=model, recipe=recipe, **LONG) for seed in (5, 1)]
        found = recorded_by(asked, Store(tmp_path))
        each = [network_seeds(q) for q in asked]
        # Perceptrons gain by training together, others do not.
        assert calls == ([each[0] + each[1]] if model == "mlp" else each)
        for q in asked:
            data, recorded = load("digits-2x4", q.seed), found[q]
            expected = alone(model, data, data.train, recipe, *network_seeds(q))
            assert recorded.target_probs.shape == (3, len(data.train))
            np.testing.assert_allclose(
                recorded.target_probs, expected.target_probs, rtol=0, atol=1e-6
            )
            np.testing.assert_allclose(recorded.margins, expected.margins, rtol=0, atol=1e-6)
            np.testing.assert_array_equal(recorded.correct, expected.correct)
            features = outputs(expected.network[:-1], data, data.train)
            assert features.shape == (len(data.train), 64)
            np.testing.assert_allclose(recorded.features, features, rtol=1e-5, atol=1e-6)
            recalls = plain_recalls(expected.network, data, data.val, data.y[data.val])
            np.testing.assert_allclose(recorded.recalls, [recalls], rtol=0, atol=1e-12)
            assert recorded.val_sizes.tolist() == np.bincount(data.y[data.val]).tolist()
            np.testing.assert_array_equal(recorded.labels, data.y[data.train])
            assert (recorded.probs, recorded.grad_norms) == (None, None)

    def test_what_is_stored_is_what_was_recorded(self, tmp_path, calls):
        for q in (query(0, **LONG), query(0)):
            first, again = (recorded_by([q], Store(tmp_path))[q] for _ in range(2))
            assert vars(first).keys() == vars(again).keys()
            for name, array in vars(first).items():
                np.testing.assert_array_equal(array, getattr(again, name))
        assert len(calls) == 2


seeds = st.integers(0, 30)


def validation(q, data):
    """Pool indices and labels of the samples that recalls are measured on."""
    return query_models._validation(q, data)[:2]


class TestValidation:
    @given(percent=st.integers(1, 100), more=st.integers(0, 100), seed=seeds)
    def test_share_of_each_class_is_rounded_up(self, percent, more, seed):
        data = load("digits-2x4", seed)
        order, labels = validation(query(seed, val_share=percent / 100), data)
        assert len(set(order.tolist())) == len(order)
        assert set(order.tolist()) <= set(data.val.tolist())
        np.testing.assert_array_equal(labels, data.y[order])
        for k in range(10):
            size = (data.y[data.val] == k).sum()
            assert (labels == k).sum() == -(-percent * size // 100)
        # A larger share adds samples to a smaller one.
        larger = min(100, percent + more) / 100
        others, _ = validation(query(seed, val_share=larger), data)
        assert set(order.tolist()) <= set(others.tolist())

    def test_share_is_a_decimal(self):
        # 0.07 * 100 > 7 in floating point.
        y = np.repeat([0, 1], [100, 200])
        data = Data(np.zeros((300, 1)), y, *[np.arange(300)] * 3, classes=("a", "b"))
        _, labels = validation(query(0, val_share=0.07), data)
        assert np.bincount(labels).tolist() == [7, 14]

    @given(percent=st.integers(1, 100), seed=seeds)
    def test_all_labels_or_none_are_wrong(self, percent, seed):
        data = load("digits-2x4", seed)
        asked = query(seed, val_share=percent / 100)
        order, right = validation(asked, data)
        same, wrong = validation(replace(asked, val_noise=1.0), data)
        np.testing.assert_array_equal(order, same)
        np.testing.assert_array_equal(right, data.y[order])
        assert (wrong != data.y[order]).all()
        assert set(wrong.tolist()) <= set(range(10))

    def test_wrong_labels_are_as_many_and_as_even_as_asked(self):
        flips, steps = 0, Counter()
        for seed in range(20):
            data = load("digits-2x4", seed)
            order, labels = validation(query(seed, val_noise=0.3), data)
            wrong = labels != data.y[order]
            flips += wrong.sum()
            steps.update(((labels - data.y[order])[wrong] % 10).tolist())
            _, noisier = validation(query(seed, val_noise=0.6), data)
            np.testing.assert_array_equal(noisier[wrong], labels[wrong])
        assert stats.binomtest(int(flips), 20 * len(data.val), 0.3).pvalue > 1e-3
        assert stats.chisquare([steps[step] for step in range(1, 10)]).pvalue > 1e-3

    def test_recalls_are_measured_on_it(self, tmp_path):
        plain, partial = query(4), query(4, val_share=0.4, val_noise=0.25)
        found = recorded_by([plain, partial], Store(tmp_path))
        data = load("digits-2x4", 4)
        order, labels = validation(partial, data)
        counts = Counter(labels.tolist())
        assert found[partial].val_sizes.tolist() == [counts[k] for k in range(10)]
        for r, seed in enumerate(network_seeds(partial)):
            network = alone("mlp", data, data.train, TINY, seed).network
            expected = plain_recalls(network, data, order, labels)
            np.testing.assert_allclose(found[partial].recalls[r], expected, rtol=0, atol=1e-12)
        # Only the recalls differ: the networks are the same.
        np.testing.assert_allclose(found[plain].probs, found[partial].probs, rtol=0, atol=1e-6)


class TestMissing:
    def test_only_missing_ones_are_trained(self, tmp_path, calls):
        first = recorded_by([query(0), query(1)], Store(tmp_path))
        del calls[:]
        again = recorded_by([query(1), query(2), query(0)], Store(tmp_path))
        assert [len(seeds) for seeds in calls] == [2]
        assert list(again) == [query(1), query(0), query(2)]  # first what is there
        for q in first:
            for name in ("probs", "grad_norms", "recalls"):
                np.testing.assert_array_equal(getattr(first[q], name), getattr(again[q], name))

    def test_asked_twice_is_trained_once(self, tmp_path, calls):
        recorded_by([query(0), query(0)], Store(tmp_path))
        assert [len(seeds) for seeds in calls] == [2]

    def test_nothing_asked(self, tmp_path, calls):
        assert recorded_by([], Store(tmp_path)) == {}
        assert calls == []

    def test_damaged_ones_are_trained_again(self, tmp_path, calls):
        first = recorded_by([query(0)], Store(tmp_path))
        (file,) = (tmp_path / "queries").iterdir()
        file.write_bytes(file.read_bytes()[:-100])
        with pytest.warns(DamagedRecord, match=file.name):
            again = recorded_by([query(0)], Store(tmp_path))
        assert len(calls) == 2
        np.testing.assert_array_equal(first[query(0)].probs, again[query(0)].probs)

    def test_other_queries_are_other_trainings(self, tmp_path, calls):
        others = [
            query(0),
            query(1),
            query(0, initialisations=1),
            query(0, dataset="digits-3rows"),
            query(0, model="cnn"),
            query(0, recipe=replace(TINY, lr=0.05)),
            query(0, recipe=replace(TINY, loss="cdbw")),
            query(0, **LONG),
            query(0, val_share=0.5),
            query(0, val_noise=0.5),
        ]
        assert len({q.key for q in others}) == len(others)
        recorded_by(others, Store(tmp_path))
        assert sorted(len(seeds) for seeds in calls) == [1, 1, 1, 1, 2, 2, 2, 2, 2, 4]


class TestGroups:
    @pytest.mark.parametrize(
        ("stack", "expected"),
        [(60, [10]), (10, [10]), (9, [6, 4]), (4, [4, 4, 2]), (3, [2] * 5), (1, [1] * 10)],
    )
    def test_stacks_hold_whole_queries(self, tmp_path, calls, monkeypatch, stack, expected):
        monkeypatch.setattr(engine, "STACK", stack)
        short = replace(TINY, epochs=1, batch=512)
        recorded_by([query(s, recipe=short) for s in range(5)], Store(tmp_path))
        assert [len(seeds) for seeds in calls] == expected

    def test_finished_groups_survive_an_interruption(self, tmp_path, calls, monkeypatch):
        short = replace(TINY, epochs=1, batch=512)
        asked = [query(s, recipe=short) for s in range(4)]
        interrupt_after(2, calls, monkeypatch)
        monkeypatch.setattr(engine, "STACK", 2)
        with pytest.raises(KeyboardInterrupt):
            recorded_by(asked, Store(tmp_path))
        kept = [q for q in asked if Store(tmp_path).load_arrays(q.key) is not None]
        assert kept == asked[:2]

    @pytest.mark.parametrize(
        ("stack", "count", "workers", "expected"),
        [
            # Whole queries of two, as many groups for each of the workers, but no small ones.
            (60, 60, 1, [60, 60]),
            (60, 60, 2, [60, 60]),
            (60, 90, 2, [46, 46, 44, 44]),
            (60, 30, 2, [30, 30]),
            (60, 30, 8, [20, 20, 20]),
            (60, 5, 2, [10]),
            # Networks that gain nothing by company, one by one.
            (1, 3, 2, [1] * 6),
            (1, 3, 64, [1] * 6),
        ],
    )
    def test_workers_finish_together(self, monkeypatch, stack, count, workers, expected):
        monkeypatch.setattr(engine, "STACK", stack)
        asked = [Network(query(s), r) for s in range(count) for r in range(2)]
        groups = query_models._alike(asked, Workers(workers, "cpu", None))
        assert [len(group) for group in groups] == expected
        assert sorted(sum(groups, []), key=asked.index) == asked

    def test_the_longest_are_begun_first(self, monkeypatch):
        monkeypatch.setattr(engine, "STACK", 4)
        long = query(0, recipe=replace(TINY, epochs=90), **LONG)
        asked = [*(Network(query(s), r) for s in range(4) for r in range(2)), Network(long, 0)]
        assert query_models._alike(asked, Workers(2, "cpu", None))[0] == [Network(long, 0)]

    def test_extras_are_taken_where_they_are_wanted(self, tmp_path):
        asked, store = query(0, recipe=replace(TINY, epochs=1)), Store(tmp_path)
        with executors.local() as workers:
            ((_, without),) = query_models.run([asked], store, workers, ["margins"])
            ((_, whole),) = query_models.run([asked], store, workers, ["grad_norms"])
            ((_, again),) = query_models.run([asked], store, workers, [])
        assert without.grad_norms is without.probs is None
        assert whole.grad_norms.shape == again.grad_norms.shape == whole.probs.shape[:2]
        np.testing.assert_array_equal(without.recalls, whole.recalls)

    def test_what_one_score_needs_is_not_lost_to_another(self, tmp_path):
        asked, store = query(0, recipe=replace(TINY, epochs=1)), Store(tmp_path)
        with executors.local() as workers:
            for wanted in (["probs"], ["grad_norms"], ["probs"]):
                ((_, recorded),) = query_models.run([asked], store, workers, wanted)
        assert recorded.grad_norms is not None and recorded.probs is not None

    def test_margins_join_what_a_long_query_recorded_before(self, tmp_path):
        asked, store = query(0, recipe=replace(TINY, epochs=2), **LONG), Store(tmp_path)
        with executors.local() as workers:
            ((_, without),) = query_models.run([asked], store, workers, ["grad_norms"])
            ((_, whole),) = query_models.run([asked], store, workers, ["margins"])
        assert without.margins is None and whole.margins.shape == whole.target_probs.shape
        np.testing.assert_array_equal(without.target_probs, whole.target_probs)

    def test_finished_networks_of_a_query_survive_an_interruption(
        self, tmp_path, calls, monkeypatch
    ):
        """Where they are trained one by one."""
        short = replace(TINY, epochs=1, batch=512)
        asked = [query(s, recipe=short) for s in range(2)]
        expected = recorded_by(asked, Store(tmp_path / "whole"))
        monkeypatch.setattr(engine, "STACK", 1)
        del calls[:]
        with monkeypatch.context() as user, pytest.raises(KeyboardInterrupt):
            interrupt_after(3, calls, user)
            recorded_by(asked, Store(tmp_path))
        names = {asked[0].key, Network(asked[1], 0).name}
        assert set(Store(tmp_path).array_names()) == names
        found = recorded_by(asked, Store(tmp_path))
        assert calls[3:] == [[seed] for seed in network_seeds(asked[1])[1:]]
        assert set(Store(tmp_path).array_names()) == {q.key for q in asked}
        for q in asked:
            for name in ("probs", "grad_norms", "recalls", "val_sizes"):
                ours, theirs = (getattr(answers[q], name) for answers in (found, expected))
                np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
