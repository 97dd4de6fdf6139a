"""Notebooks become pages whole or not at all, the same each time, and can be interrupted."""

import hashlib
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from book._ext import kernels, page
from book._ext.execute import _slowest_first
from book._ext.kernels import despite_taken_ports
from book._ext.page import execute

PARAMETERS = "densities = [0.1, 0.5]\nseeds = 2"
SETTINGS = "from dropkit import notebook\nsettings = notebook.settings(globals())"
PATIENCE = 600  # seconds, with a kernel that starts or ends on a busy machine


def write_notebook(path: Path, codes: Sequence[str]) -> Path:
    cells = [new_markdown_cell("# A page", id="title")]
    for number, code in enumerate(codes):
        tags = {"tags": ["parameters"]} if code == PARAMETERS else {}
        cells.append(new_code_cell(code, metadata=tags, id=f"cell-{number}"))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def pages(folder: Path, *notebooks: Path, env: dict[str, str] | None = None) -> subprocess.Popen:
    """The command that executes these notebooks into folder/book, just started."""
    return subprocess.Popen(
        [sys.executable, "-m", "book._ext.execute", *map(str, notebooks), "--to", "book"],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def interruptible():
    """Let children be interrupted although a shell that runs tests in the background forbids it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "book").glob("[!.]*"))


def test_failing_notebook_is_shown_and_the_others_become_pages(tmp_path: Path) -> None:
    good = write_notebook(tmp_path / "good.ipynb", ["print(1)"])
    bad = write_notebook(tmp_path / "bad.ipynb", ["print(2)", "class_sizes = {}", "class_sizes[7]"])
    dead = write_notebook(tmp_path / "dead.ipynb", ["import os\nos._exit(3)"])
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "bad.ipynb").write_text("the page of an earlier run")
    process = pages(tmp_path, good, bad, dead)
    _, terminal = process.communicate()
    assert process.returncode == 1
    assert "bad.ipynb failed. An error occurred while executing the following cell" in terminal
    assert "class_sizes[7]" in terminal and "KeyError: 7" in terminal
    assert "nbclient" not in terminal  # the notebook's traceback, not the machinery's
    assert "dead.ipynb failed: its kernel died" in terminal
    assert "2 of 3 notebooks failed" in terminal
    assert files(tmp_path) == ["bad.ipynb", "good.ipynb"]
    assert (tmp_path / "book" / "bad.ipynb").read_text() == "the page of an earlier run"


def test_second_run_writes_the_same_bytes_and_a_status(tmp_path: Path) -> None:
    # Pieces of two streams, a pause that splits them, a bar that must not show, a figure.
    noisy = """\
import sys, time
from tqdm import tqdm
for i in tqdm(range(3)):
    print(i, flush=True)
    print("e", i, file=sys.stderr, flush=True)
    time.sleep(0.2)"""
    figure = """\
from matplotlib.figure import Figure
figure = Figure()
figure.subplots().plot([1, 2])
figure"""
    source = write_notebook(tmp_path / "page.ipynb", [PARAMETERS, SETTINGS, noisy, figure])
    first = []
    for _ in range(2):
        process = pages(tmp_path, source)
        _, terminal = process.communicate()
        assert process.returncode == 0, terminal
        assert files(tmp_path) == ["page.ipynb", "status.md"]
        first.append((tmp_path / "book" / "page.ipynb").read_bytes())
    assert first[0] == first[1]
    assert first[0].endswith(b"}\n")
    page = json.loads(first[0])
    outputs = [cell.get("outputs", []) for cell in page["cells"]]
    assert outputs[:3] == [[], [], []]
    assert ["".join(out["text"]) for out in outputs[3]] == ["0\n1\n2\n", "e 0\ne 1\ne 2\n"]
    assert "image/svg+xml" in outputs[4][0]["data"]
    assert page["metadata"] == json.loads(source.read_text())["metadata"]
    status = (tmp_path / "book" / "status.md").read_text()
    assert "page.ipynb" in status and "densities=[0.1, 0.5], seeds=2" in status


@pytest.mark.parametrize(
    "given, sentence",
    [
        ("densities: [0.25, 0.6]", None),
        ("density: 2", "parameter density is unknown: this notebook takes densities, seeds"),
        (
            'densities: "0.3"',
            "densities is the text '0.3': it must be a list of numbers such as [0.1, 0.5]",
        ),
    ],
)
def test_papermill_command_takes_parameters_or_says_what_is_wrong(
    tmp_path: Path, given: str, sentence: str | None
) -> None:
    source = write_notebook(
        tmp_path / "page.ipynb", [PARAMETERS, SETTINGS, "print(settings.densities)"]
    )
    out = tmp_path / "out.ipynb"
    command = [sys.executable, "-m", "papermill", str(source), str(out), "-y", given]
    done = subprocess.run(command, capture_output=True, text=True)
    if sentence is None:
        assert done.returncode == 0, done.stderr
        assert nbformat.read(out, as_version=4).cells[-1].outputs[0].text == "[0.25, 0.6]\n"
    else:
        assert done.returncode != 0
        assert f"ParameterError: {sentence}" in done.stderr
        assert "dropkit/notebook.py" not in done.stderr  # no stack of the notebook's machinery


@pytest.mark.parametrize(
    "how, forked", [(signal.SIGINT, False), (signal.SIGINT, True), (signal.SIGKILL, True)]
)
def test_interrupted_run_leaves_no_page_and_no_kernel(
    tmp_path: Path, interruptible: None, how: signal.Signals, forked: bool
) -> None:
    started = tmp_path / "started"
    code = f"""\
import os, pathlib, time
pathlib.Path({str(started)!r}).write_text(str(os.getpid()))
time.sleep(3600)"""
    # Of two notebooks the kernels are forked, and of one they are not.
    sleep = "import time\ntime.sleep(3600)"
    others = [write_notebook(tmp_path / "other.ipynb", [sleep])] if forked else []
    long = write_notebook(tmp_path / "long.ipynb", ["print(1)", code])
    process = pages(tmp_path, long, *others)
    wait_until(lambda: started.exists() and started.read_text())
    kernel = psutil.Process(int(started.read_text()))
    os.kill(process.pid, how)
    _, terminal = process.communicate(timeout=PATIENCE)
    wait_until(lambda: ended(kernel))
    assert files(tmp_path) == []
    if how != signal.SIGKILL:
        assert process.returncode == 130
        assert terminal.splitlines()[-1].startswith("interrupted; what is finished is kept")
        assert "Traceback" not in terminal


def test_a_forked_kernel_starts_with_nothing_of_another(tmp_path: Path) -> None:
    """Same page as from an interpreter of its own; names, seeds and environments are not shared."""
    code = """\
import os, random, sys
import numpy as np
from dropkit.store import folder
print("left" in globals(), len(folder.watchers), os.environ["OMP_NUM_THREADS"], os.getcwd())
left = np.random.default_rng(0).random()
print(left, "__mp_main__" in str(__name__), sys.argv[0].endswith(("launcher", "launcher.py")))"""
    names = ["first", "second"]
    sources = [write_notebook(tmp_path / f"{name}.ipynb", [code]) for name in names]
    process = pages(tmp_path, *sources)
    _, terminal = process.communicate()
    assert process.returncode == 0, terminal
    assert "semaphore" not in terminal and "NOTE" not in terminal
    forked = [(tmp_path / "book" / f"{name}.ipynb").read_bytes() for name in names]
    process = pages(tmp_path, sources[0])
    process.communicate()
    assert forked == 2 * [(tmp_path / "book" / "first.ipynb").read_bytes()]


@pytest.mark.parametrize("module", [*kernels.IMPORTED, kernels.READ])
def test_what_kernels_import_beforehand_exists(module: str) -> None:
    assert importlib.util.find_spec(module)  # another name would be passed over in silence


def ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.mark.parametrize(
    "arguments, words",
    [(["missing.ipynb"], "there is no notebook missing.ipynb"), ([], "no notebooks in notebooks/")],
)
def test_nothing_to_execute_is_said(tmp_path: Path, arguments, words: str) -> None:
    process = pages(tmp_path, *map(Path, arguments))
    _, terminal = process.communicate()
    assert process.returncode == 2
    assert words in terminal


def test_the_slowest_of_the_last_run_is_begun_first(tmp_path: Path) -> None:
    seconds = {"a": 3.0, "b": 70.5, "c": 12.0}
    for name, taken in seconds.items():
        page, notes = tmp_path / f"{name}.ipynb", tmp_path / ".run" / name
        page.write_text(name)
        notes.mkdir(parents=True)
        run = {"page": hashlib.sha256(name.encode()).hexdigest(), "seconds": taken}
        (notes / "page.json").write_text(json.dumps(run))
    sources = [Path(f"{name}.ipynb") for name in "abcd"]  # d was never executed
    ordered = _slowest_first(sources, tmp_path)
    assert [source.stem for source in ordered] == ["d", "b", "c", "a"]


def test_a_terminal_shows_what_is_at_work_and_what_is_left(tmp_path: Path) -> None:
    write_notebook(tmp_path / "slow.ipynb", ["print(1)", "import time\ntime.sleep(3)", "print(2)"])
    write_notebook(tmp_path / "quick.ipynb", ["print(1)"])
    terminal, end = os.openpty()
    termios.tcsetwinsize(end, (40, 120))
    command = [sys.executable, "-m", "book._ext.execute", "slow.ipynb", "quick.ipynb"]
    process = subprocess.Popen([*command, "--to", "book"], cwd=tmp_path, stderr=end)
    os.close(end)
    shown = b""
    with suppress(OSError):  # at its end
        while part := os.read(terminal, 10_000):
            shown += part
    os.close(terminal)
    shown = shown.decode()
    assert process.wait() == 0, shown
    assert "pages 0/2: |" in shown and "/6 cells, " in shown  # each saves its records last
    assert re.search(r"pages 1/2: \|.*\d\d:\d\d left, slow [123]", shown)
    assert "1/2 quick: executed in " in shown and "2/2 slow: executed in " in shown


def test_a_second_run_into_the_folder_waits_and_says_so(tmp_path: Path) -> None:
    go, begun = tmp_path / "go", tmp_path / "begun"
    code = f"""\
import pathlib, time
pathlib.Path({str(begun)!r}).touch()
while not pathlib.Path({str(go)!r}).exists():
    time.sleep(0.1)"""
    source = write_notebook(tmp_path / "page.ipynb", [code])
    spare = tmp_path / "book" / f".page.ipynb.{'0a' * 16}"
    spare.parent.mkdir()
    spare.write_text("half of a page, of a run that was killed")
    first = pages(tmp_path, source)
    wait_until(begun.exists)
    assert not spare.exists()
    second = pages(tmp_path, source)
    assert second.stderr.readline() == "another build writes book: waiting for its end\n"
    assert files(tmp_path) == []
    go.touch()
    for process in (first, second):
        _, terminal = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, terminal
    assert files(tmp_path) == ["page.ipynb", "status.md"]


def test_what_a_killed_run_left_is_gone_after_the_next() -> None:
    """Kernels' sockets and files too, wherever temporary files are; a short name, as of sockets."""
    with tempfile.TemporaryDirectory() as name:
        folder, system = Path(name), Path(name, "tmp")
        system.mkdir()
        environment = os.environ | {"TMPDIR": str(system)}
        started = folder / "started"
        code = f"import pathlib, time\npathlib.Path({str(started)!r}).touch()\ntime.sleep(3600)"
        sources = [write_notebook(folder / f"{n}.ipynb", [code]) for n in "ab"]  # forked
        process = pages(folder, *sources, env=environment)
        wait_until(started.exists)
        process.kill()
        process.communicate()
        assert list(folder.glob("book/.run/.tmp/*")) and not list(system.iterdir())
        process = pages(folder, write_notebook(folder / "c.ipynb", ["print(1)"]), env=environment)
        _, terminal = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, terminal
        assert not list(folder.glob("book/.run/.tmp/*")) and not list(system.iterdir())


def test_records_that_the_notes_name_are_there_whenever_a_run_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_notebook(tmp_path / "page.ipynb", ["print(1)"])
    notes = tmp_path / "book" / ".run" / "page"
    notes.mkdir(parents=True)
    old = notes / "page-old.jsonl"
    old.touch()  # which the notes of an earlier run name
    write = page.write_atomically

    def killed_at_the_notes(file: Path, content: bytes) -> None:
        if file.name == "page.json":
            raise KeyboardInterrupt
        write(file, content)

    monkeypatch.setattr(page, "write_atomically", killed_at_the_notes)
    with pytest.raises(KeyboardInterrupt):
        execute(source, tmp_path / "book", lambda: None)
    assert old.exists()
    monkeypatch.undo()
    execute(source, tmp_path / "book", lambda: None)
    assert not old.exists() and (notes / "page.json").exists()


def test_a_kernel_whose_port_was_taken_is_started_again(tmp_path: Path, monkeypatch) -> None:
    """A port of the first kernel is held by this test, as by a program that was faster."""
    from jupyter_client.connect import LocalPortCache

    held, found = socket.socket(), []
    held.bind(("127.0.0.1", 0))
    held.listen()
    find = LocalPortCache.find_available_port

    def first_is_held(cache: LocalPortCache, ip: str) -> int:
        found.append(held.getsockname()[1] if not found else find(cache, ip))
        return found[-1]

    monkeypatch.setattr(LocalPortCache, "find_available_port", first_is_held)
    source = write_notebook(tmp_path / "page.ipynb", ["print(1)"])
    (tmp_path / "book").mkdir()
    with held:
        execute(source, tmp_path / "book", lambda: None)
    assert len(found) == 10  # five ports a kernel
    page = nbformat.read(tmp_path / "book" / "page.ipynb", as_version=4)
    assert page.cells[1].outputs[0].text == "1\n"


def test_other_failures_of_a_kernel_are_not_tried_again() -> None:
    calls = []

    def fails(text: str) -> None:
        calls.append(text)
        raise RuntimeError(text)

    for text, times in (("Kernel died", 1), ("Kernel died before replying to kernel_info", 2)):
        with pytest.raises(RuntimeError, match=text):
            despite_taken_ports(fails)(text)
        assert calls.count(text) == times
