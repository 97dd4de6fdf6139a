"""Devices by name, and what a machine without them says."""

import pytest
import torch

from dropkit.training import devices


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
