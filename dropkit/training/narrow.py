"""Gradients of stacked perceptrons with few inputs, by hand: few passes over what is large.

A linear layer with batch norm behind it (Ioffe and Szegedy, 2015) is a linear layer with other
weights, for over a batch of inputs x its outputs W x + b have mean W m + b and variance
diag(W C W'), with m and C the mean and covariance of x. Of 8 inputs these take little time; and the
S x H x B outputs, which a processor's cache cannot hold, are neither normalised nor kept.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from dropkit.training.batches import ArraySource, Source
from dropkit.training.stacks import Stack, StackedBatchNorm, StackedLinear

INPUTS = 16  # with 24 autograd is as fast


class Narrow:
    """Logits and gradients of a stack's layers: linear, batch norm, ReLU, linear.

    Parameters
    ----------
    layers : linear, batch norm and linear layer of a stack
        Their gradients are set, and statistics moved.
    x : (N, ...) tensor
        The pool of samples.
    smoothing : float
        Share of each label that goes to all classes alike.
    """

    def __init__(
        self,
        layers: tuple[StackedLinear, StackedBatchNorm, StackedLinear],
        x: Tensor,
        smoothing: float,
    ):
        self.linear, self.norm, self.last = layers
        self.smoothing, linear = smoothing, self.linear
        # Sums over the inputs run along memory where weights lie input by input, (S, D, H).
        self.weight = linear.weight.detach().mT.contiguous()
        linear.weight = nn.Parameter(self.weight.mT)
        linear.bias.grad = torch.zeros_like(linear.bias)  # batch norm takes away what it adds
        # Centred, so that covariances lose no digits; and a 1, which a shift is multiplied by.
        x = x.flatten(1)
        self.centre = x.mean(0, keepdim=True)
        self.x = torch.cat([x - self.centre, x.new_ones(len(x), 1)], 1)
        self.buffers: dict[int, _Buffers] = {}  # by the size of a batch

    @torch.no_grad()
    def __call__(self, rows: Tensor, labels: Tensor, shares: Tensor | None) -> Tensor:
        """Return training-mode logits (S, B, K), and set the gradients of the losses' sum.

        Parameters
        ----------
        rows : (S, B) int tensor
            Samples of the pool.
        labels : (S, B) int tensor
        shares : (S, B) tensor, optional
            What each sample's cross-entropy counts; default: 1 / B.
        """
        batch, last = rows.shape[1], self.last
        if batch not in self.buffers:
            self.buffers[batch] = _Buffers(self, batch)
        buffers = self.buffers[batch]
        hidden, back = buffers.hidden, buffers.back
        torch.index_select(self.x, 0, rows.flatten(), out=buffers.flat)
        statistics = self._hidden(buffers)
        logits = torch.baddbmm(last.bias, last.weight, hidden)
        errors = logits.softmax(1)  # the gradient of cross-entropy: probabilities less labels
        if self.smoothing:
            errors -= self.smoothing / errors.shape[1]
        errors.scatter_add_(1, labels[:, None], buffers.label)
        errors.mul_(buffers.share if shares is None else shares[:, None])
        last.weight.grad = torch.bmm(errors, hidden.mT)
        last.bias.grad = errors.sum(2, keepdim=True)
        torch.bmm(last.weight.mT, errors, out=back)
        torch.ops.aten.threshold_backward.grad_input(back, hidden, 0, grad_input=back)
        self._gradients(buffers, statistics)
        return logits.mT

    def _hidden(self, buffers: "_Buffers") -> "_Statistics":
        """Fill in what the ReLU lets through; return how the batch was normalised."""
        norm, weight, inputs = self.norm, self.weight, buffers.inputs
        size, batch, few = len(inputs), inputs.shape[1], weight.shape[1]
        moments = torch.bmm(inputs.mT, inputs).div_(batch)
        spread = torch.bmm(moments[..., :few], weight)
        products, mean = spread[:, :few], spread[:, few:]
        variance = (products * weight).sum(1, keepdim=True).addcmul_(mean, mean, value=-1)
        variance.clamp_min_(0)  # of equal inputs rounding may leave less
        output_mean = mean + self.centre @ weight + self.linear.bias.mT
        norm.running_mean.lerp_(output_mean.flatten(), norm.momentum)
        norm.running_var.lerp_(variance.flatten() * (batch / (batch - 1)), norm.momentum)
        inverse = (variance + norm.eps).rsqrt_()
        scale = norm.weight.view(size, 1, -1) * inverse
        torch.mul(weight, scale, out=buffers.folded[:, :few])
        shift = norm.bias.view(size, 1, -1)
        torch.addcmul(shift, scale, mean, value=-1, out=buffers.folded[:, few:])
        torch.bmm(buffers.folded.mT, inputs.mT, out=buffers.hidden).relu_()
        return _Statistics(moments[:, :few, few:], products, mean, inverse, scale)

    def _gradients(self, buffers: "_Buffers", statistics: "_Statistics") -> None:
        """Set the gradients of the first layer and of batch norm."""
        input_mean, products, mean, inverse, scale = statistics
        weight, few = self.weight, self.weight.shape[1]
        found = torch.bmm(buffers.inputs.mT, buffers.back.mT)
        by_inputs, of_shift = found[:, :few], found[:, few:]
        of_scale = (by_inputs * weight).sum(1, keepdim=True)
        of_scale.addcmul_(of_shift, mean, value=-1).mul_(inverse)
        self.norm.weight.grad = of_scale.flatten()
        self.norm.bias.grad = of_shift.contiguous().flatten()  # SGD reads it as it lies in memory
        by_variance = of_scale * inverse
        of_weight = torch.addcmul(by_inputs, products, by_variance, value=-1)
        by_mean = of_shift.addcmul(by_variance, mean, value=-1)
        of_weight.addcmul_(by_mean, input_mean, value=-1)
        self.linear.weight.grad = of_weight.mul_(scale).mT


class _Statistics(NamedTuple):
    """Of a batch's inputs, centred on the pool's mean, and of the first layer's outputs."""

    input_mean: Tensor  # (S, D, 1)
    products: Tensor  # (S, D, H), means of each input times each output
    mean: Tensor  # (S, 1, H), as are the next two
    inverse: Tensor  # of the standard deviation
    scale: Tensor  # batch norm's weight times it


class _Buffers:
    """Memory for what a step computes of batches of one size."""

    def __init__(self, narrow: Narrow, batch: int):
        size, few, wide = narrow.weight.shape
        new = narrow.weight.new_empty
        self.flat = new(size * batch, few + 1)
        self.inputs = self.flat.view(size, batch, few + 1)
        self.folded = new(size, few + 1, wide)
        self.hidden, self.back = new(size, wide, batch), new(size, wide, batch)
        self.label, self.share = (
            new(()).fill_(value).expand(size, 1, batch)
            for value in (narrow.smoothing - 1, 1 / batch)
        )


def narrow(stack: Stack, source: Source, smoothing: float) -> Narrow | None:
    """Gradients by hand where they are faster: of perceptrons with few inputs on a processor."""
    if not isinstance(source, ArraySource) or source.home.type != "cpu" or stack.mixed:
        return None
    match list(stack.layers or []):
        case [StackedLinear() as linear, StackedBatchNorm() as norm, nn.ReLU(), last] if (
            isinstance(last, StackedLinear) and linear.weight.shape[2] <= INPUTS
        ):
            return Narrow((linear, norm, last), source.x, smoothing)
        case _:
            return None
