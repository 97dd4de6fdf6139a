"""The architectures of Table 1 and the small ones."""

import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from math import prod

import torch
from torch import Tensor, nn

from dropkit._common.errors import UserError, needed_by
from dropkit._common.fingerprint import pinned
from dropkit.models.pretrained import OWN, lite, resnet50_weights

Build = Callable[[int, tuple[int, ...]], nn.Sequential]


def build(name: str, num_classes: int, in_shape: Sequence[int]) -> nn.Sequential:
    """Return a network that maps (B, *in_shape) to (B, num_classes) logits.

    Its last layer is linear; what enters it are the features that CoreSet uses. The network is
    untrained, but two come pretrained up to their last layer: ``resnet50-imagenet`` from the file
    ``$DROPKIT_RESNET50``, a state dict of torchvision's ``resnet50``, else by torchvision's
    download of ``IMAGENET1K_V1``, the weights that Sagawa et al. (2020) start from; and
    ``lite0-imagenet`` from a package of the extra "features".

    Parameters
    ----------
    name : str
        One of ``names()``.
    num_classes : int
        K, at least 1.
    in_shape : sequence of int
        Shape of a sample; of images (channels, height, width).

    Raises
    ------
    ValueError
        For an unknown name, an input shape the architecture cannot take, or pretrained weights
        that cannot be had or do not fit.
    """
    if name not in _BUILDERS:
        raise UserError(f"unknown model {name!r}; known are {', '.join(names())}")
    return _BUILDERS[name](num_classes, tuple(in_shape))


def names() -> list[str]:
    """Return the names that ``build`` knows."""
    return sorted(_BUILDERS)


def register(name: str, build: Build, *, version: str | None = None) -> None:
    """Let ``build``, studies and plans know an architecture of one's own.

    Registering one's own name again replaces it; trials of another function are other trials.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and hyphens.
    build : callable
        From the number of classes and the shape of a sample to a ``torch.nn.Sequential`` whose last
        layer is linear. Its weights are drawn anew by ``initialise``.
    version : str, optional
        Tells trials of one function from another's; default: a digest of its source and values.

    Raises
    ------
    ValueError
        If the name is one of dropkit's own or has other characters; and from ``build``, if the
        function returns another kind of network.
    """
    if (name in _BUILDERS and name not in OWN) or not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        own = ", ".join(each for each in names() if each not in OWN)
        raise UserError(
            f"the model name {name!r} cannot be used: it must be lower-case letters, digits and "
            f"hyphens, and none of {own}"
        )

    def checked(num_classes: int, in_shape: tuple[int, ...]) -> nn.Sequential:
        network = build(num_classes, in_shape)
        last = network[-1] if isinstance(network, nn.Sequential) and len(network) else network
        if last is network or getattr(last, "out_features", None) != num_classes:
            raise UserError(
                f"the model {name!r} is or ends in {type(last).__name__}: it must be a Sequential "
                f"that ends in a Linear layer of {num_classes} outputs"
            )
        return network

    OWN[name] = pinned(build, f"the model {name!r}", version)
    _BUILDERS[name] = checked


def initialise(model: nn.Module, seed: int) -> nn.Module:
    """Draw all weights of a network anew, and return it: Kaiming normal (Table 1), biases 0.

    Batch norm is left as PyTorch has it. Of a pretrained network only the last layer is drawn.
    Weights are drawn in double precision, where PyTorch has one code path for all processors.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place.
    seed : int
        Of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = model[-1] if getattr(model, "pretrained", False) else model
    for layer in drawn.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            weight = torch.empty(layer.weight.shape, dtype=torch.float64)
            nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
            layer.weight.data = weight.to(layer.weight.dtype)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return model


def _linear(num_classes: int, in_shape: tuple[int, ...]) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(prod(in_shape), num_classes))


def _mlp(num_classes: int, in_shape: tuple[int, ...]) -> nn.Sequential:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(prod(in_shape), 64),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.Linear(64, num_classes),
    )


def _cnn(num_classes: int, in_shape: tuple[int, ...]) -> nn.Sequential:
    """Three 3 x 3 convolutions with batch norm, 2 x 2 pooling after each while it fits."""
    channels, side = _check_images("cnn", in_shape), min(in_shape[1:])
    layers: list[nn.Module] = []
    for wide in (16, 32, 64):
        layers += [
            nn.Conv2d(channels, wide, 3, padding=1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
        ]
        if side >= 4:
            layers.append(nn.MaxPool2d(2))
        channels, side = wide, side // 2
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, num_classes))


def _mini(num_classes: int, in_shape: tuple[int, ...]) -> nn.Sequential:
    """Four 3 x 3 convolutions, about 60,000 weights, for images of 32 x 32 on a processor.

    Pooled before batch norm and not behind it, for at full size these take most of the time there.
    """
    channels = _check_images("mini", in_shape, least=8)
    layers: list[nn.Module] = []
    for before, after, pool in ((channels, 16, 1), (16, 32, 1), (32, 64, 1), (64, 64, 0)):
        layers += _convolution(before, after, pool=bool(pool))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, num_classes))


class _Residual(nn.Sequential):
    """Layers whose output is added to their input."""

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)


def _fast(num_classes: int, in_shape: tuple[int, ...]) -> nn.Sequential:
    """A residual network of 1.5 million weights for images of 32 x 32, quick to train.

    In each of three blocks one convolution, pooled before its batch norm, and a residual one; after
    the networks of fast training on CIFAR (Page, 2018; Jordan, 2024).
    """
    channels = _check_images("fast", in_shape, least=8)
    layers = [*_convolution(channels, 32)]
    for before, after in ((32, 64), (64, 192), (192, 256)):
        layers += [*_convolution(before, after, pool=True), _Residual(*_convolution(after, after))]
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, num_classes)
    )


def _convolution(before: int, after: int, pool: bool = False) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        *[nn.MaxPool2d(2)] * pool,
        nn.BatchNorm2d(after),
        nn.ReLU(),
    ]


def _vgg(num_classes: int, in_shape: tuple[int, ...], *, config: str) -> nn.Sequential:
    """torchvision's VGG with batch norm for small images.

    As is usual for CIFAR, one linear layer of 512 features in place of three of 4,096.
    """
    from torchvision.models import vgg

    _check_images("vgg", in_shape, channels=3, least=32)
    layers = vgg.make_layers(vgg.cfgs[config], batch_norm=True)
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, num_classes)]
    return nn.Sequential(*layers, *head)


def _resnet18(num_classes: int, in_shape: tuple[int, ...]) -> nn.Sequential:
    """torchvision's ResNet-18 with a 3 x 3 stem of stride 1 for images of 64 x 64 or less.

    As is usual for small images, in place of 7 x 7, stride 2 and pooling.
    """
    from torchvision.models import resnet18

    _check_images("resnet18", in_shape, channels=3, least=8)
    stages = OrderedDict(resnet18().named_children())
    stages["conv1"] = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    del stages["maxpool"], stages["fc"]
    return nn.Sequential(*stages.values(), nn.Flatten(), nn.Linear(512, num_classes))


def _check_images(name: str, in_shape: tuple[int, ...], least: int = 1, channels: int = 0) -> int:
    """Channels of the images, where an architecture can take them."""
    fits = (
        len(in_shape) == 3
        and min(in_shape[1:]) >= least
        and in_shape[0] == (channels or in_shape[0])
    )
    if not fits:
        raise ValueError(
            f"{name} takes images ({channels or 'channels'}, height, width) of at least "
            f"{least} x {least} pixels, got shape {in_shape}"
        )
    return in_shape[0]


def _resnet50(
    num_classes: int, in_shape: tuple[int, ...], *, pretrained: bool = False
) -> nn.Sequential:
    """torchvision's ResNet-50, a sequence."""
    from torchvision.models import resnet50  # slow to import, and the digits do not need it

    _check_images("resnet50", in_shape, channels=3)
    *stages, _ = resnet50().named_children()
    body = nn.Sequential(OrderedDict(stages))
    if pretrained:
        body.load_state_dict(resnet50_weights(body.state_dict()), strict=False)
    network = nn.Sequential(*body, nn.Flatten(), nn.Linear(2048, num_classes))
    network.pretrained = pretrained
    return network


def _lite0(
    num_classes: int, in_shape: tuple[int, ...], *, pretrained: bool = False
) -> nn.Sequential:
    """timm's EfficientNet-Lite0 (Tan and Le, 2019), whose weights of ImageNet are in a package."""
    _check_images("lite0", in_shape, channels=3, least=32)
    with needed_by("the model lite0"):
        body = lite(0, weights=pretrained)
    body.reset_classifier(0)
    network = nn.Sequential(body, nn.Linear(body.num_features, num_classes))
    network.pretrained = pretrained
    return network


_BUILDERS: dict[str, Build] = {
    "linear": _linear,
    "mlp": _mlp,
    "cnn": _cnn,
    "mini": _mini,
    "fast": _fast,
    "vgg16": partial(_vgg, config="D"),
    "vgg19": partial(_vgg, config="E"),
    "resnet18": _resnet18,
    "resnet50": _resnet50,
    "resnet50-imagenet": partial(_resnet50, pretrained=True),
    "lite0": _lite0,
    "lite0-imagenet": partial(_lite0, pretrained=True),
}
