"""Runs: what is trained and what is not, and what an interruption costs."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dropkit.datasets import load
from dropkit.store import Store, StoreError
from dropkit.study import runner
from dropkit.study.executors import Workers
from dropkit.study.preparation import Prepared
from dropkit.training import engine
from tests.study.test_trials import SHORT, grid

ROOT = Path(__file__).parents[2]


def measured(record):
    """A record without when and where it was made."""
    return {name: record[name] for name in record.keys() - {"seconds", "provenance"}}


class TestRun:
    def test_only_the_missing_is_trained(self, tmp_path, calls):
        trials = grid(["full", "random", "random+drop"], [0.3, 0.6], 2)
        runner.run(trials, store=Store(tmp_path))
        assert sum(map(len, calls)) == len(trials) + 2 * 2  # two query models a seed
        before = len(calls)
        again = runner.run(trials, store=Store(tmp_path))
        assert len(calls) == before
        assert [r["key"] for r in again] == [t.key for t in trials]

    def test_new_densities_train_new_trials_only(self, tmp_path, calls):
        runner.run(grid(["full", "random+drop"], [0.3, 0.6], 2), store=Store(tmp_path))
        del calls[:]
        more = grid(["full", "random+drop"], [0.3, 0.45], 2)
        store = Store(tmp_path)
        assert runner.missing(more, store) == [t for t in more if t.density == 0.45]
        runner.run(more, store=store)
        assert list(map(len, calls)) == [2]

    def test_a_trial_asked_twice_is_trained_once(self, tmp_path, calls):
        trials = grid(["random"]) + grid(["random"], smoothing=1.0)
        records = runner.run(trials, store=Store(tmp_path))
        assert list(map(len, calls)) == [1]
        assert records[0] == records[1]

    def test_published_records_are_not_trained(self, tmp_path, calls):
        runner.run(grid(), store=Store(tmp_path / "published"))
        del calls[:]
        runner.run(grid(), store=Store(tmp_path / "own", also=[tmp_path / "published"]))
        assert calls == []
        assert not (tmp_path / "own").exists()

    def test_stacks_are_bounded(self, tmp_path, calls, monkeypatch):
        monkeypatch.setattr(engine, "STACK", 2)
        runner.run(grid(["random"], [0.1], 5), store=Store(tmp_path))
        assert list(map(len, calls)) == [2, 2, 1]

    def test_budgets_of_one_size_do_not_share_a_stack(self, tmp_path, calls):
        trials = grid(["random"], [0.5], recipe=replace(SHORT, budget="steps"))
        records = runner.run(trials + grid(["random"], [0.5]), store=Store(tmp_path))
        assert list(map(len, calls)) == [1, 1]
        assert records[0]["recalls"] != records[1]["recalls"]

    def test_one_worker_keeps_the_order_asked_for(self, tmp_path):
        runner.run(grid(["random"], [0.3, 0.6, 0.2]), store=Store(tmp_path))
        assert [r["trial"]["density"] for r in Store(tmp_path)] == [0.3, 0.6, 0.2]

    @pytest.mark.parametrize(("workers", "first"), [(1, 0.3), (2, 0.6)])
    def test_several_workers_begin_with_the_longest(self, workers, first):
        prepared = [
            Prepared(grid(["random"], [density])[0], np.arange(int(1000 * density)), None)
            for density in (0.3, 0.6, 0.2)
        ]
        assert runner._jobs(prepared, Workers(workers, "cpu", None))[0][0].trial.density == first

    def test_a_gpu_trains_networks_side_by_side(self):
        kept = np.arange(100)
        trials = [replace(trial, model="cnn") for trial in grid(["random"], [0.1], 8)]
        for device, sizes in (("cpu", [1] * 8), ("cuda:0", [4, 4])):
            jobs = runner._jobs([Prepared(t, kept, None) for t in trials], Workers(1, device, None))
            assert [len(job) for job in jobs] == sizes

    def test_interrupted_run_keeps_finished_groups(self, tmp_path, monkeypatch):
        trials, train, done = grid(["random"], [0.2, 0.4, 0.6], 2), engine.train, []

        def interrupted(*args, **kwargs):
            if len(done) == 2:
                raise KeyboardInterrupt
            done.append(len(kwargs["seeds"]))
            return train(*args, **kwargs)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(engine, "train", interrupted)
            runner.run(trials, store=Store(tmp_path))
        assert len(Store(tmp_path)) == sum(done) == 4
        done[:] = [0, 0, 0]  # counts on, and never interrupts again
        monkeypatch.setattr(engine, "train", interrupted)
        assert len(runner.run(trials, store=Store(tmp_path))) == 6
        assert done[3:] == [2]

    def test_unwritable_store_is_found_before_training(self, tmp_path, calls):
        (tmp_path / "file").write_text("")
        store = Store(tmp_path / "file" / "store")
        with pytest.raises(StoreError, match="cannot write to the store"):
            runner.run(grid(["el2n"]), store=store)
        assert calls == []

    def test_what_could_not_be_written_is_written_by_the_next_run(self, tmp_path, monkeypatch):
        store = Store(tmp_path / "store")
        write = os.write

        def full(descriptor, content):
            raise OSError("no space left")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(StoreError, match="no space left"):
            runner.run(grid(), store=store)
        monkeypatch.setattr(os, "write", write)
        records = runner.run(grid(), store=store)
        assert list(Store(tmp_path / "store")) == records

    @pytest.mark.parametrize(("density", "kept"), [(0.001, 1), (0.0001, 0)])
    def test_too_few_samples(self, tmp_path, calls, density, kept):
        trials = grid(["random+drop", "el2n"], [0.5, density])
        message = f"density {density} keeps {kept} of the 896 training .* at least 2"
        with pytest.raises(ValueError, match=message):
            runner.run(trials, store=Store(tmp_path))
        assert calls == []  # no training is begun that would be lost

    def test_a_class_that_cannot_be_tested(self, tmp_path, calls, monkeypatch):
        data = load("digits-2x4", 0)
        without = replace(data, test=data.test[data.y[data.test] != 7])
        monkeypatch.setattr("dropkit.study.trials.load_imbalanced", lambda *_: without)
        message = "digits-2x4 has no test samples of '7': a recall needs at least 1"
        with pytest.raises(ValueError, match=message):
            runner.run(grid(["random+drop"]), store=Store(tmp_path))
        assert calls == []

    def test_unknown_device(self, tmp_path):
        with pytest.raises(ValueError, match="device must be auto, cpu, cuda, .* got 'gpu'"):
            runner.run([], store=Store(tmp_path), device="gpu")

    def test_unknown_executor(self, tmp_path, calls):
        message = "executor must be one of local, processes, ray, got 'cluster'"
        with pytest.raises(ValueError, match=message):
            runner.run(grid(), store=Store(tmp_path), executor="cluster")
        assert calls == []

    def test_nothing_to_do(self, tmp_path):
        assert runner.run([], store=Store(tmp_path / "store")) == []
        assert not (tmp_path / "store").exists()


GROUPS = grid(["random"], [0.2, 0.4, 0.6], 2)

# A run by two processes whose parent stops when the first group is stored.
STOPPED = f"""
import multiprocessing, sys, time
from dropkit import study
from dropkit._common import machine
from dropkit.store import Store
from dropkit.study import Trial
from dropkit.training.recipes import Recipe

class Stopping(Store):
    def add(self, *records):
        super().add(*records)
        if records:
            print(*[child.pid for child in multiprocessing.active_children()], flush=True)
            time.sleep(600)

if __name__ == "__main__":
    machine.cores = lambda: 2
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
        local = runner.run(GROUPS, store=Store(tmp_path / "local"))
        by_key = {record["key"]: measured(record) for record in local}
        for record in finished:
            assert measured(record) == by_key[record["key"]]
        del calls[:]
        resumed = runner.run(GROUPS, store=Store(tmp_path / "store"))
        assert list(map(len, calls)) == [2, 2]
        assert [measured(r) for r in resumed] == [measured(r) for r in local]

    def test_one_group_needs_no_processes(self, tmp_path, calls):
        records = runner.run(grid(seeds=2), store=Store(tmp_path / "a"), executor="processes")
        assert list(map(len, calls)) == [2]
        local = runner.run(grid(seeds=2), store=Store(tmp_path / "b"))
        assert [measured(r) for r in records] == [measured(r) for r in local]
