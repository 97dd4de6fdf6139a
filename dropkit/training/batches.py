"""Batches of a pool: images are kept as bytes, and shifted, flipped and normalised batch by batch.

A set that fits is held on the device whole. A memory-mapped one stays on disk, but for a GPU with
room for it, and is read ahead: in order, a few batches at a time, by threads, for others run on
while one copies from a memory-mapped file or waits for its disk. They copy bytes, no more: random
numbers are drawn and images cut as they would be without them.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import lru_cache
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dropkit._common import machine
from dropkit.datasets.data import Images

SHIFT = 4  # pixels, Appendix A
READERS = 8  # threads, at most: more wait for the same disk
MEMORY = 2**29  # bytes read and not yet taken, at most, or else one batch


class ArraySource:
    """Batches of samples that are numbers already: rows (S, b) of the pool to (S, b, ...)."""

    batch = None  # of any size
    resident = True

    def __init__(self, x: np.ndarray, dtype: torch.dtype, device: torch.device):
        self.home = device
        self.x = torch.as_tensor(x, dtype=dtype, device=device)

    def __call__(self, rows: Tensor, moves: Tensor | None = None, read: None = None) -> Tensor:
        if moves is not None:
            raise ValueError("only images are augmented: the recipe must have augment=False")
        found = self.x.index_select(0, rows.flatten())  # in half of the time of x[rows]
        return found.view(*rows.shape, *self.x.shape[1:])


class ImageSource:
    """Batches of images, normalised: rows (S, b) to (S, b, C, H, W) float32, channels-last memory.

    `moves` (S, b, 3) cut each image out of a black border of 4 pixels, at a row and a column
    0 .. 8, and mirror it where the third is 1: shifts by up to 4 pixels, and flips. `read` is what
    `read_ahead` yields for these rows, where that was done.
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


Source = ArraySource | ImageSource


def source_of(x: np.ndarray | Images, dtype: torch.dtype, device: torch.device) -> Source:
    """What gives the samples of a pool by their rows, on a device; images become float32."""
    device = torch.empty(0, device=device).device  # "cuda" and "cuda:0" are one, and hold one copy
    return _image_source(x, device) if isinstance(x, Images) else ArraySource(x, dtype, device)


@lru_cache(maxsize=2)
def _image_source(images: Images, device: torch.device) -> ImageSource:
    return ImageSource(images, device)


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


def draw_moves(size: int, generator: torch.Generator) -> Tensor:
    """Random moves of `size` images for `ImageSource`, (size, 3) uint8."""
    shifts = torch.randint(2 * SHIFT + 1, (size, 2), generator=generator, dtype=torch.uint8)
    mirror = torch.randint(2, (size, 1), generator=generator, dtype=torch.uint8)
    return torch.cat([shifts, mirror], dim=1)


def by_parts(
    function: Callable[[Tensor], Tensor], source: Source, rows: Tensor, size: int
) -> Tensor:
    """What a function of batches (S, b, ...) gives for rows (S, m), at most `size` at once."""
    parts = rows.to(source.home).split(source.batch or size, 1)
    with closing(read_ahead(source, parts)) as found:
        batches = zip(parts, found, strict=True)
        return torch.cat([function(source(part, read=read)) for part, read in batches], dim=1)


def read_ahead(source: Source, parts: Sequence[Tensor]) -> Generator[Tensor | None, None, None]:
    """Yield what `source` takes as `read` for each part (S, b) of rows, which lie on the CPU.

    That is None where the device holds the whole set. Close the generator to leave it early: no
    thread outlives it. What reading a part raises is raised in that part's turn.
    """
    if source.resident or not parts:
        yield from (None for _ in parts)
        return
    readers = _readers()
    size = max(1, parts[0].numel() * source.pixels[0].nbytes)
    most = max(1, min(readers + 1, MEMORY // size))
    pool = ThreadPoolExecutor(readers, "read-ahead")
    rest = iter(parts)
    waiting: deque[Future[Tensor]] = deque()
    taken: deque[torch.cuda.Event] = deque()

    def submit(count: int) -> None:
        # Memory is asked for here: a new thread would open the first GPU, whichever is ours.
        for part in islice(rest, count):
            waiting.append(pool.submit(source.read, part, source.room(part)))

    try:
        submit(most)
        while waiting:
            read = waiting.popleft().result()
            submit(1)
            yield read
            if source.device.type == "cuda":
                # A GPU may lag behind what it is told to copy; the memory for that is bounded too.
                taken.append(torch.cuda.current_stream(source.device).record_event())
                if len(taken) > most:
                    taken.popleft().synchronize()
    finally:
        pool.shutdown(cancel_futures=True)


def _readers() -> int:
    """Threads that read: this process's share of the cores but one, which trains; at least 1."""
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", 1))  # processes that torchrun started here
    share = machine.cores() // beside
    if beside == 1:  # torchrun tells each of several to compute with one thread, whatever its share
        share = min(share, torch.get_num_threads())
    return max(1, min(share - 1, READERS))
