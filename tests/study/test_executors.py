"""Executors: every job once, whatever happens to the workers, and the same records everywhere."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch

from dropkit import study
from dropkit._common import machine
from dropkit.store import Store
from dropkit.store.records import result
from dropkit.study import EXECUTORS, executors, on_ray
from dropkit.study.executors import ExecutorError
from dropkit.training import engine
from tests import works
from tests.study.test_trials import grid
from tests.works import Job

ROOT = Path(__file__).parents[2]
SQUARES = [0, 1, 4, 9, 16, 25]
WITHOUT = "Ray is an extra: pip install 'dropkit[ray]'"


def jobs(folder, count=6):
    return [Job(number, folder) for number in range(count)]


def answers(executor, work, jobs, device="cpu"):
    """What workers answer, in the order in which they do."""
    with EXECUTORS[executor](device) as workers:
        yield from workers.do(work, jobs)


def collected(executor, work, jobs):
    """What is yielded, and the error that ends it."""
    found = []
    try:
        for answer in answers(executor, work, jobs):
            found.append(answer)
    except (ExecutorError, ValueError) as error:
        return found, error
    return found, None


class TestAnswers:
    def test_every_job_once(self, in_workers, tmp_path):
        for name in ("local", in_workers):
            assert sorted(answers(name, works.square, jobs(tmp_path))) == SQUARES
            assert list(answers(name, works.square, [])) == []

    def test_workers_are_there_for_more_than_one_list_of_jobs(self, in_workers, tmp_path):
        with EXECUTORS[in_workers]() as workers:
            first, second = (
                {found["pid"] for found in workers.do(works.whereabouts, jobs(tmp_path))}
                for _ in range(2)
            )
            assert sorted(workers.do(works.square, iter(jobs(tmp_path)))) == SQUARES
        assert first == second and len(first) == workers.count == 2
        assert os.getpid() not in first

    def test_a_failure_ends_the_run_after_what_was_in_flight(self, in_workers, tmp_path):
        for name in ("local", in_workers):
            # So many that even a failure that is known half a minute late leaves some undone.
            found, error = collected(name, works.fail, jobs(tmp_path, 200))
            assert type(error) is ValueError and str(error) == "there is no square of 3"
            assert {0, 1, 4} <= set(found) and len(found) < 199


class TestDeaths:
    def test_a_job_is_tried_again(self, in_workers, tmp_path):
        assert sorted(answers(in_workers, works.die_twice, jobs(tmp_path))) == SQUARES
        assert len(list(tmp_path.iterdir())) == 3

    def test_but_not_for_ever(self, in_workers, tmp_path):
        found, error = collected(in_workers, works.die, jobs(tmp_path))
        assert "a job's worker died at each of 4 attempts" in str(error)
        assert (tmp_path / "attempts").read_text() == "xxxx"
        assert 9 not in found and {0, 1, 4} <= set(found)

    def test_a_run_that_is_given_up_trains_no_further(self, in_workers, tmp_path):
        with closing(answers(in_workers, works.sleep, jobs(tmp_path, 2))) as found:
            assert next(found) == 0
        (mark,) = tmp_path.glob("*.pid")
        ended(int(mark.stem))


def ended(pid, patience=300):
    """Wait until a process has ended; fail after the patience in seconds."""
    deadline = time.monotonic() + patience
    while running(pid):
        assert time.monotonic() < deadline, f"process {pid} goes on"
        time.sleep(0.05)


def running(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


class TestProcesses:
    @pytest.fixture(autouse=True)
    def two(self, monkeypatch):
        monkeypatch.setattr(machine, "cores", lambda: 2)

    def test_as_many_processes_as_cores(self, tmp_path):
        found = list(answers("processes", works.whereabouts, jobs(tmp_path)))
        assert len({answer["pid"] for answer in found} - {os.getpid()}) == 2

    def test_one_thread_in_each(self):
        assert list(answers("processes", works.threads, jobs(None, 2))) == [1, 1]

    @pytest.mark.parametrize("cores, count", [(1, 4), (2, 1)])
    def test_one_core_or_one_job_needs_no_process(self, monkeypatch, cores, count):
        monkeypatch.setattr(machine, "cores", lambda: cores)
        found = list(answers("processes", works.whereabouts, jobs(None, count)))
        assert [answer["pid"] for answer in found] == [os.getpid()] * count

    def test_a_worker_killed_between_jobs(self):
        rest = answers("processes", works.whereabouts, jobs(None, 8))
        found = [next(rest)]
        os.kill(found[0]["pid"], signal.SIGKILL)
        assert len([*found, *rest]) == 8

    def test_interrupted_at_the_terminal(self, tmp_path):
        code = (
            "import signal\nfrom pathlib import Path\n"
            "from dropkit._common import machine\nfrom dropkit.study import executors\n"
            "from tests import works\nmachine.cores = lambda: 2\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            f"jobs = [works.Job(n, Path({str(tmp_path)!r})) for n in (1, 2)]\n"
            "with executors.processes() as workers:\n    list(workers.do(works.sleep, jobs))\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as program:
            while len(list(tmp_path.glob("*.pid"))) < 2:
                assert program.poll() is None
                time.sleep(0.02)
            os.killpg(program.pid, signal.SIGINT)
            errors = program.stderr.read()  # until the workers have ended too
        assert errors.count("Traceback") == 1 and "KeyboardInterrupt" in errors

    @pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinities here")
    def test_cores_are_those_granted(self):
        code = (
            "import os\nfrom dropkit._common.machine import cores\n"
            "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nprint(cores())"
        )
        command = [sys.executable, "-c", code]
        assert subprocess.run(command, check=True, capture_output=True).stdout == b"1\n"


class TestGpus:
    """What devices are to processes, on a machine that seems to have two GPUs."""

    @pytest.fixture(autouse=True)
    def machine(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        monkeypatch.setattr(machine, "cores", lambda: 4)

    @pytest.mark.parametrize(
        ("visible", "device", "expected"),
        [
            (None, "cuda", ("0", "1")),
            ("3,GPU-8f2", "cuda", ("3", "GPU-8f2")),
            ("3,GPU-8f2", "auto", ("3", "GPU-8f2")),
        ],
    )
    def test_one_process_a_gpu(self, tmp_path, monkeypatch, visible, device, expected):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        with executors.processes(device) as workers:
            found = list(workers.do(works.whereabouts, jobs(tmp_path)))
        assert (workers.count, workers.device) == (2, "cuda")
        assert {answer["gpus"] for answer in found} == set(expected)
        assert len({answer["pid"] for answer in found} - {os.getpid()}) == 2

    def test_one_job_leaves_the_gpus_to_workers(self):
        (found,) = answers("processes", works.whereabouts, jobs(None, 1), "cuda")
        assert found["pid"] != os.getpid()

    @pytest.mark.parametrize("executor", ["local", "processes"])
    def test_a_numbered_gpu_is_that_one_alone(self, executor):
        with EXECUTORS[executor]("cuda:1") as workers:
            assert (workers.count, workers.device) == (1, "cuda:1")
            found = list(workers.do(works.whereabouts, jobs(None, 2)))
        assert [answer["pid"] for answer in found] == [os.getpid()] * 2

    @pytest.mark.parametrize("executor", ["local", "processes"])
    def test_a_gpu_that_is_not_there(self, executor):
        message = "device 'cuda:2' was asked for, and PyTorch finds 2 of that kind here"
        with pytest.raises(ValueError, match=message), EXECUTORS[executor]("cuda:2"):
            pass

    def test_processor_although_there_are_gpus(self):
        with executors.processes("cpu") as workers:
            assert (workers.count, workers.device) == (4, "cpu")


class TestRay:
    @pytest.mark.parametrize(
        ("resources", "device", "expected"),
        [
            ({"CPU": 8, "GPU": 3}, "auto", (3, "cuda")),
            ({"CPU": 8, "GPU": 3}, "cuda", (3, "cuda")),
            ({"CPU": 8, "GPU": 3}, "cpu", (8, "cpu")),
            ({"CPU": 8}, "auto", (8, "cpu")),
        ],
    )
    def test_devices_are_the_clusters(self, ray, monkeypatch, resources, device, expected):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)  # where the driver is
        monkeypatch.setattr(ray, "cluster_resources", lambda: resources)
        with on_ray.on_ray(device) as workers:
            assert (workers.count, workers.device) == expected

    def test_a_cluster_without_gpus(self, ray, monkeypatch):
        monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 8})
        message = "device 'cuda' was asked for, and no machine of Ray's cluster has one"
        with pytest.raises(ValueError, match=message), on_ray.on_ray("cuda"):
            pass

    @pytest.mark.parametrize("device", ["cuda:0", "cuda:1"])
    def test_a_cluster_numbers_no_gpus(self, monkeypatch, device):
        monkeypatch.setitem(sys.modules, "ray", None)  # which is not asked
        message = f"device '{device}' is one GPU of one machine: on a Ray cluster ask for 'cuda'"
        with pytest.raises(ValueError, match=message), on_ray.on_ray(device):
            pass

    def test_a_job_is_granted_a_gpu(self, ray, monkeypatch):
        """By the cluster; that PyTorch finds none is then said by the worker."""
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        needs = {"num_cpus": 1, "num_gpus": 1}
        found = list(on_ray._on_cluster(ray, "cpu", needs, works.whereabouts, jobs(None, 3)))
        assert [answer["gpus"] for answer in found] == ["0", "0", "0"]
        with on_ray.on_ray("auto") as workers:
            assert workers.device == "cuda"
            if not torch.cuda.is_available():
                with pytest.raises(ValueError, match="PyTorch finds none of that kind here"):
                    list(workers.do(works.square, jobs(None, 1)))

    def test_without_ray(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "ray", None)
        message = r"executor 'ray' needs Ray: pip install ray"
        with pytest.raises(ExecutorError, match=message):
            list(answers("ray", works.square, []))

    def test_no_such_cluster(self):
        pytest.importorskip("ray", reason=WITHOUT)
        done = driver(RAY_ADDRESS="nonsense")
        assert done.stdout == "no Ray cluster at nonsense: Invalid address format: nonsense\n"

    def test_a_port_at_which_nothing_listens(self):
        pytest.importorskip("ray", reason=WITHOUT)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            done = driver(RAY_ADDRESS=address)
        assert done.stdout.startswith(f"no Ray cluster at {address}: [Errno ")
        assert "Connection refused" in done.stdout

    def test_a_cluster_by_address(self, ray):
        address = ray.get_runtime_context().gcs_address
        done = driver(RAY_ADDRESS=address, DROPKIT_DATA="/mnt/data")
        assert done.stdout == "[0, 1, 4] /mnt/data\n", done.stderr
        assert ray.cluster_resources()["CPU"] == 2  # it goes on

    def test_a_cluster_of_its_own(self):
        pytest.importorskip("ray", reason=WITHOUT)
        done = driver(RAY_ADDRESS="", DROPKIT_DATA="/data")
        assert done.stdout == "[0, 1, 4] /data\n", done.stderr


DRIVER = """
from dropkit._common import machine
from dropkit.study import executors, on_ray
from tests import works
machine.cores = lambda: 2
try:
    jobs = [works.Job(i) for i in range(3)]
    with on_ray.on_ray() as workers:
        squares, data = zip(*workers.do(works.square_and_data, jobs))
    print(sorted(squares), *set(data))
except executors.ExecutorError as error:
    print(error)
"""


def driver(**environment):
    """A program of its own that uses Ray."""
    environment = {"RAY_AUTH_TOKEN": secrets.token_hex(32)} | os.environ | environment
    return subprocess.run(
        [sys.executable, "-c", DRIVER], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def test_the_same_records_everywhere(in_workers, tmp_path, monkeypatch):
    trials = grid(["random", "el2n+drop"], [0.6], 2, smoothing=1.0)
    local, other = Store(tmp_path / "local"), Store(tmp_path / in_workers)
    expected = study.run(trials, store=local)
    with monkeypatch.context() as here:
        here.setattr(engine, "STACK", 2)  # so that there is more than one job of each kind
        here.setattr(engine, "train", None)  # this process trains nothing, queries neither
        ours = study.run(trials, store=other, executor=in_workers)
    assert list(map(result, ours)) == list(map(result, expected))
    assert len(ours) == len({record["key"] for record in ours}) == 4
    assert len(local.array_names()) == 2 and local.array_names() == other.array_names()
    for name in local.array_names():
        first, second = local.load_arrays(name), other.load_arrays(name)
        assert first.keys() == second.keys()
        for array in first:
            np.testing.assert_allclose(first[array], second[array], rtol=1e-6, atol=1e-6)
