"""CIFAR-100 whose test images alone are corrupted, each in five ways, at the highest severity.

The corruptions and their strengths are those of CIFAR-100-C (Hendrycks and Dietterich, 2019); the
images are made here, of the test half, and are not those of the published archive.
"""

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dropkit.datasets import cifar
from dropkit.datasets.data import Data, Images

NAME = "cifar100c"
_STREAM = 6  # apart from those of splits, photographs, noise, long tails and swapped labels


def load(root: str | None) -> Data:
    """Load CIFAR-100 with five corrupted copies of the test images, one kind after another."""
    x, y, (train, val, test), classes = cifar.read("cifar100", root)
    clean = np.concatenate([train, val])
    copies = [corrupt(x.pixels[test]) for corrupt in KINDS.values()]
    pixels = np.concatenate([x.pixels[clean], *copies])
    labels = np.concatenate([y[clean], np.tile(y[test], len(copies))])
    places = np.split(np.arange(len(labels)), [len(train), len(clean)])
    return Data(Images(pixels, x.mean, x.std), labels, *places, classes)


def only(kind: str, data: Data) -> Data:
    """Return such data, or their features, tested on the copies of one kind alone."""
    parts = np.split(data.test, len(KINDS))
    return replace(data, test=parts[list(KINDS).index(kind)])


def noise(pixels: np.ndarray) -> np.ndarray:
    """Add Gaussian noise of deviation 0.1, on a scale of 0 to 1, to images as bytes (N, H, W, C).

    The same for all seeds.
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(0, spawn_key=(_STREAM,))))
    return _bytes(pixels / 255 + rng.normal(scale=0.1, size=pixels.shape))


def blur(pixels: np.ndarray) -> np.ndarray:
    """Blur images by a Gaussian with a deviation of 1 pixel."""
    from scipy.ndimage import gaussian_filter

    return _bytes(gaussian_filter(pixels / 255, sigma=(0, 1, 1, 0), mode="nearest"))


def contrast(pixels: np.ndarray) -> np.ndarray:
    """Draw pixels to the mean of their image's channel, to 0.15 of the distance."""
    means = pixels.mean(axis=(1, 2), keepdims=True)
    return _bytes((means + 0.15 * (pixels - means)) / 255)


def jpeg(pixels: np.ndarray) -> np.ndarray:
    """Compress images as JPEG of quality 40."""
    from PIL import Image

    def compressed(image: np.ndarray) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=40)
        return np.asarray(Image.open(file))

    return np.stack([compressed(image) for image in pixels])


def pixelate(pixels: np.ndarray) -> np.ndarray:
    """Average images to 0.65 of their side, and enlarge them again by boxes."""
    from PIL import Image

    height, width = pixels.shape[1:3]
    small = int(0.65 * width), int(0.65 * height)

    def coarse(image: np.ndarray) -> np.ndarray:
        reduced = Image.fromarray(image).resize(small, Image.Resampling.BOX)
        return np.asarray(reduced.resize((width, height), Image.Resampling.BOX))

    return np.stack([coarse(image) for image in pixels])


def _bytes(images: np.ndarray) -> np.ndarray:
    return (images.clip(0, 1) * 255).astype(np.uint8)


KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "noise": noise,
    "blur": blur,
    "contrast": contrast,
    "jpeg": jpeg,
    "pixelate": pixelate,
}
