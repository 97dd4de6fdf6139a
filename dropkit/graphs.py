"""Run a training step as a CUDA graph: recorded once, then launched whole."""

from collections.abc import Callable

import torch
from torch import Tensor

EAGER = 3  # steps before a recording, in which libraries choose kernels and allocate


def graphed(step: Callable[..., Tensor], device: torch.device) -> Callable[..., Tensor]:
    """`step` itself on a CPU; on a GPU the same function, replayed from a graph for each shape.

    All of its arguments are tensors or None, and whatever else it reads stays where it is.
    """
    if device.type != "cuda":
        return step
    graphs: dict[tuple, _Graph] = {}

    def run(*inputs: Tensor | None) -> Tensor:
        shape = tuple(None if tensor is None else tensor.shape for tensor in inputs)
        return graphs.setdefault(shape, _Graph(step))(*inputs)

    return run


class _Graph:
    def __init__(self, step: Callable[..., Tensor]):
        self.step, self.calls, self.graph = step, 0, None

    def __call__(self, *inputs: Tensor | None) -> Tensor:
        self.calls += 1
        if self.calls <= EAGER:
            return self._aside(*inputs)
        if self.graph is None:
            self.inputs = [None if tensor is None else tensor.clone() for tensor in inputs]
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):  # records, does not run
                self.output = self.step(*self.inputs)
        for own, given in zip(self.inputs, inputs, strict=True):
            if own is not None:
                own.copy_(given, non_blocking=True)
        self.graph.replay()
        return self.output

    def _aside(self, *inputs: Tensor | None) -> Tensor:
        """A real step, on another stream, as PyTorch asks for ahead of a recording."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            output = self.step(*inputs)
        torch.cuda.current_stream().wait_stream(stream)
        return output
