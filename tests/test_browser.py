"""Every page in a real browser, wide and narrow: nothing fails, everything is seen, all fits."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.test_pages import each_entry, rendered

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        # A container's root has no sandbox to give.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser, path: Path, width: int) -> tuple[Page, list[str]]:
    """The page, loaded, and what went wrong while it loaded."""
    problems: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.on("console", lambda line: line.type == "error" and problems.append(line.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: problems.append(f"failed: {request.url}"))
    page.on(
        "request",
        lambda request: (
            request.url.startswith(("file:", "data:", "blob:"))
            or problems.append(f"outside: {request.url}")
        ),
    )
    page.goto(path.as_uri(), wait_until="load")
    return page, problems


@each_entry
@pytest.mark.parametrize("width", [1280, 390])
def test_page_is_whole(browser, entry: str, width: int) -> None:
    page, problems = opened(browser, rendered(entry), width)
    assert problems == []
    # A picture without a size did not load; one inside folded code is not on view.
    unseen = page.evaluate(
        """() => [...document.querySelectorAll("main img, main svg")]
            .filter((e) => e.checkVisibility() && !e.closest("button, a.headerlink, summary"))
            .filter((e) => !(e.naturalWidth ?? e.getBoundingClientRect().width))
            .map((e) => e.outerHTML.slice(0, 200))"""
    )
    assert unseen == []
    undrawn = page.evaluate(
        """() => [...document.querySelectorAll("main .math")]
            .filter((e) => e.querySelector(".katex-error")
                || (e.checkVisibility() && !e.querySelector(".katex-html")?.offsetWidth))
            .map((e) => e.textContent)"""
    )
    assert undrawn == []
    over = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert over <= 0, f"the page scrolls {over} pixels sideways"
    page.close()


def test_search_finds_a_page_without_a_server(browser) -> None:
    # Its excerpts need a server and are left out without one; the list of pages is there.
    page = browser.new_page()
    page.goto(rendered("search").as_uri() + "?q=density")
    page.wait_for_selector("#search-results li a", timeout=10_000)
    page.close()
