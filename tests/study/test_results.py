"""What trials keep and what their records say, against networks trained one by one."""

import json
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from dropkit import pruning, scores, study
from dropkit.datasets import load
from dropkit.pruning.by_losses import BY_LOSSES
from dropkit.store import Store
from dropkit.study import selections
from dropkit.study.rerun import trial_of
from dropkit.training import predict, train
from dropkit.training.recipes import as_recorded
from tests.networks import alone, network_seeds, outputs, plain_recalls, recorded_by
from tests.study.test_trials import SCHEDULES, grid
from tests.training.test_engine import TINY

# Dynamic Uncertainty's window has ten epochs.
RECIPE = replace(TINY, epochs=10, batch=64)
FORMS = ["{}", "{}+drop", "random+{}q"]
PROTOCOLS = ["full", "random", "random+drop", *(f.format(s) for s in SCHEDULES for f in FORMS)]
WITH_CDBW = ["full+cdbw", "random+drop+cdbw", "cdbw+random+drop", "cdbw+el2n", "cdbw+ssp+cdbw"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    trials = grid(PROTOCOLS, [0.1, 0.55], [0, 4], smoothing=1.0, recipe=RECIPE)
    trials += grid(WITH_CDBW, [0.55], [4], recipe=RECIPE)
    return store, trials, study.run(trials, store=store)


@cache
def retrained(query):
    """What a query records, from networks trained one by one."""
    data = load(query.dataset, query.seed)
    train, truth = data.train, data.y[data.train]
    found = [alone(query.model, data, train, query.recipe, seed) for seed in network_seeds(query)]
    networks, first = [each.network for each in found], found[0]
    logits = torch.from_numpy(np.stack([outputs(network, data, train) for network in networks]))
    recalls = [plain_recalls(network, data, data.val, data.y[data.val]) for network in networks]
    return SimpleNamespace(
        labels=truth,
        probs=logits.softmax(dim=-1).numpy(),
        grad_norms=np.stack([scores.grand(network, data.x[train], truth) for network in networks]),
        target_probs=first.target_probs,
        correct=first.correct,
        features=outputs(first.network[:-1], data, train),
        recalls=np.mean(recalls, axis=0),
        val_sizes=np.bincount(data.y[data.val]),
    )


# Each score by its definition from what the networks did.
DEFINITIONS = {
    "el2n": lambda q: scores.el2n(q.probs, q.labels),
    "grand": lambda q: np.mean(q.grad_norms, axis=0),
    "forgetting": lambda q: scores.forgetting(q.correct),
    "dynunc": lambda q: scores.dynamic_uncertainty(q.target_probs, window=10),
    "coreset": lambda q: scores.k_center_scores(q.features),
    "ssp": lambda q: scores.ssp(q.features, q.labels),
}


def strategy_of(trial):
    return next((s for s in SCHEDULES if s in trial.protocol), None)


def expected_kept(trial):
    """Pool indices that a trial keeps, with recalls and scores of networks trained alone."""
    data = load(trial.dataset, trial.seed)
    given = {"smoothing": trial.smoothing}
    if "drop" in trial.protocol:
        query = retrained(trial.recall_query)
        given |= {"recalls": query.recalls, "val_sizes": query.val_sizes}
    if strategy_of(trial):
        given["scores"] = DEFINITIONS[strategy_of(trial)](retrained(trial.score_query))
    labels = data.y[data.train]
    return data.train[
        pruning.prune(trial.protocol, labels, trial.density, seed=trial.seed, **given)
    ]


class TestKept:
    def test_every_strategy_has_run(self, run):
        assert DEFINITIONS.keys() == SCHEDULES.keys() <= scores.SCORES.keys()
        seen = {(strategy_of(t), t.density, t.seed) for t in run[1] if t.score_query}
        assert seen == {(s, d, seed) for s in SCHEDULES for d in (0.1, 0.55) for seed in (0, 4)}

    def test_kept_is_what_the_protocol_keeps(self, run):
        store, trials, records = run
        ranked = study.scores_of([t for t in trials if "cdbw" not in t.protocol], store)
        for trial, record in zip(trials, records, strict=True):
            data = load(trial.dataset, trial.seed)
            expected = expected_kept(trial)
            counts = Counter(data.y[expected].tolist())
            assert record["kept"] == [counts[k] for k in range(10)], trial.protocol
            assert sum(record["kept"]) == int(trial.density * len(data.train) + 0.5)
            if trial.protocol.startswith("cdbw+"):
                continue
            recalls = trial.recall_query and recorded_by([trial.recall_query], store)
            kept = study.keep(
                trial,
                data,
                recalls and recalls[trial.recall_query],
                ranked[strategy_of(trial)][[0, 4].index(trial.seed)] if trial.score_query else None,
            )
            np.testing.assert_array_equal(np.sort(kept), np.sort(expected), trial.protocol)

    def test_scores_are_those_of_networks_trained_alone(self, run, calls):
        store, trials, _ = run
        plain = [t for t in trials if "cdbw" not in t.protocol]
        ranked = study.scores_of(plain, store)
        assert ranked.keys() == SCHEDULES.keys()
        for strategy, rows in ranked.items():
            queried = {t.seed: t.score_query for t in plain if t.protocol == strategy}
            for row, seed in zip(rows, (0, 4), strict=True):
                expected = DEFINITIONS[strategy](retrained(queried[seed]))
                np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-5)
        assert calls == []  # they were stored

    def test_query_models_of_cdbw_score_otherwise(self, run):
        store, trials, _ = run
        for protocol in ("cdbw+el2n", "cdbw+ssp+cdbw"):
            (trial,) = [t for t in trials if t.protocol == protocol]
            strategy = strategy_of(trial)
            (row,) = study.scores_of([trial], store)[strategy]
            expected = DEFINITIONS[strategy](retrained(trial.score_query))
            np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-5)
            plain = replace(trial.score_query, recipe=RECIPE)
            assert not np.allclose(row, DEFINITIONS[strategy](retrained(plain)), atol=0.01)

    @pytest.mark.parametrize("form", FORMS)
    def test_a_score_of_ones_own(self, tmp_path, monkeypatch, form):
        monkeypatch.setitem(scores.SCORES, "threes_last", None)  # taken away afterwards

        @scores.register("threes_last", needs=("labels",))
        def threes_last(query):
            return np.where(query.labels == 3, 0.0, 1.0)

        (trial,) = grid([form.format("threes_last")], [0.5], [2], smoothing=1.0)
        (record,) = study.run([trial], store=Store(tmp_path))
        data = load("digits-2x4", 2)
        labels = data.y[data.train]
        half = int(0.5 * len(labels) + 0.5)
        assert sum(record["kept"]) == half
        assert list(study.scores_of([trial], Store(tmp_path))) == ["threes_last"]
        if form == "{}+drop":
            assert record["kept"][3] > 0  # quotas protect the class
            return
        # A class is deleted, and the record says so; the first of the others are kept.
        counts = Counter(labels[np.flatnonzero(labels != 3)[:half]].tolist())
        assert record["kept"] == [counts[k] for k in range(10)]
        assert record["kept"][3] == 0
        assert len(record["recalls"]) == 10

    @pytest.mark.parametrize("protocol", ["random", "random+cdbw", "random+drop"])
    def test_a_density_may_delete_classes(self, tmp_path, protocol):
        (record,) = study.run(grid([protocol], [0.005], [1]), store=Store(tmp_path))
        assert 2 <= sum(record["kept"]) == int(0.005 * sum(record["class_sizes"]) + 0.5) < 10
        assert record["kept"].count(0) >= 5
        assert all(0 <= recall <= 1 for recall in record["recalls"])

    def test_a_score_that_needs_more_epochs_than_there_are(self, tmp_path):
        with pytest.raises(ValueError, match="window is 1 and the history has 1 epochs"):
            study.run(grid(["dynunc"], seeds=2), store=Store(tmp_path))
        assert len(Store(tmp_path).array_names()) == 2  # what was trained is kept


class TestRecords:
    def test_one_record_a_trial_in_order(self, run):
        store, trials, records = run
        assert [record["key"] for record in records] == [trial.key for trial in trials]
        for trial, record in zip(trials, records, strict=True):
            assert record["trial"] == json.loads(json.dumps(as_recorded(trial)))
        assert {r["key"]: r for r in Store(store.path)} == {r["key"]: r for r in records}

    def test_class_sizes(self, run):
        for trial, record in zip(*run[1:], strict=True):
            data = load(trial.dataset, trial.seed)
            for name, indices in (("class_sizes", data.train), ("test_sizes", data.test)):
                counts = Counter(data.y[indices].tolist())
                assert record[name] == [counts[k] for k in range(10)]

    @pytest.mark.parametrize(
        "protocol", ["full", "random", "random+drop", "coreset", "random+forgettingq", *WITH_CDBW]
    )
    def test_recalls_are_those_of_a_network_trained_alone(self, run, protocol):
        (pair,) = [
            (trial, record)
            for trial, record in zip(*run[1:], strict=True)
            if (trial.protocol, trial.seed) == (protocol, 4) and trial.density != 0.1
        ]
        trial, record = pair
        data = load(trial.dataset, 4)
        recipe = replace(RECIPE, loss="cdbw" if protocol.endswith("+cdbw") else "ce")
        network = alone("mlp", data, expected_kept(trial), recipe, 4).network
        right = outputs(network, data, data.test).argmax(axis=1) == data.y[data.test]
        for k in range(10):
            own = right[data.y[data.test] == k].tolist()
            assert record["recalls"][k] == pytest.approx(sum(own) / len(own), abs=1e-6)

    def test_recalls_that_quotas_went_by_are_noted(self, run):
        for trial, record in zip(*run[1:], strict=True):
            if "drop" not in trial.protocol:
                assert record["query"] is None
                continue
            query = retrained(trial.recall_query)
            np.testing.assert_allclose(record["query"]["recalls"], query.recalls, atol=1e-6)
            assert record["query"]["val_sizes"] == query.val_sizes.tolist()

    def test_provenance(self, run):
        for record in run[2]:
            origin = record["provenance"]
            made = {"arithmetic", "instructions"}
            assert origin.keys() == {"dropkit", "commit", "torch", "device", "time"} | made
            assert origin["torch"] == torch.__version__
            assert origin["arithmetic"] == "float64"
            assert origin["instructions"].startswith(torch.backends.cpu.get_cpu_capability())
            assert record["seconds"] >= 0

    def test_a_record_is_small(self, run):
        store, trials, _ = run
        (file,) = store.path.glob("*.jsonl")
        lines = file.read_bytes().splitlines()
        assert len(lines) == len(trials)
        assert max(map(len, lines)) <= 4096


class TestRules:
    """Rules of selection in trials: what they keep, their queries, and their keys."""

    def test_kept_is_what_the_rule_keeps(self, tmp_path):
        store, recipe = Store(tmp_path), replace(TINY, epochs=4)
        names = ["ccs", "ccs+drop", "beta+proportional", "moderate:el2n", "ccs+el2nq"]
        trials = grid(names, [0.4], [3], recipe=recipe, smoothing=1.0)
        records = study.run(trials, store=store)
        queries = [query for trial in trials for query in trial.queries]
        found = recorded_by(queries, store)
        for trial, record in zip(trials, records, strict=True):
            data = load(trial.dataset, trial.seed)
            rows = [scores.SCORES[name](found[query]) for query, name in trial.rankings]
            recalls = trial.recall_query and found[trial.recall_query]
            kept = pruning.prune(
                trial.protocol,
                data.y[data.train],
                0.4,
                scores=rows[0] if len(rows) == 1 else rows,
                recalls=recalls and recalls.recalls.mean(axis=0),
                val_sizes=recalls and recalls.val_sizes,
                smoothing=trial.smoothing,
                seed=3,
            )
            counts = np.bincount(data.y[data.train[kept]], minlength=10)
            assert record["kept"] == counts.tolist()
            assert trial_of(record) == trial
        assert len(list(Store(tmp_path))) == len(trials)  # what was written is read

    def test_a_quota_may_come_from_another_query(self):
        (trial,) = grid(["ccs+el2nq"], [0.5], [2])
        assert (trial.score_query.schedule, trial.quota_query.schedule) == ("long", "short")
        assert trial.rankings == [(trial.score_query, "aum"), (trial.quota_query, "el2n")]
        (alone,) = grid(["ccs"], [0.5], [2])
        assert alone.quota_query is None and "quota_query" not in as_recorded(alone)

    def test_another_rule_of_one_name_is_another_trial(self, monkeypatch):
        monkeypatch.setitem(pruning.RULES, "lowest", None)  # taken away afterwards
        keys = set()
        pruning.register("lowest", scores=())(lambda s, y, counts, draw: [0])
        keys.add(grid(["lowest"], [0.5])[0].key)
        pruning.register("lowest", scores=())(lambda s, y, counts, draw: [1])
        keys.add(grid(["lowest"], [0.5])[0].key)
        assert len(keys) == 2


class TestDynamic:
    """Quotas measured during training, against a plain loop over a stack's epochs."""

    def test_every_selection_goes_by_the_recalls_of_the_moment(self, tmp_path, monkeypatch):
        seen = []
        reselected = selections.reselected

        def watched(one, data, recalls, number):
            seen.append((number, recalls, kept := reselected(one, data, recalls, number)))
            return kept

        monkeypatch.setattr(selections, "reselected", watched)
        recipe = replace(TINY, epochs=24)
        (trial,) = grid(["random+dynamicdrop"], [0.4], [3], recipe=recipe, smoothing=1.0)
        (record,) = study.run([trial], store=Store(tmp_path))
        assert trial.queries == [] and trial.smoothing == 1.0
        assert [number for number, _, _ in seen] == list(range(1, 13))  # every second epoch
        data = load("digits-2x4", 3)
        labels, val = data.y[data.train], np.bincount(data.y[data.val], minlength=10)
        for number, recalls, kept in seen:
            expected = pruning.prune(
                "random+drop",
                labels,
                0.4,
                recalls=recalls,
                smoothing=1.0,
                val_sizes=val,
                seed=3 + 1_000_000 * number,
            )
            np.testing.assert_array_equal(kept, data.train[expected])
            hits = recalls * val
            np.testing.assert_allclose(hits, hits.round(), atol=1e-6)
        assert record["kept"] == np.bincount(data.y[seen[-1][2]], minlength=10).tolist()
        assert record["kept"] != np.bincount(data.y[seen[0][2]], minlength=10).tolist()

    def test_the_control_draws_anew_inside_equal_densities(self, tmp_path):
        recipe = replace(TINY, epochs=12)
        (trial,) = grid(["random+dynamicproportional"], [0.4], [3], recipe=recipe)
        (record,) = study.run([trial], store=Store(tmp_path))
        data = load("digits-2x4", 3)
        kept = pruning.prune("random+proportional", data.y[data.train], 0.4)
        counts = np.bincount(data.y[data.train[kept]], minlength=10)
        assert record["kept"] == counts.tolist()
        (static,) = study.run(
            grid(["random+proportional"], [0.4], [3], recipe=recipe), store=Store(tmp_path)
        )
        assert record["recalls"] != static["recalls"]

    def test_another_number_of_steps_is_refused(self):
        data = load("digits-2x4", 0)
        with pytest.raises(
            ValueError, match=r"shape \(1, 40\) were selected in place of \(1, 50\)"
        ):
            train(
                "mlp", data.x, data.y, data.train[None, :50], TINY, seeds=[0], num_classes=10,
                val=data.val[None], reselect=lambda epoch, recalls: data.train[None, :40],
            )  # fmt: skip

    def test_the_samples_of_the_next_epochs_are_those_selected(self):
        """With the same samples selected again the network is that of a plain training."""
        data, recipe = load("digits-2x4", 0), replace(TINY, epochs=3)
        rows = [data.train[None, :60], data.train[None, 60:120]]
        common = {"seeds": [4], "num_classes": 10, "val": data.val[None]}
        plain, same, other = (
            predict(
                train("mlp", data.x, data.y, rows[0], recipe, reselect=reselect, **common),
                data.x,
                data.test,
            )
            for reselect in (None, lambda *_: rows[0], lambda *_: rows[1])
        )
        np.testing.assert_array_equal(plain, same)
        assert not np.allclose(plain, other)


class TestByLosses:
    """Selections after every epoch, by losses in training mode."""

    # At this rate weights stay what they were, so that losses can be computed afterwards.
    STILL = replace(TINY, epochs=4, lr=1e-30, weight_decay=0.0)

    @pytest.mark.parametrize("protocol", ["infobatch", "rcap"])
    def test_every_selection_goes_by_the_last_losses_seen(self, tmp_path, monkeypatch, protocol):
        seen = []
        rule = BY_LOSSES[protocol]

        def watched(moment, total, draw):
            seen.append((moment, found := rule(moment, total, draw)))
            return found

        monkeypatch.setitem(BY_LOSSES, protocol, watched)
        common = {"model": "linear", "recipe": self.STILL}
        (trial,) = grid([protocol], [0.4], [3], **common)
        (record,) = study.run([trial], store=Store(tmp_path))
        data = load("digits-2x4", 3)
        labels, n = data.y[data.train], len(data.train)
        assert trial.queries == [] and len(seen) == 4  # one before training, and not after it
        stack = train(
            "linear", data.x, data.y, data.train[None, :50], self.STILL, seeds=[3], num_classes=10
        )
        logits = predict(stack, data.x, data.train)[0]
        losses = -log_softmax(logits.astype(float), axis=1)[np.arange(n), labels]
        known = np.zeros(n, dtype=bool)
        for number, ((_, before), (moment, found)) in enumerate(pairwise(seen), start=1):
            known[before.chosen] = True
            expected = np.where(known, losses, np.log(10))
            np.testing.assert_allclose(moment.losses, expected, atol=1e-4)
            np.testing.assert_array_equal(moment.labels, labels)
            np.testing.assert_array_equal(moment.before, before.chosen)
            assert moment.done == number / 4 and moment.guess == np.log(10)
            assert len(found.chosen) == len(np.unique(found.chosen)) == round(0.4 * n)
        counts = np.bincount(labels[seen[-1][1].chosen], minlength=10)
        assert record["kept"] == counts.tolist()

    def test_weights_of_samples_enter_the_loss(self):
        """Of two samples, the one without weight might as well be the other one again."""
        data, recipe = load("digits-2x4", 0), replace(TINY, epochs=2, batch=2)
        pair, twice = data.train[:2], data.train[[0, 0]]
        common = {"seeds": [4], "num_classes": 10}
        rows, weights = np.array([pair, twice]), np.array([[[1.0, 0.0]], [[1.0, 1.0]]])
        found = [
            train(
                "linear", data.x, data.y, twice[None], recipe, weighted=True,
                reselect=lambda *_, i=i: (rows[i][None], weights[i]), **common,
            )
            for i in range(2)
        ]  # fmt: skip
        one, other = (predict(stack, data.x, data.test) for stack in found)
        np.testing.assert_allclose(one, other, atol=1e-5)
        plain = train("linear", data.x, data.y, pair[None], recipe, **common)
        assert not np.allclose(one, predict(plain, data.x, data.test), atol=1e-3)

    def test_class_weights_beside_weights_of_samples_are_refused(self):
        data = load("digits-2x4", 0)
        with pytest.raises(ValueError, match="CDB-W weighs classes, and samples have weights"):
            train(
                "linear", data.x, data.y, data.train[None, :50], replace(TINY, loss="cdbw"),
                seeds=[0], num_classes=10, val=data.val[None], weighted=True,
            )  # fmt: skip
