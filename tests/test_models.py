"""Stacks against the plain networks they are made of, and weights against Kaiming's law."""

import copy
import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.nn import functional as F

from dropkit import models

S, B, K = 3, 7, 10


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
    return models.Stack(copy.deepcopy(networks)), networks


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
        assert models.Stack([ARCHITECTURES["mlp"]() for _ in range(S)]).networks is None
        assert models.Stack([ARCHITECTURES["deep mlp"]() for _ in range(S)]).networks is None
        assert len(models.Stack([residual() for _ in range(S)]).networks) == S


class TestInitialise:
    @pytest.mark.parametrize(
        ("name", "in_shape", "fans"),
        [("mlp", (1, 2, 4), [8, 64]), ("cnn", (3, 8, 8), [27, 144, 288, 64])],
    )
    def test_kaiming_normal(self, name, in_shape, fans):
        """He et al. (2015): normal, mean 0, variance 2 / fan-in."""
        drawn = [[] for _ in fans]
        for seed in range(40):
            network = models.initialise(models.build(name, K, in_shape).double(), seed)
            weights = [p for p in network.parameters() if p.dim() > 1]
            for part, weight in zip(drawn, weights, strict=True):
                part.append(weight.detach().flatten().numpy())
        for part, fan in zip(drawn, fans, strict=True):
            standard = np.concatenate(part) / math.sqrt(2 / fan)
            low, high = stats.chi2.ppf([1e-6, 1 - 1e-6], standard.size) / standard.size
            assert low < np.mean(standard**2) < high
            assert stats.kstest(standard, "norm").pvalue > 1e-6

    @pytest.mark.parametrize("name", ["mlp", "cnn"])
    def test_biases_are_zero_and_batch_norm_is_the_identity(self, name):
        network = models.initialise(models.build(name, K, (1, 4, 4)), 5)
        norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
        assert norms
        for norm in norms:
            assert (norm.weight == 1).all() and (norm.bias == 0).all()
            assert (norm.running_mean == 0).all() and (norm.running_var == 1).all()
        linear = list(network.modules())[-1]
        assert isinstance(linear, nn.Linear) and (linear.bias == 0).all()

    @pytest.mark.parametrize("name", ["mlp", "cnn"])
    def test_seed_alone_decides(self, name):
        def weights(seed, state):
            torch.manual_seed(state)
            network = models.initialise(models.build(name, K, (1, 4, 4)), seed)
            return torch.cat([p.detach().flatten() for p in network.parameters()])

        assert torch.equal(weights(3, 0), weights(3, 1))
        assert not torch.equal(weights(3, 0), weights(4, 0))

    def test_single_precision_rounds_the_same_draw(self):
        double, single = (
            models.initialise(models.build("mlp", K, (1, 2, 4)).to(dtype), 7)
            for dtype in (torch.float64, torch.float32)
        )
        for a, b in zip(double.parameters(), single.parameters(), strict=True):
            assert torch.equal(a.float(), b)


class TestBuild:
    # The second column: height and width before the average over positions.
    @pytest.mark.parametrize(
        ("in_shape", "last"),
        [((1, 2, 4), (2, 4)), ((1, 8, 8), (2, 2)), ((3, 32, 32), (4, 4)), ((2, 16, 4), (8, 2))],
    )
    def test_cnn_shapes(self, in_shape, last):
        network = models.build("cnn", 6, in_shape)
        seen = []
        average = next(m for m in network.modules() if isinstance(m, nn.AdaptiveAvgPool2d))
        average.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape))
        assert network(torch.zeros(5, *in_shape)).shape == (5, 6)
        assert seen == [(5, 64, *last)]

    @pytest.mark.parametrize("in_shape", [(1, 2, 4), (8,), (3, 5, 5)])
    def test_mlp_shapes(self, in_shape):
        assert models.build("mlp", 4, in_shape)(torch.zeros(5, *in_shape)).shape == (5, 4)

    @pytest.mark.parametrize("name", models.names())
    def test_ends_in_a_linear_layer(self, name):
        network = models.build(name, 4, (1, 8, 8))
        assert isinstance(network[-1], nn.Linear) and network[-1].out_features == 4

    def test_unknown_name(self):
        with pytest.raises(ValueError, match="unknown model 'vgg'; known are cnn, mlp"):
            models.build("vgg", 10, (1, 2, 4))

    def test_cnn_wants_images(self):
        with pytest.raises(ValueError, match=r"\(channels, height, width\), got shape \(8,\)"):
            models.build("cnn", 10, (8,))
