"""Frozen networks: photographs get the classes that they show, so weights are where they belong."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image

pytest.importorskip("timm", reason="frozen networks are an extra: pip install 'dropkit[features]'")

from dropkit import models
from dropkit.models import frozen

# Of ImageNet's classes: a palace for the temple, a daisy for the flower.
PHOTOS = [
    ("china.jpg", 0, 698),
    ("flower.jpg", 0, 985),
    ("china.jpg", 1, 698),
    ("china.jpg", 2, 698),
]


def square(name):
    """The middle of one of scikit-learn's photographs, (1, 3, side, side) bytes."""
    pixels = torch.as_tensor(np.moveaxis(load_sample_image(name), -1, 0).copy())[None]
    side = min(pixels.shape[2:])
    top, left = ((length - side) // 2 for length in pixels.shape[2:])
    return pixels[..., top : top + side, left : left + side]


@pytest.mark.parametrize(("photo", "number", "expected"), PHOTOS)
def test_photographs_get_their_classes(photo, number, expected):
    assert frozen.lite(number, classes=True)(square(photo)).argmax(-1).tolist() == [expected]


def test_the_last_layer_takes_the_features():
    """What is frozen is the network that names classes, up to its last layer."""
    whole, see = frozen.lite(0, classes=True), frozen.frozen("lite0")
    pixels = square("flower.jpg")
    found = see(pixels)
    assert found.shape == (1, 1280)
    assert whole.weights == see.weights
    with torch.inference_mode():
        logits = whole.network.get_classifier()(found)
    torch.testing.assert_close(logits, whole(pixels), rtol=1e-4, atol=1e-4)


def test_what_is_tuned_starts_from_the_frozen_network():
    """Only the last layer is drawn; 4.65 million weights are those that Tan and Le (2019) give."""
    network = models.initialise(models.build("lite0-imagenet", 1000, (3, 224, 224)), seed=0).eval()
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(4.65e6, rel=1e-3)
    x = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(network[:-1](x), frozen.lite(0).network(x))
    assert models.version("lite0-imagenet") == f"weights {frozen.lite(0).weights}"


def test_weights_that_do_not_fit(monkeypatch):
    load = torch.load
    monkeypatch.setattr(torch, "load", lambda *a, **how: dict(list(load(*a, **how).items())[1:]))
    with pytest.raises(ValueError, match="weights efficientnet-lite0.* do not fit EfficientNet-L"):
        frozen.frozen("lite0")


def test_an_unknown_network():
    with pytest.raises(ValueError, match="unknown frozen network 'b7'; known are lite0, lite1"):
        frozen.frozen("b7")


@pytest.mark.parametrize(
    ("side", "seen"), [(8, 32), (32, 128), (64, 128), (127, 128), (128, 224), (224, 224)]
)
def test_small_images_are_enlarged_and_others_are_of_the_usual_size(side, seen):
    class Sides(torch.nn.Module):
        def forward(self, images):
            return torch.tensor([images.shape[-2:]])

    see = frozen.Frozen(Sides(), "none", (0, 0, 0), (1, 1, 1))
    images = torch.zeros(1, 3, side, side + 1, dtype=torch.uint8)
    assert see(images).tolist() == [[seen, seen]]
