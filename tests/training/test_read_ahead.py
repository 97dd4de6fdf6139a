"""Reading ahead: the same bytes in the same order, few at a time, and no thread left behind."""

import threading
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from dropkit import training
from dropkit._common import machine
from dropkit.datasets import Images
from dropkit.training import batches
from dropkit.training.recipes import MINI

CPU = torch.device("cpu")
PATIENCE = 300  # seconds until a thread that never comes fails a test


@pytest.fixture(scope="module")
def pixels(tmp_path_factory):
    """40 images of 9 x 8 pixels on disk."""
    file = tmp_path_factory.mktemp("pixels") / "pixels.npy"
    np.save(file, np.random.default_rng(0).integers(256, size=(40, 9, 8, 3), dtype=np.uint8))
    return np.load(file, mmap_mode="r")


@pytest.fixture
def source(pixels):
    return batches.ImageSource(Images(pixels, (0.5,) * 3, (0.25,) * 3), CPU)


@pytest.fixture
def threads(monkeypatch):
    """A function that sets how many threads read."""
    return lambda count: monkeypatch.setattr(batches, "_readers", lambda: count)


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert readers() == []


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def parts_of(sizes):
    """Parts (2, b) of rows of the pool, as two networks ask for them."""
    draw = torch.Generator().manual_seed(0)
    return [torch.randint(40, (2, size), generator=draw) for size in sizes]


class TestAhead:
    @settings(max_examples=40)
    @given(st.lists(st.integers(0, 7), max_size=12), st.integers(1, 3), st.sampled_from([1, 2**29]))
    def test_the_bytes_of_each_part_in_order(self, pixels, sizes, count, memory):
        source = batches.ImageSource(Images(pixels, (0.5,) * 3, (0.25,) * 3), CPU)
        parts = parts_of(sizes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(batches, "_readers", lambda: count)
            patch.setattr(batches, "MEMORY", memory)
            found = list(batches.read_ahead(source, parts))
        assert len(found) == len(parts)
        for part, read in zip(parts, found, strict=True):
            np.testing.assert_array_equal(read, pixels[part.numpy()])
            # What is cut from them is what is cut without reading ahead.
            moves = batches.draw_moves(part.numel(), torch.Generator().manual_seed(1))
            for moved in (None, moves.view(*part.shape, 3)):
                assert torch.equal(source(part, moved, read), source(part, moved))

    @pytest.mark.parametrize(
        ("count", "memory", "most"),
        [
            (1, 2**29, 2),
            (3, 2**29, 4),
            (8, 3 * 10 * 9 * 8 * 3, 3),  # room for three parts of ten images
            (8, 1, 1),
        ],
    )
    def test_no_more_than_the_bound_are_ahead(
        self, source, threads, monkeypatch, count, memory, most
    ):
        threads(count)
        monkeypatch.setattr(batches, "MEMORY", memory)
        begun, room = [], source.room
        monkeypatch.setattr(source, "room", lambda rows: begun.append(rows) or room(rows))
        for taken, _ in enumerate(batches.read_ahead(source, parts_of([5] * 20)), 1):
            assert len(begun) == min(20, taken + most)

    def test_the_next_part_is_read_while_one_is_used(self, source, threads, monkeypatch):
        threads(1)
        done, read = [threading.Event() for _ in range(4)], source.read
        parts = parts_of([1, 2, 3, 4])

        def noted(part, room):
            found = read(part, room)
            done[part.shape[1] - 1].set()
            return found

        monkeypatch.setattr(source, "read", noted)
        with closing(batches.read_ahead(source, parts)) as found:
            for i, _ in enumerate(found):
                assert done[min(i + 1, 3)].wait(PATIENCE)

    def test_threads_read_side_by_side_and_the_order_stays(self, source, threads, monkeypatch):
        threads(3)
        meet, read, parts = threading.Barrier(3), source.read, parts_of([1, 2, 3, 4, 5, 6])
        done = [threading.Event() for _ in range(7)]

        def last_first(part, room):
            meet.wait(PATIENCE)  # three parts at once, or this breaks
            size = part.shape[1]
            if size % 3:  # of the three the last is done first
                assert done[size + 1].wait(PATIENCE)
            done[size].set()
            return read(part, room)

        monkeypatch.setattr(source, "read", last_first)
        for part, found in zip(parts, batches.read_ahead(source, parts), strict=True):
            np.testing.assert_array_equal(found, source.pixels[part.numpy()])

    @pytest.mark.parametrize("count", [1, 3])
    def test_what_reading_raises_comes_in_its_turn(self, source, threads, monkeypatch, count):
        threads(count)
        read, parts = source.read, parts_of([1, 2, 3, 4, 5])
        problem = ValueError("the images in pool.npy are damaged: delete the file")

        def damaged(part, room):
            if part.shape[1] == 3:
                raise problem
            return read(part, room)

        monkeypatch.setattr(source, "read", damaged)
        taken = 0
        with pytest.raises(ValueError) as raised:
            for _ in batches.read_ahead(source, parts):
                taken += 1
        assert raised.value is problem and taken == 2
        assert readers() == []
        monkeypatch.setattr(source, "read", read)
        assert len(list(batches.read_ahead(source, parts))) == 5

    def test_rows_that_the_set_lacks(self, source):
        with pytest.raises(IndexError, match="index 40 is out of bounds"):
            list(batches.read_ahead(source, [torch.tensor([[3, 40]])]))

    @pytest.mark.parametrize("after", [0, 1, 3])
    def test_leaving_early_ends_the_threads(self, source, threads, after):
        threads(2)
        with closing(batches.read_ahead(source, parts_of([2] * 30))) as found:
            for _ in range(after):
                next(found)
            assert bool(readers()) == (after > 0)
        assert readers() == []

    def test_a_set_on_the_device_is_not_read(self, pixels, threads):
        held = batches.ImageSource(Images(np.array(pixels), (0.5,) * 3, (0.25,) * 3), CPU)
        numbers = batches.ArraySource(np.zeros((4, 2)), torch.float64, CPU)
        for each in (held, numbers):
            assert each.resident and each.home == CPU
            with closing(batches.read_ahead(each, parts_of([1, 2]))) as found:
                assert next(found) is None and readers() == []
                assert list(found) == [None]


class TestForAGPU:
    """What a GPU is told, noted by stand-ins."""

    @pytest.fixture
    def told(self, source, monkeypatch):
        """A source that takes its device for a GPU, and what was asked of PyTorch."""
        source.device, told = torch.device("cuda", 1), []
        empty = torch.empty

        def pinned(*shape, pin_memory, **how):
            told.append(("room", pin_memory, threading.current_thread() in readers()))
            return empty(*shape, **how)

        def to(tensor, device, non_blocking=False):
            told.append(("copy", device, non_blocking))
            return tensor

        class Stream:
            def __init__(self, device):
                assert device == source.device

            def record_event(self):
                steps = sum(what == "copy" for what, *_ in told)
                return type("Event", (), {"synchronize": lambda _: told.append(("wait", steps))})()

        monkeypatch.setattr(torch, "empty", pinned)
        monkeypatch.setattr(torch.Tensor, "to", to)
        monkeypatch.setattr(torch.cuda, "current_stream", Stream)
        return told

    def test_rows_stay_with_the_processor(self, source, told):
        assert source.home == CPU

    def test_it_copies_from_pinned_memory_without_being_waited_for(self, source, told, threads):
        threads(2)
        parts = parts_of([3] * 9)
        steps = []
        for read in batches.read_ahead(source, parts):
            source(parts[0], None, read)
            steps.append(sum(what == "wait" for what, *_ in told))
        # All memory is asked for by the thread that trains, which has the right GPU.
        assert [each for each in told if each[0] == "room"] == [("room", True, False)] * 9
        assert [each for each in told if each[0] == "copy"] == [("copy", source.device, True)] * 9
        # Three steps may be under way there before the oldest is waited for.
        assert [each for each in told if each[0] == "wait"] == [("wait", i + 1) for i in range(6)]
        assert steps == [0, 0, 0, 0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("cores", "processes", "pytorchs", "expected"),
    [
        (1, None, 1, 1),
        (2, None, 2, 1),
        (4, None, 4, 3),
        (16, None, 16, 8),  # more wait for the same disk
        (16, None, 1, 1),  # an executor's worker, one of sixteen
        (16, None, 4, 3),  # one of four, each with a GPU
        (2, None, 64, 1),  # granted fewer cores than the machine has
        (64, "8", 1, 7),  # torchrun
        (4, "8", 1, 1),
    ],
)
def test_threads_are_this_processs_cores_but_one(monkeypatch, cores, processes, pytorchs, expected):
    monkeypatch.setattr(machine, "cores", lambda: cores)
    monkeypatch.setattr(torch, "get_num_threads", lambda: pytorchs)
    if processes is None:
        monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    else:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
    assert batches._readers() == expected


class TestTraining:
    """On images on disk, against the same images in memory."""

    recipe = replace(MINI, epochs=2, batch=8, loss="cdbw", precision="float32")
    kept = np.stack([np.arange(30), np.arange(1, 31)])

    def trained(self, pixels, **how):
        pool = Images(pixels, (0.5,) * 3, (0.25,) * 3)
        y = np.arange(40) % 2
        stack = training.train(
            "mini", pool, y, self.kept, self.recipe, seeds=[3, 4], num_classes=2,
            val=np.arange(30, 40)[None].repeat(2, 0), **how,
        )  # fmt: skip
        return stack, training.predict(stack, pool, np.arange(40))

    @pytest.mark.parametrize("count", [1, 3])
    def test_every_bit_is_the_same(self, pixels, threads, monkeypatch, count):
        threads(count)
        monkeypatch.setattr(batches.ImageSource, "batch", 7)
        whole, expected = self.trained(np.array(pixels))
        stack, found = self.trained(pixels)
        np.testing.assert_array_equal(found, expected)
        for name, weights in whole.state_dict().items():
            assert torch.equal(stack.state_dict()[name], weights), name

    @pytest.mark.parametrize("problem", [KeyboardInterrupt, MemoryError])
    def test_a_failed_step_ends_the_threads(self, pixels, threads, problem):
        threads(2)
        seen = []

        def fails(*step):
            seen.append(readers())
            if len(seen) == 2:
                raise problem

        with pytest.raises(problem):
            self.trained(pixels, observe=fails)
        assert all(seen) and readers() == []

    def test_a_failure_to_read_is_trainings_own(self, pixels, monkeypatch):
        read, calls = batches.ImageSource.read, []

        def gone(self, rows, room=None):
            calls.append(rows.device)
            if len(calls) >= 6:  # of two threads neither might see the sixth alone
                raise OSError("the disk is gone")
            return read(self, rows, room)

        monkeypatch.setattr(batches.ImageSource, "read", gone)
        with pytest.raises(OSError, match=r"^the disk is gone$"):
            self.trained(pixels)
        assert readers() == [] and set(calls) == {CPU}
