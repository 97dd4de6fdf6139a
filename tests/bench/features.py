"""Heads on frozen features: chapters 6 and 11, stacks, growth, and extraction."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch

from dropkit import training
from dropkit.training.recipes import FEATURES, MANY, Recipe
from tests.bench import Row, one_thread
from tests.bench.studies import chapter

WIDTH = 128
IMAGES = 64


def rows() -> Iterator[Row]:
    """Yield seconds of the chapter, and ratios of times measured side by side."""
    for page, what in {
        "06-waterbirds": "Waterbirds and the stand-in, 20 seeds each",
        "11-text": "150 intents and three more sets of vectors, 10 seeds",
    }.items():
        seconds = chapter(page)
        what = f"{page} from an empty store: {what}"
        yield Row(what, seconds, "CPU s", "≤ 90 s", seconds <= 90)
    with one_thread():
        yield from _stacks()
        yield from _growth()
        yield from _extraction()


def _stacks() -> Iterator[Row]:
    data = _noise(2_000, 2)
    kept, recipe = np.tile(np.arange(2_000), (20, 1)), replace(FEATURES, epochs=10)
    together, whole = _timed(lambda: _train(data, kept, recipe, range(20)))
    alone, single = _timed(lambda: [_train(data, kept[:1], recipe, [s]) for s in range(20)])
    apart = max(
        float(
            abs(
                training.predict(one, data[0], [0]) - training.predict(whole, data[0], [0])[s]
            ).max()
        )
        for s, one in enumerate(single)
    )
    assert apart < 1e-9, "a network must not depend on its neighbours"
    ratio = alone / together
    yield Row("20 heads in a stack against one at a time", ratio, "×", "≥ 4 ×", ratio >= 4)


def _growth() -> Iterator[Row]:
    recipe = replace(MANY, epochs=2)

    def seconds(samples: int, classes: int) -> float:
        data, kept = _noise(samples, classes), np.arange(samples)[None]
        return min(_timed(lambda: _train(data, kept, recipe, [0]))[0] for _ in range(3))

    base = seconds(10_000, 20)
    for what, found, times in (
        ("8 times the samples", seconds(80_000, 20), 8),
        ("10 times the classes", seconds(10_000, 200), 10),
    ):
        ratio = found / base
        most = 1.25 * times  # linear, and what larger arrays lose in caches
        yield Row(f"a head's time with {what}", ratio, "×", f"≤ {most:g} ×", ratio <= most)


def _extraction() -> Iterator[Row]:
    """Against timm's own features of the same network, both without decoding."""
    try:
        from timm import create_model

        from dropkit.models.frozen import frozen
    except ModuleNotFoundError:
        return  # an extra
    pixels = torch.randint(256, (IMAGES, 3, 224, 224), dtype=torch.uint8)
    see, own = frozen("lite0"), create_model("tf_efficientnet_lite0", num_classes=0).eval()
    own.load_state_dict(see.network.state_dict())
    images = (pixels.float() / 255 - 0.5) / 0.5

    @torch.inference_mode()
    def plain() -> torch.Tensor:
        return torch.cat([own(part) for part in images.split(32)])

    def ours() -> torch.Tensor:
        return torch.cat([see(part) for part in pixels.split(32)])

    torch.testing.assert_close(ours(), plain(), rtol=1e-3, atol=1e-3)
    theirs, seconds = (min(_timed(run)[0] for _ in range(3)) for run in (plain, ours))
    yield Row("features of images by EfficientNet-Lite0", IMAGES / seconds, "images/s", "-", True)
    ratio = theirs / seconds
    yield Row("the same against timm's own forward pass", ratio, "×", "≥ 0.9 ×", ratio >= 0.9)


def _noise(samples: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(samples, WIDTH)) / WIDTH**0.5
    return x, np.arange(samples) % classes


def _train(data: tuple, kept: np.ndarray, recipe: Recipe, seeds) -> training.stacks.Stack:
    x, y = data
    return training.train("linear", x, y, kept, recipe, seeds=seeds, num_classes=int(y.max()) + 1)


def _timed(run: Callable) -> tuple[float, object]:
    began = time.perf_counter()
    result = run()
    return time.perf_counter() - began, result
