"""One network trained by a group of processes, each with its share of every batch.

Gradients, batch statistics and hits are summed over the processes: the result is that of
``training.train`` in one process, up to rounding, however many there are.
"""

import io
import warnings
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from dropkit import models
from dropkit.datasets.data import Images
from dropkit.store.records import CHECKSUM, DamagedRecord, checksum, key, write_atomically
from dropkit.training.batches import Source, by_parts, draw_moves, read_ahead, source_of
from dropkit.training.devices import arithmetic
from dropkit.training.engine import DTYPES
from dropkit.training.recipes import ENGINE, Recipe
from dropkit.training.stacks import Stack, watch_finite


class _Sum(torch.autograd.Function):
    """The sum over processes; what each has counts in the losses of all."""

    @staticmethod
    def forward(ctx, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


class SharedBatchNorm(nn.Module):
    """Batch norm over the samples of all processes, with the weights and statistics of a layer."""

    def __init__(self, layer: nn.BatchNorm1d | nn.BatchNorm2d):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer
        if not self.training:
            return layer(x)
        full = x.to(layer.weight.dtype)
        over = [d for d in range(x.ndim) if d != 1]
        shape = [-1 if d == 1 else 1 for d in range(x.ndim)]
        count = full.new_full((1,), full.numel() / full.shape[1])
        total = _Sum.apply(torch.cat([full.sum(over), count]))
        mean, count = total[:-1] / total[-1], total[-1].detach()
        centred = full - mean.view(shape)
        var = _Sum.apply(centred.square().sum(over)) / count
        with torch.no_grad():
            layer.running_mean.lerp_(mean, layer.momentum)
            layer.running_var.lerp_(var * count / (count - 1), layer.momentum)
            layer.num_batches_tracked += 1
        scale = layer.weight * (var + layer.eps).rsqrt()
        return (centred * scale.view(shape) + layer.bias.view(shape)).to(x.dtype)


def _shared(module: nn.Module) -> nn.Module:
    """The module with every batch norm shared."""
    for name, child in module.named_children():
        norm = isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d)
        setattr(module, name, SharedBatchNorm(child) if norm else _shared(child))
    return module


def train(
    model: str,
    x: np.ndarray | Images,
    y: np.ndarray,
    kept: np.ndarray,
    recipe: Recipe,
    *,
    seed: int,
    num_classes: int,
    strata: np.ndarray,
    val: np.ndarray,
    file: Path,
    device: torch.device,
) -> Stack:
    """Train one network on samples of the pool, as ``training.train`` does, and return it.

    To be called in every process of a group with the same arguments. The first writes the file
    after every epoch; training goes on from there. Raises ValueError if a batch has fewer samples
    than there are processes, if the recipe selects other weights than the last, or if the file is
    of another training.
    """
    size = len(kept)
    batches = min(-(-size // recipe.batch), size // 2)
    if batches < 1 or size // batches < dist.get_world_size():
        raise ValueError(
            f"{size} samples in batches of {recipe.batch} are too few for each of "
            f"{dist.get_world_size()} processes to have one in every batch"
        )
    if recipe.select != "last":
        raise ValueError(f"over several processes select must be 'last', got {recipe.select!r}")
    dtype = DTYPES[recipe.precision]
    network = models.initialise(models.build(model, num_classes, x.shape[1:]).to(dtype), seed)
    mixed = of_first(lambda: arithmetic(recipe.precision, device)) == "bfloat16"
    stack = Stack([_shared(network)], mixed=mixed).to(device)
    source = source_of(x, dtype, device)
    y, strata = (torch.as_tensor(values, device=device) for values in (y, strata))
    weights = torch.ones(int(strata.max()) + 1, dtype=dtype, device=device)
    optimizer = torch.optim.SGD(
        stack.parameters(), lr=recipe.lr, momentum=recipe.momentum,
        weight_decay=recipe.weight_decay, nesterov=recipe.nesterov,
    )  # fmt: skip
    # The streams of random numbers that one process draws.
    streams = [torch.Generator().manual_seed(number * 2**32 + int(seed)) for number in (1, 2)]
    state = _State(stack, optimizer, streams, weights)
    what = {"engine": ENGINE, "model": model, "recipe": repr(recipe), "seed": int(seed)}
    name = key(what | {"kept": checksum(np.ascontiguousarray(kept).tobytes()).decode()})
    diverged = watch_finite(stack)
    run = _epoch(state, source, y, strata, batches, recipe)
    for epoch in range(_restore(file, name, state), recipe.epochs):
        order = torch.as_tensor(kept)[torch.randperm(size, generator=streams[0])]
        moves = draw_moves(size, streams[1]).to(device) if recipe.augment else None
        run(epoch, order, moves)
        if diverged(epoch):  # in every process alike
            break
        if recipe.loss == "cdbw":
            found = recalls(stack, source, val, y, strata)
            weights.copy_(1 - found.nan_to_num(0))  # 1 for a class the split has no samples of
        if dist.get_rank() == 0:
            save_checkpoint(file, state.content() | {"name": name, "epoch": epoch + 1})
    return stack.eval()


class _State(NamedTuple):
    """All that a training changes; `streams` are its random numbers, `weights` those of classes."""

    stack: Stack
    optimizer: torch.optim.SGD
    streams: list[torch.Generator]
    weights: Tensor

    def content(self) -> dict[str, Any]:
        return {
            "stack": self.stack.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "streams": [stream.get_state() for stream in self.streams],
            "weights": self.weights,
        }

    def restore(self, content: dict[str, Any]) -> None:
        self.stack.load_state_dict(content["stack"])
        self.optimizer.load_state_dict(content["optimizer"])
        for stream, kept in zip(self.streams, content["streams"], strict=True):
            stream.set_state(kept)
        self.weights.copy_(content["weights"])


def _epoch(
    state: _State, source: Source, y: Tensor, strata: Tensor, batches: int, recipe: Recipe
) -> Callable[[int, Tensor, Tensor | None], None]:
    """A function that trains on the pool's rows (n,) in this order, moved by (n, 3)."""
    stack, optimizer, _, weights = state
    rank, world = dist.get_rank(), dist.get_world_size()
    parallel = DistributedDataParallel(stack)

    def run(epoch: int, order: Tensor, moves: Tensor | None) -> None:
        stack.train()
        bounds = list(pairwise(np.linspace(0, len(order), batches + 1).astype(int)))
        mine = [slice(start + rank, stop, world) for start, stop in bounds]
        with closing(read_ahead(source, [order[None, part] for part in mine])) as found:
            order = order.to(y.device)
            for number, ((start, stop), part, read) in enumerate(
                zip(bounds, mine, found, strict=True)
            ):
                share = (number + 0.5) / batches
                optimizer.param_groups[0]["lr"] = recipe.learning_rate(epoch, share)
                rows, moved = order[part], None if moves is None else moves[part][None]
                logits = parallel(source(rows[None], moved, read))[0]
                # Every process knows the whole batch: no word of the others is needed for its sum.
                total = weights[strata[order[start:stop]]].sum()
                shares = weights[strata[rows]] / torch.where(total > 0, total, 1)
                losses = F.cross_entropy(
                    logits, y[rows], reduction="none", label_smoothing=recipe.label_smoothing
                )
                optimizer.zero_grad()
                (world * (losses * shares).sum()).backward()  # gradients are averaged
                optimizer.step()
        stack.eval()

    return run


@torch.no_grad()
def recalls(stack: Stack, source: Source, rows: np.ndarray, y: Tensor, strata: Tensor) -> Tensor:
    """Recalls (G,) on rows of the pool, every process answering its share; NaN without samples."""
    mine = torch.as_tensor(rows[dist.get_rank() :: dist.get_world_size()])[None]
    answers = by_parts(lambda x: stack(x).argmax(-1), source, mine, max(1, mine.shape[1]))
    mine = mine.to(y.device)
    counts = torch.zeros(2, int(strata.max()) + 1, dtype=torch.float64, device=y.device)
    for row, values in zip(counts, (answers == y[mine], torch.ones_like(mine)), strict=True):
        row.scatter_add_(0, strata[mine[0]], values[0].double())
    dist.all_reduce(counts)
    return counts[0] / counts[1]


def of_first(answer: Callable[[], Any]) -> Any:
    """What the first process answers, in every process."""
    found = [answer() if dist.get_rank() == 0 else None]
    dist.broadcast_object_list(found)
    return found[0]


def _restore(file: Path, name: str, state: _State) -> int:
    """Go back to where the file says that training stands; return the epochs that are done."""
    content = of_first(lambda: read_checkpoint(file))
    if not content:
        return 0
    found = load_checkpoint(content)
    if found["name"] != name:
        raise ValueError(f"the checkpoint {file} is of another training: delete it")
    state.restore(found)
    return found["epoch"]


def save_checkpoint(file: Path, content: dict[str, Any]) -> None:
    """Replace the file at once by tensors, numbers, texts, and lists and dictionaries of these."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(file, buffer.getvalue() + checksum(buffer.getvalue()))


def read_checkpoint(file: Path) -> bytes:
    """The file's content for `load_checkpoint`; nothing if there is none or, warned of, damage."""
    if not file.exists():
        return b""
    whole = file.read_bytes()
    if checksum(whole[:-CHECKSUM]) != whole[-CHECKSUM:]:
        warnings.warn(f"{file} is damaged; training begins anew", DamagedRecord, 2)
        return b""
    return whole[:-CHECKSUM]


def load_checkpoint(content: bytes) -> dict[str, Any]:
    """What was saved, its tensors on the processor; UnpicklingError for what is no plain data."""
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
