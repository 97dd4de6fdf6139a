"""Execute the notebooks into the book's pages.

``python -m book._ext.execute [notebooks] --to book``

A page is written only when its notebook ran to the end, and the same run gives the same bytes.
What differs between runs, such as the time, goes to ``.run`` in the pages' folder.
"""

import argparse
import json
import logging
import math
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import nbformat
import papermill
import psutil
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm

from book._ext import kernels, provenance
from book._ext.pictures import lighten, pictures
from dropkit.notebook.parameters import declared
from dropkit.store.records import write_atomically

# In the kernels: no progress bars in the pages, and numbers that do not depend on the cores.
KERNEL_ENVIRONMENT = {"TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}
PATIENCE = 600  # seconds, with a kernel that starts or answers on a busy machine


# The last cell of each run, which the page does not show.
SAVE_RECORDS = """import json
from dropkit.notebook import records
print(json.dumps(records.save({folder!r}, {cells!r})))"""


def execute(source: Path, to: Path, on_cell: Callable[[], None]) -> float:
    """Run one notebook, write its page into the folder ``to`` and return the seconds of the run.

    ``on_cell`` is called after each code cell. Raises what the notebook raises.
    """
    notebook = nbformat.read(source, as_version=4)
    cells = {cell.id: cell.source for cell in notebook.cells if cell.cell_type == "code"}
    notes = to.resolve() / ".run" / source.stem
    save = SAVE_RECORDS.format(folder=str(notes), cells=list(cells))
    run = deepcopy(notebook)
    run.cells.append(nbformat.v4.new_code_cell(save))
    start = time.perf_counter()
    page = kernels.despite_taken_ports(papermill.execute_notebook)(
        run,
        None,  # papermill would leave a page with red banners where a notebook fails
        progress_bar=False,
        start_timeout=PATIENCE,
        iopub_timeout=PATIENCE,
        shutdown_kernel="immediate",  # else some kernels log an interrupt as they end
        on_cell_executed=lambda **_: on_cell(),
    )
    seconds = time.perf_counter() - start
    saved = json.loads(page.cells.pop().outputs[0].text)
    lighten(page)
    content = normalised(page, notebook).encode()
    write_atomically(to / source.name, content)
    for name, picture in pictures(page):
        write_atomically(to / "_static" / name, picture.encode())
    note = {
        "page": provenance.digest(content),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "parameters": declared(list(cells.values()))[0],
        **saved,
    }
    text = json.dumps(note, indent=1, ensure_ascii=False)
    write_atomically(notes / "page.json", text.encode())
    return seconds


def normalised(page: NotebookNode, source: NotebookNode) -> str:
    """Return the page as text without what differs between two runs of the same source."""
    page.metadata = source.metadata
    for cell, original in zip(page.cells, source.cells, strict=True):
        cell.metadata = original.metadata
        if cell.cell_type == "code":
            cell.outputs = list(_merged(cell.outputs))
    return nbformat.writes(page) + "\n"


def _merged(outputs: Sequence[NotebookNode]) -> Iterator[NotebookNode]:
    """Outputs with neighbouring pieces of a stream as one: the kernel splits them by its clock."""
    by_name = attrgetter("name")
    for stream, pieces in groupby(outputs, lambda out: out.output_type == "stream"):
        if not stream:
            yield from pieces
            continue
        for name, parts in groupby(sorted(pieces, key=by_name, reverse=True), by_name):
            yield nbformat.v4.new_output(
                "stream", name=name, text="".join(part.text for part in parts)
            )


def build(sources: Sequence[Path], to: Path, jobs: int) -> int:
    """Execute notebooks side by side; return how many failed, their tracebacks on the terminal."""
    total = sum(_steps(source) for source in sources)
    failed = 0
    bar = tqdm(total=total, unit="cell", disable=None)  # None: only where it can be drawn

    def on_cell() -> None:
        with bar.get_lock():
            bar.update()

    with bar, ThreadPoolExecutor(jobs) as pool:
        running = {
            pool.submit(execute, source, to, on_cell): source
            for source in _slowest_first(sources, to)
        }
        try:
            for future in _as_finished(running, bar):
                source = running[future]
                if error := future.exception():
                    failed += 1
                    bar.write(_failure(source, error), file=sys.stderr)
                else:
                    bar.write(f"{source.stem}: executed in {future.result():.0f} s", sys.stderr)
        except KeyboardInterrupt:
            _stop(running)
            raise
    if not failed and (notes := provenance.runs(to)):
        write_atomically(to / "status.md", provenance.status(notes).encode())
    return failed


def _slowest_first(sources: Sequence[Path], to: Path) -> list[Path]:
    """By the seconds of the last run, those never run first: none is left to the end alone."""
    earlier = provenance.runs(to)

    def seconds(source: Path) -> float:
        return earlier[source.stem]["seconds"] if source.stem in earlier else math.inf

    return sorted(sources, key=seconds, reverse=True)


def _as_finished(futures: Collection[Future], bar: tqdm) -> Iterator[Future]:
    """Futures as they finish, the bar's clock kept running."""
    pending = set(futures)
    while pending:
        finished, pending = wait(pending, timeout=1, return_when=FIRST_COMPLETED)
        bar.set_description(f"pages {len(futures) - len(pending)}/{len(futures)}")
        yield from finished


def _stop(futures: Collection[Future]) -> None:
    """End the kernels, and with them the threads that wait for them."""
    for future in futures:
        future.cancel()
    while not all(future.done() for future in futures):
        # A kernel may just be starting, so once is not enough.
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        wait(futures, timeout=0.1)


def _steps(source: Path) -> int:
    """The cells that a run executes: those of the notebook and the one that saves its records."""
    cells = nbformat.read(source, as_version=4).cells
    return 1 + sum(cell.cell_type == "code" for cell in cells)


def _failure(source: Path, error: BaseException) -> str:
    """The notebook's own traceback, not that of the machinery around it."""
    if isinstance(error, DeadKernelError):
        return f"{source} failed: its kernel died, perhaps for want of memory"
    if not isinstance(error, PapermillExecutionError):
        return "".join([f"{source} failed\n", *traceback.format_exception(error)])
    text = "\n".join([f"{source} failed in this cell:", "", error.source, "", *error.traceback])
    return text if sys.stderr.isatty() else re.sub(r"\x1b\[[\d;]*m", "", text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: exit status 0 when every page was written, 1 when a notebook failed, 130 when
    interrupted."""
    parser = argparse.ArgumentParser("python -m book._ext.execute", description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: notebooks/*.ipynb")
    parser.add_argument("--to", type=Path, default=Path("book"), help="folder of the pages")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="notebooks at a time")
    options = parser.parse_args(arguments)
    sources = options.notebooks or sorted(Path("notebooks").glob("*.ipynb"))
    if missing := [str(source) for source in sources if not source.is_file()]:
        parser.error(f"there is no notebook {', '.join(missing)}")
    if not sources:
        parser.error("there are no notebooks in notebooks/: run this in the repository's folder")
    os.environ.update(KERNEL_ENVIRONMENT)
    if len(sources) > 1:  # a single kernel imports what it needs as fast
        kernels.use()
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # build() says it
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        failed = build(sources, options.to, options.jobs)
    except KeyboardInterrupt:
        print("interrupted; what is finished is kept, run it again to go on", file=sys.stderr)
        return 130
    if failed:
        print(f"{failed} of {len(sources)} notebooks failed; no page of theirs", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
