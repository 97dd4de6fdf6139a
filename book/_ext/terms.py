"""The glossary where its words stand: the first of each on a page links there and says it."""

import re
from functools import lru_cache

from docutils import nodes
from sphinx.application import Sphinx

GLOSSARY = "book/glossary"
# Terms that readers asked for, as they stand in running text; plurals count.
TERMS = {
    "density": "densit(?:y|ies)",
    "quota": "quotas?",
    "recall": "recalls?",
    "worst class": "worst class",
    "per seed": "per seed",
    "pooled": "pooled",
    "lowest tenth": "lowest tenth",
    "query model": "query models?",
    "imbalance factor": "imbalance factor",
    "long tail": "long tails?",
    "CDB-W": r"CDB-W(?!\+)",
    "smoothing": "smoothing|smoothed",
    "released budget": "released budget",
    "paired difference": "paired differences?",
}
_WORDS = re.compile("|".join(rf"(?<![\w+-])({form})(?![\w-])" for form in TERMS.values()))
# A reference to a page, which a title cannot link.
_PAGES = re.compile(r" \(\S+\)")
# Text that is something else already.
_TAKEN = (nodes.reference, nodes.literal, nodes.title, nodes.caption, nodes.raw, nodes.term)


def link(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Link the first mention of each term on a page to its entry, with the entry as title."""
    if app.builder.format != "html" or page == GLOSSARY or GLOSSARY not in app.env.found_docs:
        return
    explained = _definitions(app)
    left, home = set(TERMS), app.builder.get_relative_uri(page, GLOSSARY)
    for text in [*doctree.findall(nodes.Text)]:
        if not _inside(text, nodes.paragraph) or _inside(text, *_TAKEN):
            continue
        parts, end = [], 0
        for found in _WORDS.finditer(text):
            term = list(TERMS)[found.lastindex - 1]
            if term not in left:
                continue
            left.remove(term)
            anchor, meaning = explained[term]
            mark = nodes.reference(
                "", found[0], refuri=f"{home}#{anchor}", internal=True, reftitle=meaning
            )
            mark["classes"].append("glossary-term")
            parts += [nodes.Text(text[end : found.start()]), mark]
            end = found.end()
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(text[end:])])


def _inside(node: nodes.Node, *kinds: type[nodes.Node]) -> bool:
    while node := node.parent:
        if isinstance(node, kinds):
            return True
    return False


@lru_cache(maxsize=1)
def _definitions(app: Sphinx) -> dict[str, tuple[str, str]]:
    """Anchor and meaning of each term, as the glossary has them."""
    found = {}
    for item in app.env.get_doctree(GLOSSARY).findall(nodes.definition_list_item):
        for term in item.findall(nodes.term):
            found[term.astext()] = (
                term["ids"][0],
                _PAGES.sub("", " ".join(item[-1].astext().split())),
            )
    return {term: found[term] for term in TERMS}
