"""Gradients by hand against autograd's of the plain networks."""

import copy

import pytest
import torch
from torch.nn import functional as F

from dropkit import models
from dropkit.training.batches import ArraySource
from dropkit.training.narrow import INPUTS, narrow
from dropkit.training.stacks import Stack
from tests.training.test_stacks import shaken

S, B, K, N = 3, 9, 10, 40


def made(inputs=8, offset=0.0):
    """A stack's gradients by hand, copies of its networks, the stack, and samples of a pool."""
    networks = [shaken(models.build("mlp", K, (inputs,)), seed) for seed in range(S)]
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(N, inputs, generator=generator, dtype=torch.float64) + offset
    rows = torch.stack([torch.randperm(N, generator=generator)[:B] for _ in range(S)])
    labels = torch.randint(K, (S, B), generator=generator)
    stack = Stack(copy.deepcopy(networks)).train()
    return networks, stack, x, rows, labels


def flat(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("offset", [0.0, 1e4])  # a covariance about 0 would lose half of the digits
def test_against_autograd(smoothing, weighted, offset):
    networks, stack, x, rows, labels = made(offset=offset)
    by_hand = narrow(stack, ArraySource(x, x.dtype, x.device), smoothing)
    weights = torch.rand(S, B, dtype=x.dtype, generator=torch.Generator().manual_seed(1))
    if not weighted:
        weights = torch.ones_like(weights)
    shares = weights / weights.sum(1, keepdim=True)
    # Autograd's own rounding of inputs near 1e4 is what is left there.
    close = {"rtol": 1e-7, "atol": 1e-7} if offset else {"rtol": 1e-11, "atol": 1e-12}
    for _ in range(2):  # statistics are moved twice
        logits = by_hand(rows, labels, shares if weighted else None)
        for s, network in enumerate(networks):
            network.train().zero_grad()
            expected = network(x[rows[s]])
            options = {"reduction": "none", "label_smoothing": smoothing}
            losses = F.cross_entropy(expected, labels[s], **options)
            (losses * shares[s]).sum().backward()
            torch.testing.assert_close(logits[s], expected.detach(), **close)
            for found, parameter in zip(stack.parameters(), network.parameters(), strict=True):
                assert found.grad.shape == found.shape and found.grad.stride() == found.stride()
                own = found.grad.reshape(S, -1)[s]
                torch.testing.assert_close(own, parameter.grad.flatten(), **close)
            found = [tensor.view(S, -1)[s] for tensor in stack.buffers()]
            running = [t for name, t in network.named_buffers() if "running" in name]
            torch.testing.assert_close(flat(found), flat(running), **close)


def test_where_it_is_used():
    for inputs, used in [(INPUTS, True), (INPUTS + 1, False)]:
        _, stack, x, _, _ = made(inputs)
        assert (narrow(stack, ArraySource(x, x.dtype, x.device), 0.0) is not None) == used
    linear = Stack([models.build("linear", K, (8,)) for _ in range(S)])
    assert (
        narrow(linear, ArraySource(torch.zeros(4, 8), torch.float32, torch.device("cpu")), 0.0)
        is None
    )


def test_a_network_with_nan_leaves_the_others_alone():
    _, stack, x, rows, labels = made()
    _, other, *_ = made()
    source = ArraySource(x, x.dtype, x.device)
    with torch.no_grad():
        next(stack.parameters())[1] = torch.nan
    both = [narrow(each, source, 0.0)(rows, labels, None) for each in (stack, other)]
    assert both[0][1].isnan().all() and torch.equal(both[0][::2], both[1][::2])
