"""Time from a clone to a book and to passed tests; minutes, so only `make bench TOPICS=book`."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Browser, sync_playwright

from book._ext import provenance
from tests.bench import Row
from tests.book.test_browser import CHROMIUM

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
        first, cold = _seconds(clone, "book"), _pages(clone)
        yield Row("make book, fresh clone with environment", first, "s", "<= 360", first <= 360)
        again, warm = _seconds(clone, "book"), _pages(clone)
        yield Row("make book again, filled store", again, "s", "<= 60", again <= 60)
        imports = statistics.median(_imports(clone) for _ in range(3))
        yield Row("imports of a page", imports, "s", "", True)
        for page, seconds in warm.items():
            yield Row(f"{page}: training", cold[page] - seconds, "s", "", True)
            yield Row(f"{page}: figures, tables and the rest", seconds, "s", "", True)
        for target, most in (("test", 420), ("quick", 90)):
            seconds = _seconds(clone, target)
            yield Row(f"make {target}", seconds, "s", f"<= {most}", seconds <= most)
        html = clone / "_build" / "html"
        pages = sorted(html.rglob("*.html"))
        weight = sum(page.stat().st_size for page in pages) / 1e6
        yield Row("HTML of all pages, pictures apart", weight, "MB", "reported", True)
        yield from _in_a_browser(html)


def _pages(clone: Path) -> dict[str, float]:
    """Seconds of each page's last execution, as its note has them; two run side by side."""
    return {page: run["seconds"] for page, run in provenance.runs(clone / "book").items()}


def _imports(clone: Path) -> float:
    command = [clone / ".venv/bin/python", "-c", "import dropkit.notebook, dropkit.study"]
    start = time.perf_counter()
    subprocess.run(command, cwd=clone, check=True)
    return time.perf_counter() - start


def _in_a_browser(html: Path) -> Iterator[Row]:
    """The heaviest page with all that it loads, and the slowest first paint, all from disk."""
    weights, paints = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for file in sorted((html / "book").rglob("*.html")):
            loads = [_load(browser, file) for _ in range(3)]
            weights.append(max(weight for weight, _ in loads) / 1e6)
            paints.append(min(paint for _, paint in loads) / 1e3)
        browser.close()
    heaviest, slowest = max(weights), max(paints)
    yield Row("heaviest page with all it loads", heaviest, "MB", "<= 1.5", heaviest <= 1.5)
    yield Row("slowest first paint from disk, best of 3", slowest, "s", "< 1", slowest < 1)


def _load(browser: Browser, file: Path) -> tuple[int, float]:
    """Bytes that a page loads and milliseconds to its first paint."""
    page = browser.new_page()
    loaded: set[Path] = set()
    page.on("requestfinished", lambda request: loaded.add(path_of(request.url)))
    page.goto(file.as_uri(), wait_until="networkidle")
    page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    page.close()
    return sum(each.stat().st_size for each in loaded if each.is_file()), paint


def path_of(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))
