"""Training by a group of processes: the same network as one process trains, whatever happens."""

import os
import pickle
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
import torch.distributed as dist
from torch import nn

from dropkit import metrics, study
from dropkit.datasets import Images, load
from dropkit.store import DamagedRecord, Store
from dropkit.store.records import result
from dropkit.study import distributed, plan, query_models
from dropkit.training import engine, over_processes
from dropkit.training.batches import source_of
from tests.study.test_trials import grid
from tests.training.test_engine import TINY

ROOT = Path(__file__).parents[2]
RECIPE = replace(TINY, epochs=4)
PLAN = """
dataset = "digits-2x4"
model = "mlp"
densities = [0.3]
seeds = 1
[recipe]
epochs = 40
[[stage]]
protocols = ["random", "random+cdbw", "el2n+drop"]
"""


@pytest.fixture
def alone(tmp_path):
    """A group of this process alone."""
    store = dist.FileStore(str(tmp_path / "rendezvous"), 1)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def trained(file, recipe=RECIPE, seed=3, kept=None):
    data = load("digits-2x4", 3)
    kept = data.train[:201] if kept is None else kept
    return over_processes.train(
        "mlp", data.x, data.y, kept, recipe, seed=seed, num_classes=10,
        strata=data.strata, val=data.val, file=file, device=torch.device("cpu"),
    )  # fmt: skip


def answers(stack, rows):
    with torch.no_grad():
        x = torch.as_tensor(load("digits-2x4", 3).x[rows], dtype=torch.float64)
        return stack(x[None])[0].numpy()


# The same program, which stops for good in the second of the trials.
STOPPED = """
import sys, time
from pathlib import Path
from dropkit.study import distributed
from dropkit.training import over_processes

saved, save = [], over_processes.save_checkpoint

def stopping(file, content):
    save(file, content)
    saved.append(content["epoch"])
    if saved.count(10) == 2:
        Path(__file__).with_name("stopped").touch()
        time.sleep(3600)

over_processes.save_checkpoint = stopping
sys.exit(distributed.main())
"""


def started(folder, *program):
    (folder / "plan.toml").write_text(PLAN)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    arguments = [str(folder / "plan.toml"), "--store", str(folder / "store"), "--device", "cpu"]
    return subprocess.Popen(
        [*command, *program, *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_killed_and_resumed_give_the_records_of_one(tmp_path):
    (tmp_path / "stopped.py").write_text(STOPPED)
    with started(tmp_path, str(tmp_path / "stopped.py")) as processes:
        while not (tmp_path / "stopped").exists():
            assert processes.poll() is None, processes.stderr.read()
            time.sleep(0.05)
        # All at once: the trainers would go on without the program that started them, which would
        # end them in its own way.
        program = psutil.Process(processes.pid)
        program.suspend()
        for process in [*program.children(recursive=True), program]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        processes.stderr.read()  # until all of them have ended
    assert len(Store(tmp_path / "store")) == 1
    assert len(list(tmp_path.glob("store/checkpoints/*.pt"))) == 1
    with started(tmp_path, "-m", "dropkit.study.distributed") as processes:
        _, errors = processes.communicate()
    assert processes.returncode == 0, errors
    trials = [trial for step in plan.read(tmp_path / "plan.toml").steps() for trial in step]
    expected = study.run(trials, store=Store(tmp_path / "one"))
    found = {record["key"]: result(record) for record in Store(tmp_path / "store")}
    assert found == {record["key"]: result(record) for record in expected}
    assert len(found) == 3
    stores = [Store(tmp_path / name) for name in ("store", "one")]
    (name,), _ = names = [store.array_names() for store in stores]
    assert names[0] == names[1]  # nothing is left of the query's networks one by one
    ours, one = (store.load_arrays(name) for store in stores)
    assert ours.keys() == one.keys()
    for array in one:
        np.testing.assert_allclose(ours[array], one[array], rtol=1e-6, atol=1e-6)
    assert list(tmp_path.glob("store/checkpoints/*")) == []


HOLDER = """
import sys
from pathlib import Path
from dropkit.store.locks import Locks
locks = Locks(Path(sys.argv[1]))
print(locks.take(sys.argv[2]), flush=True)
sys.stdin.read()
"""


@pytest.mark.usefixtures("alone")
def test_what_another_run_has_or_has_done_is_left_to_it(tmp_path, monkeypatch):
    trials, store = grid(["random"], densities=[0.1, 0.2, 0.3]), Store(tmp_path)
    trained, run = [], distributed._run
    done = study.run(trials[2:], store=Store(tmp_path / "other"))

    def noted(one, store, device):
        trained.append(one.trial)
        run(one, store, device)
        Store(tmp_path).add(*done)  # as another run does meanwhile

    monkeypatch.setattr(distributed, "_run", noted)
    command = [sys.executable, "-c", HOLDER, tmp_path, trials[1].key]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, **pipes) as other:
        assert other.stdout.readline() == "True\n"
        distributed.run(trials, store, torch.device("cpu"))
        other.stdin.close()
    assert trained == trials[:1]
    distributed.run(trials, store, torch.device("cpu"))
    assert trained == trials[:2] and len(store) == 3


@pytest.mark.usefixtures("alone")
def test_each_process_trains_its_share_of_the_query_networks(tmp_path, monkeypatch):
    """As the second of two processes, and then as the first."""
    trials = grid(["random+drop"], initialisations=5)
    store = Store(tmp_path)
    networks = query_models.lacking([trials[0].recall_query], store)
    monkeypatch.setattr(distributed, "of_first", lambda answer: list(networks))
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    seeds, train = [], engine.train

    def noted(*arguments, **others):
        seeds.append(others["seeds"])
        return train(*arguments, **others)

    monkeypatch.setattr(engine, "train", noted)
    for rank, share in ((1, [[10_001], [10_003]]), (0, [[10_000], [10_002], [10_004]])):
        monkeypatch.setattr(dist, "get_rank", lambda rank=rank: rank)
        del seeds[:]
        distributed._train_queries(trials, store, torch.device("cpu"))
        assert seeds == share
    del seeds[:]
    study.run(trials, store=store)
    assert seeds == [[0]]  # the trial's own


@pytest.mark.usefixtures("alone")
class TestTrain:
    @pytest.mark.parametrize("loss", ["ce", "cdbw"])
    def test_as_the_training_of_one_process(self, tmp_path, loss):
        data, recipe = load("digits-2x4", 3), replace(RECIPE, loss=loss)
        found = answers(trained(tmp_path / "c.pt", recipe), data.test)
        one = engine.train(
            "mlp", data.x, data.y, data.train[None, :201], recipe,
            seeds=[3], num_classes=10, val=data.val[None],
        )  # fmt: skip
        expected = engine.predict(one, data.x, data.test)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)

    def test_images_on_disk_as_the_same_in_memory(self, tmp_path):
        pixels = np.random.default_rng(0).integers(256, size=(40, 8, 8, 3), dtype=np.uint8)
        np.save(tmp_path / "pixels.npy", pixels)
        labels = np.arange(40) % 2
        recipe = replace(RECIPE, batch=8, augment=True, loss="cdbw", precision="float32")
        stacks = [
            over_processes.train(
                "mini", Images(held, (0.5,) * 3, (0.25,) * 3), labels, np.arange(30), recipe,
                seed=3, num_classes=2, strata=labels, val=np.arange(30, 40),
                file=tmp_path / name, device=torch.device("cpu"),
            ).state_dict()
            for name, held in [
                ("memory.pt", pixels), ("disk.pt", np.load(tmp_path / "pixels.npy", mmap_mode="r"))
            ]
        ]  # fmt: skip
        for name, weights in stacks[0].items():
            assert torch.equal(stacks[1][name], weights), name

    @pytest.mark.parametrize("loss", ["ce", "cdbw"])
    def test_goes_on_from_its_last_epoch(self, tmp_path, monkeypatch, loss):
        recipe, rows = replace(RECIPE, loss=loss), np.arange(50)
        expected = answers(trained(tmp_path / "whole.pt", recipe), rows)
        save, saved = over_processes.save_checkpoint, []

        def interrupted(file, content):
            save(file, content)
            saved.append(content["epoch"])
            if saved == [1, 2]:
                raise KeyboardInterrupt

        monkeypatch.setattr(over_processes, "save_checkpoint", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "c.pt", recipe)
        np.testing.assert_array_equal(answers(trained(tmp_path / "c.pt", recipe), rows), expected)
        assert saved == [1, 2, 3, 4]
        trained(tmp_path / "c.pt", recipe)
        assert saved == [1, 2, 3, 4]  # nothing is left to do

    def test_a_damaged_checkpoint_begins_anew(self, tmp_path):
        file = tmp_path / "c.pt"
        expected = answers(trained(file), np.arange(50))
        whole = bytearray(file.read_bytes())
        whole[len(whole) // 2] ^= 1
        for content in (whole, whole[:-20], b""):
            file.write_bytes(content)
            with pytest.warns(DamagedRecord, match="c.pt is damaged; training begins anew"):
                np.testing.assert_array_equal(answers(trained(file), np.arange(50)), expected)

    @pytest.mark.parametrize(
        "other",
        [{"seed": 4}, {"recipe": replace(RECIPE, lr=0.2)}, {"kept": np.arange(300)}],
    )
    def test_a_checkpoint_of_another_training(self, tmp_path, other):
        trained(tmp_path / "c.pt")
        with pytest.raises(ValueError, match="c.pt is of another training: delete it"):
            trained(tmp_path / "c.pt", **other)

    def test_what_it_cannot_do(self, tmp_path, monkeypatch):
        with pytest.raises(ValueError, match="select must be 'last', got 'best'"):
            trained(tmp_path / "c.pt", replace(RECIPE, select="best"))
        monkeypatch.setattr(dist, "get_world_size", lambda: 40)
        with pytest.raises(ValueError, match="201 samples in batches of 32 are too few"):
            trained(tmp_path / "c.pt")

    def test_recalls(self, tmp_path):
        data = load("digits-2x4", 3)
        stack, rows = trained(tmp_path / "c.pt"), data.test[data.y[data.test] != 4]
        y = torch.as_tensor(data.y)
        source = source_of(data.x, torch.float64, torch.device("cpu"))
        found = over_processes.recalls(stack, source, rows, y, y).numpy()
        expected = metrics.class_recalls(data.y[rows], answers(stack, rows).argmax(-1), 10)
        np.testing.assert_array_equal(found, expected)
        assert np.isnan(found[4])


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    ("kind", "shape"), [(nn.BatchNorm1d, (6, 3)), (nn.BatchNorm2d, (4, 3, 5, 2))]
)
def test_shared_batch_norm_of_one_process_is_pytorchs(kind, shape):
    torch.manual_seed(0)
    plain, layer = kind(3).double(), kind(3).double()
    layer.load_state_dict(plain.state_dict())
    shared = over_processes.SharedBatchNorm(layer)
    goal = torch.randn(shape, dtype=torch.float64)
    for training_mode in (True, True, False):
        x = torch.randn(shape, dtype=torch.float64)
        inputs, outputs = [x.clone().requires_grad_() for _ in range(2)], []
        for norm, own in zip((plain, shared), inputs, strict=True):
            norm.train(training_mode)
            outputs.append(norm(own))
            ((outputs[-1] - goal) ** 2).sum().backward()
        torch.testing.assert_close(outputs[1], outputs[0])
        torch.testing.assert_close(inputs[1].grad, inputs[0].grad)
    for name, values in plain.state_dict().items():
        torch.testing.assert_close(layer.state_dict()[name], values)
    torch.testing.assert_close(layer.weight.grad, plain.weight.grad)


def test_without_torchrun(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    (tmp_path / "plan.toml").write_text(PLAN)
    assert distributed.main([str(tmp_path / "plan.toml"), "--device", "cpu"]) == 2
    assert "start it by torchrun" in capsys.readouterr().err


def test_a_checkpoint_is_never_executed(tmp_path):
    class Payload:
        def __reduce__(self):
            return open, (str(tmp_path / "executed"), "w")

    over_processes.save_checkpoint(tmp_path / "c.pt", {"epoch": Payload()})
    for content in (over_processes.read_checkpoint(tmp_path / "c.pt"), pickle.dumps(Payload(), 2)):
        with pytest.raises(pickle.UnpicklingError):
            over_processes.load_checkpoint(content)
    assert not (tmp_path / "executed").exists()
