"""Terms are linked where a page first uses them."""

import pytest

from book._ext.terms import TERMS
from tests.book.test_pages import rendered


def soup(page):
    html = rendered(page).read_text(encoding="utf-8")
    return pytest.importorskip("bs4").BeautifulSoup(html, "html.parser")


def test_a_chapter_links_each_term_once_to_its_entry():
    entries = {each["id"]: each.find_next("dd") for each in soup("book/glossary").find_all("dt")}
    marks = soup("book/03-drop").select("article a.glossary-term")
    places = [mark["href"] for mark in marks]
    assert len(places) == len(set(places)) > 5
    for mark in marks:
        page, anchor = mark["href"].split("#")
        meaning = entries[anchor].get_text(" ")
        assert page == "glossary.html" and mark["title"].split()[:3] == meaning.split()[:3]
        assert not mark.find_parent(["code", "h1", "h2", "h3", "figcaption", "dt"])
        first = mark["href"].split("#term-")[1].split("-")[0]
        assert mark.get_text().lower().startswith(first.lower()[:6])  # densities: density


def test_the_glossary_has_each_of_them():
    named = {each.get_text().rstrip("#") for each in soup("book/glossary").find_all("dt")}
    assert named >= set(TERMS)
