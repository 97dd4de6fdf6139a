"""Cost and agreement of exact GraNd, and of k-centre, on one thread."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from dropkit.scores import grand, k_center
from tests.bench import Row, one_thread
from tests.scores.test_gradient_norms import one_by_one

CHUNK = 64


def rows() -> Iterator[Row]:
    """Yield GraNd's rows on two networks, then k-centre's."""
    with one_thread():
        yield from _grand_rows("VGG-19-BN, 64 samples", vgg19, 64, 3.5, repeats=3)
        yield from _grand_rows("small VGG, 512 samples", small_vgg, 512, 2.0, repeats=3)
        yield from _k_center_rows()


def vgg19(activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    """VGG-19 with batch normalisation for 32 × 32 images and 100 classes."""
    features = torchvision.models.vgg19_bn(num_classes=1).features
    layers = [activation() if isinstance(f, nn.ReLU) else f for f in features]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 100))


def small_vgg(activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    """VGG-11 with batch normalisation and half of the channels, for 32 × 32 images."""
    layers: list[nn.Module] = []
    channels = 3
    for outputs in (32, 0, 64, 0, 128, 128, 0, 256, 256, 0, 256, 256, 0):  # 0 is pooling
        if outputs == 0:
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.BatchNorm2d(outputs)]
        layers.append(activation())
        channels = outputs
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels, 10))


def _grand_rows(
    what: str, build: Callable[..., nn.Module], n: int, least: float, *, repeats: int
) -> Iterator[Row]:
    torch.manual_seed(0)
    x, y = torch.randn(n, 3, 32, 32), torch.randint(10, (n,))
    model = _settled(build(), x)
    batched, ours, single = _seconds(
        repeats,
        lambda: _batched_pass(model, x, y),
        lambda: grand(model, x, y, chunk=CHUNK),
        lambda: one_by_one(model, x, y),
    )
    ratio = single / ours
    name = f"GraNd, {what}: against a backward pass a sample"
    yield Row(name, ratio, "×", f"≥ {least} ×", ratio >= least)
    ratio = ours / batched
    name = f"GraNd, {what}: cost in batched forward and backward passes"
    yield Row(name, ratio, "×", "≤ 1.2 ×", ratio <= 1.2)

    few = slice(0, 64)
    error = _largest_difference(model.double(), x[few].double(), y[few])
    yield Row(f"GraNd, {what}: difference, float64", error, "rel.", "≤ 1e-10", error <= 1e-10)
    # Without kinks: at a ReLU's, where rounding decides the sign, the gradient itself jumps.
    error = _largest_difference(_settled(build(nn.SiLU), x), x[few], y[few])
    name = f"GraNd, {what}: difference, float32, SiLU for ReLU"
    yield Row(name, error, "rel.", "≤ 1e-4", error <= 1e-4)


def _settled(model: nn.Module, x: torch.Tensor) -> nn.Module:
    """Give batch normalisation the statistics of the data."""
    with torch.no_grad():
        for _ in range(5):
            model.train()(x[:64])
    return model.eval()


def _batched_pass(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
    parameters = list(model.parameters())
    for rows, labels in zip(x.split(CHUNK), y.split(CHUNK), strict=True):
        loss = F.cross_entropy(model(rows), labels, reduction="sum")
        torch.autograd.grad(loss, parameters)


def _largest_difference(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    return float(np.abs(grand(model, x, y) / one_by_one(model, x, y) - 1).max())


def _k_center_rows() -> Iterator[Row]:
    points = torch.from_numpy(np.random.default_rng(0).normal(size=(10_000, 512))).float()
    order, expected = k_center(points, 2000), None

    def common() -> None:
        nonlocal expected
        expected = matrix_k_center(points, 2000, int(order[0]))

    (theirs,) = _seconds(1, common)
    (ours,) = _seconds(5, lambda: k_center(points, 2000))
    what = "k-centre, n 10,000, d 512, budget 2,000"
    ratio = theirs / ours
    name = f"{what}: against a (k × n) matrix filled centre by centre"
    yield Row(name, ratio, "×", "≥ 20 ×", ratio >= 20)
    same = 100 * float(np.isin(order, expected).mean())
    yield Row(f"{what}: same points", same, "%", "100 %", same == 100)

    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        seconds, megabytes = pool.submit(_large_k_center).result()
    what = "k-centre, n 50,000, d 64, budget 25,000"
    yield Row(what, seconds, "s", "≤ 60 s", seconds <= 60)
    yield Row(f"{what}: memory beyond the features", megabytes, "MB", "≤ 50 MB", megabytes <= 50)


def matrix_k_center(points: torch.Tensor, budget: int, first: int) -> list[int]:
    """Fill a (k × n) matrix centre by centre with distances to the points not yet selected."""
    distances = torch.full((budget, len(points)), -1.0)
    left = torch.ones(len(points), dtype=torch.bool)
    order, least = [first], torch.full((len(points),), torch.inf)
    for row in range(budget - 1):
        left[order[-1]] = False
        distances[row, left] = torch.cdist(points[order[-1:]], points[left])[0]
        least = torch.minimum(least, distances[row])
        order.append(int(least.argmax()))
    return order


def _large_k_center() -> tuple[float, float]:
    """Return the seconds, and the peak of the process's memory above what it held before."""
    torch.set_num_threads(1)
    points = np.random.default_rng(0).normal(size=(50_000, 64)).astype(np.float32)
    k_center(points[:200], 100)  # what the libraries allocate once
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far (Linux)
    before = _kilobytes("VmRSS")
    (seconds,) = _seconds(1, lambda: k_center(points, 25_000))
    return seconds, (_kilobytes("VmHWM") - before) / 1000


def _kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _seconds(repeats: int, *calls: Callable[[], object]) -> list[float]:
    """Return the least processor time of each call, the calls taking turns."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, taken in zip(calls, times, strict=True):
            start = time.process_time()
            call()
            taken.append(time.process_time() - start)
    return [min(taken) for taken in times]
