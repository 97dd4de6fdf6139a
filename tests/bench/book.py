"""Time from a clone to a book and to passed tests; minutes, so only `make bench TOPICS=book`."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Browser, sync_playwright

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
        first = _seconds(clone, "book")
        yield Row("make book, fresh clone with environment", first, "s", "<= 480", first <= 480)
        again = _seconds(clone, "book")
        yield Row("make book again, filled store", again, "s", "<= 90", again <= 90)
        tests = _seconds(clone, "test")
        yield Row("make test", tests, "s", "<= 480", tests <= 480)
        html = clone / "_build" / "html"
        pages = sorted(html.rglob("*.html"))
        weight = sum(page.stat().st_size for page in pages) / 1e6
        yield Row("HTML of all pages, pictures apart", weight, "MB", "reported", True)
        yield from _in_a_browser(html)


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
