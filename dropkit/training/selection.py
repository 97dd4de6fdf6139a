"""With which weights a trained stack ends: the last, the best by validation, or averaged ones."""

from collections.abc import Callable

import torch
from torch import Tensor

from dropkit.training.stacks import Stack

# Called after every epoch, counted from 0, with the recalls (S, K) on the validation split, NaN for
# a class without samples there; None where nothing measures them.
Selector = Callable[[int, Tensor | None], None]


def last(stack: Stack, epochs: int) -> Selector:
    """Leave the weights after the last epoch as they are."""
    return lambda epoch, recalls: None


def best(stack: Stack, epochs: int) -> Selector:
    """End each network with its epoch of the highest worst-class recall; of equals the latest."""
    now = _by_network(stack)
    kept = [[tensor.clone() for tensor in network] for network in now]
    highest = torch.full((stack.size,), -torch.inf, dtype=torch.float64, device=now[0][0].device)

    def see(epoch: int, recalls: Tensor) -> None:
        worst = recalls.nan_to_num(torch.inf).amin(dim=1)
        for s in torch.nonzero(worst >= highest).flatten():
            _copy(now[s], to=kept[s])
            highest[s] = worst[s]
        if epoch == epochs - 1:
            for source, target in zip(kept, now, strict=True):
                _copy(source, to=target)

    return see


def averaged(stack: Stack, epochs: int) -> Selector:
    """End with the mean over the last quarter of the epochs, batch norm's statistics included."""
    now = [tensor for network in _by_network(stack) for tensor in network]
    means = [torch.zeros_like(tensor) for tensor in now]
    count = -(-epochs // 4)

    def see(epoch: int, recalls: Tensor | None) -> None:
        if epoch >= epochs - count:
            for mean, tensor in zip(means, now, strict=True):
                mean += tensor / count
        if epoch == epochs - 1:
            _copy(means, to=now)

    return see


SELECTORS: dict[str, Callable[[Stack, int], Selector]] = {
    "last": last,
    "best": best,
    "averaged": averaged,
}


def _by_network(stack: Stack) -> list[list[Tensor]]:
    """Weights and statistics of each network, as views into the stack."""
    if stack.layers is None:
        states = [network.state_dict().values() for network in stack.networks]
    else:  # stacked tensors hold one network after the other
        parts = [tensor.view(stack.size, -1) for tensor in stack.state_dict().values()]
        states = zip(*parts, strict=True)
    return [[tensor for tensor in state if tensor.is_floating_point()] for state in states]


def _copy(source: list[Tensor], *, to: list[Tensor]) -> None:
    for value, target in zip(source, to, strict=True):
        target.copy_(value)
