"""Per-sample gradient norms of single layers: one small rule a layer type.

A rule takes the layer, its inputs and the loss gradient at its outputs, sample by sample along the
first dimension, and the names of its trainable parameters; it returns the (n,) squared norms of
the gradient in these parameters.
"""

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Rule = Callable[[Any, Tensor, Tensor, frozenset[str]], Tensor]


def _linear(layer: nn.Linear, x: Tensor, grad: Tensor, names: frozenset[str]) -> Tensor:
    grad = grad.reshape(len(grad), -1, layer.out_features).transpose(1, 2)
    x = x.reshape(len(x), -1, layer.in_features).transpose(1, 2)
    weight = _product_squares(x, grad) if "weight" in names else 0.0
    return weight + _bias_squares(grad, names)


def _conv2d(layer: nn.Conv2d, x: Tensor, grad: Tensor, names: frozenset[str]) -> Tensor:
    squares = _bias_squares(grad.flatten(2), names)
    if "weight" not in names:
        return squares
    n, groups = len(x), layer.groups
    x = _padded(layer, x)
    x = x.reshape(n * groups, -1, *x.shape[2:])
    grad = grad.reshape(n * groups, -1, *grad.shape[2:])
    form = _cheaper_form(layer, x, grad)
    return squares + form(layer, x, grad).view(n, groups).sum(1)


def _cheaper_form(layer: nn.Conv2d, x: Tensor, grad: Tensor) -> Callable:
    """Return the form of the squared norms that takes fewer multiplications."""
    area, positions = x.shape[2] * x.shape[3], grad.shape[2] * grad.shape[3]
    taps = math.prod(layer.kernel_size)
    p, o = x.shape[1] * taps, grad.shape[1]
    by_patches = positions * min(positions * (p + o), p * o)
    by_pixels = area**2 * x.shape[1] + positions**2 * (taps + o)
    return _pixel_squares if by_pixels < by_patches else _patch_squares


def _patch_squares(layer: nn.Conv2d, x: Tensor, grad: Tensor) -> Tensor:
    (n, c, *_), (sn, sc, sh, sw) = x.shape, x.stride()
    size = (n, c, *layer.kernel_size, *grad.shape[2:])
    (dh, dw), (th, tw) = layer.dilation, layer.stride
    patches = x.as_strided(size, (sn, sc, dh * sh, dw * sw, th * sh, tw * sw))
    return _product_squares(patches.reshape(n, -1, grad[0, 0].numel()), grad.flatten(2))


def _pixel_squares(layer: nn.Conv2d, x: Tensor, grad: Tensor) -> Tensor:
    """Sum the Gram matrix of pixels over the kernel's taps: the Gram matrix of patches."""
    (n, _, height, width), (h, w) = x.shape, grad.shape[2:]
    pixels, grad = x.flatten(2), grad.flatten(2)
    gram = torch.bmm(pixels.mT, pixels).view(n, height, width, height, width)
    rows, columns = (
        [slice(i * d, i * d + (size - 1) * s + 1, s) for i in range(k)]
        for k, d, s, size in zip(
            layer.kernel_size, layer.dilation, layer.stride, (h, w), strict=True
        )
    )
    gram = reduce(torch.add, (gram[:, r, :, r] for r in rows))
    gram = reduce(torch.add, (gram[:, :, c, :, c] for c in columns))
    return (gram.reshape(n, h * w, h * w) * torch.bmm(grad.mT, grad)).sum((1, 2))


def _padded(layer: nn.Conv2d, x: Tensor) -> Tensor:
    if layer.padding == "valid" or layer.padding == (0, 0):
        return x
    if isinstance(layer.padding, str):  # "same": the odd one goes to the right and below
        spans = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        sides = [(span // 2, span - span // 2) for span in spans]
    else:
        sides = [(p, p) for p in layer.padding]
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return F.pad(x, (*sides[1], *sides[0]), mode)


def _product_squares(x: Tensor, grad: Tensor) -> Tensor:
    """Return ‖grad xᵀ‖² for each of n pairs x (n, p, q), grad (n, o, q); q counts positions."""
    p, (_, o, q) = x.shape[1], grad.shape
    if q == 1:
        return x.square().sum((1, 2)) * grad.square().sum((1, 2))
    if q * (p + o) < p * o:  # through the (q, q) Gram matrices
        return (torch.bmm(x.mT, x) * torch.bmm(grad.mT, grad)).sum((1, 2))
    return torch.bmm(x, grad.mT).square().sum((1, 2))


def _bias_squares(grad: Tensor, names: frozenset[str]) -> Tensor:
    if "bias" not in names:
        return grad.new_zeros(len(grad))
    return grad.sum(2).square().sum(1)


def _batch_norm(layer: Any, x: Tensor, grad: Tensor, names: frozenset[str]) -> Tensor:
    normal = F.batch_norm(x, layer.running_mean, layer.running_var, eps=layer.eps)
    return _scale_squares(normal, grad, layer.num_features, names)


def _group_norm(layer: nn.GroupNorm, x: Tensor, grad: Tensor, names: frozenset[str]) -> Tensor:
    normal = F.group_norm(x, layer.num_groups, eps=layer.eps)
    return _scale_squares(normal, grad, layer.num_channels, names)


def _layer_norm(layer: nn.LayerNorm, x: Tensor, grad: Tensor, names: frozenset[str]) -> Tensor:
    normal = F.layer_norm(x, layer.normalized_shape, eps=layer.eps)
    size = math.prod(layer.normalized_shape)
    normal, grad = (t.reshape(len(t), -1, size).transpose(1, 2) for t in (normal, grad))
    return _scale_squares(normal, grad, size, names)


def _scale_squares(normal: Tensor, grad: Tensor, size: int, names: frozenset[str]) -> Tensor:
    grad = grad.reshape(len(grad), size, -1)
    squares = _bias_squares(grad, names)
    if "weight" in names:
        squares = squares + normal.reshape(grad.shape).mul_(grad).sum(2).square().sum(1)
    return squares


RULES: dict[type[nn.Module], Rule] = {
    nn.Linear: _linear,
    nn.Conv2d: _conv2d,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.GroupNorm: _group_norm,
    nn.LayerNorm: _layer_norm,
}
