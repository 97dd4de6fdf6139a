"""Work for executors, in a module that workers import quickly."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Job(NamedTuple):
    """A number, and a folder for what has to outlive a worker."""

    number: int
    folder: Path | None = None


def square(job: Job) -> int:
    return job.number**2


def square_and_data(job: Job) -> tuple[int, str]:
    return job.number**2, os.environ["DROPKIT_DATA"]


def die_twice(job: Job) -> int:
    """The job of number 3 kills its first two workers."""
    if job.number == 3:
        attempt = len(list(job.folder.iterdir()))
        (job.folder / f"attempt-{attempt}").touch()
        if attempt < 2:
            os.kill(os.getpid(), signal.SIGKILL)
    return job.number**2


def die(job: Job) -> int:
    """The job of number 3 kills every worker."""
    if job.number == 3:
        with open(job.folder / "attempts", "a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
    return job.number**2


def fail(job: Job) -> int:
    """The job of number 3 fails; those after it take a while, in which that becomes known."""
    if job.number == 3:
        raise ValueError("there is no square of 3")
    if job.number > 3:
        time.sleep(0.2)
    return job.number**2


def whereabouts(job: Job) -> dict:
    """Where a job is done; not before two processes have begun one, if it has a folder."""
    if job.folder:
        (job.folder / f"{os.getpid()}.pid").touch()
        while len(list(job.folder.glob("*.pid"))) < 2:
            time.sleep(0.02)
    return {"pid": os.getpid(), "gpus": os.environ.get("CUDA_VISIBLE_DEVICES")}


def threads(job: Job) -> int:
    import torch

    return torch.get_num_threads()


def sleep(job: Job) -> int:
    """Number 0 is done at once; every other says its process and goes on for an hour."""
    if job.number:
        (job.folder / f"{os.getpid()}.pid").touch()
        time.sleep(3600)
    # Only once another worker sleeps: the test wants to see it end.
    while not list(job.folder.glob("*.pid")):
        time.sleep(0.05)
    return 0


def stuck_on(work: Callable[[Any], Any], job: Any, *, node: str, folder: Path) -> Any:
    """Do the work, once another machine of a Ray cluster, the node, hangs in the middle of it."""
    import ray

    if ray.get_runtime_context().get_node_id() == node:
        (folder / "stuck").touch()
        time.sleep(3600)
    while not (folder / "stuck").exists():
        time.sleep(0.05)
    return work(job)


def killed_in_the_middle(work: Callable[[Any], Any], job: Any, *, folder: Path) -> Any:
    """Do the work; the first process that is asked to is killed after 20 ms of it."""
    try:
        (folder / "killed").touch(exist_ok=False)
    except FileExistsError:
        return work(job)
    signal.signal(signal.SIGVTALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.02)
    work(job)
    raise AssertionError("the work took less than 20 ms")
