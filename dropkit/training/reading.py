"""Read batches of images from disk ahead of the device that takes them: in order, a few at a time.

In threads, for others run on while one copies from a memory-mapped file or waits for its disk. They
copy bytes, no more: random numbers are drawn and images cut as they would be without them.
"""

import os
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import torch
from torch import Tensor

from dropkit._common import machine
from dropkit.training.batches import Arrays, Batches

THREADS = 8  # at most: more wait for the same disk
MEMORY = 2**29  # bytes read and not yet taken, at most, or else one batch


def ahead(
    source: Arrays | Batches, parts: Sequence[Tensor]
) -> Generator[Tensor | None, None, None]:
    """Yield what `source` takes as `read` for each part (S, b) of rows, which lie on the CPU.

    That is None where the device holds the whole set. Close the generator to leave it early: no
    thread outlives it. What reading a part raises is raised in that part's turn.
    """
    if source.resident or not parts:
        yield from (None for _ in parts)
        return
    threads = _threads()
    size = max(1, parts[0].numel() * source.pixels[0].nbytes)
    most = max(1, min(threads + 1, MEMORY // size))
    pool = ThreadPoolExecutor(threads, "read-ahead")
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


def _threads() -> int:
    """This process's share of the cores but one, which trains; at least 1."""
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", 1))  # processes that torchrun started here
    share = machine.cores() // beside
    if beside == 1:  # torchrun tells each of several to compute with one thread, whatever its share
        share = min(share, torch.get_num_threads())
    return max(1, min(share - 1, THREADS))
