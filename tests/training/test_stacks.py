"""Stacks against the plain networks they are made of."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from dropkit import models
from dropkit.training.stacks import Stack

S, B, K = 3, 7, 10
aten = torch.ops.aten


def shaken(network, seed):
    """A float64 network with every weight and running statistic away from its initial value."""
    generator = torch.Generator().manual_seed(seed)
    network = network.double()
    for name, values in network.state_dict().items():
        if values.is_floating_point():
            noise = torch.rand(values.shape, generator=generator, dtype=torch.float64)
            values.copy_(noise + 0.5 if name.endswith("running_var") else noise - 0.3)
    return network


def deep_mlp():
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(8, 6),
        nn.BatchNorm1d(6, eps=1e-3, momentum=0.3),
        nn.ReLU(),
        nn.Linear(6, 5),
        nn.ReLU(),
        nn.Linear(5, K),
    )


def with_dropout():
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.0), nn.Linear(8, K))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(8, 8)

    def forward(self, x):
        return x + self.inner(x).relu()


def residual():
    return nn.Sequential(nn.Flatten(), Residual(), nn.Linear(8, K))


ARCHITECTURES = {
    "mlp": lambda: models.build("mlp", K, (1, 2, 4)),
    "cnn": lambda: models.build("cnn", K, (1, 2, 4)),
    "deep mlp": deep_mlp,
    "dropout": with_dropout,
    "residual": residual,
}


@pytest.fixture(params=ARCHITECTURES)
def both(request):
    """A stack and deep copies of the networks it was made of."""
    networks = [shaken(ARCHITECTURES[request.param](), seed) for seed in range(S)]
    return Stack(copy.deepcopy(networks)), networks


@pytest.fixture
def samples():
    generator = torch.Generator().manual_seed(99)
    x = torch.randn((S, B, 1, 2, 4), generator=generator, dtype=torch.float64)
    return x, torch.randint(K, (S, B), generator=generator)


def close(a, b):
    np.testing.assert_allclose(a.detach(), b.detach(), rtol=1e-12, atol=1e-12)


def by_network(stack, tensors_of):
    """The stack's tensors as one list a network, whichever way the stack holds them."""
    if stack.networks is not None:
        return [list(tensors_of(network)) for network in stack.networks]
    return [[t.reshape(S, -1)[s] for t in tensors_of(stack)] for s in range(S)]


def running(module):
    return [t for name, t in module.named_buffers() if "running" in name]


class TestStack:
    def test_forward(self, both, samples):
        stack, networks = both
        x, _ = samples
        for mode in (True, False):
            stack.train(mode)
            logits = stack(x)
            assert logits.shape == (S, B, K)
            for s, network in enumerate(networks):
                close(logits[s], network.train(mode)(x[s]))

    def test_features_enter_the_last_layer(self, both, samples):
        stack, networks = both
        x, _ = samples
        for mode in (True, False):
            found = stack.train(mode).features(x)
            for s, network in enumerate(networks):
                entered = []
                network[-1].register_forward_pre_hook(lambda _, args, to=entered: to.append(*args))
                network.train(mode)(x[s])
                close(found[s], entered[-1])

    def test_networks_taken_out(self, both, samples):
        stack, networks = both
        x, _ = samples
        stack(x)  # moves the running statistics
        stack.eval()
        for s, network in enumerate(networks):
            network(x[s])
            plain = stack.network(s)
            assert not plain.training
            close(plain(x[s]), network.eval()(x[s]))
            assert [p.shape for p in plain.parameters()] == [p.shape for p in network.parameters()]
        assert stack.train().network(0).training

    def test_gradients(self, both, samples):
        stack, networks = both
        x, y = samples
        F.cross_entropy(stack(x).flatten(0, 1), y.flatten(), reduction="sum").backward()
        found = by_network(stack, lambda module: [p.grad for p in module.parameters()])
        for s, network in enumerate(networks):
            F.cross_entropy(network(x[s]), y[s], reduction="sum").backward()
            expected = [parameter.grad for parameter in network.parameters()]
            assert len(found[s]) == len(expected)
            for a, b in zip(found[s], expected, strict=True):
                close(a.flatten(), b.flatten())

    def test_weights_and_statistics_after_steps(self, both, samples):
        stack, networks = both
        x, y = samples
        for modules in ([stack], networks):
            parameters = [p for module in modules for p in module.parameters()]
            optimizer = torch.optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=1e-3)
            for step in range(4):
                shifted = x + 0.1 * step
                logits = (
                    stack(shifted)
                    if modules == [stack]
                    else torch.stack([n(part) for n, part in zip(networks, shifted, strict=True)])
                )
                optimizer.zero_grad()
                F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum").backward()
                optimizer.step()
        for tensors_of in (lambda module: module.parameters(), running):
            found = by_network(stack, tensors_of)
            for s, network in enumerate(networks):
                for a, b in zip(found[s], tensors_of(network), strict=True):
                    close(a.flatten(), b.flatten())

    def test_perceptrons_share_their_products(self):
        # What makes a stack fast: no network of its own inside it.
        assert Stack([ARCHITECTURES["mlp"]() for _ in range(S)]).networks is None
        assert Stack([ARCHITECTURES["deep mlp"]() for _ in range(S)]).networks is None
        assert len(Stack([residual() for _ in range(S)]).networks) == S


class Products(TorchDispatchMode):
    """Notes the types that matrix products and convolutions take."""

    def __init__(self):
        super().__init__()
        self.types = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket in (aten.convolution, aten.addmm, aten.baddbmm):
            self.types += [t.dtype for t in args if isinstance(t, torch.Tensor)]
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("model, mixed", [("mini", True), ("mlp", True), ("mini", False)])
def test_products_on_a_gpu(monkeypatch, model, mixed):
    """By tensors that are on a GPU and have no numbers: autocast is the GPU's own there."""
    torch._C._ensureCUDADeviceGuardSet()
    for name in ("is_available", "is_bf16_supported"):
        monkeypatch.setattr(torch.cuda, name, lambda *_, **__: True)
    monkeypatch.setattr(torch.cuda, "_lazy_init", lambda: None)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    stack = Stack([models.build(model, K, (3, 8, 8))], mixed)  # several would need its streams
    given = stack.state_dict()
    with FakeTensorMode(), Products() as products:
        state = {
            name: torch.empty_strided(t.shape, t.stride(), dtype=t.dtype, device="cuda")
            for name, t in given.items()
        }
        x = torch.empty(1, B, 3, 8, 8, device="cuda")
        logits = torch.func.functional_call(stack, state, (x,))
    assert logits.device == x.device and logits.dtype == torch.float32
    assert set(products.types) == {torch.bfloat16 if mixed else torch.float32}
