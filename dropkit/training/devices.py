"""What trains: a device by its name, one sentence where it is not there, and a GPU's graphs."""

import os
import platform
import re
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from dropkit._common.errors import UserError

GAIN = 1.2  # times that bfloat16 must be faster: less may be chance, and the choice should stay
EAGER = 3  # steps on a GPU before a recording, in which libraries choose kernels and allocate

# Said where no allocator of PyTorch's was asked: of a context, a graph, or a library's handle.
_ASKED_THE_DRIVER = re.compile("CUDA error: out of memory|(CUBLAS|CUDNN)_STATUS_ALLOC_FAILED")


def check(name: str) -> str:
    """Return the name, if it is one that a machine may have.

    Raises
    ------
    ValueError
        For any other.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise ValueError(f"device must be auto, cpu, cuda, cuda:N or mps, got {name!r}")
    return name


def resolve(name: str) -> torch.device:
    """Return the device of a name; "auto" takes a GPU where there is one.

    Parameters
    ----------
    name : str
        "cpu", "cuda", "cuda:N", "mps" or "auto".

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


def arithmetic(precision: str, device: str | torch.device) -> str:
    """Return what a recipe's products are taken in on a device.

    Parameters
    ----------
    precision : str
        Of the recipe: "bfloat16" asks for it where the hardware has it and is faster with it, and
        for float32 elsewhere, for emulated it takes many times as long.
    device : str or torch.device

    Returns
    -------
    str
        "float32", "float64" or "bfloat16".
    """
    kind = torch.device(device).type
    gains = precision != "bfloat16" or (has_bfloat16(kind) and gains_by_bfloat16(kind))
    return precision if gains else "float32"


@cache
def has_bfloat16(kind: str) -> bool:
    """Whether the hardware multiplies matrices in bfloat16: "cpu", "cuda" or "mps"."""
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if kind == "mps":
        return False  # autocast has it on some systems alone
    if platform.machine().lower() in ("x86_64", "amd64"):
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()


@cache
def gains_by_bfloat16(kind: str) -> bool:
    """Whether convolutions take clearly less time in bfloat16 than in float32, as measured here.

    Some processors have the instructions and are slower with them, by half of the time and more.
    """
    if kind != "cpu":
        return True
    # In turn, so that another program's load falls on both.
    pairs = [[_convolve(dtype) for dtype in (torch.float32, torch.bfloat16)] for _ in range(5)]
    plain, short = map(min, zip(*pairs, strict=True))
    return plain > GAIN * short


def _convolve(dtype: torch.dtype) -> float:
    """Seconds that a small convolution takes."""
    x, weights = torch.ones(64, 32, 16, 16, dtype=dtype), torch.ones(32, 32, 3, 3, dtype=dtype)
    x, weights = (each.to(memory_format=torch.channels_last) for each in (x, weights))
    began = time.perf_counter()
    F.conv2d(x, weights)
    return time.perf_counter() - began


def used(precision: str, device: str | torch.device) -> dict[str, str]:
    """Return what products are taken in and by which instructions, as a record has them."""
    device = torch.device(device)
    if device.type == "cuda":
        found = "sm_" + "".join(map(str, torch.cuda.get_device_capability(device)))
    else:
        found = torch.backends.cpu.get_cpu_capability() if device.type == "cpu" else "mps"
        found += ", bfloat16" * has_bfloat16(device.type)
    return {"arithmetic": arithmetic(precision, device), "instructions": found}


def in_words(precision: str, device: str | torch.device) -> str:
    """Say what products will be taken in, and why."""
    used, kind = arithmetic(precision, device), torch.device(device).type
    if used != precision:
        why = "is no faster in" if has_bfloat16(kind) else "has no instructions for"
        return f"products in float32, for this {kind} {why} bfloat16"
    return f"products in {used}" + f", which this {kind} has" * (used == "bfloat16")


@contextmanager
def one_thread(wanted: bool):
    """Compute with one thread, if it is wanted and the environment names no number.

    Small networks wait longer for a second thread than it saves them.
    """
    before = torch.get_num_threads()
    wanted = wanted and "OMP_NUM_THREADS" not in os.environ
    torch.set_num_threads(1 if wanted else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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


def graphed(step: Callable[..., Tensor], device: torch.device) -> Callable[..., Tensor]:
    """Return a step itself on a CPU; on a GPU one that is recorded once and then launched whole.

    Parameters
    ----------
    step : callable
        Its arguments are tensors or None, and whatever else it reads stays where it is.
    device : torch.device

    Returns
    -------
    callable
        The same function, replayed from a graph for each shape of the arguments. What it returned
        is overwritten by the next call of that shape.
    """
    if device.type != "cuda":
        return step
    stream = _stream(device)
    graphs: dict[tuple, _Graph] = {}

    def run(*inputs: Tensor | None) -> Tensor:
        shape = tuple(None if tensor is None else tensor.shape for tensor in inputs)
        if shape not in graphs:
            graphs[shape] = _Graph(step, stream)
        return graphs[shape](*inputs)

    return run


@cache
def _stream(device: torch.device, number: int = 0) -> torch.cuda.Stream:
    """The first is of all recordings: cuBLAS keeps memory for every stream that it has seen."""
    return torch.cuda.Stream(device)  # of this GPU, which need not be the current one


def side_by_side(functions: Sequence[Callable[[Tensor], Tensor]], x: Tensor) -> list[Tensor]:
    """What each function makes of its part of x, at the same time on a GPU, else in turn.

    The functions' backward passes run beside each other too, for each stays on its stream.
    """
    if x.device.type != "cuda" or len(x) == 1:
        return [function(part) for function, part in zip(functions, x, strict=True)]
    here = torch.cuda.current_stream(x.device)
    streams = [_stream(x.device, 1 + number) for number in range(len(x))]
    answers = []
    for function, part, stream in zip(functions, x, streams, strict=True):
        stream.wait_stream(here)
        with torch.cuda.stream(stream):
            answers.append(function(part))
    for stream in streams:
        here.wait_stream(stream)
    return answers


class _Graph:
    def __init__(self, step: Callable[..., Tensor], stream: torch.cuda.Stream):
        self.step, self.stream, self.calls, self.graph = step, stream, 0, None

    def __call__(self, *inputs: Tensor | None) -> Tensor:
        self.calls += 1
        if self.calls <= EAGER:
            return self._aside(*inputs)
        if self.graph is None:
            self.inputs = [None if tensor is None else tensor.clone() for tensor in inputs]
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph, stream=self.stream):  # records, does not run
                self.output = self.step(*self.inputs)
        for own, given in zip(self.inputs, inputs, strict=True):
            if own is not None:
                own.copy_(given, non_blocking=True)
        self.graph.replay()
        return self.output

    def _aside(self, *inputs: Tensor | None) -> Tensor:
        """A real step, on the stream of the recording, as PyTorch asks for ahead of one."""
        main = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(main)
        with torch.cuda.stream(self.stream):
            output = self.step(*inputs)
        main.wait_stream(self.stream)
        return output
