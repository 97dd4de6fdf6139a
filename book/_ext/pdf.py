"""Print the book, rendered as one page, to a PDF: ``python -m book._ext.pdf [book.pdf]``.

First ``python -m book._ext.render singlehtml``. A browser prints, so no TeX is needed.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

PAGE = Path("_build/singlehtml/book/intro.html")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Pictures that wait until they come into view.
LOAD_ALL = """() => Promise.allSettled(
  [...document.images].map((image) => ((image.loading = "eager"), image.decode())))"""
MARGIN = dict.fromkeys(("top", "right", "bottom", "left"), "18mm")


def print_book(page: Path, to: Path, browser: str) -> None:
    """Write the page as A4 with an outline, formulas and pictures drawn, in light colours."""
    from playwright.sync_api import sync_playwright

    # Sphinx gives the one page the addresses of the folder above it.
    whole = page.resolve().parents[1] / "whole.html"
    whole.write_bytes(page.read_bytes())
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        tab = chromium.new_page(color_scheme="light")
        tab.set_default_timeout(600_000)
        tab.goto(whole.as_uri(), wait_until="load")
        tab.evaluate("document.querySelectorAll('details').forEach((cell) => cell.open = false)")
        tab.evaluate(LOAD_ALL)
        missing = tab.evaluate("[...document.images].filter((image) => !image.naturalWidth).length")
        if missing:
            raise ValueError(f"{missing} pictures of {page} are missing: build it anew")
        tab.pdf(
            path=to, format="A4", print_background=True, outline=True, tagged=True, margin=MARGIN
        )
        chromium.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: exit status 0 when the PDF is written, 2 when something it needs is missing."""
    parser = argparse.ArgumentParser("python -m book._ext.pdf", description=__doc__)
    parser.add_argument("to", nargs="?", type=Path, default=Path("_build/book.pdf"))
    options = parser.parse_args(arguments)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        parser.error(f"a PDF needs one of {', '.join(BROWSERS)} on the path")
    if not PAGE.is_file():
        parser.error(f"there is no {PAGE}: python -m book._ext.render singlehtml makes it")
    print_book(PAGE, options.to, browser)
    return 0


if __name__ == "__main__":
    sys.exit(main())
