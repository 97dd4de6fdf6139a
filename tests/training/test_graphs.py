"""Training as CUDA graphs: on a pretended GPU the processor's numbers, and on a real one its own.

What a graph must not do is known from CUDA's rules of capture, which `tests.fake_gpu` keeps.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from dropkit import scores, training
from dropkit.datasets import Data, Images
from dropkit.store import Store
from dropkit.study.queries import Query
from dropkit.training import Recipe, batches, devices
from dropkit.training.devices import graphed
from tests.fake_gpu import pretended
from tests.networks import recorded_by

# Rates that float32 holds exactly, as a GPU does. 50 samples are batches of 12 and of 13.
RECIPE = Recipe(
    epochs=4, batch=16, lr=0.125, weight_decay=5e-4, drop_factor=0.25, augment=True
)  # fmt: skip
REAL = torch.cuda.is_available()
needs_gpu = pytest.mark.skipif(not REAL, reason="there is no GPU here")
no_gpu = pytest.mark.skipif(REAL, reason="a GPU is there, and need not be pretended")


def noise(count, side=8, classes=4):
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(count, side, side, 3), dtype=np.uint8)
    return Images(pixels, (0.5,) * 3, (0.25,) * 3), np.arange(count) % classes


def train(device, recipe=RECIPE, *, model="mini", count=50, side=8, seeds=(0,), seen=None):
    """The networks' weights and statistics; what was observed goes into `seen`."""
    x, y = noise(count + 20, side)
    observe = None if seen is None else lambda *step: seen.append([*step[:1], *map(host, step[1:])])
    kept, val = np.arange(count), np.arange(count, count + 20)
    stack = training.train(
        model, x, y, np.tile(kept, (len(seeds), 1)), recipe, seeds=seeds, num_classes=4,
        val=np.tile(val, (len(seeds), 1)), observe=observe, device=device,
    )  # fmt: skip
    return {name: host(value) for name, value in stack.state_dict().items()}


def host(tensor):
    return tensor.cpu().clone()


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)  # to be as it was after
    with pretended(monkeypatch) as found:
        yield found


@no_gpu
class TestThePretence:
    """It refuses what CUDA refuses while a graph is recorded, and replays kernels, not Python."""

    @pytest.mark.parametrize(
        "step",
        [
            lambda x: x.sum().item(),
            lambda x: x.cpu(),
            lambda x: x + torch.ones(3).to(x.device),
            lambda x: x + torch.tensor(1.0, device=x.device),
            lambda x: x.nonzero(),
            lambda x: x[x > 0],
            lambda x: x[torch.tensor([0, 1])],
            lambda x: torch.cuda.synchronize(),
        ],
    )
    def test_no_waiting_and_no_copies(self, gpu, step):
        x = torch.ones(3, device="cuda")
        step(x)
        with (
            pytest.raises(RuntimeError, match="not permitted when stream is capturing"),
            torch.cuda.graph(torch.cuda.CUDAGraph()),
        ):
            step(x)

    def test_one_device(self, gpu):
        with pytest.raises(RuntimeError, match="expected all tensors on one device"):
            torch.ones(3, device="cuda") + torch.ones(3)

    def test_a_recording_runs_nothing_and_a_replay_the_kernels(self, gpu):
        total, step, factor = torch.zeros(2, device="cuda"), torch.ones(2, device="cuda"), 2.0
        calls = []

        def work():
            calls.append(1)
            total.add_(factor * step)
            return total * 10

        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            out = work()
        factor = 5.0  # numbers of Python's are as they were
        assert host(total).tolist() == [0, 0]
        assert host(out).isnan().all()
        step.fill_(3)  # memory is read anew
        graph.replay()
        graph.replay()
        assert host(total).tolist() == [12, 12]
        assert host(out).tolist() == [120, 120]
        assert len(calls) == 1

    def test_forked_streams_are_joined(self, gpu):
        x, side = torch.ones(3, device="cuda"), torch.cuda.Stream()
        with (
            pytest.raises(RuntimeError, match="not joined"),
            torch.cuda.graph(torch.cuda.CUDAGraph()),
        ):
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                x + 1
        with (
            pytest.raises(RuntimeError, match="not on the stream that is recorded"),
            torch.cuda.graph(torch.cuda.CUDAGraph()),
            torch.cuda.stream(side),
        ):
            x + 1


@no_gpu
class TestAgainstTheProcessor:
    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"loss": "cdbw"},
            {"select": "best"},
            {"select": "averaged", "loss": "cdbw", "augment": False},
        ],
    )
    def test_same_weights(self, gpu, changes):
        recipe, expected, seen = replace(RECIPE, **changes), [], []
        weights = train("cpu", recipe, seen=expected)
        found = train("cuda", recipe, seen=seen)
        assert all(torch.equal(weights[name], found[name]) for name in weights)
        for (epoch, *tensors), (epoch_there, *there) in zip(expected, seen, strict=True):
            assert epoch == epoch_there
            assert all(map(torch.equal, tensors, there))
        # Two shapes, 2 batches of each in 4 epochs, the first 3 not from a graph.
        assert [graph.replays for graph in gpu.graphs] == [5, 5]

    def test_same_weights_of_a_large_network(self, gpu):
        recipe = replace(RECIPE, epochs=5, batch=4)
        weights, found = (
            train(device, recipe, model="resnet18", count=4) for device in ("cpu", "cuda")
        )
        assert all(torch.equal(weights[name], found[name]) for name in weights)
        assert [graph.replays for graph in gpu.graphs] == [2]

    def test_a_stack(self, gpu):
        recipe = replace(RECIPE, augment=False)
        weights, found = (
            train(device, recipe, seeds=[3, 4], model="cnn") for device in ("cpu", "cuda")
        )
        assert all(torch.equal(weights[name], found[name]) for name in weights)

    def test_queries(self, gpu, monkeypatch, tmp_path):
        x, y = noise(80)
        parts = np.split(np.arange(80), [50, 65])
        data = Data(x, y, *parts, tuple("abcd"))
        monkeypatch.setattr(Query, "data", data)
        recipe = replace(RECIPE, augment=False)
        asked = [
            Query("cifar10", "mini", 0, recipe, "short", 2),
            Query("cifar10", "mini", 0, recipe, "long", 1),
        ]
        found, expected = (
            recorded_by(asked, Store(tmp_path / device), device=device)
            for device in ("cuda", "cpu")
        )
        for query in asked:
            for name, value in vars(expected[query]).items():
                np.testing.assert_array_equal(value, getattr(found[query], name), name)
        features = found[asked[1]].features
        on_gpu = scores.k_center(torch.tensor(features, device="cuda"), 50)
        np.testing.assert_array_equal(on_gpu, scores.k_center(features, 50))


@no_gpu
class TestTheDevice:
    def test_another_than_the_current(self, monkeypatch):
        with pretended(monkeypatch, 2):
            found = [train(f"cuda:{number}") for number in range(2)]
        assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])

    def test_waits_do_not_grow_with_steps(self, gpu):
        waits = []
        for batch in (25, 5):
            gpu.waits.clear()
            train("cuda", replace(RECIPE, batch=batch))
            waits.append(sum(gpu.waits.values()))
        assert waits[0] == waits[1]

    def test_recordings_share_a_stream(self, gpu, monkeypatch):
        """For every stream that it has seen, cuBLAS keeps memory as long as the process lives."""
        made, stream = [], torch.cuda.Stream
        monkeypatch.setattr(torch.cuda, "Stream", lambda d=None: made.append(d) or stream(d))
        for _ in range(2):
            train("cuda", replace(RECIPE, epochs=2))
        assert len(gpu.graphs) == 4 and len(made) <= 1

    def test_the_set_is_there_once(self, gpu):
        x, _ = noise(4)
        held = {batches.source_of(x, torch.float32, torch.device(f"cuda{n}")) for n in ("", ":0")}
        assert len(held) == 1


def test_a_processor_runs_the_step_itself():
    def step(x):
        return x

    assert graphed(step, torch.device("cpu")) is step


@needs_gpu
class TestOnAGPU:
    @pytest.mark.parametrize("model, side", [("mini", 32), ("vgg19", 32), ("resnet18", 64)])
    @pytest.mark.parametrize("changes", [{}, {"loss": "cdbw"}, {"precision": "bfloat16"}])
    def test_graphs_are_as_plain_steps(self, monkeypatch, model, side, changes):
        recipe = replace(RECIPE, **changes)
        found = train("cuda", recipe, model=model, side=side)
        monkeypatch.setattr(devices, "EAGER", 10**9)
        plain = train("cuda", recipe, model=model, side=side)
        for name, value in plain.items():
            torch.testing.assert_close(found[name], value, msg=name)

    def test_a_seed_is_a_result(self):
        recipe = replace(RECIPE, precision="bfloat16")
        first, second = (train("cuda", recipe, model="resnet18", side=32) for _ in range(2))
        assert all(torch.equal(first[name], second[name]) for name in first)

    @pytest.mark.parametrize("model", ["mini", "vgg19", "resnet18"])
    def test_side_by_side_as_alone(self, model):
        recipe = replace(RECIPE, precision="bfloat16")
        train = partial(training.train, model, *noise(50, 32), recipe=recipe, num_classes=4)
        kept = np.stack([np.roll(np.arange(50), s)[:40] for s in range(3)])
        together = train(kept=kept, seeds=range(3), device="cuda")
        for s in range(3):
            (alone,) = train(kept=kept[s : s + 1], seeds=[s], device="cuda").networks
            for name, value in together.network(s).state_dict().items():
                assert torch.equal(value, alone.state_dict()[name]), name

    def test_near_the_processor(self):
        # One epoch: rounding of other kernels grows with every step.
        recipe = replace(RECIPE, epochs=1, lr=2.0**-10)
        found, expected = train("cuda", recipe), train("cpu", recipe)
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-2, atol=1e-3, msg=name)
