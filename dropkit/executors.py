"""Do independent jobs here, in one process a core or GPU, or on a Ray cluster.

An executor is a generator function: ``executor(work, jobs)`` yields ``work(job)`` of every job, in
any order, each as soon as it is done. The first failure ends the run, once what the other workers
were doing is yielded too. A worker that dies, killed or for want of memory, is no failure: its job
is tried again.

A job may state what it takes: ``job.cpus`` (default 1) and ``job.gpus`` (default 0), of which a
Ray cluster also takes fractions.
"""

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from typing import Any

Work = Callable[[Any], Any]
Results = Generator[Any, None, None]

ATTEMPTS = 4  # at a job whose worker dies each time


class ExecutorError(OSError):
    """An executor that is not there, or a job that its workers do not survive."""


def local(work: Work, jobs: Sequence[Any]) -> Results:
    """Do the jobs one after another in this process."""
    for job in jobs:
        yield work(job)


def processes(work: Work, jobs: Sequence[Any]) -> Results:
    """Do the jobs in one process a core, or one a GPU if they take GPUs.

    Raises
    ------
    ExecutorError
        If a job's workers died at every attempt.
    """
    gpus = _gpus() if any(getattr(job, "gpus", 0) for job in jobs) else [None] * cores()
    places = gpus[: len(jobs)]
    if len(places) < 2:
        yield from local(work, jobs)
        return
    waiting = deque((job, 1) for job in jobs)
    running: dict[Future, tuple[int, Any, int]] = {}
    failure: Exception | None = None
    with _pools(places) as (submit, idle):
        while running or (waiting and not failure):
            while idle and waiting and not failure:
                place, (job, attempt) = idle.pop(), waiting.popleft()
                running[submit(place, work, job)] = place, job, attempt
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                place, job, attempt = running.pop(future)
                idle.append(place)
                error = future.exception()
                if error is None:
                    yield future.result()
                elif isinstance(error, BrokenProcessPool) and attempt < ATTEMPTS:
                    waiting.appendleft((job, attempt + 1))
                else:
                    failure = failure or _named(error, BrokenProcessPool)
    if failure:
        raise failure


def cores() -> int:
    """The cores that this process may use: batch systems grant fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES calls each GPU that this process may use."""
    if visible := os.environ.get("CUDA_VISIBLE_DEVICES"):
        return visible.split(",")
    import torch  # here, for it takes seconds, also of workers that do without

    return [str(number) for number in range(torch.cuda.device_count())]


@contextmanager
def _pools(places: Sequence[str | None]) -> Iterator[tuple[Callable[..., Future], list[int]]]:
    """A function that submits to the worker of a place, and the places: all idle.

    Each worker is a pool of its own: its death breaks no other, and shows which job it was doing.
    """
    context = get_context("spawn")
    leash, held = context.Pipe(duplex=False)
    threads = 1 if places[0] is None else max(1, cores() // len(places))

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
        yield submit, list(range(len(places)))
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


def _end_with_parent(leash: connection.Connection) -> None:
    # A worker would wait for ever for a job from a parent that was killed.
    connection.wait([leash, parent_process().sentinel])
    os._exit(1)


def on_ray(work: Work, jobs: Sequence[Any]) -> Results:
    """Do the jobs on the Ray cluster of ``$RAY_ADDRESS``, or on one started here for their time.

    Raises
    ------
    ExecutorError
        Without Ray, if no cluster answers, or if a job's workers died at every attempt.
    """
    with _cluster() as ray:
        deaths = (
            ray.exceptions.WorkerCrashedError,
            ray.exceptions.NodeDiedError,
            ray.exceptions.OutOfMemoryError,
        )
        # A function of its own, for Ray takes no other callable.
        remote = ray.remote(max_retries=ATTEMPTS - 1)(lambda job: work(job))
        waiting, running = deque(jobs), []
        failure: Exception | None = None
        try:
            while running or (waiting and not failure):
                # As many again wait in the cluster as it has cores: one that can grow sees them.
                room = 2 * int(ray.cluster_resources().get("CPU", 1)) - len(running)
                while room > 0 and waiting and not failure:
                    job, room = waiting.popleft(), room - 1
                    running.append(remote.options(**_needs(job)).remote(job))
                (done, *_), running = ray.wait(running)
                try:
                    yield ray.get(done)
                except ray.exceptions.RayTaskError as error:
                    failure = failure or error.cause
                except deaths as error:
                    failure = failure or _named(error, deaths)
        finally:
            for unfinished in running:  # an interrupted run does not train on
                ray.cancel(unfinished, force=True)
        if failure:
            raise failure


@contextmanager
def _cluster() -> Iterator[Any]:
    """Ray, connected; what this process had not connected is left again."""
    try:
        import ray
    except ImportError:
        raise ExecutorError("executor 'ray' needs Ray: pip install 'dropkit[ray]'") from None
    if ray.is_initialized():
        yield ray
        return
    address = os.environ.get("RAY_ADDRESS")
    options: dict[str, Any] = {} if address else {"num_cpus": cores(), "include_dashboard": False}
    # Where data and weights are: on every machine of a cluster at the same place.
    names = {name: value for name, value in os.environ.items() if name.startswith("DROPKIT_")}
    options |= {"runtime_env": {"env_vars": names}, "log_to_driver": False}
    try:
        ray.init(address or "local", logging_level="ERROR", **options)
    except Exception as error:  # Ray raises many kinds, among them the bare one
        raise ExecutorError(f"no Ray cluster at {address or 'this machine'}: {error}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _needs(job: Any) -> dict[str, float]:
    return {"num_cpus": getattr(job, "cpus", 1), "num_gpus": getattr(job, "gpus", 0)}


def _named(error: BaseException, deaths: type | tuple[type, ...]) -> BaseException:
    """The error, in words of ours if a worker's death is all it says."""
    if not isinstance(error, deaths):
        return error
    return ExecutorError(
        f"a job's worker died at each of {ATTEMPTS} attempts, perhaps for want of memory: {error}"
    )


EXECUTORS: dict[str, Callable[[Work, Sequence[Any]], Results]] = {
    "local": local,
    "processes": processes,
    "ray": on_ray,
}
