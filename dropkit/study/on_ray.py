"""Do independent jobs on a Ray cluster: an executor as those in ``executors`` are."""

import os
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from dropkit._common import machine, own_code
from dropkit.study.executors import ATTEMPTS, ExecutorError, Results, Work, Workers, named


@contextmanager
def on_ray(device: str = "cpu") -> Iterator[Workers]:
    """Do the jobs on the Ray cluster of ``$RAY_ADDRESS``, or on one started here for their time.

    Raises ValueError for a GPU that the cluster has not, and ExecutorError without Ray, if no
    cluster answers, or, from ``do``, if a job's workers died at every attempt.
    """
    from dropkit.training import devices

    if devices.check(device).startswith("cuda:"):
        raise ValueError(
            f"device {device!r} is one GPU of one machine: on a Ray cluster ask for 'cuda', which "
            "is one GPU a worker"
        )
    with _cluster() as ray:
        gpus = int(ray.cluster_resources().get("GPU", 0))
        if device == "cuda" and not gpus:
            raise ValueError("device 'cuda' was asked for, and no machine of Ray's cluster has one")
        if device == "auto":
            device = "cuda" if gpus else "cpu"
        needs = {"num_cpus": 1, "num_gpus": int(device == "cuda")}
        count = gpus if device == "cuda" else int(ray.cluster_resources().get("CPU", 1))
        yield Workers(max(1, count), device, partial(_on_cluster, ray, device, needs))


def _on_cluster(
    ray: Any, device: str, needs: dict[str, int], work: Work, jobs: Iterable[Any]
) -> Results:
    deaths = (
        ray.exceptions.WorkerCrashedError,
        ray.exceptions.NodeDiedError,
        ray.exceptions.OutOfMemoryError,
    )
    # A function of its own, for Ray takes no other callable.
    remote = ray.remote(max_retries=ATTEMPTS - 1, **needs)(lambda job: _there(work, device, job))
    kind = "GPU" if needs["num_gpus"] else "CPU"
    waiting, running = deque(jobs), []
    failure: BaseException | None = None
    try:
        while running or (waiting and not failure):
            # As many again wait in the cluster as it has places: one that can grow sees them.
            room = 2 * int(ray.cluster_resources().get(kind, 1)) - len(running)
            while room > 0 and waiting and not failure:
                room -= 1
                running.append(remote.remote(waiting.popleft()))
            (done, *_), running = ray.wait(running)
            try:
                yield ray.get(done)
            except ray.exceptions.RayTaskError as error:
                failure = failure or error.cause
            except deaths as error:
                failure = failure or named(error, deaths)
    finally:
        for unfinished in running:  # an interrupted run does not train on
            ray.cancel(unfinished, force=True)
    if failure:
        raise failure


def _there(work: Work, device: str, job: Any) -> Any:
    """Do a job on a machine of a cluster, once it is known to have what the cluster says it has."""
    own_code.load()
    if device != "cpu":
        from dropkit.training import devices

        devices.resolve(device)
    return work(job)


@contextmanager
def _cluster() -> Iterator[Any]:
    """Ray, connected; what this process had not connected is left again."""
    try:
        import ray
    except ImportError:
        raise ExecutorError("executor 'ray' needs Ray: pip install ray") from None
    if ray.is_initialized():
        yield ray
        return
    address = os.environ.get("RAY_ADDRESS")
    options: dict[str, Any] = {}
    if not address:
        options = {"num_cpus": machine.cores(), "include_dashboard": False}
    # Where data and weights are: on every machine of a cluster at the same place.
    names = {name: value for name, value in os.environ.items() if name.startswith("DROPKIT_")}
    options |= {"runtime_env": {"env_vars": names}, "log_to_driver": False}
    try:
        _knock(address)
        ray.init(address or "local", logging_level="ERROR", **options)
    except Exception as error:  # Ray raises many kinds, among them the bare one
        raise ExecutorError(f"no Ray cluster at {address or 'this machine'}: {error}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str | None) -> None:
    """Raise OSError where an address has a port at which nothing listens.

    Ray itself would go on trying for minutes, and say so in lines of its own.
    """
    parts = urlsplit(f"//{(address or '').rpartition('//')[2]}")
    if parts.hostname and parts.port:
        socket.create_connection((parts.hostname, parts.port), timeout=10).close()
