"""The architectures, and many small networks as one stack."""

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def build(name: str, num_classes: int, in_shape: Sequence[int]) -> nn.Sequential:
    """Build a network that maps (B, *in_shape) to (B, num_classes) logits.

    Its last layer is linear; what enters it are the features that CoreSet uses. The network is
    untrained, but ``resnet50-imagenet`` comes pretrained up to its last layer: from the file
    ``$DROPKIT_RESNET50``, a state dict of torchvision's ``resnet50``, else by torchvision's
    download of ``IMAGENET1K_V1``, the weights that Sagawa et al. (2020) start from.

    Raises
    ------
    ValueError
        For an unknown name, an input shape the architecture cannot take, or pretrained weights
        that cannot be had or do not fit.
    """
    if name not in _BUILDERS:
        raise ValueError(f"unknown model {name!r}; known are {', '.join(names())}")
    return _BUILDERS[name](num_classes, tuple(in_shape))


def names() -> list[str]:
    """Names that ``build`` knows."""
    return sorted(_BUILDERS)


def initialise(model: nn.Module, seed: int) -> nn.Module:
    """Draw all weights anew: Kaiming normal (Table 1), biases 0, batch norm as PyTorch does.

    Of a pretrained network only the last layer is drawn. Weights are drawn in double precision,
    where PyTorch has one code path for all processors.
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
    if len(in_shape) != 3:
        raise ValueError(f"the cnn takes images (channels, height, width), got shape {in_shape}")
    channels, height, width = in_shape
    layers: list[nn.Module] = []
    for wide in (16, 32, 64):
        layers += [
            nn.Conv2d(channels, wide, 3, padding=1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
        ]
        if min(height, width) >= 4:
            layers.append(nn.MaxPool2d(2))
            height, width = height // 2, width // 2
        channels = wide
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, num_classes))


def _resnet50(num_classes: int, in_shape: tuple[int, ...]) -> nn.Sequential:
    return _with_head(_resnet50_stages(in_shape), num_classes)


def _resnet50_imagenet(num_classes: int, in_shape: tuple[int, ...]) -> nn.Sequential:
    stages = _resnet50_stages(in_shape)
    file = os.environ.get("DROPKIT_RESNET50")
    state = _read_weights(file) if file else _download_weights()
    # The file's own last layer is not used, whatever its classes.
    state = {name: values for name, values in state.items() if not name.startswith("fc.")}
    _check_fit(state, stages.state_dict(), file or "torchvision's download")
    stages.load_state_dict(state, strict=False)
    network = _with_head(stages, num_classes)
    network.pretrained = True
    return network


def _resnet50_stages(in_shape: tuple[int, ...]) -> nn.Sequential:
    """torchvision's ResNet-50 without its last layer, a sequence under torchvision's names."""
    from torchvision.models import resnet50  # slow to import, and the digits do not need it

    if len(in_shape) != 3 or in_shape[0] != 3:
        raise ValueError(f"resnet50 takes images (3, height, width), got shape {in_shape}")
    *stages, _ = resnet50().named_children()
    return nn.Sequential(OrderedDict(stages))


def _with_head(stages: nn.Sequential, num_classes: int) -> nn.Sequential:
    return nn.Sequential(*stages, nn.Flatten(), nn.Linear(2048, num_classes))


def _read_weights(file: str) -> dict[str, Tensor]:
    if not os.path.isfile(file):
        raise ValueError(f"DROPKIT_RESNET50 is {file!r}: there is no such file")
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception:  # what PyTorch raises depends on the byte that is wrong
        state = None
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(f"DROPKIT_RESNET50 is {file!r}: it is no state dict saved by PyTorch")
    return state


def _download_weights() -> dict[str, Tensor]:
    from torchvision.models import ResNet50_Weights

    weights = ResNet50_Weights.IMAGENET1K_V1
    try:
        return weights.get_state_dict(check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:
        raise ValueError(
            f"the weights {weights.url} cannot be downloaded ({error}): "
            "let DROPKIT_RESNET50 name a copy of the file"
        ) from error


def _check_fit(state: dict[str, Tensor], own: dict[str, Tensor], source: str) -> None:
    for name in {**own, **state}:
        # torchvision's first files lack the counters of batch norm; nothing uses them.
        if name not in state and name.endswith("num_batches_tracked"):
            continue
        found, expected = (
            tuple(weights[name].shape) if name in weights else "missing" for weights in (state, own)
        )
        if found != expected:
            raise ValueError(
                f"{source} does not fit resnet50: the shape of {name} is {found} there, "
                f"{expected} in the architecture"
            )


_BUILDERS: dict[str, Callable[[int, tuple[int, ...]], nn.Sequential]] = {
    "mlp": _mlp,
    "cnn": _cnn,
    "resnet50": _resnet50,
    "resnet50-imagenet": _resnet50_imagenet,
}


class StackedLinear(nn.Module):
    """S linear layers at once: (S, in, B) to (S, out, B) by one batched product."""

    def __init__(self, layers: Sequence[nn.Linear]):
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach()[:, None] for layer in layers]))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, self.weight, x)

    def part(self, s: int) -> nn.Linear:
        """Layer s as a plain one, weights copied."""
        outputs, inputs = self.weight.shape[1:]
        layer = nn.Linear(inputs, outputs, dtype=self.weight.dtype)
        layer.weight.data = self.weight.detach()[s].clone()
        layer.bias.data = self.bias.detach()[s, :, 0].clone()
        return layer


class StackedBatchNorm(nn.Module):
    """S batch norms at once on (S, features, B): one over S * features channels of length B."""

    def __init__(self, layers: Sequence[nn.BatchNorm1d]):
        super().__init__()
        self.size, self.momentum, self.eps = len(layers), layers[0].momentum, layers[0].eps
        for name in ("weight", "bias"):
            stacked = torch.cat([getattr(layer, name).detach() for layer in layers])
            self.register_parameter(name, nn.Parameter(stacked))
        for name in ("running_mean", "running_var"):
            self.register_buffer(name, torch.cat([getattr(layer, name) for layer in layers]))

    def forward(self, x: Tensor) -> Tensor:
        # fmt: off
        flat = F.batch_norm(
            x.reshape(1, -1, x.shape[2]), self.running_mean, self.running_var,
            self.weight, self.bias, self.training, self.momentum, self.eps,
        )
        # fmt: on
        return flat.view(x.shape)

    def part(self, s: int) -> nn.BatchNorm1d:
        """Layer s as a plain one, weights and statistics copied."""
        width = self.weight.numel() // self.size
        layer = nn.BatchNorm1d(width, self.eps, self.momentum, dtype=self.weight.dtype)
        rows = slice(s * width, (s + 1) * width)
        for name in ("weight", "bias", "running_mean", "running_var"):
            getattr(layer, name).data = getattr(self, name).detach()[rows].clone()
        return layer


class Stack(nn.Module):
    """S networks of one architecture: (S, B, ...) samples to (S, B, K) logits.

    Multilayer perceptrons run as batched matrix products, many times faster than one after the
    other; other architectures run one after the other behind the same interface.
    """

    def __init__(self, networks: Sequence[nn.Sequential]):
        super().__init__()
        self.size = len(networks)
        stacked = _stack_layers(networks)
        self.layers = None if stacked is None else nn.Sequential(*stacked)
        self.networks = nn.ModuleList(networks) if stacked is None else None

    def forward(self, x: Tensor) -> Tensor:
        return self._run(x, slice(None))

    def features(self, x: Tensor) -> Tensor:
        """What enters the last linear layer, (S, B, features)."""
        return self._run(x, slice(-1))

    def network(self, s: int) -> nn.Sequential:
        """Network s as a plain module in this stack's mode; stacked weights are copied."""
        if self.layers is None:
            return self.networks[s]
        parts = [layer.part(s) if hasattr(layer, "part") else layer for layer in self.layers]
        return nn.Sequential(nn.Flatten(), *parts).train(self.training)

    def _run(self, x: Tensor, layers: slice) -> Tensor:
        if self.layers is None:
            pairs = zip(self.networks, x, strict=True)
            return torch.stack([network[layers](part) for network, part in pairs])
        # Samples last: batch norm and softmax then run along contiguous memory.
        return self.layers[layers](x.flatten(2).transpose(1, 2)).transpose(1, 2)


def _stack_layers(networks: Sequence[nn.Sequential]) -> list[nn.Module] | None:
    """The stacked layers of multilayer perceptrons, None for any other architecture."""
    stacked: list[nn.Module] = []
    for position, layers in enumerate(zip(*networks, strict=True)):
        match layers[0]:
            case nn.Linear():
                stacked.append(StackedLinear(layers))
            case nn.BatchNorm1d():
                stacked.append(StackedBatchNorm(layers))
            case nn.ReLU():
                stacked.append(nn.ReLU())
            case nn.Flatten() if position == 0:
                pass  # the stack flattens its input itself
            case _:
                return None
    return stacked
