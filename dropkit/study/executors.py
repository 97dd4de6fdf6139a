"""Do independent jobs here, or in one process a core or GPU; ``on_ray`` does them by Ray.

An executor is a context manager, ``executor(device)``, that gives ``Workers``; they are started at
the first job, and go on until the context ends. ``workers.do(work, jobs)`` yields ``work(job)`` of
every job, in any order, each as soon as it is done. The first failure ends it, once what the other
workers were doing is yielded too. A worker that dies, killed or for want of memory, is no failure:
its job is tried again.

The device "cuda" is one GPU to ``local``; to ``processes`` it is every GPU of the machine, and to
``on_ray`` of the cluster, one a worker. "cuda:N" is that GPU alone, and names none on a
cluster. "auto" is "cuda" where there are GPUs.
"""

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice, pairwise, takewhile
from multiprocessing import connection, get_context, parent_process
from typing import Any, NamedTuple, Protocol

from dropkit._common import machine, own_code
from dropkit._common.errors import sentence

Work = Callable[[Any], Any]
Results = Generator[Any, None, None]

ATTEMPTS = 4  # at a job whose worker dies each time


class ExecutorError(OSError):
    """An executor that is not there, or a job that its workers do not survive."""

    _render_traceback_ = sentence


class Workers(NamedTuple):
    """How many workers there are, the device that each has, and what lets them do jobs."""

    count: int
    device: str
    do: Callable[[Work, Iterable[Any]], Results]


class Watch(Protocol):
    """What sees groups of networks being trained, and may end that early.

    It is asked before each group; by ``on_ray`` about all of them before the first.
    """

    def may_start(self, job: Any) -> bool: ...

    def finished(self, networks: Sequence[Any]) -> None: ...


def watched(workers: Workers, watch: Watch) -> Workers:
    """The same workers for jobs that are watched: what is first in an answer is finished."""

    def do(work: Work, jobs: Iterable[Any]) -> Results:
        with closing(workers.do(work, takewhile(watch.may_start, jobs))) as answers:
            for answer in answers:
                watch.finished(answer[0])
                yield answer

    return workers._replace(do=do)


def shares(units: Sequence[Any], most: int, workers: int) -> list[list[Any]]:
    """Cut units of one kind into groups for workers to finish together: equal, `most` at most.

    Groups below a quarter of `most` are left whole, for small stacks cost more a network.
    """
    fewest = -(-len(units) // most)
    even = -(-fewest // workers) * workers
    groups = max(fewest, min(even, len(units) // -(-most // 4)), 1)
    bounds = [-(-len(units) * i // groups) for i in range(groups + 1)]
    return [list(units[start:stop]) for start, stop in pairwise(bounds)]


@contextmanager
def local(device: str = "cpu") -> Iterator[Workers]:
    """Do the jobs one after another in this process; ValueError for a device that is not there."""
    from dropkit.training import devices  # here, for it imports torch, which takes seconds

    yield Workers(1, str(devices.resolve(device)), _here)


def _here(work: Work, jobs: Iterable[Any]) -> Results:
    for job in jobs:
        yield work(job)


@contextmanager
def processes(device: str = "cpu") -> Iterator[Workers]:
    """Do the jobs in one process a core, or one a GPU; errors as of ``local`` and ``on_ray``."""
    from dropkit.training import devices

    own = devices.resolve(device)
    places = _places(own.type, own.index)
    if len(places) < 2:
        with local(device) as workers:
            yield workers
        return
    with _pools(places) as submit:
        # In a worker its GPU is the only one, and so the first.
        yield Workers(len(places), own.type, partial(_spread, submit, places))


def _places(kind: str, number: int | None) -> Sequence[str | None]:
    """What CUDA_VISIBLE_DEVICES is to be in each worker, None where that is no matter."""
    if kind == "cpu":
        return [None] * machine.cores()
    if kind != "cuda" or number is not None:
        return [None]
    if visible := os.environ.get("CUDA_VISIBLE_DEVICES"):
        return visible.split(",")
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def _spread(
    submit: Callable[..., Future], places: Sequence[str | None], work: Work, jobs: Iterable[Any]
) -> Results:
    # Asked for when a worker is idle: until then another process may do them.
    fresh = ((job, 1) for job in jobs)
    waiting = deque(islice(fresh, 2))
    if len(waiting) < 2 and places[0] is None:  # a GPU's memory is left to the workers
        yield from _here(work, [job for job, _ in waiting])
        return
    idle = list(range(len(places)))
    running: dict[Future, tuple[int, Any, int]] = {}
    failure: BaseException | None = None
    while True:
        while idle and not failure:
            waiting.extend([] if waiting else islice(fresh, 1))
            if not waiting:
                break
            place, (job, attempt) = idle.pop(), waiting.popleft()
            running[submit(place, work, job)] = place, job, attempt
        if not running:
            break
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            place, job, attempt = running.pop(future)
            idle.append(place)
            error = future.exception()
            if error is None:
                yield future.result()
            elif isinstance(error, BrokenProcessPool) and attempt < ATTEMPTS:
                waiting.appendleft((job, attempt + 1))
            else:
                failure = failure or named(error, BrokenProcessPool)
    if failure:
        raise failure


@contextmanager
def _pools(places: Sequence[str | None]) -> Iterator[Callable[..., Future]]:
    """A function that submits to the worker of a place, which starts at its first job.

    Each worker is a pool of its own: its death breaks no other, and shows which job it was doing.
    """
    context = get_context("spawn")
    leash, held = context.Pipe(duplex=False)
    threads = 1 if places[0] is None else max(1, machine.cores() // len(places))

    def start(place: int) -> ProcessPoolExecutor:
        arguments = (leash, places[place], threads)
        return ProcessPoolExecutor(1, context, _start_worker, arguments)

    def submit(place: int, work: Work, job: Any) -> Future:
        try:
            return pools[place].submit(work, job)
        except BrokenProcessPool:
            pools[place].shutdown()
            pools[place] = start(place)
            return pools[place].submit(work, job)

    pools = [start(place) for place in range(len(places))]
    try:
        yield submit
    finally:
        held.close()  # an interrupted run does not train on
        for pool in pools:
            pool.shutdown(cancel_futures=True)
        leash.close()


def _start_worker(leash: connection.Connection, gpu: str | None, threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's goes to all; the parent answers it
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if torch := sys.modules.get("torch"):  # where the program's main module imports it
        torch.set_num_threads(threads)
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    threading.Thread(target=_end_with_parent, args=(leash,), daemon=True).start()
    own_code.load()


def _end_with_parent(leash: connection.Connection) -> None:
    # A worker would wait for ever for a job from a parent that was killed.
    connection.wait([leash, parent_process().sentinel])
    os._exit(1)


def named(error: BaseException, deaths: type | tuple[type, ...]) -> BaseException:
    """Return the error, in words of ours if a worker's death is all it says."""
    if not isinstance(error, deaths):
        return error
    return ExecutorError(
        f"a job's worker died at each of {ATTEMPTS} attempts, perhaps for want of memory: {error}"
    )
