"""Several runs on one store: none does what another does or did; a killed one's work returns."""

import os
import signal
import subprocess
import sys
import warnings
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from dropkit.store import DamagedRecord, Store, StoreError
from dropkit.store.locks import Locks
from dropkit.study import plan
from dropkit.study.sharing import own

ROOT = Path(__file__).parents[2]
PLAN = """
dataset = "digits-2x4"
model = "mlp"
densities = [0.5, 0.3]
seeds = 6
[recipe]
epochs = 4
[[stage]]
protocols = ["full", "random", "random+drop", "forgetting"]
"""

# Runs the plan in stacks of two, and writes what it begins; both begin when both have read the
# store. The one that is to die does so in the middle of a stack, its tenth network or later.
DRIVER = """
import os, signal, sys, time
from pathlib import Path
from dropkit import study
from dropkit.store import Store
from dropkit.study import plan, query_models, runner
from dropkit.training import engine

folder, how, fault = sys.argv[1:]
engine.STACK, begun = 2, []

def noted(train, names):
    def wrapped(job, *args, **kwargs):
        begun.extend(map(names, job))
        with open(f"{folder}/{os.getpid()}.begun", "a") as file:
            print(*map(names, job), file=file)
        if fault == "dies" and len(begun) > 9:
            os.kill(os.getpid(), signal.SIGKILL)
        return train(job, *args, **kwargs)
    return wrapped

runner._train = noted(runner._train, lambda one: one.trial.key)
query_models._train = noted(query_models._train, lambda network: network.name)
found, store = plan.read(f"{folder}/plan.toml"), Store(f"{folder}/store")
Path(f"{folder}/{os.getpid()}.ready").touch()
while len(list(Path(folder).glob("*.ready"))) < 2:
    time.sleep(0.02)
if how == "plan":
    print(*plan.run(found, store=store))
else:
    print(len(study.run(sum(found.steps(), []), store=store, executor=how)))
"""


def started(folder, how, fault=""):
    (folder / "plan.toml").write_text(PLAN)
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, folder, how, fault],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def begun(folder):
    """What each process began to train, by its number."""
    return {int(f.stem): f.read_text().split() for f in folder.glob("*.begun")}


def stored(folder):
    """How often the files of the store have each record."""
    records = [
        line for file in (folder / "store").glob("*.jsonl") for line in file.read_text().split("\n")
    ]
    return Counter(line.split('"key":"')[1][:20] for line in records if line)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["plan", "local"])
def test_two_runs_share_and_train_nothing_twice(tmp_path, how):
    drivers = [started(tmp_path, how) for _ in range(2)]
    for driver in drivers:
        out, errors = driver.communicate()
        assert driver.returncode == 0, errors
        assert out.split() in (["42", "42"], ["42"])  # each returns when all is done
    both = begun(tmp_path)
    assert len(both) == 2 and min(map(len, both.values())) > 10
    assert set(Counter(sum(both.values(), [])).values()) == {1}
    trials = {trial.key for step in plan.read(tmp_path / "plan.toml").steps() for trial in step}
    assert stored(tmp_path) == Counter(trials)
    assert not [name for name in Store(tmp_path / "store").array_names() if "n" in name]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["plan", "local"])
def test_what_a_killed_run_had_is_done_by_the_other(tmp_path, how):
    dies, lives = started(tmp_path, how, "dies"), started(tmp_path, how)
    dies.communicate()
    assert dies.returncode == -signal.SIGKILL
    _, errors = lives.communicate()
    assert lives.returncode == 0, errors
    both = begun(tmp_path)
    (last,) = (tmp_path / f"{dies.pid}.begun").read_text().splitlines()[-1:]
    again = {name for name, count in Counter(sum(both.values(), [])).items() if count > 1}
    assert again == set(last.split())  # the stack in which it died, and nothing that was done
    trials = {trial.key for step in plan.read(tmp_path / "plan.toml").steps() for trial in step}
    assert stored(tmp_path) == Counter(trials)


HOLDER = """
import sys
from pathlib import Path
from dropkit.store.locks import Locks
locks = Locks(Path(sys.argv[1]))
assert locks.take("a") and locks.take("b")
print("taken", flush=True)
sys.stdin.readline()
locks.give_back(["b"])
print("given", flush=True)
sys.stdin.readline()
"""


def test_a_name_is_anothers_until_it_is_given_back_or_that_process_is_killed(tmp_path):
    command = [sys.executable, "-c", HOLDER, tmp_path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with (
        closing(Locks(tmp_path)) as locks,
        subprocess.Popen(command, env=environment, **pipes) as other,
    ):
        assert other.stdout.readline() == "taken\n"
        assert not locks.take("a") and not locks.is_free("b") and locks.take("c")
        assert locks.others == {"a", "b"}
        print(file=other.stdin, flush=True)
        assert other.stdout.readline() == "given\n"
        assert locks.take("b") and locks.others == {"a"}
        other.kill()
        other.wait()
        locks.wait()
        assert locks.others == set() and locks.take("a")


def test_own_leaves_what_others_have_and_what_is_done_meanwhile(tmp_path):
    with closing(Locks(tmp_path)) as locks:
        taken, done = [], {"c"}
        locks.take = lambda name: taken.append(name) or name != "b"
        back = []
        locks.give_back = back.extend
        groups = own([["a", "b"], ["c"], ["d"]], locks, str, lambda some: [*set(some) - done])
        assert next(groups) == ["a"] and taken == ["a", "b"]  # the others are not asked for yet
        assert list(groups) == [["d"]] and back == ["c"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot write to the store"):
        Locks(tmp_path / "file")


def test_what_others_append_is_read_line_by_line(tmp_path):
    """As other stores see it: whole lines alone, each once, whatever was read before."""
    first, second = Store(tmp_path), Store(tmp_path)
    records = [{"key": f"{number:020x}", "note": "x" * number} for number in range(6)]
    first.add(*records[:2])
    second.refresh()
    assert [record["key"] for record in second] == [record["key"] for record in records[:2]]
    (file,) = tmp_path.glob("*.jsonl")
    first.add(*records[2:4])
    whole = file.read_bytes()
    for cut in range(len(whole) - 60, len(whole)):
        file.write_bytes(whole[:cut])
        with warnings.catch_warnings(action="ignore", category=DamagedRecord):
            third = Store(tmp_path)
        file.write_bytes(whole)
        third.refresh()
        assert {record["key"] for record in third} == {record["key"] for record in records[:4]}
