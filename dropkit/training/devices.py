"""What trains: a device by its name, one sentence where it is not there, and a GPU's graphs."""

import re
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

from dropkit._common.errors import UserError

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
