"""Grids and runs: what is trained, what is kept of it, and what an interruption costs."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import dropkit
from dropkit import pruning, scores, study, training
from dropkit.datasets import load
from dropkit.queries import short_recipe
from dropkit.store import Store, StoreError
from tests.test_training import TINY, plain_loop

ROOT = Path(__file__).parents[1]
SHORT = replace(TINY, epochs=1, batch=256)
PROTOCOLS = ["full", "random", "random+drop", "el2n", "el2n+drop", "random+el2nq"]


def grid(protocols=("random",), densities=(0.5,), seeds=1, **options):
    defaults = {"recipe": SHORT, "initialisations": 2}
    common = {"protocols": protocols, "densities": densities, "seeds": seeds}
    return study.grid("digits-2x4", **common, **defaults | options)


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


class TestGrid:
    def test_every_combination_once(self):
        trials = grid(["random", "el2n"], [0.1, 0.5], 3)
        found = Counter((t.protocol, t.density, t.seed) for t in trials)
        expected = [(p, d, s) for p in ("random", "el2n") for d in (0.1, 0.5) for s in range(3)]
        assert found == Counter(expected)
        assert len({t.key for t in trials}) == len(trials)

    def test_full_is_one_trial_a_seed(self):
        trials = grid(["full", "random", "el2n+drop"], [0.5, 1.0, 1], 2, smoothing=1.0)
        full = [t for t in trials if t.density == 1]
        assert [(t.protocol, t.seed) for t in full] == [("full", 0), ("full", 1)]
        assert full == grid(["full"], [0.3], 2)
        assert [t.key for t in full] == [t.key for t in grid(["full"], [0.3], 2)]

    def test_what_a_protocol_does_not_use_is_left_out(self):
        options = {"smoothing": 1.0, "rule": "counts", "query": replace(SHORT, epochs=7)}
        for protocol, used in {
            "random": set(),
            "el2n": {"query"},
            "random+el2nq": {"query"},
            "random+drop": {"query", "smoothing", "rule"},
            "el2n+drop": {"query", "smoothing", "rule"},
        }.items():
            (plain,) = grid([protocol])
            for name, value in options.items():
                (other,) = grid([protocol], **{name: value})
                assert (other.key != plain.key) == (name in used), (protocol, name)

    def test_defaults_of_a_data_set(self):
        (trial,) = study.grid("digits-2x4", protocols=["el2n"], densities=[0.5], seeds=[7])
        assert (trial.model, trial.recipe) == ("mlp", training.DIGITS)
        assert trial.query.recipe == short_recipe(training.DIGITS)
        assert (trial.seed, trial.query.seed, trial.query.initialisations) == (7, 7, 5)

    def test_iterators_and_numpy_values(self):
        lists = grid(["random", "random+drop"], [0.25, 0.5], [0, 1], smoothing=1.0)
        others = grid(
            iter(["random", "random+drop"]),
            np.array([0.25, 0.5]),
            np.arange(2),
            smoothing=1,
        )
        assert [t.key for t in others] == [t.key for t in lists]
        assert json.loads(json.dumps([t.config for t in others]))
        assert grid(seeds=np.int64(2)) == grid(seeds=range(2))

    @given(data=st.data())
    def test_keys_differ_where_the_meaning_differs(self, data):
        fields = {
            "protocol": st.sampled_from(PROTOCOLS),
            "density": st.sampled_from([0.1, 0.5, 1.0]),
            "seed": st.integers(0, 1),
            "smoothing": st.sampled_from([0.0, 1.0]),
            "rule": st.sampled_from(["densities", "counts"]),
            "model": st.sampled_from(["mlp", "cnn"]),
            "dataset": st.sampled_from(["digits", "digits-2x4"]),
            "epochs": st.integers(1, 2),
            "budget": st.sampled_from(["epochs", "steps"]),
            "query_epochs": st.integers(1, 2),
            "initialisations": st.integers(1, 2),
        }
        first = {name: data.draw(values) for name, values in fields.items()}
        changed = data.draw(st.sets(st.sampled_from(sorted(fields)), max_size=3))
        second = first | {name: data.draw(fields[name]) for name in sorted(changed)}
        (a,), (b,) = (
            study.grid(
                f["dataset"],
                protocols=[f["protocol"]],
                densities=[f["density"]],
                seeds=[f["seed"]],
                model=f["model"],
                recipe=replace(SHORT, epochs=f["epochs"], budget=f["budget"]),
                query=replace(SHORT, epochs=f["query_epochs"]),
                initialisations=f["initialisations"],
                smoothing=f["smoothing"],
                rule=f["rule"],
            )
            for f in (first, second)
        )
        assert (a.key == b.key) == (meaning(**first) == meaning(**second))
        assert (a == b) == (a.key == b.key)

    def test_every_field_of_the_recipe_counts(self):
        other = {
            "epochs": 2,
            "batch": 128,
            "lr": 0.2,
            "weight_decay": 0.0,
            "momentum": 0.5,
            "drops": (),
            "drop_factor": 0.1,
            "budget": "steps",
            "precision": "float32",
        }
        assert other.keys() == asdict(SHORT).keys()
        keys = {
            grid(recipe=replace(SHORT, **{name: value}))[0].key for name, value in other.items()
        }
        assert len(keys | {grid()[0].key}) == len(other) + 1

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"protocols": ["droop"]}, "protocol 'droop' is not known"),
            ({"protocols": ["grand"]}, "protocol 'grand' cannot be run yet"),
            ({"protocols": ["random+forgettingq"]}, "protocol 'random.forgettingq' cannot be run"),
            ({"protocols": ["full+cdbw"]}, "protocol 'full.cdbw' cannot be run yet"),
            ({"protocols": ["cdbw+el2n"]}, "protocol 'cdbw.el2n' cannot be run yet"),
            ({"densities": [0.5, 0]}, r"density is 0: it must lie in \(0, 1\]"),
            ({"densities": [1.5]}, "density is 1.5"),
            ({"densities": [float("nan")]}, "density is nan"),
        ],
    )
    def test_errors(self, options, message):
        with pytest.raises(ValueError, match=message):
            grid(**options)

    @pytest.mark.parametrize("options", [{"densities": ["0.5"]}, {"seeds": [0.5]}])
    def test_types(self, options):
        with pytest.raises(TypeError):
            grid(**options)

    def test_unknown_data_set(self):
        with pytest.raises(ValueError, match="'mnist'"):
            study.grid("mnist", protocols=["random"], densities=[0.5], seeds=1)


def meaning(
    protocol,
    density,
    seed,
    smoothing,
    rule,
    model,
    dataset,
    epochs,
    budget,
    query_epochs,
    initialisations,
):
    """What a trial depends on, by the definition of each protocol."""
    always = (dataset, model, seed, epochs, budget)
    if protocol == "full" or density == 1:
        return ("full", *always)
    parts = (protocol, density, *always)
    if "el2n" in protocol or "drop" in protocol:
        parts += (query_epochs, initialisations)
    if "drop" in protocol:
        parts += (smoothing, rule)
    return parts


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    trials = grid(PROTOCOLS, [0.1, 0.55], [0, 4], smoothing=1.0, recipe=TINY)
    return store, trials, study.run(trials, store=store)


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

    def test_kept_is_what_the_protocol_keeps(self, run):
        store, trials, records = run
        for trial, record in zip(trials, records, strict=True):
            data = load(trial.dataset, trial.seed)
            labels = data.y[data.train]
            given = {}
            if trial.query:
                recorded = store.load_arrays(trial.query.key)
                if "drop" in trial.protocol:
                    given["recalls"] = recorded["recalls"].mean(axis=0)
                    given["val_sizes"] = np.bincount(data.y[data.val])
                    given["smoothing"] = 1.0
                if "el2n" in trial.protocol:
                    given["scores"] = scores.el2n(recorded["probs"], labels)
            chosen = pruning.prune(trial.protocol, labels, trial.density, seed=trial.seed, **given)
            counts = Counter(labels[chosen].tolist())
            assert record["kept"] == [counts[k] for k in range(10)]
            assert sum(record["kept"]) == int(trial.density * len(labels) + 0.5)
            kept = study.keep(trial, recorded if trial.query else None)
            np.testing.assert_array_equal(np.sort(kept), np.sort(data.train[chosen]))

    def test_recalls_are_those_of_a_network_trained_alone(self, run):
        store, trials, records = run
        for trial, record in zip(trials, records, strict=True):
            if (trial.seed, trial.density) != (4, 0.55):
                continue
            data = load(trial.dataset, trial.seed)
            kept = study.keep(trial, trial.query and store.load_arrays(trial.query.key))
            network = plain_loop("mlp", data.x, data.y, kept, TINY, 4, 10)
            with torch.no_grad():
                right = (network(torch.from_numpy(data.x)).argmax(dim=1).numpy() == data.y).tolist()
            for k in range(10):
                own = [right[i] for i in data.test if data.y[i] == k]
                assert record["recalls"][k] == pytest.approx(sum(own) / len(own), abs=1e-6)

    def test_query_is_noted_where_there_is_one(self, run):
        store, trials, records = run
        for trial, record in zip(trials, records, strict=True):
            if trial.protocol in ("full", "random"):
                assert record["query"] is None
                continue
            recalls = store.load_arrays(trial.query.key)["recalls"]
            np.testing.assert_allclose(record["query"]["recalls"], recalls.mean(axis=0), atol=1e-6)
            data = load(trial.dataset, trial.seed)
            assert record["query"]["val_sizes"] == np.bincount(data.y[data.val]).tolist()

    def test_provenance(self, run):
        for record in run[2]:
            origin = record["provenance"]
            assert origin.keys() == {"dropkit", "commit", "torch", "device", "time"}
            assert origin["dropkit"] == dropkit.__version__
            assert origin["torch"] == torch.__version__
            assert origin["commit"] is None or len(origin["commit"]) == 40
            assert isinstance(origin["device"], str)
            age = datetime.now().astimezone() - datetime.fromisoformat(origin["time"])
            assert timedelta(0) <= age < timedelta(hours=1)
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
        monkeypatch.setattr(study, "STACK", 2)
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

    def test_unknown_executor(self, tmp_path, calls):
        message = "executor must be one of local, processes, got 'cluster'"
        with pytest.raises(ValueError, match=message):
            study.run(grid(), store=Store(tmp_path), executor="cluster")
        assert calls == []

    def test_nothing_to_do(self, tmp_path):
        assert study.run([], store=Store(tmp_path / "store")) == []
        assert not (tmp_path / "store").exists()


GROUPS = grid(["random"], [0.2, 0.4, 0.6], 2)

# A run by two processes whose parent stops when the first group is stored.
STOPPED = f"""
import multiprocessing, os, sys, time
from dropkit import study
from dropkit.store import Store
from dropkit.study import Trial
from dropkit.training import Recipe

class Stopping(Store):
    def add(self, *records):
        super().add(*records)
        if records:
            print(*[child.pid for child in multiprocessing.active_children()], flush=True)
            time.sleep(600)

if __name__ == "__main__":
    os.cpu_count = lambda: 2
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
            parent.communicate(timeout=30)  # the workers hold the pipe as long as they live
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


def test_scales():
    assert study.dataset_of("digits") == "digits-2x4"
    with pytest.raises(ValueError, match="scale 'huge' has no data set"):
        study.dataset_of("huge")
