"""Execute notebooks into the book's pages, side by side.

``python -m book._ext.execute [notebooks] --to book``
"""

import argparse
import math
import os
import re
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from pathlib import Path

import nbformat
import psutil
from nbclient.exceptions import CellExecutionError, DeadKernelError
from tqdm import tqdm

from book._ext import kernels, provenance
from book._ext.alone import alone
from book._ext.page import execute
from dropkit.store.records import write_atomically

BAR = "{desc}|{bar}| {n}/{total} cells, {elapsed}, {remaining} left{postfix}"
TEMPORARY = Path(".run", ".tmp")
FEW = 4  # pages; for so many it takes longer to read all records beforehand than it saves
LONGEST = 70  # characters; a socket's whole name has a hundred at most
SPARE = ".*." + 32 * "[0-9a-f]"  # what `write_atomically` writes until it is whole


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
                failed += future.exception() is not None
                text = _outcome(running[future], future)
                bar.write(f"{done}/{len(running)} {text}", file=sys.stderr)
        except KeyboardInterrupt:
            _stop(running)
            raise
    if not failed and (notes := provenance.runs(to)):
        write_atomically(to / "status.md", provenance.status(notes).encode())
    return failed


def _slowest_first(sources: Sequence[Path], to: Path) -> list[Path]:
    """By the seconds of the last run, those never run first: none is left to the end alone."""
    seconds = {page: run["seconds"] for page, run in provenance.runs(to).items()}
    return sorted(sources, key=lambda source: seconds.get(source.stem, math.inf), reverse=True)


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


def _outcome(source: Path, future: Future[float]) -> str:
    """Seconds, or the notebook's own traceback, not that of the machinery around it."""
    if (error := future.exception()) is None:
        return f"{source.stem}: executed in {future.result():.0f} s"
    if isinstance(error, DeadKernelError):
        return f"{source} failed: its kernel died, perhaps for want of memory"
    if not isinstance(error, CellExecutionError):
        return "".join([f"{source} failed\n", *traceback.format_exception(error)])
    text = f"{source} failed. {error}"
    return text if sys.stderr.isatty() else re.sub(r"\x1b\[[\d;]*m", "", text)


def _sweep(to: Path) -> None:
    """Delete what a run that was killed was writing, and what its kernels were started with."""
    shutil.rmtree(to / TEMPORARY, ignore_errors=True)
    for folder in (to, to / "_static", *to.glob(".run/*")):
        for spare in folder.glob(SPARE):
            spare.unlink()


def _keep_temporary_files(to: Path) -> None:
    """Let kernels' sockets and files lie where the next run deletes what a killed one leaves."""
    folder = (to / TEMPORARY).resolve()
    if len(str(folder)) <= LONGEST:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.tempdir = str(folder)


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
    os.environ.update(kernels.ENVIRONMENT)
    if len(sources) > 1:  # a single kernel imports what it needs as fast
        kernels.use(reading=len(sources) > FEW)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with alone(options.to):
            _sweep(options.to)
            _keep_temporary_files(options.to)
            failed = build(sources, options.to, options.jobs)
    except KeyboardInterrupt:
        print("interrupted; what is finished is kept, run it again to go on", file=sys.stderr)
        return 130
    if failed:
        print(f"{failed} of {len(sources)} notebooks failed; no page of theirs", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
