"""Sets of images, kept as bytes; a batch is shifted, flipped and normalised where it is trained on.

A set that fits is held on the device whole. A memory-mapped one stays on disk, but for a GPU with
room for it.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dropkit.datasets.data import Images

SHIFT = 4  # pixels, Appendix A


class Arrays:
    """Samples that are numbers already, on a device: rows (S, b) to samples (S, b, ...)."""

    batch = None  # of any size
    resident = True

    def __init__(self, x: np.ndarray, dtype: torch.dtype, device: torch.device):
        self.home = device
        self.x = torch.as_tensor(x, dtype=dtype, device=device)

    def __call__(self, rows: Tensor, moves: Tensor | None = None, read: None = None) -> Tensor:
        if moves is not None:
            raise ValueError("only images are augmented: the recipe must have augment=False")
        return self.x[rows]


class Batches:
    """Images as normalised float32 batches: rows (S, b) to (S, b, C, H, W), channels-last memory.

    `moves` (S, b, 3) cut each image out of a black border of 4 pixels, at a row and a column
    0 .. 8, and mirror it where the third is 1: shifts by up to 4 pixels, and flips. `read` is what
    ``read`` returned for these rows, where that was done ahead.
    """

    batch = 500  # samples evaluated at once

    def __init__(self, images: Images, device: torch.device):
        self.device = device
        self.size = images.shape[2:]
        self.pixels = np.asarray(images.pixels)  # a view: parts of a memmap take longer to make
        self.padded = _padded(images, device) if _fits(images.pixels, device) else None
        scale = 255 * torch.tensor([images.mean, images.std], device=device)
        # Repeated for a row of pixels: a processor is slow at runs of three numbers.
        self.mean, self.std = scale[:, None].repeat(1, self.size[1], 1)

    @property
    def resident(self) -> bool:
        """Whether the device holds the whole set."""
        return self.padded is not None

    @property
    def home(self) -> torch.device:
        """Where rows are looked up: a processor reads what the device does not hold."""
        return self.device if self.resident else torch.device("cpu")

    def __call__(
        self, rows: Tensor, moves: Tensor | None = None, read: Tensor | None = None
    ) -> Tensor:
        if self.padded is not None:
            found = self._crops(self.padded, rows, moves)
        else:
            found = self._cut(self.read(rows.cpu()) if read is None else read, moves)
        return found.float().sub_(self.mean).div_(self.std).movedim(-1, 2)

    def room(self, rows: Tensor) -> Tensor:
        """Memory for the bytes (S, b, H, W, C) of these rows, which a GPU copies by itself."""
        shape = (*rows.shape, *self.pixels.shape[1:])
        return torch.empty(shape, dtype=torch.uint8, pin_memory=self.device.type == "cuda")

    def read(self, rows: Tensor, room: Tensor | None = None) -> Tensor:
        """Bytes (S, b, H, W, C) from disk, of rows on the CPU."""
        room = self.room(rows) if room is None else room
        # One by one: a copy of the images asked for, whatever their strides, and no other.
        for place, row in zip(room.flatten(0, 1).numpy(), rows.flatten().tolist(), strict=True):
            place[...] = self.pixels[row]
        return room

    def _cut(self, found: Tensor, moves: Tensor | None) -> Tensor:
        """Bytes (S, b, H, W, C) that were read; only these images are padded, on the device."""
        found = found.to(self.device, non_blocking=self.device.type == "cuda")
        if moves is None:
            return found
        padded = F.pad(found.flatten(0, 1), (0, 0) + 4 * (SHIFT,))
        places = torch.arange(len(padded), device=self.device).view(found.shape[:2])
        return self._crops(padded, places, moves)

    def _crops(self, padded: Tensor, rows: Tensor, moves: Tensor | None) -> Tensor:
        """Bytes (S, b, H, W, C) of padded images."""
        if moves is None:
            return padded[rows, SHIFT:-SHIFT, SHIFT:-SHIFT]
        down, right, mirror = moves.long().unbind(-1)
        height, width = self.size
        # Every cut of every image, (N, 9, 9, H, W, C), without a copy.
        cuts = padded.unfold(1, height, 1).unfold(2, width, 1).movedim(3, -1)
        found = cuts[rows, down, right]
        return torch.where(mirror[..., None, None, None] == 1, found.flip(-2), found)


def draw_moves(size: int, generator: torch.Generator) -> Tensor:
    """Random moves of `size` images for ``Batches``, (size, 3) uint8."""
    shifts = torch.randint(2 * SHIFT + 1, (size, 2), generator=generator, dtype=torch.uint8)
    mirror = torch.randint(2, (size, 1), generator=generator, dtype=torch.uint8)
    return torch.cat([shifts, mirror], dim=1)


def source(x: np.ndarray | Images, dtype: torch.dtype, device: torch.device) -> Arrays | Batches:
    """What gives the samples of a pool by their rows, on a device."""
    device = torch.empty(0, device=device).device  # "cuda" and "cuda:0" are one, and hold one copy
    return _batches(x, device) if isinstance(x, Images) else Arrays(x, dtype, device)


@lru_cache(maxsize=2)
def _batches(images: Images, device: torch.device) -> Batches:
    return Batches(images, device)


def _fits(pixels: np.ndarray, device: torch.device) -> bool:
    if device.type == "cuda":
        return pixels.nbytes < 0.5 * torch.cuda.mem_get_info(device)[0]
    return not isinstance(pixels, np.memmap)


def _padded(images: Images, device: torch.device) -> Tensor:
    count, channels, height, width = images.shape
    padded = torch.zeros(
        (count, height + 2 * SHIFT, width + 2 * SHIFT, channels), dtype=torch.uint8, device=device
    )
    inside = slice(SHIFT, -SHIFT)
    for start in range(0, count, 10_000):  # a memory-mapped set is read in parts
        part = slice(start, start + 10_000)
        padded[part, inside, inside] = torch.as_tensor(images.pixels[part]).to(device)
    return padded
