"""Many networks of one architecture as one, and the weights with which their training ends.

Multilayer perceptrons are trained by batched products, others on a GPU side by side.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dropkit.training.devices import side_by_side


class StackedLinear(nn.Module):
    """S linear layers at once: (S, in, B) to (S, out, B) by one batched product."""

    def __init__(self, layers: Sequence[nn.Linear]):
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach()[:, None] for layer in layers]))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, self.weight, x)

    def part(self, s: int) -> nn.Linear:
        """Layer s as a plain one, weights copied."""
        outputs, inputs = self.weight.shape[1:]
        layer = nn.Linear(inputs, outputs, dtype=self.weight.dtype)
        layer.weight.data = self.weight.detach()[s].clone(memory_format=torch.contiguous_format)
        layer.bias.data = self.bias.detach()[s, :, 0].clone()
        return layer


class StackedBatchNorm(nn.Module):
    """S batch norms at once on (S, features, B): one over S * features channels of length B."""

    def __init__(self, layers: Sequence[nn.BatchNorm1d]):
        super().__init__()
        self.size, self.momentum, self.eps = len(layers), layers[0].momentum, layers[0].eps
        for name in ("weight", "bias"):
            stacked = torch.cat([getattr(layer, name).detach() for layer in layers])
            self.register_parameter(name, nn.Parameter(stacked))
        for name in ("running_mean", "running_var"):
            self.register_buffer(name, torch.cat([getattr(layer, name) for layer in layers]))

    def forward(self, x: Tensor) -> Tensor:
        # fmt: off
        flat = F.batch_norm(
            x.reshape(1, -1, x.shape[2]), self.running_mean, self.running_var,
            self.weight, self.bias, self.training, self.momentum, self.eps,
        )
        # fmt: on
        return flat.view(x.shape)

    def part(self, s: int) -> nn.BatchNorm1d:
        """Layer s as a plain one, weights and statistics copied."""
        width = self.weight.numel() // self.size
        layer = nn.BatchNorm1d(width, self.eps, self.momentum, dtype=self.weight.dtype)
        rows = slice(s * width, (s + 1) * width)
        for name in ("weight", "bias", "running_mean", "running_var"):
            getattr(layer, name).data = getattr(self, name).detach()[rows].clone()
        return layer


class Stack(nn.Module):
    """S networks of one architecture: (S, B, ...) samples to (S, B, K) logits.

    Multilayer perceptrons run as batched matrix products, many times faster than one after the
    other; other architectures run one after the other, or side by side on a GPU, which one small
    network leaves half empty.

    Parameters
    ----------
    networks : S modules of ``models.build``
    mixed : bool
        Take products in bfloat16; the results are in the weights' own precision always.
    """

    def __init__(self, networks: Sequence[nn.Sequential], mixed: bool = False):
        super().__init__()
        self.size, self.mixed = len(networks), mixed
        self.diverged: dict[int, int] = {}  # networks that are no longer finite, since which epoch
        stacked = _stack_layers(networks)
        self.layers = None if stacked is None else nn.Sequential(*stacked)
        self.networks = nn.ModuleList(networks) if stacked is None else None
        self.to(memory_format=torch.channels_last)  # where convolutions are fastest

    def forward(self, x: Tensor) -> Tensor:
        return self._run(x, slice(None))

    def features(self, x: Tensor) -> Tensor:
        """Return what enters the last linear layer, (S, B, features)."""
        return self._run(x, slice(-1))

    def network(self, s: int) -> nn.Sequential:
        """Return network s as a plain module in this stack's mode; stacked weights are copied."""
        if self.layers is None:
            return self.networks[s]
        parts = [layer.part(s) if hasattr(layer, "part") else layer for layer in self.layers]
        return nn.Sequential(nn.Flatten(), *parts).train(self.training)

    def _run(self, x: Tensor, layers: slice) -> Tensor:
        if not self.mixed:
            return self._answers(x, layers)
        # No cache of weights cast outside: a recorded step would read it for ever.
        with torch.autocast(x.device.type, torch.bfloat16, cache_enabled=False):
            return self._answers(x, layers).to(x.dtype)

    def _answers(self, x: Tensor, layers: slice) -> Tensor:
        if self.layers is None:
            parts = [network[layers] for network in self.networks]
            return torch.stack(side_by_side(parts, x))
        # Samples last: batch norm and softmax then run along contiguous memory.
        return self.layers[layers](x.flatten(2).transpose(1, 2)).transpose(1, 2)


def _stack_layers(networks: Sequence[nn.Sequential]) -> list[nn.Module] | None:
    """The stacked layers of multilayer perceptrons, None for any other architecture."""
    stacked: list[nn.Module] = []
    for position, layers in enumerate(zip(*networks, strict=True)):
        match layers[0]:
            case nn.Linear():
                stacked.append(StackedLinear(layers))
            case nn.BatchNorm1d():
                stacked.append(StackedBatchNorm(layers))
            case nn.ReLU():
                stacked.append(nn.ReLU())
            case nn.Flatten() if position == 0:
                pass  # the stack flattens its input itself
            case _:
                return None
    return stacked


def watch_finite(stack: Stack) -> Callable[[int], bool]:
    """Return what notes, after an epoch, which networks are not finite; and whether none is left.

    A loss or logits that are not finite leave weights or statistics so for good.
    """

    def see(epoch: int) -> bool:
        finite = _finite(stack).tolist()
        for s in range(stack.size):
            if not finite[s]:
                stack.diverged.setdefault(s, epoch)
        return len(stack.diverged) == stack.size

    return see


def _finite(stack: Stack) -> Tensor:
    # A sum is finite if all that it sums is, but for what overflows it, which diverges too.
    if stack.layers is None:
        sums = [torch.stack([each.sum() for each in network]) for network in _by_network(stack)]
        return torch.stack(sums).isfinite().all(1)
    state = stack.state_dict().values()
    sums = [tensor.unflatten(0, (stack.size, -1)).flatten(1).sum(1) for tensor in state]
    return torch.stack(sums).isfinite().all(0)


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
        parts = [tensor.unflatten(0, (stack.size, -1)) for tensor in stack.state_dict().values()]
        states = zip(*parts, strict=True)
    return [[tensor for tensor in state if tensor.is_floating_point()] for state in states]


def _copy(source: list[Tensor], *, to: list[Tensor]) -> None:
    for value, target in zip(source, to, strict=True):
        target.copy_(value)
