"""Devices by name, and what a machine without them says."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dropkit.training import Recipe, devices, train


@pytest.fixture
def machine(monkeypatch):
    def has(gpus, mps=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return has


class TestResolve:
    @pytest.mark.parametrize(
        ("gpus", "mps", "name", "expected"),
        [
            (0, False, "auto", "cpu"),
            (2, False, "auto", "cuda"),
            (0, True, "auto", "mps"),
            (2, False, "cuda:1", "cuda:1"),
            (2, True, "cpu", "cpu"),
        ],
    )
    def test_there(self, machine, gpus, mps, name, expected):
        machine(gpus, mps)
        assert devices.resolve(name) == torch.device(expected)

    @pytest.mark.parametrize(
        ("gpus", "name", "found"),
        [(0, "cuda", "none"), (2, "cuda:2", "2"), (0, "cuda:0", "none"), (1, "mps", "none")],
    )
    def test_not_there(self, machine, gpus, name, found):
        machine(gpus)
        message = f"device '{name}' was asked for, and PyTorch finds {found} of that kind here"
        with pytest.raises(ValueError, match=message):
            devices.resolve(name)

    @pytest.mark.parametrize("name", ["gpu", "cpu:1", "cuda:", "cuda:x", "", "mps:0"])
    def test_unknown(self, machine, name):
        machine(2, True)
        with pytest.raises(ValueError, match="device must be auto, cpu, cuda, cuda:N or mps, got"):
            devices.resolve(name)


class TestArithmetic:
    @pytest.fixture
    def processor(self, monkeypatch):
        """Pretends instructions, and seconds of a convolution with them where one takes 1."""
        for known in (devices.has_bfloat16, devices.gains_by_bfloat16):
            known.cache_clear()

        def has(machine, avx512=False, amx=False, arm=False, seconds=0.5):
            took = {torch.float32: 1.0, torch.bfloat16: seconds}
            monkeypatch.setattr(devices, "_convolve", took.get)
            monkeypatch.setattr(devices.platform, "machine", lambda: machine)
            monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
            monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
            mkldnn = SimpleNamespace(_is_mkldnn_bf16_supported=lambda: arm)
            monkeypatch.setattr(torch.ops, "mkldnn", mkldnn)

        yield has
        for known in (devices.has_bfloat16, devices.gains_by_bfloat16):
            known.cache_clear()

    @pytest.mark.parametrize(
        ("flags", "expected"),
        [
            (("x86_64",), "float32"),  # oneDNN would emulate it
            (("x86_64", True), "bfloat16"),
            (("AMD64", False, True), "bfloat16"),
            (("aarch64", False, False, True), "bfloat16"),
            (("arm64",), "float32"),
        ],
    )
    def test_the_fastest_that_there_is(self, processor, flags, expected):
        processor(*flags)
        assert devices.arithmetic("bfloat16", "cpu") == expected
        for named in ("float32", "float64"):
            assert devices.arithmetic(named, "cpu") == named
        words = devices.in_words("bfloat16", "cpu")
        assert ("no instructions for bfloat16" in words) == (expected == "float32")
        assert devices.used("bfloat16", "cpu")["arithmetic"] == expected

    @pytest.mark.parametrize(("seconds", "expected"), [(0.7, "bfloat16"), (0.9, "float32")])
    def test_instructions_that_are_no_faster_are_not_used(self, processor, seconds, expected):
        processor("x86_64", avx512=True, seconds=seconds)
        assert devices.arithmetic("bfloat16", "cpu") == expected
        words = devices.in_words("bfloat16", "cpu")
        assert ("this cpu is no faster in bfloat16" in words) == (expected == "float32")
        assert "bfloat16" in devices.used("bfloat16", "cpu")["instructions"]

    def test_it_is_measured(self):
        assert devices._convolve(torch.float32) > 0

    def test_the_choice_is_what_runs(self, processor):
        """Without the instructions a bfloat16 recipe is the float32 one, to the last bit."""
        processor("x86_64")
        x, y = np.random.default_rng(0).normal(size=(40, 3, 8, 8)), np.arange(40) % 4
        weights = []
        for precision in ("bfloat16", "float32"):
            recipe = Recipe(epochs=1, batch=20, lr=0.1, weight_decay=0, precision=precision)
            rows = np.arange(40)[None]
            stack = train("cnn", x, y, rows, recipe, seeds=[0], num_classes=4)
            weights.append(stack.state_dict())
        assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


class TestOneThread:
    @pytest.mark.parametrize(("set_by", "threads"), [(None, 1), ("3", 3)])
    def test_unless_the_environment_says_how_many(self, monkeypatch, set_by, threads):
        before = torch.get_num_threads()
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        if set_by:
            monkeypatch.setenv("OMP_NUM_THREADS", set_by)
        torch.set_num_threads(3)
        try:
            with devices.one_thread(True):
                assert torch.get_num_threads() == threads
            with devices.one_thread(False):
                assert torch.get_num_threads() == 3
        finally:
            torch.set_num_threads(before)


class TestMemory:
    message = "too little memory for vgg19 at a batch of 128: lower"

    def test_it_is_named(self):
        with (
            pytest.raises(MemoryError, match=self.message),
            devices.memory_named("vgg19 at a batch of 128"),
        ):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    def test_it_is_named_behind_the_error_of_a_recording(self):
        with (
            pytest.raises(MemoryError, match=self.message),
            devices.memory_named("vgg19 at a batch of 128"),
        ):
            try:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
            finally:
                raise RuntimeError("operation failed due to a previous error during capture")

    @pytest.mark.parametrize(
        "error",
        [
            # As the driver, cuBLAS and cuDNN say it where other processes hold the GPU's memory.
            RuntimeError("CUDA error: out of memory\nSearch for `cudaErrorMemoryAllocation' in"),
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"),
            RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        ],
    )
    def test_it_is_named_where_a_library_asked_for_it(self, error):
        with (
            pytest.raises(MemoryError, match=self.message),
            devices.memory_named("vgg19 at a batch of 128"),
        ):
            raise error

    def test_other_errors_are_left(self):
        with (
            pytest.raises(RuntimeError, match="mat1 and mat2"),
            devices.memory_named("vgg19 at a batch of 128"),
        ):
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
