"""Exact per-sample gradient norms at the price of one batched forward and backward pass.

The gradient of a layer's weight at one sample is a product of what entered the layer and of the
loss gradient at its output, so its norm needs neither the weight gradient nor a pass of its own.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dropkit._common.checks import check_each, check_labels, check_whole
from dropkit.scores.layer_rules import RULES, Rule

# Bytes of a convolution's patches held at once: what stays in the cache is read back fast.
BLOCK_BYTES = 2**21
GPU_BLOCK_BYTES = 2**28


def gradient_norms(model: nn.Module, x: Tensor, y: Tensor, chunk: int) -> np.ndarray:
    """Return what `dropkit.scores.grand`, the public name, says."""
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} samples and y {len(y)} labels: they must be as many")
    check_whole(chunk, "chunk", least=1)
    device = next(model.parameters(), torch.empty(0)).device
    exact = torch.autocast(device.type, enabled=False)
    with _watched(model) as watch, torch.enable_grad(), exact:
        squares = torch.zeros(len(x), dtype=torch.float64, device=device)
        for start in range(0, len(x), chunk):
            part = slice(start, start + chunk)
            watch.begin(squares[part])
            _loss(model, x[part].detach().to(device), y[part], watch).backward()
    norms = squares.sqrt().cpu().numpy()
    wanted = "be finite, so look for NaN and overflow in the inputs and the weights"
    check_each(np.isfinite(norms), norms, "norms", wanted)
    return norms


def _loss(model: nn.Module, x: Tensor, y: Tensor, watch: "_Watch") -> Tensor:
    """Return the summed cross-entropy; ValueError if the logits or the labels do not fit."""
    with watch:
        logits = model(x)
    if logits.ndim != 2 or len(logits) != len(y):
        raise ValueError(
            f"the model returned shape {tuple(logits.shape)} for {len(y)} samples: "
            "it must return (n, K) logits"
        )
    check_labels(y.cpu().numpy(), logits.shape[1])
    if not logits.requires_grad:
        raise ValueError("the model runs no layer with parameters under autograd: none to measure")
    return F.cross_entropy(logits, y.long().to(logits.device), reduction="sum")


class _Root(torch.autograd.Function):
    """Starts the graph at a tensor: not a leaf, so that what follows may change it in place."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, anchor: Tensor) -> Tensor:
        ctx.mark_dirty(tensor)
        return tensor

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, None]:
        return None, None


class _Watch(TorchFunctionMode):
    """Adds each layer's share to `squares`, and sees parameters used outside their own layer."""

    def __init__(self, owners: dict[int, tuple[str, nn.Module]]):
        super().__init__()
        self.owners = owners
        self.running: set[nn.Module] = set()
        self.called: set[nn.Module] = set()

    def begin(self, squares: Tensor) -> None:
        self.squares = squares
        self.called.clear()

    def enter(self, layer: nn.Module, *_: Any) -> None:
        self.running.add(layer)

    def leave(self, name: str, rule: Rule, names: frozenset[str], *call: Any) -> Tensor | None:
        layer, args, kwargs, output = call
        self.running.discard(layer)
        if layer in self.called:
            raise ValueError(f"layer '{name}' runs twice in one forward pass: GraNd covers one use")
        self.called.add(layer)
        if not torch.is_grad_enabled():
            return None
        inputs = (args[0] if args else kwargs["input"]).detach()
        if len(inputs) != len(self.squares) or len(output) != len(self.squares):
            raise ValueError(
                f"layer '{name}' sees {len(inputs)} rows for {len(self.squares)} samples: "
                "its first dimension must be the sample"
            )
        if output._base is not None:  # a view's hook is lost when the view is changed in place
            output = output.clone()
        if not output.requires_grad:  # a first layer
            output = _Root.apply(output, output.new_zeros((), requires_grad=True))
        version = inputs._version
        floats = inputs[0].numel() * math.prod(getattr(layer, "kernel_size", ()))
        space = BLOCK_BYTES if inputs.device.type == "cpu" else GPU_BLOCK_BYTES
        rows = max(1, space // (floats * inputs.element_size()))

        def add(grad: Tensor) -> None:
            if inputs._version != version:
                raise ValueError(f"the input of layer '{name}' is changed in place after use")
            blocks = zip(*(t.split(rows) for t in (self.squares, inputs, grad)), strict=True)
            for squares, entered, back in blocks:
                squares += rule(layer, entered, back, names)
            handle.remove()  # frees the inputs: pages are reused rather than asked for anew

        handle = output.register_hook(add)
        return output

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            for tensor in _tensors([args, kwargs or {}]):
                name, owner = self.owners.get(id(tensor), ("", None))
                if owner is not None and owner not in self.running:
                    raise ValueError(
                        f"parameter '{name}' is used outside its own layer's forward pass: "
                        "GraNd cannot see its gradient there"
                    )
        return result


def _tensors(tree: object) -> Iterator[Tensor]:
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, (list, tuple)):
        for branch in tree:
            yield from _tensors(branch)
    elif isinstance(tree, dict):
        yield from _tensors(list(tree.values()))


@contextmanager
def _watched(model: nn.Module) -> Iterator[_Watch]:
    """Set the model to evaluation with hooks and without weight gradients; restore it after."""
    layers = dict(_layers(model))
    owners = {
        id(parameter): (f"{name}.{key}", layer)
        for name, (layer, _, names) in layers.items()
        for key, parameter in layer.named_parameters(recurse=False)
        if key in names
    }
    if not owners:
        raise ValueError("the model has no trainable parameters: GraNd needs some")
    watch = _Watch(owners)
    with ExitStack() as stack:
        for module in model.modules():
            stack.callback(setattr, module, "training", module.training)
        for parameter in model.parameters():
            stack.callback(parameter.requires_grad_, parameter.requires_grad)
        for name, (layer, rule, names) in layers.items():
            leave = partial(watch.leave, name, rule, names)
            before = layer.register_forward_pre_hook(watch.enter)
            after = layer.register_forward_hook(leave, with_kwargs=True, prepend=True)
            stack.callback(before.remove)
            stack.callback(after.remove)
        model.eval()
        model.requires_grad_(False)
        yield watch


def _layers(model: nn.Module) -> Iterator[tuple[str, tuple[nn.Module, Rule, frozenset[str]]]]:
    """Yield each layer that owns trainable parameters, its rule and their names, or refuse."""
    owner: dict[Tensor, str] = {}
    for name, layer in model.named_modules():
        own = {k: p for k, p in layer.named_parameters(recurse=False) if p.requires_grad}
        if not own:
            continue
        for parameter in own.values():
            if parameter in owner:
                raise ValueError(
                    f"layers '{owner[parameter]}' and '{name}' share a parameter: "
                    "each parameter must belong to one layer"
                )
            owner[parameter] = name
        kinds = (t for t in RULES if isinstance(layer, t) and type(layer).forward is t.forward)
        rule = RULES.get(next(kinds, nn.Module))
        if rule is None or not own.keys() <= {"weight", "bias"}:
            raise TypeError(
                f"GraNd does not cover the parameters {sorted(own)} of layer '{name}' "
                f"({type(layer).__name__}): it covers {', '.join(t.__name__ for t in RULES)}"
            )
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_mean is None:
            raise ValueError(
                f"layer '{name}' has no running statistics, so samples of a batch depend on each "
                "other: it needs track_running_stats=True"
            )
        yield name, (layer, rule, frozenset(own))
