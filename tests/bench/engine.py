"""Training on images: the engine against a plain loop over a DataLoader with float32.

With CIFAR-10 in $DROPKIT_DATA both are trained on it, else on noise, and then for speed alone.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from dropkit import datasets, models, training
from dropkit.datasets import Data, Images
from dropkit.training import Recipe, batches, devices
from dropkit.training.recipes import CIFAR100, MINI, TINYIMAGENET
from dropkit.training.stacks import Stack
from tests.bench import Row, one_thread

NETWORKS = {"vgg19": (CIFAR100, 32), "resnet18": (TINYIMAGENET, 64)}

# Parts of the engine's time, by how PyTorch names what it runs.
PARTS = {
    "convolutions": ("convolution", "addmm"),
    "normalisation": ("batch_norm",),
    "pooling and activations": ("pool", "clamp_min", "threshold", "fill_"),
    "augmentation": ("index", "flip", "where", "sub_", "div_"),
    "optimiser": ("sgd",),
}


def rows() -> Iterator[Row]:
    """Yield speed and accuracy on a processor, and on a GPU where there is one."""
    with one_thread():
        yield from _products()
        yield from _on_a_processor()
        yield from _where_time_goes()
    if torch.cuda.is_available():
        for model, (recipe, size) in NETWORKS.items():
            yield from _on_a_gpu(model, recipe, size)


def _on_a_processor() -> Iterator[Row]:
    data, real = _cifar10(10_000) if _has_cifar10() else (_noise(5_000, 32, 10), False)
    recipe = replace(MINI, epochs=2, drops=())
    loop_seconds, loop = _timed(lambda: _loader_loop("mini", data, recipe))
    seconds, stack = _timed(lambda: _engine("mini", data, recipe))
    ratio, what = loop_seconds / seconds, "mini network, engine against a float32 DataLoader loop"
    used = devices.arithmetic(recipe.precision, "cpu")
    rate, least = 2 * len(data.train) / seconds, 4 if used == "bfloat16" else 3
    peak = _product_rate(torch.randn(1024, 1024).to(getattr(torch, used)), times=5)
    share = 100 * 3 * 2 * _multiplications("mini", 32) * rate / peak
    met = ratio >= least or share >= 80
    yield Row(what, ratio, "×", f"≥ {least} ×", met)
    yield Row("mini network: share of the matrix product's rate", share, "%", "or ≥ 80 %", met)
    yield Row(f"mini network, in {used}, the faster here", rate, "images/s", "", True)
    plain, _ = _timed(lambda: _engine("mini", data, replace(recipe, precision="float32")))
    yield Row("mini network, in float32", 2 * len(data.train) / plain, "images/s", "", True)
    if real:
        found, expected = (_accuracy(network, data) for network in (stack, loop))
        gap = 100 * abs(found - expected)
        yield Row("mini network: difference of accuracies", gap, "points", "≤ 5", gap <= 5)


def _products() -> Iterator[Row]:
    """What a matrix product reaches, beside which every other rate is to be read."""
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        rate = _product_rate(torch.randn(1024, 1024).to(dtype), times=5)
        name = str(dtype).removeprefix("torch.")
        yield Row(f"matrix product in {name}", rate / 1e9, "GFLOP/s", "", True)


def _product_rate(matrix: torch.Tensor, times: int) -> float:
    """Operations a second of a matrix times itself; on a GPU all are waited for."""
    wait = torch.cuda.synchronize if matrix.is_cuda else lambda: None
    matrix @ matrix
    wait()
    start = time.perf_counter()
    for _ in range(times):
        matrix @ matrix
    wait()
    return times * 2 * len(matrix) ** 3 / (time.perf_counter() - start)


def _where_time_goes() -> Iterator[Row]:
    data = _noise(5_000, 32, 10)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        _engine("mini", data, replace(MINI, epochs=1))
    events = {event.key: event.self_cpu_time_total for event in profile.key_averages()}
    total = sum(events.values())
    for part, names in PARTS.items():
        spent = sum(t for key, t in events.items() if any(name in key for name in names))
        yield Row(f"mini network: share of {part}", 100 * spent / total, "%", "", True)


def _on_a_gpu(model: str, recipe: Recipe, size: int) -> Iterator[Row]:
    data = _noise(25_600, size, 100)
    name, few = torch.cuda.get_device_name(), replace(data, train=data.train[:5_120])
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    count = training.stack_size(model, "cuda")
    together = partial(_engine, model, data, replace(recipe, epochs=4), "cuda", count)
    alone = _rate(partial(_engine, model, data, replace(recipe, epochs=4), "cuda"), data)
    rate = count * _rate(together, data)
    # Reserved, for others cannot have what a graph's own pool holds between its steps.
    memory = torch.cuda.max_memory_reserved() / 2**20
    peak = _product_rate(torch.randn(8192, 8192, device="cuda").bfloat16(), times=20)
    share = 3 * 2 * _multiplications(model, size) * rate / peak
    yield Row(f"{model} on {name}", rate, "images/s", "", True)
    yield Row(f"{model}: share of the measured bfloat16 matrix peak", 100 * share, "%", "", True)
    yield Row(f"{model}: memory a network", memory / count, "MiB", "", True)
    yield Row(f"{model}: {count} side by side against one alone", rate / alone, "×", "", True)
    loop = partial(_loader_loop, model, few, replace(recipe, epochs=3), device="cuda", workers=8)
    ratio = rate / _rate(loop, few)
    yield Row(f"{model}, engine against a float32 loop", ratio, "×", "≥ 10 ×", ratio >= 10)
    if model == "vgg19":
        full = recipe.epochs * 50_000 / rate
        yield Row("vgg19: a full run on CIFAR-100", full, "s", "≤ 90 s", full <= 90)


def _rate(train: Callable[..., Stack], data: Data) -> float:
    """Images a second but for the first epoch: it starts workers and records graphs."""
    ends = []

    def watch(*_) -> None:
        torch.cuda.synchronize()
        ends.append(time.perf_counter())

    train(after_epoch=watch)
    return len(data.train) * (len(ends) - 1) / (ends[-1] - ends[0])


def _has_cifar10() -> bool:
    try:
        datasets.load("cifar10")
    except ValueError:
        return False
    return True


def _cifar10(count: int) -> tuple[Data, bool]:
    data = datasets.load("cifar10")
    return replace(data, train=data.train[:count]), True


def _noise(count: int, size: int, classes: int) -> Data:
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(count, size, size, 3), dtype=np.uint8)
    y, all_ = np.arange(count) % classes, np.arange(count)
    names = tuple(map(str, range(classes)))
    return Data(Images(pixels, (0.5,) * 3, (0.25,) * 3), y, all_, all_[:1], all_[:1], names)


def _engine(
    model: str, data: Data, recipe: Recipe, device: str = "cpu", count: int = 1, **watch
) -> Stack:
    batches.source_of(data.x, torch.float32, torch.device(device))  # the set is on the device once
    return training.train(
        model, data.x, data.y, np.tile(data.train, (count, 1)), recipe,
        seeds=range(count), num_classes=data.num_classes, device=device, **watch,
    )  # fmt: skip


class _Pictures(Dataset):
    """What a tutorial does: one image at a time through torchvision's transforms."""

    def __init__(self, data: Data):
        self.pixels, self.y = data.x.pixels[data.train], data.y[data.train]
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(data.in_shape[1], padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(data.x.mean, data.x.std),
            ]
        )

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, i: int):
        return self.transform(Image.fromarray(self.pixels[i])), int(self.y[i])


def _loader_loop(
    model: str,
    data: Data,
    recipe: Recipe,
    *,
    device: str = "cpu",
    workers: int = 0,
    after_epoch: Callable[[], None] = lambda: None,
) -> Stack:
    network = models.initialise(models.build(model, data.num_classes, data.in_shape), 0)
    network.to(device).train()
    torch.manual_seed(0)
    loader = DataLoader(
        _Pictures(data), recipe.batch, shuffle=True,
        num_workers=workers, persistent_workers=workers > 0,
    )  # fmt: skip
    optimizer = torch.optim.SGD(
        network.parameters(), recipe.lr, momentum=0.9, weight_decay=recipe.weight_decay
    )
    for _ in range(recipe.epochs):
        for x, y in loader:
            loss = F.cross_entropy(network(x.to(device)), y.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()  # for the progress bar
        after_epoch()
    return Stack([network.eval()])


def _accuracy(stack: Stack, data: Data) -> float:
    answers = training.predict(stack, data.x, data.test)[0].argmax(-1)
    return float((answers == data.y[data.test]).mean())


def _timed(call: Callable[[], Stack]) -> tuple[float, Stack]:
    start = time.perf_counter()
    answer = call()
    return time.perf_counter() - start, answer


def _multiplications(model: str, size: int) -> int:
    """Products of a forward pass of one image, in convolutions and linear layers."""
    network, total = models.build(model, 100, (3, size, size)), 0

    def count(layer, inputs, output) -> None:
        nonlocal total
        total += layer.weight.numel() * output[0].numel() // output.shape[1]

    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(count)
    network.eval()(torch.zeros(1, 3, size, size))
    return total
