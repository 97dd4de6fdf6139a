"""Take from the rendered book what none of its pages use: most of the theme's styles and icons.

A page of the plain theme loads 1.5 MB of script that draws icons and 0.5 MB of styles. The book's
template leaves that script out, as the theme's fonts draw icons too; here the styles are cut to
what some page can show, and the font to the icons that are left in them.
"""

import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import tinycss2
from fontTools import subset
from fontTools.ttLib import TTFont
from tinycss2.ast import Node

STYLES = ("styles/pydata-sphinx-theme.css", "sphinx-design.min.css", "mystnb.*.css")
FONTS = Path("_static/vendor/fontawesome/webfonts")
SCRIPT = "fontawesome.js"
_NESTED = {"media", "supports"}
_FACE = re.compile(r"@font-face\s*\{[^}]*(fa-(?:solid|regular|brands)-\d+)\.woff2[^}]*\}")
# As the content of a rule, or by a variable that rules take it from.
_CONTENT = re.compile(r'(?:content|--pst-icon-[\w-]+):\s*"(\\[0-9a-fA-F]+|[^"\\])"')
_ICONS = range(0xE000, 0xF900)  # Unicode's private area, where icon fonts keep theirs


def thin(html: Path) -> None:
    """Cut the styles and icons of a rendered book to those that its pages and scripts name."""
    for file in [*html.glob(f"_static/scripts/{SCRIPT}*")]:
        file.unlink()
    words = _words(html)
    for name in STYLES:
        for file in html.glob(f"_static/{name}"):
            file.write_text(cut_style(file.read_text(encoding="utf-8"), words), encoding="utf-8")
    style = html / "_static" / STYLES[0]
    # Some rules show an icon by its number, without the class that bears its name.
    left = [file.read_text(encoding="utf-8") for file in html.glob("_static/**/*.css")]
    shown = {ord(_unescaped(each)) for text in left for each in _CONTENT.findall(text)}
    icons = shown.intersection(_ICONS)
    (html / FONTS / "used.woff").write_bytes(_cut_font(html / FONTS / "fa-solid-900.ttf", icons))
    faces = _FACE.sub(_one_face, style.read_text(encoding="utf-8"))
    style.write_text(faces, encoding="utf-8")
    for file in (html / FONTS).glob("fa-*"):
        file.unlink()


def cut_style(style: str, words: set[str]) -> str:
    """Return a style sheet without the selectors that ask for a class that is not among `words`."""
    rules = tinycss2.parse_stylesheet(style, skip_comments=True, skip_whitespace=True)
    return "\n".join(rule.serialize() for rule in _needed(rules, words))


def _words(html: Path) -> set[str]:
    """Every word in the pages and scripts: a class that is none of them is on no element."""
    files = [*html.rglob("*.html"), *html.rglob("*.js")]
    return {
        word for file in files for word in re.findall(r"[\w-]+", file.read_text(encoding="utf-8"))
    }


def _needed(rules: Sequence[Node], words: set[str]) -> Iterator[Node]:
    for rule in rules:
        if rule.type == "qualified-rule":
            wanted = [part for part in _parts(rule.prelude) if _classes(part) <= words]
            rule.prelude = [
                token
                for i, part in enumerate(wanted)
                for token in ([tinycss2.ast.LiteralToken(0, 0, ",")] * (i > 0) + part)
            ]
            if not wanted:
                continue
        elif rule.type == "at-rule" and rule.lower_at_keyword in _NESTED:
            inner = tinycss2.parse_rule_list(rule.content, True, True)
            rule.content = list(_needed(inner, words))
            if not rule.content:
                continue
        yield rule


def _parts(prelude: Sequence[Node]) -> list[list[Node]]:
    """A rule's selectors: the commas inside :is(...) are no tokens of this level."""
    parts: list[list[Node]] = [[]]
    for token in prelude:
        if token == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _classes(selector: Sequence[Node]) -> set[str]:
    """Classes that an element or its ancestors must have; Bootstrap's script composes bs-..."""
    return {
        after.value
        for dot, after in zip(selector, selector[1:], strict=False)
        if dot == "." and after.type == "ident" and not after.value.startswith("bs-")
    }


def _unescaped(character: str) -> str:
    return chr(int(character[1:], 16)) if character.startswith("\\") else character[0]


def _cut_font(font: Path, icons: set[int]) -> bytes:
    cutter = subset.Subsetter(subset.Options(notdef_outline=True))
    cutter.populate(unicodes=icons)
    with TTFont(font, recalcTimestamp=False) as whole:
        cutter.subset(whole)
        whole.flavor = "woff"
        whole.save(made := BytesIO())
    return made.getvalue()


def _one_face(face: re.Match) -> str:
    """The solid icons from the font that is left; the book uses no others."""
    if face[1] != "fa-solid-900":
        return ""
    source = f"src:url(../{FONTS.relative_to('_static')}/used.woff) format('woff')"
    return re.sub(r"src:[^;}]*", source, face[0])
