"""Weights against Kaiming's law and torchvision's, shapes against Table 1 and He et al. (2016)."""

import math
from urllib.error import URLError

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torchvision.models import ResNet50_Weights, resnet50

from dropkit import models
from dropkit.training.stacks import Stack

K = 10


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
    def test_ends_in_a_linear_layer(self, name, request):
        if name == "resnet50-imagenet":
            request.getfixturevalue("weights_file")
        network = models.build(name, 4, (3, 32, 32))
        assert isinstance(network[-1], nn.Linear) and network[-1].out_features == 4

    @pytest.mark.parametrize("name", models.PRETRAINED)
    def test_a_pretrained_network_has_the_architecture_of_the_untrained_one(
        self, name, weights_file
    ):
        pretrained, untrained = (
            models.build(each, 4, (3, 32, 32)) for each in (name, models.PRETRAINED[name])
        )
        assert [(n, p.shape) for n, p in pretrained.state_dict().items()] == [
            (n, p.shape) for n, p in untrained.state_dict().items()
        ]

    @pytest.mark.parametrize(
        ("name", "side", "expected"),
        [
            # A 3 x 3 stem and no pooling: small images keep all their pixels.
            ("resnet18", 64, [64, 64, 64, 64, 32, 16, 8, 1]),
            # He et al. (2016), Table 1: a 7 x 7 stem of stride 2, and pooling.
            ("resnet50", 224, [112, 112, 112, 56, 56, 28, 14, 7, 1]),
        ],
    )
    def test_pixels_a_side_behind_each_stage(self, name, side, expected):
        network = models.build(name, 7, (3, side, side)).eval()
        sides, x = [], torch.zeros(1, 3, side, side)
        with torch.no_grad():
            for layer in network:
                x = layer(x)
                if x.ndim == 4:
                    sides.append(x.shape[-1])
        assert sides == expected and x.shape == (1, 7)

    def test_unknown_name(self):
        with pytest.raises(
            ValueError, match="unknown model 'vgg'; known are cnn, fast, linear, lite0, .*mini, mlp"
        ):
            models.build("vgg", 10, (1, 2, 4))

    def test_cnn_wants_images(self):
        with pytest.raises(ValueError, match=r"\(channels, height, width\) .*, got shape \(8,\)"):
            models.build("cnn", 10, (8,))


@pytest.fixture(scope="module")
def torchvision_resnet():
    """torchvision's own network, its statistics away from their initial values."""
    torch.manual_seed(0)
    network = resnet50()
    with torch.no_grad():
        network(torch.randn(4, 3, 64, 64))
    return network.eval()


@pytest.fixture(scope="module")
def saved(torchvision_resnet, tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "resnet50.pth"
    torch.save(torchvision_resnet.state_dict(), file)
    return file


@pytest.fixture
def weights_file(saved, monkeypatch):
    monkeypatch.setenv("DROPKIT_RESNET50", str(saved))
    return saved


def features_of(network, x):
    """What enters the last layer of torchvision's network."""
    entered = []
    hook = network.fc.register_forward_pre_hook(lambda _, args: entered.append(*args))
    network(x)
    hook.remove()
    return entered[0]


class TestResNet50:
    def test_parameters_as_published(self):
        published = ResNet50_Weights.IMAGENET1K_V1.meta["num_params"]
        assert published == 25_557_032
        network = models.build("resnet50", 1000, (3, 224, 224))
        assert sum(p.numel() for p in network.parameters()) == published
        head = [p.shape for p in models.build("resnet50", 2, (3, 224, 224))[-1].parameters()]
        assert head == [(2, 2048), (2,)]

    def test_pretrained_is_torchvisions_up_to_the_last_layer(
        self, weights_file, torchvision_resnet
    ):
        network = models.build("resnet50-imagenet", 2, (3, 64, 64)).eval()
        x = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            expected = features_of(torchvision_resnet, x)
            # A stack's channels lie last in memory, which changes the order of sums in float32.
            found = Stack([network]).features(x[None])[0]
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
            assert network(x).shape == (3, 2)

    def test_initialise_draws_the_last_layer_alone(self, weights_file):
        drawn = [
            models.initialise(models.build("resnet50-imagenet", 2, (3, 64, 64)), seed)
            for seed in (0, 1)
        ]
        pretrained = models.build("resnet50-imagenet", 2, (3, 64, 64))[:-1].state_dict()
        for name, values in pretrained.items():
            for network in drawn:
                assert torch.equal(network.state_dict()[name], values), name
        first, second = (network[-1].weight for network in drawn)
        assert not torch.equal(first, second)
        assert first.std().item() == pytest.approx(math.sqrt(2 / 2048), rel=0.1)
        assert not drawn[0][-1].bias.any()

    def test_untrained_is_drawn_whole(self):
        network = models.build("resnet50", 2, (3, 64, 64))
        before = {name: p.clone() for name, p in network.named_parameters() if p.ndim > 1}
        models.initialise(network, 0)
        changed = [
            not torch.equal(p, before[n]) for n, p in network.named_parameters() if p.ndim > 1
        ]
        assert len(changed) == 54 and all(changed)

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"conv1.weight": None}, r"conv1.weight is missing there, \(64, 3, 7, 7\) in the arch"),
            (
                {"layer2.0.bn1.bias": torch.zeros(3)},
                r"layer2.0.bn1.bias is \(3,\) there, \(128,\) in the architecture",
            ),
            ({"layer5.weight": torch.zeros(2)}, r"layer5.weight is \(2,\) there, missing in the"),
        ],
    )
    def test_other_architecture(self, weights_file, tmp_path, monkeypatch, change, problem):
        state = torch.load(weights_file, weights_only=True) | change
        state = {name: values for name, values in state.items() if values is not None}
        torch.save(state, tmp_path / "other.pth")
        monkeypatch.setenv("DROPKIT_RESNET50", str(tmp_path / "other.pth"))
        with pytest.raises(
            ValueError, match=f"other.pth does not fit resnet50: the shape of {problem}"
        ):
            models.build("resnet50-imagenet", 2, (3, 64, 64))

    def test_last_layer_and_counters_of_a_file_do_not_matter(
        self, weights_file, tmp_path, monkeypatch
    ):
        state = torch.load(weights_file, weights_only=True)
        few = {n: v for n, v in state.items() if not n.endswith("tracked")}
        few["fc.weight"], few["fc.bias"] = torch.zeros(7, 2048), torch.zeros(7)
        torch.save(few, tmp_path / "few.pth")
        whole = models.build("resnet50-imagenet", 2, (3, 64, 64))[:-1].state_dict()
        monkeypatch.setenv("DROPKIT_RESNET50", str(tmp_path / "few.pth"))
        for name, values in models.build("resnet50-imagenet", 2, (3, 64, 64)).state_dict().items():
            if name in whole and not name.endswith("tracked"):
                assert torch.equal(values, whole[name])

    @pytest.mark.parametrize(
        "content", [b"", b"<html>not found</html>", [1, 2], {"model": 1}, nn.Linear(2, 2)]
    )
    def test_no_weights(self, tmp_path, monkeypatch, content):
        file = tmp_path / "odd.pth"
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            torch.save(content, file)
        monkeypatch.setenv("DROPKIT_RESNET50", str(file))
        with pytest.raises(ValueError, match="odd.pth'?: it is no state dict saved by PyTorch"):
            models.build("resnet50-imagenet", 2, (3, 64, 64))

    def test_no_file(self, tmp_path, monkeypatch):
        monkeypatch.setenv("DROPKIT_RESNET50", str(tmp_path))
        with pytest.raises(ValueError, match="DROPKIT_RESNET50 is .*: there is no such file"):
            models.build("resnet50-imagenet", 2, (3, 64, 64))

    def test_download_fails(self, tmp_path, monkeypatch):
        def offline(*args, **kwargs):
            raise URLError("no network")

        monkeypatch.delenv("DROPKIT_RESNET50", raising=False)
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        monkeypatch.setattr("torch.hub.urlopen", offline)
        with pytest.raises(ValueError, match="cannot be downloaded .*DROPKIT_RESNET50 name a copy"):
            models.build("resnet50-imagenet", 2, (3, 64, 64))

    @pytest.mark.parametrize("in_shape", [(1, 64, 64), (8,)])
    def test_wants_colour_images(self, in_shape):
        with pytest.raises(ValueError, match=r"images \(3, height, width\) .*, got shape"):
            models.build("resnet50", 2, in_shape)
