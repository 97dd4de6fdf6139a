"""Execute the notebooks into the book's pages.

``python -m book._ext.execute [notebooks] --to book``

A page is written only when its notebook ran to the end, and the same run gives the same bytes.
What differs between runs, such as the time, goes to ``.run`` in the pages' folder.
"""

import argparse
import json
import math
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from tqdm import tqdm

from book._ext import kernels, provenance
from book._ext.alone import alone
from book._ext.pictures import lighten, pictures
from dropkit.notebook.parameters import declared
from dropkit.store.records import write_atomically

# In the kernels: no progress bars in the pages, and numbers that do not depend on the cores.
KERNEL_ENVIRONMENT = {"TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1"}
PATIENCE = 600  # seconds, with a kernel that starts or answers on a busy machine
BAR = "{desc}|{bar}| {n}/{total} cells, {elapsed}, {remaining} left{postfix}"
SPARE = ".*." + 32 * "[0-9a-f]"  # what `write_atomically` writes until it is whole

# The last cell of each run, which the page does not show.
SAVE_RECORDS = """import json
from dropkit.notebook import records
print(json.dumps(records.save({folder!r}, {cells!r})))"""


def execute(source: Path, to: Path, on_cell: Callable[[], None]) -> float:
    """Run one notebook, write its page into the folder ``to`` and return the seconds of the run.

    ``on_cell`` is called after each code cell. Raises what the notebook raises.
    """
    page = nbformat.read(source, as_version=4)
    metadata = deepcopy(page.metadata)
    cells = {cell.id: cell.source for cell in page.cells if cell.cell_type == "code"}
    notes = to.resolve() / ".run" / source.stem
    save = SAVE_RECORDS.format(folder=str(notes), cells=list(cells))
    page.cells.append(nbformat.v4.new_code_cell(save))
    start = time.perf_counter()
    kernels.despite_taken_ports(_run)(page, on_cell)
    seconds = time.perf_counter() - start
    saved = json.loads(page.cells.pop().outputs[0].text)
    page.metadata = metadata  # without what the kernel says of itself
    lighten(page)
    content = (nbformat.writes(page) + "\n").encode()
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
    # What an earlier run left goes last: until now the notes named it.
    named = {f"{source.stem}-{cell}" for cell in saved["records"]}
    for file in notes.glob("*.jsonl"):
        if file.stem not in named:
            file.unlink()
    return seconds


def _run(page: NotebookNode, on_cell: Callable[[], None]) -> None:
    """Execute a notebook in place, the same each time but for what its cells do differently."""
    client = NotebookClient(
        page,
        startup_timeout=PATIENCE,
        iopub_timeout=PATIENCE,
        shutdown_kernel="immediate",  # else some kernels log an interrupt as they end
        record_timing=False,
        coalesce_streams=True,  # the kernel splits them by its clock
        on_cell_executed=lambda **_: on_cell(),
    )
    client.reset_execution_trackers()
    with client.setup_kernel():
        for index, cell in enumerate(page.cells):
            client.execute_cell(cell, index)


def build(sources: Sequence[Path], to: Path, jobs: int) -> int:
    """Execute notebooks side by side; return how many failed, their tracebacks on the terminal."""
    left = {source: _steps(source) for source in _slowest_first(sources, to)}
    failed = 0
    bar = tqdm(
        desc=f"pages 0/{len(left)}",
        total=sum(left.values()),
        bar_format=BAR,
        disable=None,  # drawn on a terminal alone
        dynamic_ncols=True,
    )

    def on_cell(source: Path) -> None:
        with bar.get_lock():
            left[source] -= 1
            bar.update()

    with bar, ThreadPoolExecutor(jobs) as pool:
        running = {
            pool.submit(execute, source, to, partial(on_cell, source)): source for source in left
        }
        try:
            for done, future in enumerate(_as_finished(running, left, bar), 1):
                source = running[future]
                if error := future.exception():
                    failed += 1
                    bar.write(_failure(source, error), file=sys.stderr)
                    continue
                text = f"{done}/{len(running)} {source.stem}: executed in {future.result():.0f} s"
                bar.write(text, file=sys.stderr)
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


def _as_finished(
    futures: Mapping[Future, Path], left: Mapping[Path, int], bar: tqdm
) -> Iterator[Future]:
    """Futures as they finish; the bar's clock is kept running, and what is at work named."""
    pending = set(futures)
    while pending:
        finished, pending = wait(pending, timeout=1, return_when=FIRST_COMPLETED)
        bar.set_description(f"pages {len(futures) - len(pending)}/{len(futures)}", refresh=False)
        now = [futures[each] for each in pending if each.running()]
        bar.set_postfix_str(", ".join(f"{page.stem} {left[page]}" for page in sorted(now)))
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
    if not isinstance(error, CellExecutionError):
        return "".join([f"{source} failed\n", *traceback.format_exception(error)])
    text = f"{source} failed. {error}"
    return text if sys.stderr.isatty() else re.sub(r"\x1b\[[\d;]*m", "", text)


def _sweep(to: Path) -> None:
    """Delete the files that a run which was killed was writing."""
    for folder in (to, to / "_static", *to.glob(".run/*")):
        for spare in folder.glob(SPARE):
            spare.unlink()


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
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with alone(options.to):
            _sweep(options.to)
            failed = build(sources, options.to, options.jobs)
    except KeyboardInterrupt:
        print("interrupted; what is finished is kept, run it again to go on", file=sys.stderr)
        return 130
    if failed:
        print(f"{failed} of {len(sources)} notebooks failed; no page of theirs", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
