"""Run a training step as a CUDA graph: recorded once, then launched whole."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

EAGER = 3  # steps before a recording, in which libraries choose kernels and allocate


def graphed(step: Callable[..., Tensor], device: torch.device) -> Callable[..., Tensor]:
    """`step` itself on a CPU; on a GPU the same function, replayed from a graph for each shape.

    All of its arguments are tensors or None, and whatever else it reads stays where it is. What it
    returned is overwritten by the next call of that shape.
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
def _stream(device: torch.device) -> torch.cuda.Stream:
    """One for all recordings on a GPU: cuBLAS keeps memory for every stream that it has seen."""
    return torch.cuda.Stream(device)  # of this GPU, which need not be the current one


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
