"""Every page in a real browser, wide and narrow, light and dark: nothing fails, everything is seen,
all fits, axe-core has no serious complaint, and no page is heavy."""

import shutil
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
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


HEAVIEST = 1_500_000  # bytes of a page with all it loads, downloads apart
# axe-core calls these moderate; the book holds them all the same.
HEADINGS = {"heading-order", "empty-heading", "page-has-heading-one"}


def opened(browser, path: Path, width: int, colours: str) -> tuple[Page, list[str], dict[str, int]]:
    """The page, loaded, what went wrong while it loaded, and the bytes of all that it loaded."""
    problems: list[str] = []
    loaded: dict[str, int] = {}
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=colours)
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
    page.on("requestfinished", lambda request: loaded.update({request.url: size(request.url)}))
    page.goto(path.as_uri(), wait_until="load")
    return page, problems, loaded


def size(url: str) -> int:
    return Path(unquote(urlsplit(url).path)).stat().st_size if url.startswith("file:") else 0


def complaints(page: Page) -> list[str]:
    """What axe-core holds against the page, one line a rule."""
    # Formulas have the ink of their text, and thousands of elements that would be looked at.
    found = Axe().run(page, context={"exclude": [[".katex"]]}, options={"resultTypes": []})
    return [
        f"{rule['impact']}: {rule['help']}: {[node['html'] for node in rule['nodes'][:3]]}"
        for rule in found.response["violations"]
        if rule["impact"] in ("serious", "critical") or rule["id"] in HEADINGS
    ]


@each_entry
@pytest.mark.parametrize("width, colours", [(1280, "light"), (390, "dark")])
def test_page_is_whole(browser, entry: str, width: int, colours: str) -> None:
    page, problems, loaded = opened(browser, rendered(entry), width, colours)
    assert problems == []
    heavy = sorted(loaded.items(), key=lambda item: -item[1])[:5]
    assert rendered(entry).stat().st_size < sum(loaded.values()) <= HEAVIEST, heavy
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
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("main img")]
            .filter((e) => !/\\w+ \\w+/.test(e.alt)).map((e) => e.outerHTML.slice(0, 200))"""
    )
    assert nameless == [], "pictures without a text that describes them"
    assert complaints(page) == []
    page.close()


def test_icons_are_drawn_by_the_font_that_is_left(browser) -> None:
    page, _, loaded = opened(browser, rendered("book/intro"), 1280, "light")
    page.evaluate("document.fonts.ready")
    assert [url for url in loaded if "webfonts" in url and "used.woff" not in url] == []
    assert any("used.woff" in url for url in loaded)
    drawn = page.locator("i.fa-solid:visible, i.fas:visible").evaluate_all(
        "all => all.map(e => getComputedStyle(e, '::before').content)"
    )
    assert len(drawn) >= 3 and not {"none", "normal", ""} & set(drawn)
    page.close()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_figures_are_seen_against_the_page(browser, colours: str) -> None:
    # The pictures are drawn in dark ink, so their ground must be light in either mode.
    page, _, _ = opened(browser, rendered("book/03-drop"), 1280, colours)
    ground = page.locator("main figure img").first.screenshot()
    with Image.open(BytesIO(ground)) as image:
        grey = image.convert("L")
        histogram = grey.histogram()
    common = max(range(256), key=histogram.__getitem__)
    darkest = next(level for level in range(256) if sum(histogram[: level + 1]) > 50)
    assert abs(common - darkest) > 128
    page.close()


def test_search_finds_a_page_without_a_server(browser) -> None:
    # Its excerpts need a server and are left out without one; the list of pages is there.
    page = browser.new_page()
    page.goto(rendered("search").as_uri() + "?q=density")
    page.wait_for_selector("#search-results li a", timeout=10_000)
    page.close()
