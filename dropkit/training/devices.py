"""Which processor trains: from a name to a device, or one sentence where it is not there."""

import re
from contextlib import contextmanager

import torch

from dropkit._common.errors import UserError

# Said where no allocator of PyTorch's was asked: of a context, a graph, or a library's handle.
_ASKED_THE_DRIVER = re.compile("CUDA error: out of memory|(CUBLAS|CUDNN)_STATUS_ALLOC_FAILED")


def check(name: str) -> str:
    """The name, if it is one that a machine may have.

    Raises
    ------
    ValueError
        For any other.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise ValueError(f"device must be auto, cpu, cuda, cuda:N or mps, got {name!r}")
    return name


def resolve(name: str) -> torch.device:
    """The device called "cpu", "cuda", "cuda:N" or "mps"; "auto" takes a GPU where there is one.

    Raises
    ------
    ValueError
        For another name, or a device that this machine does not have.
    """
    gpu, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if check(name) == "auto":
        return torch.device("cuda" if gpu else "mps" if mps else "cpu")
    kind, _, number = name.partition(":")
    count = {"cpu": 1, "cuda": torch.cuda.device_count() if gpu else 0, "mps": int(mps)}[kind]
    if int(number or 0) >= count:
        found = f"{count} of that kind" if count else "none of that kind"
        raise UserError(f"device {name!r} was asked for, and PyTorch finds {found} here")
    return torch.device(name)


@contextmanager
def memory_named(what: str):
    """Turn a GPU's lack of memory into one sentence about `what` was too large.

    Raises
    ------
    MemoryError
        Where PyTorch ran out of the GPU's memory.
    """
    try:
        yield
    except RuntimeError as error:
        # A graph whose recording fails ends in an error of its own, which hides the first.
        if not any(map(_lacks_memory, (error, error.__context__))):
            raise
        raise MemoryError(
            f"the GPU has too little memory for {what}: "
            "lower the recipe's batch, or run fewer workers on one GPU"
        ) from error


def _lacks_memory(error: BaseException | None) -> bool:
    found = isinstance(error, RuntimeError) and _ASKED_THE_DRIVER.search(str(error))
    return bool(found) or isinstance(error, torch.OutOfMemoryError)
