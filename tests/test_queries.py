"""Recorded recalls and probabilities against query models trained one by one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dropkit import queries, training
from dropkit.datasets import load
from dropkit.queries import Query, short_recipe
from dropkit.store import DamagedRecord, Store
from tests.test_training import TINY, plain_loop, table_1_recipe


def query(seed, **fields):
    return replace(Query("digits-2x4", "mlp", seed, TINY, initialisations=2), **fields)


@pytest.fixture
def calls(monkeypatch):
    """The seeds of each call of `training.train`."""
    seen = []
    train = training.train

    def counted(*args, seeds, **kwargs):
        seen.append(list(seeds))
        return train(*args, seeds=seeds, **kwargs)

    monkeypatch.setattr(training, "train", counted)
    return seen


class TestRecorded:
    def test_against_networks_trained_alone(self, tmp_path, calls):
        asked = [query(3), query(11)]
        found = queries.run(asked, Store(tmp_path), stack=60)
        (seeds,) = calls
        assert len(set(seeds)) == 4  # every initialisation of every query has its own weights
        for q, own in zip(asked, (seeds[:2], seeds[2:]), strict=True):
            data = load("digits-2x4", q.seed)
            probs, recalls = found[q]["probs"], found[q]["recalls"]
            assert probs.shape == (2, len(data.train), 10)
            assert probs.dtype == np.float32
            for r, seed in enumerate(own):
                network = plain_loop("mlp", data.x, data.y, data.train, q.recipe, seed, 10)
                with torch.no_grad():
                    trained = network(torch.from_numpy(data.x[data.train])).softmax(dim=1)
                    guesses = network(torch.from_numpy(data.x[data.val])).argmax(dim=1).tolist()
                np.testing.assert_allclose(probs[r], trained, rtol=0, atol=1e-6)
                truth = data.y[data.val].tolist()
                for k in range(10):
                    hits = [
                        guess == k
                        for guess, label in zip(guesses, truth, strict=True)
                        if label == k
                    ]
                    assert recalls[r, k] == pytest.approx(sum(hits) / len(hits), abs=1e-12)

    def test_weights_are_not_those_of_the_final_networks(self, tmp_path, calls):
        queries.run([query(seed) for seed in range(5)], Store(tmp_path), stack=60)
        assert not set(calls[0]) & set(range(1000))

    def test_a_query_does_not_depend_on_its_group(self, tmp_path):
        together = queries.run([query(0), query(1)], Store(tmp_path / "a"), stack=60)
        alone = queries.run([query(1)], Store(tmp_path / "b"), stack=60)
        for name in ("probs", "recalls"):
            np.testing.assert_allclose(together[query(1)][name], alone[query(1)][name], atol=1e-6)


class TestMissing:
    def test_only_missing_ones_are_trained(self, tmp_path, calls):
        first = queries.run([query(0), query(1)], Store(tmp_path), stack=60)
        del calls[:]
        again = queries.run([query(1), query(2), query(0)], Store(tmp_path), stack=60)
        assert [len(seeds) for seeds in calls] == [2]
        assert list(again) == [query(1), query(2), query(0)]
        for q in first:
            for name in ("probs", "recalls"):
                np.testing.assert_array_equal(first[q][name], again[q][name])

    def test_asked_twice_is_trained_once(self, tmp_path, calls):
        queries.run([query(0), query(0)], Store(tmp_path), stack=60)
        assert [len(seeds) for seeds in calls] == [2]

    def test_nothing_asked(self, tmp_path, calls):
        assert queries.run([], Store(tmp_path), stack=60) == {}
        assert calls == []

    def test_damaged_ones_are_trained_again(self, tmp_path, calls):
        first = queries.run([query(0)], Store(tmp_path), stack=60)
        (file,) = (tmp_path / "queries").iterdir()
        file.write_bytes(file.read_bytes()[:-100])
        with pytest.warns(DamagedRecord, match=file.name):
            again = queries.run([query(0)], Store(tmp_path), stack=60)
        assert len(calls) == 2
        np.testing.assert_array_equal(first[query(0)]["probs"], again[query(0)]["probs"])

    def test_other_queries_are_other_trainings(self, tmp_path, calls):
        others = [
            query(0),
            query(1),
            query(0, initialisations=1),
            query(0, dataset="digits-3rows"),
            query(0, model="cnn"),
            query(0, recipe=replace(TINY, lr=0.05)),
        ]
        assert len({q.key for q in others}) == len(others)
        queries.run(others, Store(tmp_path), stack=60)
        assert sorted(len(seeds) for seeds in calls) == [1, 2, 2, 2, 4]


class TestGroups:
    @pytest.mark.parametrize(
        ("stack", "expected"),
        [(60, [10]), (10, [10]), (9, [8, 2]), (4, [4, 4, 2]), (3, [2] * 5), (1, [2] * 5)],
    )
    def test_stacks_hold_whole_queries(self, tmp_path, calls, stack, expected):
        short = replace(TINY, epochs=1, batch=512)
        queries.run([query(s, recipe=short) for s in range(5)], Store(tmp_path), stack=stack)
        assert [len(seeds) for seeds in calls] == expected

    def test_finished_groups_survive_an_interruption(self, tmp_path, monkeypatch):
        train, done = training.train, []

        def interrupted(*args, **kwargs):
            if len(done) == 2:
                raise KeyboardInterrupt
            done.append(kwargs["seeds"])
            return train(*args, **kwargs)

        short = replace(TINY, epochs=1, batch=512)
        asked = [query(s, recipe=short) for s in range(4)]
        monkeypatch.setattr(training, "train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            queries.run(asked, Store(tmp_path), stack=2)
        kept = [q for q in asked if Store(tmp_path).load_arrays(q.key) is not None]
        assert kept == asked[:2]


class TestShortRecipe:
    @pytest.mark.parametrize(
        ("row", "epochs"),
        [
            # Appendix A: a tenth of the full length, and no less than ten epochs.
            ("VGG-16 on CIFAR-10", 16),
            ("VGG-19 on CIFAR-100", 16),
            ("ResNet-18 on TinyImageNet", 20),
            ("ResNet-50 on Waterbirds", 30),
            ("ResNet-50 on ImageNet", 10),
        ],
    )
    def test_a_tenth_of_table_1(self, row, epochs):
        full = table_1_recipe(row)
        short = short_recipe(full)
        assert short.epochs == epochs
        # As training starts: the rate has not dropped yet.
        assert {short.learning_rate(epoch) for epoch in range(epochs)} == {full.lr}
        assert short == replace(full, epochs=epochs, drops=())

    @pytest.mark.parametrize(("full", "short"), [(60, 10), (10, 10), (9, 9), (1, 1), (104, 10)])
    def test_ten_epochs_unless_the_whole_is_shorter(self, full, short):
        assert short_recipe(replace(TINY, epochs=full)).epochs == short

    def test_budget_of_pruned_sets_makes_no_other_query(self):
        released = replace(TINY, epochs=60, budget="released")
        assert short_recipe(released) == short_recipe(replace(released, budget="epochs"))
