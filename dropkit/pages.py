"""Execute the notebooks into the book's pages: ``python -m dropkit.pages [notebooks] --to book``.

A page is written only when its notebook ran to the end, and the same run gives the same bytes.
"""

import argparse
import logging
import os
import platform
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
from importlib.metadata import version
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import nbformat
import papermill
import psutil
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm

from dropkit.notebook import parameters
from dropkit.store import write_atomically

# In the kernels: no progress bars in the pages, and numbers that do not depend on the cores.
KERNEL_ENVIRONMENT = {"TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}


class Executed(NamedTuple):
    """What the status page says of one notebook."""

    source: Path
    parameters: dict
    seconds: float
    when: datetime


def execute(source: Path, to: Path, on_cell: Callable[[], None]) -> Executed:
    """Run one notebook and write its page into the folder ``to``; raises what the notebook raises.

    ``on_cell`` is called after each code cell.
    """
    notebook = nbformat.read(source, as_version=4)
    start = time.perf_counter()
    page = papermill.execute_notebook(
        deepcopy(notebook),
        None,  # papermill would leave a page with red banners where a notebook fails
        progress_bar=False,
        shutdown_kernel="immediate",  # else some kernels log an interrupt as they end
        on_cell_executed=lambda **_: on_cell(),
    )
    seconds = time.perf_counter() - start
    write_atomically(to / source.name, normalised(page, notebook).encode())
    for name, picture in _pictures(page):
        write_atomically(to / "_static" / name, picture.encode())
    return Executed(source, parameters(_code_cells(notebook))[0], seconds, datetime.now(UTC))


def normalised(page: NotebookNode, source: NotebookNode) -> str:
    """Return the page as text without what differs between two runs of the same source."""
    page.metadata = source.metadata
    for cell, original in zip(page.cells, source.cells, strict=True):
        cell.metadata = original.metadata
        if cell.cell_type == "code":
            cell.outputs = list(_merged(cell.outputs))
    return nbformat.writes(page) + "\n"


def _pictures(page: NotebookNode) -> Iterator[tuple[str, str]]:
    """Name and SVG of the figures in cells tagged "picture", which are shown outside the book."""
    for cell in page.cells:
        if "picture" in cell.metadata.get("tags", []):
            for output in cell.outputs:
                if svg := output.get("data", {}).get("image/svg+xml"):
                    yield f"{cell.id}.svg", svg


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
    total = sum(len(_code_cells(nbformat.read(source, as_version=4))) for source in sources)
    done: list[Executed] = []
    bar = tqdm(total=total, unit="cell", disable=None)  # None: only where it can be drawn

    def on_cell() -> None:
        with bar.get_lock():
            bar.update()

    with bar, ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(execute, source, to, on_cell): source for source in sources}
        try:
            for future in _as_finished(running, bar):
                source = running[future]
                if error := future.exception():
                    bar.write(_failure(source, error), file=sys.stderr)
                else:
                    done.append(future.result())
                    bar.write(f"{source.stem}: executed in {done[-1].seconds:.0f} s", sys.stderr)
        except KeyboardInterrupt:
            _stop(running)
            raise
    if len(done) == len(sources):
        rows = sorted(done, key=lambda row: row.source)
        write_atomically(to / "status.md", _status(rows).encode())
    return len(sources) - len(done)


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


def _code_cells(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def _failure(source: Path, error: BaseException) -> str:
    """The notebook's own traceback, not that of the machinery around it."""
    if isinstance(error, DeadKernelError):
        return f"{source} failed: its kernel died, perhaps for want of memory"
    if not isinstance(error, PapermillExecutionError):
        return "".join([f"{source} failed\n", *traceback.format_exception(error)])
    text = "\n".join([f"{source} failed in this cell:", "", error.source, "", *error.traceback])
    return text if sys.stderr.isatty() else re.sub(r"\x1b\[[\d;]*m", "", text)


def _status(done: Sequence[Executed]) -> str:
    from dropkit.provenance import provenance  # here, for it takes torch and seconds to import

    rows = [
        f"| [](./{row.source.name}) | `{_literal(row.parameters)}` | {row.seconds:.0f} "
        f"| {row.when:%Y-%m-%d %H:%M} |"
        for row in done
    ]
    where = provenance() | {
        "cores": os.cpu_count(),
        "system": platform.platform(terse=True),
        "Python": platform.python_version(),
        **{package: version(package) for package in ("numpy", "scipy", "matplotlib")},
    }
    return "\n".join(
        [
            "# Status of the pages",
            "",
            "What was executed to make this copy of the book, by `make book`. Trials that the",
            "store already held were not trained again, so the seconds of a first run are more.",
            "",
            "| page | parameters | seconds | executed (UTC) |",
            "| :--- | :--- | ---: | :--- |",
            *rows,
            "",
            "| made with | |",
            "| :--- | :--- |",
            *(f"| {name} | {value} |" for name, value in where.items()),
            "",
        ]
    )


def _literal(parameters: dict) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in parameters.items()) or "none"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: exit status 0 when every page was written, 1 when a notebook failed, 130 when
    interrupted."""
    parser = argparse.ArgumentParser("python -m dropkit.pages", description=__doc__)
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
