"""Time from a clone to a book and to passed tests; minutes, so only `make bench TOPICS=book`."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench import Row

ROOT = Path(__file__).parents[2]
ON_REQUEST = True


def _seconds(clone: Path, target: str) -> float:
    """Wall seconds of ``make target`` in a clone; what it prints goes to standard error."""
    # The clone's own store and environment, whatever this process was started with.
    inherited = {k: v for k, v in os.environ.items() if k not in ("DROPKIT_STORE", "VIRTUAL_ENV")}
    start = time.perf_counter()
    subprocess.run(["make", target], cwd=clone, check=True, stdout=sys.stderr, env=inherited)
    return time.perf_counter() - start


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        first = _seconds(clone, "book")
        yield Row("make book, fresh clone with environment", first, "s", "<= 480", first <= 480)
        again = _seconds(clone, "book")
        yield Row("make book again, filled store", again, "s", "<= 90", again <= 90)
        tests = _seconds(clone, "test")
        yield Row("make test", tests, "s", "<= 480", tests <= 480)
        pages = list((clone / "_build" / "html").rglob("*.html"))
        weight = sum(page.stat().st_size for page in pages) / 1e6
        yield Row("HTML of all pages, pictures apart", weight, "MB", "reported", True)
