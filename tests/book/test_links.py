"""Every link of the rendered book leads somewhere: pages, anchors and downloads, all on disk."""

import json
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.book.test_pages import HTML, each_entry, rendered


class Page(HTMLParser):
    """The links of a page, which of them are downloads, and the anchors it offers."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.downloads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := given.get(name))}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
            if "download" in given:
                self.downloads.append(given["href"])


@pytest.fixture(scope="module")
def pages() -> dict[Path, Page]:
    return {file: Page(file) for file in HTML.rglob("*.html")}


@each_entry
def test_links_lead_to_pages_and_anchors_that_exist(entry: str, pages: dict[Path, Page]) -> None:
    file = rendered(entry)
    for link in pages[file].links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            assert parts.scheme in ("https", "mailto"), f"{link}: not a safe address"
            continue
        target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
        assert target.is_relative_to(HTML) and target.is_file(), link
        if parts.fragment and target.suffix == ".html":
            assert unquote(parts.fragment) in pages[target].anchors, link


@each_entry
def test_downloads_are_whole(entry: str, pages: dict[Path, Page]) -> None:
    file = rendered(entry)
    for link in pages[file].downloads:
        content = (file.parent / unquote(urlsplit(link).path)).read_bytes()
        assert content, f"{link} is empty"
        if link.endswith(".ipynb"):
            assert json.loads(content)["nbformat"] == 4
        if link.endswith(".jsonl"):
            assert all(b" {" in line for line in content.splitlines())


@each_entry
def test_chapters_offer_their_notebook_and_its_command(entry: str, pages: dict[Path, Page]) -> None:
    file = rendered(entry)
    if not (HTML.parents[1] / f"{entry}.ipynb").exists():
        pytest.skip("a page of text")
    notebooks = [link for link in pages[file].downloads if link.endswith(f"{file.stem}.ipynb")]
    assert len(notebooks) >= 2  # with outputs and without
    assert f"notebooks/{file.stem}.ipynb" in file.read_text(encoding="utf-8")
