"""Records of a page: what its cells asked for, and where it was trained."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from dropkit.notebook import records as page_records
from dropkit.store import Store, folder


def record(key: str, **made) -> dict:
    origin = {
        "device": "A",
        "torch": "2.9",
        "time": "2026-01-02T03:04:05+00:00",
        "commit": "abcdefgh",
    }
    return {"key": key, "seconds": 1.5, "recalls": [0.5], "provenance": origin | made}


class Shell:
    """As much of IPython as is listened to."""

    def __init__(self) -> None:
        self.listeners = []
        self.events = SimpleNamespace(register=lambda _, listener: self.listeners.append(listener))

    def after(self, count: int) -> None:
        for listener in self.listeners:
            listener(SimpleNamespace(execution_count=count))


@pytest.fixture
def shell():
    shell = Shell()
    page_records.follow(shell)
    yield shell
    folder.watchers.clear()


def test_each_cell_keeps_what_it_asked_for(tmp_path: Path, shell: Shell) -> None:
    Store(tmp_path / "store").add(record("old-1"), record("old-2"), record("unused"))
    page_records.follow(shell)  # what came before is not the page's
    shelf = Store(tmp_path / "store")
    shelf["old-2"], shelf["old-1"]
    shell.after(2)
    shelf.add(record("new"), record("old-1"))
    shelf["new"], shelf["old-1"]
    shell.after(4)
    saved = page_records.save(tmp_path / "page", ["parameters", "run", "fig", "run-again"])
    assert saved["records"] == {"run": 2, "run-again": 2}
    assert (saved["trials"], saved["fresh"]) == (3, 1)
    # Each file is a store of its own: checksums hold, and nothing else is in it.
    found = {}
    for file in sorted((tmp_path / "page").glob("*.jsonl")):
        (tmp_path / file.stem).mkdir()
        file.rename(tmp_path / file.stem / file.name)
        found[file.stem] = [each["key"] for each in Store(tmp_path / file.stem)]
    assert found == {"page-run": ["old-1", "old-2"], "page-run-again": ["new", "old-1"]}


def test_two_that_save_one_page_leave_its_records_whole_at_any_moment(
    tmp_path: Path, shell: Shell
) -> None:
    Store(tmp_path / "store").add(*(record(str(number)) for number in range(100)))
    shell.after(1)
    cells, page = ["run"], tmp_path / "page"
    page_records.save(page, cells)
    whole = (page / "page-run.jsonl").read_bytes()
    with ThreadPoolExecutor(2) as savers:
        saved = [savers.submit(page_records.save, page, cells) for _ in range(40)]
        while not all(each.done() for each in saved):
            assert (page / "page-run.jsonl").read_bytes() == whole
    assert [each.result()["records"] for each in saved] == 40 * [{"run": 100}]
    assert [file.name for file in page.iterdir()] == ["page-run.jsonl"]


def test_what_a_cell_selects_is_its_own_and_what_it_only_reads_is_not(
    tmp_path: Path, shell: Shell
) -> None:
    shelf = Store(tmp_path / "store")
    shelf.add(record("a"), record("b", device="B"), record("c", device="B"))
    shell.after(1)
    assert len(list(shelf)) == 3 and "a" in shelf
    shell.after(2)
    chosen = shelf.select(lambda each: each["provenance"]["device"] == "B")
    assert [each["key"] for each in chosen] == ["b", "c"]
    shell.after(3)
    saved = page_records.save(tmp_path / "page", ["make", "read", "select"])
    assert saved["records"] == {"make": 3, "select": 2}


def test_an_executed_page_tells_its_cells_apart(tmp_path: Path) -> None:
    """With the installed IPython, whose counts of cells have changed between versions."""
    code = f"""
from book._ext.page import execute
from pathlib import Path
import nbformat, logging
cell = nbformat.v4.new_code_cell
shelf = "from dropkit.store import Store\\nshelf = Store({str(tmp_path / "store")!r})"
settings = "from dropkit import notebook\\nsettings = notebook.settings(globals())"
cells = [cell("seeds = 1", id="parameters"), cell(settings, id="setup"), cell(shelf, id="open"),
         cell("found = shelf['a']", id="one"), cell("shelf['b']", id="two"),
         cell("print(found['key'])", id="fig")]
kernel = {{"display_name": "Python 3", "language": "python", "name": "python3"}}
nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={{"kernelspec": kernel}}), "p.ipynb")
execute(Path("p.ipynb"), Path("book"), lambda: None)
"""
    gone = tmp_path / "book" / ".run" / "p" / "p-gone.jsonl"
    gone.parent.mkdir(parents=True)
    gone.write_text("of an earlier run, which had such a cell")
    Store(tmp_path / "store").add(record("a"), record("b"))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    note = json.loads((tmp_path / "book" / ".run" / "p" / "page.json").read_text())
    assert note["records"] == {"one": 1, "two": 1} and note["fresh"] == 0
    assert sorted(file.name for file in gone.parent.iterdir()) == [
        "p-one.jsonl",
        "p-two.jsonl",
        "page.json",
    ]
    assert note["parameters"] == {"seeds": 1}
    page = json.loads((tmp_path / "book" / "p.ipynb").read_text())
    assert [cell["id"] for cell in page["cells"]][-1] == "fig"  # the last cell is the machinery's


def test_origins_count_each_trial_once() -> None:
    records = [
        record("1", time="2026-01-05T00:00:00+00:00"),
        record("2", time="2026-01-03T00:00:00+00:00", commit=None),
        record("3", device="B"),
        record("4", torch="2.10"),
        record("5", time="2026-01-04T00:00:00+00:00"),
    ]
    groups = page_records.origins(records)
    assert sum(group["trials"] for group in groups) == len(records)
    assert groups[0] == {
        "device": "A",
        "torch": "2.9",
        "trials": 3,
        "seconds": 4.5,
        "first": "2026-01-03",
        "last": "2026-01-05",
        "commits": ["abcdefg", "none"],
    }
    assert {(group["device"], group["torch"]) for group in groups[1:]} == {
        ("A", "2.10"),
        ("B", "2.9"),
    }
