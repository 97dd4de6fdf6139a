"""GraNd against one autograd pass per sample, on networks of every covered kind of layer."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dropkit.scores import grand


class Residual(nn.Module):
    """Two convolutions beside a strided 1 × 1 shortcut, with activations in place."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return F.relu(out, inplace=True)


class Parallel(nn.Module):
    """Two first layers, one of them unused, and a layer whose gradient is cut."""

    def __init__(self):
        super().__init__()
        self.left, self.right, self.unused, self.cut = (nn.Linear(6, 4) for _ in range(4))

    def forward(self, x):
        with torch.no_grad():
            cut = self.cut(x)
        return self.left(x).sin() * self.right(input=x) + cut


class InPlace(nn.Module):
    """Changes the outputs of layers, views among them, and parts of them, in place."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = nn.Linear(6, 7), nn.Linear(7, 8), nn.Linear(8, 5)
        self.norm = nn.LayerNorm(8)

    def forward(self, x):
        x = self.first(x).relu_()
        x = self.second(x).mul_(1.5).tanh_()
        x = self.norm(x)
        x[:, 1:3].mul_(2).sub_(0.3)
        x.view(-1).mul_(0.5)
        x = self.third(x.sum(1))
        x[:, :2].mul_(3)
        return x


def residual():
    blocks = [Residual(3, 6, 1), Residual(6, 8, 2), Residual(8, 8, 1)]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))


def perceptron():
    return nn.Sequential(nn.Linear(6, 9), nn.BatchNorm1d(9), nn.ReLU(True), nn.Linear(9, 5))


def tokens():
    return nn.Sequential(
        nn.LayerNorm(6), nn.Linear(6, 7), nn.Tanh(), nn.LayerNorm((4, 7)), nn.Linear(7, 5, False)
    )


def normed():
    return nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.GroupNorm(3, 6), nn.ReLU(True))


CONVOLUTIONS = [
    {"kernel_size": 3},
    {"kernel_size": (3, 2), "padding": (2, 1), "stride": (1, 2)},
    {"kernel_size": 3, "dilation": (2, 1), "padding": 2},
    {"kernel_size": 3, "groups": 4, "padding": 1},
    {"kernel_size": 3, "groups": 2, "padding": 1, "stride": 2},
    {"kernel_size": (4, 3), "padding": "same"},
    {"kernel_size": 3, "padding": 2, "padding_mode": "reflect"},
    {"kernel_size": 3, "padding": 1, "padding_mode": "circular", "bias": False},
    {"kernel_size": 1, "stride": 3},
    {"kernel_size": 8},
]


def pooled(network):
    return nn.Sequential(network, nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten())


def randomised(model: nn.Module) -> nn.Module:
    """Draw every parameter and running statistic, so that no term vanishes by initialisation."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2)
            elif tensor.is_floating_point():
                tensor.normal_(0, 0.4)
    return model


def one_by_one(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    """The definition: a forward and a backward pass for each sample, over all parameters."""
    model.eval()
    parameters = [p for p in model.parameters() if p.requires_grad]
    norms = []
    for i in range(len(x)):
        loss = -F.log_softmax(model(x[i : i + 1]), dim=1)[0, y[i]]
        grads = torch.autograd.grad(loss, parameters, allow_unused=True)
        norms.append(sum(g.square().sum().item() for g in grads if g is not None) ** 0.5)
    return np.array(norms)


def data(*shape: int, classes: int = 5, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(*shape, generator=generator, dtype=torch.float64)
    return x.to(dtype), torch.randint(classes, shape[:1], generator=generator)


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (residual, (11, 3, 8, 8)),
        (perceptron, (11, 6)),
        (Parallel, (11, 6)),
        (lambda: nn.Sequential(tokens(), nn.Flatten()), (11, 4, 6)),
        (lambda: nn.Sequential(nn.Linear(6, 5), nn.ReLU(True), nn.Flatten()), (11, 4, 6)),
        (lambda: pooled(normed()), (11, 4, 5, 5)),
        (InPlace, (11, 4, 6)),
    ],
)
def test_equals_one_backward_per_sample(network, shape, dtype, rtol):
    model = randomised(network()).to(dtype)
    x, y = data(*shape, classes=4, dtype=dtype)
    np.testing.assert_allclose(grand(model, x, y, chunk=4), one_by_one(model, x, y), rtol=rtol)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("size", [(8, 8), (9, 11), (16, 8)])
@pytest.mark.parametrize("outputs", [4, 64])  # both sides of the choice between forms
@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_convolutions(options, outputs, size):
    model = randomised(pooled(nn.Conv2d(4, outputs, **options))).double()
    x, y = data(5, 4, *size)
    np.testing.assert_allclose(grand(model, x, y), one_by_one(model, x, y), rtol=1e-10)


def test_channels_last_and_views_of_larger_tensors():
    model = randomised(residual()).double().to(memory_format=torch.channels_last)
    x, y = data(9, 3, 10, 10)
    x = x.to(memory_format=torch.channels_last)[1:, :, 1:9, 2:10]
    np.testing.assert_allclose(grand(model, x, y[1:]), one_by_one(model, x, y[1:]), rtol=1e-10)


@pytest.mark.parametrize("chunk", [1, 3, 7, 64])
def test_chunks_bound_the_batch_and_do_not_change_the_result(chunk):
    model = randomised(residual()).double()
    x, y = data(10, 3, 8, 8)
    batches = []
    model.register_forward_pre_hook(lambda _, args: batches.append(len(args[0])))
    norms = grand(model, x, y, chunk=chunk)
    assert max(batches) == min(chunk, 10)
    np.testing.assert_allclose(norms, grand(model, x, y, chunk=10), rtol=1e-12)


def test_exceeds_the_last_layer_alone():
    model = randomised(residual()).double()
    x, y = data(6, 3, 8, 8)
    everything = grand(model, x, y)
    model[:-1].requires_grad_(False)
    np.testing.assert_allclose(grand(model, x, y), one_by_one(model, x, y), rtol=1e-10)
    assert (everything > 1.05 * grand(model, x, y)).all()


def test_linear_softmax_in_closed_form():
    model = nn.Linear(3, 2).double()
    x, y = data(7, 3, classes=2)
    error = model(x).softmax(1).detach() - F.one_hot(y, 2)
    expected = error.norm(dim=1) * (x.square().sum(1) + 1).sqrt()
    np.testing.assert_allclose(grand(model, x, y), expected, rtol=1e-12)


def test_frozen_parameters_do_not_count():
    model = randomised(residual()).double()
    model[0].bn1.weight.requires_grad_(False)
    model[1].conv2.weight.requires_grad_(False)
    model[5].bias.requires_grad_(False)
    x, y = data(6, 3, 8, 8)
    np.testing.assert_allclose(grand(model, x, y), one_by_one(model, x, y), rtol=1e-10)


@pytest.mark.parametrize("fails", [False, True])
def test_leaves_the_model_as_it_was(fails):
    model = randomised(residual()).double().train()
    model[1].bn2.eval()
    model[2].conv1.weight.requires_grad_(False)
    x, y = data(6, 3, 8, 8)

    def state():
        modules = [
            (m.training, len(m._forward_hooks), len(m._forward_pre_hooks)) for m in model.modules()
        ]
        return modules, [(p.requires_grad, p.grad) for p in model.parameters()]

    before, values = state(), {k: v.clone() for k, v in model.state_dict().items()}
    if fails:
        with pytest.raises(ValueError, match=r"label \d is no class"):
            grand(model, x, y + 5)
    else:
        with torch.no_grad():
            grand(model, x, y)
    assert state() == before
    assert all(torch.equal(v, values[k]) for k, v in model.state_dict().items())


def test_takes_numpy_arrays():
    model = perceptron().double()
    x, y = data(6, 6)
    np.testing.assert_array_equal(grand(model, x.numpy(), y.numpy()), grand(model, x, y))


class Reused(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, x):
        return self.layer(self.layer(x).relu())


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, x):
        return F.linear(self.layer(x).relu(), self.layer.weight)


class Owner(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 5)
        self.scale = nn.Parameter(torch.ones(5))

    def forward(self, x):
        return self.layer(x) * self.scale


class Overridden(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def shared():
    first, second = nn.Linear(6, 6), nn.Linear(6, 6)
    second.weight = first.weight
    return nn.Sequential(first, second)


def mixed():
    return nn.Sequential(nn.Linear(3, 5), nn.Flatten(0, 1), nn.Linear(5, 5))


@pytest.mark.parametrize(
    ("model", "shape", "error", "message"),
    [
        (nn.Sequential(nn.Linear(6, 5), nn.PReLU()), (4, 6), TypeError, r"'1' \(PReLU\)"),
        (Owner(), (4, 6), TypeError, r"\['scale'\] of layer '' \(Owner\)"),
        (Overridden(6, 5), (4, 6), TypeError, "Overridden"),
        (nn.utils.parametrizations.weight_norm(nn.Linear(6, 5)), (4, 6), TypeError, "original0"),
        (Reused(), (4, 6), ValueError, "'layer' runs twice"),
        (Tied(), (4, 6), ValueError, "'layer.weight' is used outside"),
        (shared(), (4, 6), ValueError, "'0' and '1' share"),
        (mixed(), (4, 2, 3), ValueError, "sees 8 rows for 4 samples"),
        (nn.BatchNorm1d(6, track_running_stats=False), (4, 6), ValueError, "running statistics"),
        (nn.Flatten(), (4, 6), ValueError, "no trainable parameters"),
        (nn.Linear(6, 5).requires_grad_(False), (4, 6), ValueError, "no trainable parameters"),
        (nn.Conv2d(3, 5, 1), (4, 3, 2, 2), ValueError, r"must return \(n, K\) logits"),
        (nn.Linear(6, 3), (4, 6), ValueError, r"label 4 is no class: .* integers 0..2"),
    ],
)
def test_refuses_what_it_cannot_do_exactly(model, shape, error, message):
    x, y = data(*shape, dtype=torch.float32)
    y[0] = 4
    with pytest.raises(error, match=message):
        grand(model, x, y)


def test_refuses_unfit_arguments():
    model = perceptron().double()
    x, y = data(6, 6)
    with pytest.raises(ValueError, match="6 samples and y 5 labels"):
        grand(model, x, y[:5])
    with pytest.raises(ValueError, match="chunk is 0"):
        grand(model, x, y, chunk=0)
    with pytest.raises(ValueError, match="labels are float64"):
        grand(model, x, y.double())
    x[4, 2] = torch.nan
    with pytest.raises(ValueError, match=r"norms\[4\] is nan: it must be finite"):
        grand(model, x, y)
