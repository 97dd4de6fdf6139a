"""Executors: every job once, whatever happens to the workers, and the same records everywhere."""

import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from dropkit import executors, study
from dropkit.executors import EXECUTORS, ExecutorError
from dropkit.records import result
from dropkit.store import Store
from tests import works
from tests.test_trials import grid
from tests.works import Job

ROOT = Path(__file__).parents[1]
WITHOUT = "Ray is an extra: pip install 'dropkit[ray]'"


def jobs(folder, count=6, **needs):
    return [Job(number, folder, **needs) for number in range(count)]


def collected(executor, work, jobs):
    """What is yielded, and the error that ends it."""
    answers = []
    try:
        for answer in EXECUTORS[executor](work, jobs):
            answers.append(answer)
    except (ExecutorError, ValueError) as error:
        return answers, error
    return answers, None


class TestAnswers:
    def test_every_job_once(self, in_workers, tmp_path):
        for name in ("local", in_workers):
            assert sorted(EXECUTORS[name](works.square, jobs(tmp_path))) == [0, 1, 4, 9, 16, 25]
            assert list(EXECUTORS[name](works.square, [])) == []

    def test_a_failure_ends_the_run_after_what_was_in_flight(self, in_workers, tmp_path):
        for name in ("local", in_workers):
            answers, error = collected(name, works.fail, jobs(tmp_path, 20))
            assert type(error) is ValueError and str(error) == "there is no square of 3"
            assert {0, 1, 4} <= set(answers) and len(answers) < 19


class TestDeaths:
    def test_a_job_is_tried_again(self, in_workers, tmp_path):
        assert sorted(EXECUTORS[in_workers](works.die_twice, jobs(tmp_path))) == [
            0,
            1,
            4,
            9,
            16,
            25,
        ]
        assert len(list(tmp_path.iterdir())) == 3

    def test_but_not_for_ever(self, in_workers, tmp_path):
        answers, error = collected(in_workers, works.die, jobs(tmp_path))
        assert "a job's worker died at each of 4 attempts" in str(error)
        assert (tmp_path / "attempts").read_text() == "xxxx"
        assert 9 not in answers and {0, 1, 4} <= set(answers)

    def test_a_run_that_is_given_up_trains_no_further(self, in_workers, tmp_path):
        with closing(EXECUTORS[in_workers](works.sleep, jobs(tmp_path, 2))) as answers:
            assert next(answers) == 0
        (mark,) = tmp_path.glob("*.pid")
        ended(int(mark.stem))


def ended(pid, patience=30):
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
        monkeypatch.setattr(executors, "cores", lambda: 2)

    def test_as_many_processes_as_cores(self, tmp_path):
        found = list(executors.processes(works.whereabouts, jobs(tmp_path)))
        assert len({answer["pid"] for answer in found} - {os.getpid()}) == 2

    def test_one_thread_in_each(self):
        assert list(executors.processes(works.threads, jobs(None, 2))) == [1, 1]

    def test_one_process_a_gpu(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-8f2")
        monkeypatch.setattr(executors, "cores", lambda: 1)
        found = list(executors.processes(works.whereabouts, jobs(tmp_path, gpus=1)))
        assert {answer["gpus"] for answer in found} == {"3", "GPU-8f2"}
        assert len({answer["pid"] for answer in found}) == 2

    @pytest.mark.parametrize("cores, count", [(1, 4), (2, 1)])
    def test_one_core_or_one_job_needs_no_process(self, monkeypatch, cores, count):
        monkeypatch.setattr(executors, "cores", lambda: cores)
        found = list(executors.processes(works.whereabouts, jobs(None, count)))
        assert [answer["pid"] for answer in found] == [os.getpid()] * count

    def test_a_worker_killed_between_jobs(self):
        answers = executors.processes(works.whereabouts, jobs(None, 8))
        found = [next(answers)]
        os.kill(found[0]["pid"], signal.SIGKILL)
        assert len([*found, *answers]) == 8

    def test_interrupted_at_the_terminal(self, tmp_path):
        code = (
            "import signal\nfrom pathlib import Path\nfrom dropkit import executors\n"
            "from tests import works\nexecutors.cores = lambda: 2\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            f"jobs = [works.Job(n, Path({str(tmp_path)!r})) for n in (1, 2)]\n"
            "list(executors.processes(works.sleep, jobs))\n"
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
            "import os\nfrom dropkit.executors import cores\n"
            "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nprint(cores())"
        )
        command = [sys.executable, "-c", code]
        assert subprocess.run(command, check=True, capture_output=True).stdout == b"1\n"


class TestRay:
    def test_without_ray(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "ray", None)
        message = r"executor 'ray' needs Ray: pip install 'dropkit\[ray\]'"
        with pytest.raises(ExecutorError, match=message):
            list(executors.on_ray(works.square, []))

    def test_no_such_cluster(self):
        pytest.importorskip("ray", reason=WITHOUT)
        done = driver(RAY_ADDRESS="nonsense")
        assert done.stdout == "no Ray cluster at nonsense: Invalid address format: nonsense\n"

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
from dropkit import executors
from tests import works
executors.cores = lambda: 2
try:
    jobs = [works.Job(i) for i in range(3)]
    squares, data = zip(*executors.on_ray(works.square_and_data, jobs))
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


def test_the_same_records_everywhere(in_workers, tmp_path):
    trials = grid(["random", "random+drop"], [0.6], 2, smoothing=1.0)
    ours, expected = (
        study.run(trials, store=Store(tmp_path / executor), executor=executor)
        for executor in (in_workers, "local")
    )
    assert list(map(result, ours)) == list(map(result, expected))
    assert len(ours) == len({record["key"] for record in ours}) == 4
