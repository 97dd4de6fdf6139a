"""Runs: what is trained, what is kept of it, and what an interruption costs."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dropkit import pruning, query_models, scores, study, training
from dropkit.datasets import load
from dropkit.store import Store, StoreError
from tests.test_query_models import alone, network_seeds, outputs, plain_recalls
from tests.test_training import TINY
from tests.test_trials import SCHEDULES, SHORT, grid

ROOT = Path(__file__).parents[1]
# Dynamic Uncertainty's window has ten epochs.
RECIPE = replace(TINY, epochs=10, batch=64)
FORMS = ["{}", "{}+drop", "random+{}q"]
PROTOCOLS = ["full", "random", "random+drop", *(f.format(s) for s in SCHEDULES for f in FORMS)]
WITH_CDBW = ["full+cdbw", "random+drop+cdbw", "cdbw+random+drop", "cdbw+el2n", "cdbw+ssp+cdbw"]


@pytest.fixture
def calls(monkeypatch):
    """How many networks each call of `training.train` trains."""
    seen = []
    train = training.train

    def counted(*args, seeds, **kwargs):
        seen.append(len(seeds))
        return train(*args, seeds=seeds, **kwargs)

    monkeypatch.setattr(training, "train", counted)
    return seen


def measured(record):
    """A record without when and where it was made."""
    return {name: record[name] for name in record.keys() - {"seconds", "provenance"}}


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
            recalls = trial.recall_query and query_models.run([trial.recall_query], store)
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
            assert record["trial"] == json.loads(json.dumps(asdict(trial)))
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
            assert origin.keys() == {"dropkit", "commit", "torch", "device", "time"}
            assert origin["torch"] == torch.__version__
            assert record["seconds"] >= 0

    def test_a_record_is_small(self, run):
        store, trials, _ = run
        (file,) = store.path.glob("*.jsonl")
        lines = file.read_bytes().splitlines()
        assert len(lines) == len(trials)
        assert max(map(len, lines)) <= 4096


class TestRun:
    def test_only_the_missing_is_trained(self, tmp_path, calls):
        trials = grid(["full", "random", "random+drop"], [0.3, 0.6], 2)
        study.run(trials, store=Store(tmp_path))
        assert sum(calls) == len(trials) + 2 * 2  # two query models a seed
        before = len(calls)
        again = study.run(trials, store=Store(tmp_path))
        assert len(calls) == before
        assert [r["key"] for r in again] == [t.key for t in trials]

    def test_new_densities_train_new_trials_only(self, tmp_path, calls):
        study.run(grid(["full", "random+drop"], [0.3, 0.6], 2), store=Store(tmp_path))
        del calls[:]
        more = grid(["full", "random+drop"], [0.3, 0.45], 2)
        store = Store(tmp_path)
        assert study.missing(more, store) == [t for t in more if t.density == 0.45]
        study.run(more, store=store)
        assert calls == [2]

    def test_a_trial_asked_twice_is_trained_once(self, tmp_path, calls):
        trials = grid(["random"]) + grid(["random"], smoothing=1.0)
        records = study.run(trials, store=Store(tmp_path))
        assert calls == [1]
        assert records[0] == records[1]

    def test_published_records_are_not_trained(self, tmp_path, calls):
        study.run(grid(), store=Store(tmp_path / "published"))
        del calls[:]
        study.run(grid(), store=Store(tmp_path / "own", also=[tmp_path / "published"]))
        assert calls == []
        assert not (tmp_path / "own").exists()

    def test_stacks_are_bounded(self, tmp_path, calls, monkeypatch):
        monkeypatch.setattr(training, "STACK", 2)
        study.run(grid(["random"], [0.1], 5), store=Store(tmp_path))
        assert calls == [2, 2, 1]

    def test_budgets_of_one_size_do_not_share_a_stack(self, tmp_path, calls):
        trials = grid(["random"], [0.5], recipe=replace(SHORT, budget="steps"))
        records = study.run(trials + grid(["random"], [0.5]), store=Store(tmp_path))
        assert calls == [1, 1]
        assert records[0]["recalls"] != records[1]["recalls"]

    def test_interrupted_run_keeps_finished_groups(self, tmp_path, monkeypatch):
        trials, train, done = grid(["random"], [0.2, 0.4, 0.6], 2), training.train, []

        def interrupted(*args, **kwargs):
            if len(done) == 2:
                raise KeyboardInterrupt
            done.append(len(kwargs["seeds"]))
            return train(*args, **kwargs)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(training, "train", interrupted)
            study.run(trials, store=Store(tmp_path))
        assert len(Store(tmp_path)) == sum(done) == 4
        done[:] = [0, 0, 0]  # counts on, and never interrupts again
        monkeypatch.setattr(training, "train", interrupted)
        assert len(study.run(trials, store=Store(tmp_path))) == 6
        assert done[3:] == [2]

    def test_unwritable_store_is_found_before_training(self, tmp_path, calls):
        (tmp_path / "file").write_text("")
        store = Store(tmp_path / "file" / "store")
        with pytest.raises(StoreError, match="cannot write to the store"):
            study.run(grid(["el2n"]), store=store)
        assert calls == []

    def test_what_could_not_be_written_is_written_by_the_next_run(self, tmp_path, monkeypatch):
        store = Store(tmp_path / "store")
        write = os.write

        def full(descriptor, content):
            raise OSError("no space left")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(StoreError, match="no space left"):
            study.run(grid(), store=store)
        monkeypatch.setattr(os, "write", write)
        records = study.run(grid(), store=store)
        assert list(Store(tmp_path / "store")) == records

    def test_too_few_samples(self, tmp_path, calls):
        trials = grid(["random"], [0.5, 0.001])
        with pytest.raises(ValueError, match=r"density 0\.001 keeps 1 of .* at least 2"):
            study.run(trials, store=Store(tmp_path))
        assert calls == []  # no training is begun that would be lost

    def test_a_class_that_cannot_be_tested(self, tmp_path, calls, monkeypatch):
        data = load("digits-2x4", 0)
        without = replace(data, test=data.test[data.y[data.test] != 7])
        monkeypatch.setattr("dropkit.trials.load_imbalanced", lambda *_: without)
        message = "digits-2x4 has no test samples of '7': a recall needs at least 1"
        with pytest.raises(ValueError, match=message):
            study.run(grid(["random+drop"]), store=Store(tmp_path))
        assert calls == []

    def test_unknown_device(self, tmp_path):
        with pytest.raises(ValueError, match="device must be auto, cpu, cuda, .* got 'gpu'"):
            study.run([], store=Store(tmp_path), device="gpu")

    def test_unknown_executor(self, tmp_path, calls):
        message = "executor must be one of local, processes, ray, got 'cluster'"
        with pytest.raises(ValueError, match=message):
            study.run(grid(), store=Store(tmp_path), executor="cluster")
        assert calls == []

    def test_nothing_to_do(self, tmp_path):
        assert study.run([], store=Store(tmp_path / "store")) == []
        assert not (tmp_path / "store").exists()


GROUPS = grid(["random"], [0.2, 0.4, 0.6], 2)

# A run by two processes whose parent stops when the first group is stored.
STOPPED = f"""
import multiprocessing, sys, time
from dropkit import executors, study
from dropkit.store import Store
from dropkit.study import Trial
from dropkit.recipes import Recipe

class Stopping(Store):
    def add(self, *records):
        super().add(*records)
        if records:
            print(*[child.pid for child in multiprocessing.active_children()], flush=True)
            time.sleep(600)

if __name__ == "__main__":
    executors.cores = lambda: 2
    study.run({GROUPS!r}, store=Stopping(sys.argv[1]), executor="processes")
"""


def killed_run(folder):
    """Kill such a run, and return once its workers have ended too."""
    script = folder / "stopped.py"
    script.write_text(STOPPED)
    with subprocess.Popen(
        [sys.executable, script, folder / "store"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as parent:
        workers = parent.stdout.readline().split()
        parent.kill()
        try:
            parent.communicate(timeout=300)  # the workers hold the pipe as long as they live
        except subprocess.TimeoutExpired:
            for worker in workers:
                os.kill(int(worker), signal.SIGKILL)
            raise
    assert len(workers) == 2


class TestProcesses:
    def test_killed_run_is_resumed_and_equals_a_local_one(self, tmp_path, calls):
        killed_run(tmp_path)
        finished = list(Store(tmp_path / "store"))
        assert len(finished) == 2
        local = study.run(GROUPS, store=Store(tmp_path / "local"))
        by_key = {record["key"]: measured(record) for record in local}
        for record in finished:
            assert measured(record) == by_key[record["key"]]
        del calls[:]
        resumed = study.run(GROUPS, store=Store(tmp_path / "store"))
        assert calls == [2, 2]
        assert [measured(r) for r in resumed] == [measured(r) for r in local]

    def test_one_group_needs_no_processes(self, tmp_path, calls):
        records = study.run(grid(seeds=2), store=Store(tmp_path / "a"), executor="processes")
        assert calls == [2]
        local = study.run(grid(seeds=2), store=Store(tmp_path / "b"))
        assert [measured(r) for r in records] == [measured(r) for r in local]


def noted(protocol, density, seed, smoothing=0.0, recall=0.5, key=None):
    return {
        "key": key or f"{protocol} {density} {seed} {smoothing}",
        "trial": {
            "protocol": protocol,
            "density": density,
            "seed": seed,
            "smoothing": smoothing,
        },
        "recalls": [recall, 1.0],
        "kept": [seed, 7],
    }


class TestByProtocol:
    def test_arrangement(self):
        records = [
            noted("random", 0.5, 2, recall=0.2),
            noted("random+drop", 0.5, 0, smoothing=1.0, recall=0.9),
            noted("random", 0.1, 0, recall=0.3),
            noted("random", 0.5, 0, recall=0.4),
            noted("random+drop", 0.5, 0, recall=0.6),
        ]
        found = study.by_protocol(records)
        assert found.keys() == {"random", "random+drop", "random+drop (smoothed)"}
        assert list(found["random"]) == [0.1, 0.5]
        assert found["random"][0.5].tolist() == [[0.4, 1.0], [0.2, 1.0]]
        assert found["random+drop"][0.5].tolist() == [[0.6, 1.0]]
        assert found["random+drop (smoothed)"][0.5].tolist() == [[0.9, 1.0]]
        assert study.by_protocol(records, "kept")["random"][0.5].tolist() == [[0, 7], [2, 7]]

    def test_the_same_record_twice_counts_once(self):
        record = noted("full", 1.0, 0)
        assert study.by_protocol([record, record])["full"][1.0].tolist() == [[0.5, 1.0]]

    def test_two_records_of_a_seed(self):
        records = [noted("random", 0.5, 3), noted("random", 0.5, 3, key="of another data set")]
        with pytest.raises(ValueError, match=r"two records of random at density 0\.5 have seed 3"):
            study.by_protocol(records)
