"""The pictures of an executed page: light enough for a phone, and as files for use elsewhere."""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.metadata import version
from io import BytesIO
from itertools import count
from pathlib import Path

from nbformat import NotebookNode
from PIL import Image
from scour import scour

SVG = "image/svg+xml"
DIGITS = 5  # of coordinates in points: a hundredth of a pixel on a large figure
# Where an id is given, and where a link or a clip names it; a colour such as #fff is neither.
_ID = re.compile(r'(\bid="|href="#|url\(#)([^")]+)')
_USE = re.compile(r"<use [^>]*>")
_PLACE = re.compile(r'(?<=\b[xy]=")[-\d.]+')
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_INLINE = re.compile(r"<svg.*?</svg>", re.DOTALL)
_PNG = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)")


def lighten(page: NotebookNode, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Rewrite the page's SVG outputs in about half the bytes; nobody sees a difference.

    Of HTML outputs those whose drawings stand in "dk-panels" are matplotlib's. What returns are
    the light drawings by digests of what they were: `known` the next time, when they take no time.
    """
    made: dict[str, str] = {}

    def light(svg: str, prefix: str = "") -> str:
        name = _digest(svg, prefix)
        if name not in made:
            made[name] = (known or {}).get(name) or _lighter(svg, prefix)
        return made[name]

    for _, output in _drawn(page):
        output.data[SVG] = light(output.data[SVG])
    for cell in page.cells:
        for output in cell.get("outputs", ()):
            html = output.get("data", {}).get("text/html", "")
            if 'class="dk-panels"' in html:
                number = count()  # the drawings share one page, so their ids differ
                output.data["text/html"] = _INLINE.sub(
                    lambda drawing: light(drawing[0], f"p{next(number)}-"),  # noqa: B023
                    html,
                )
    return made


def _digest(svg: str, prefix: str) -> str:
    """Names a drawing, but for its time, and what this file and scour make of it."""
    parts = [_METADATA.sub("", svg), prefix, version("scour")]
    digest = sha256("\0".join(parts).encode())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()


def pictures(page: NotebookNode) -> Iterator[tuple[str, str]]:
    """Name and SVG of the figures in cells tagged "picture", which are shown outside the book."""
    for cell, output in _drawn(page):
        if "picture" in cell.metadata.get("tags", []):
            yield f"{cell.id}.svg", output.data[SVG]


def _drawn(page: NotebookNode) -> Iterator[tuple[NotebookNode, NotebookNode]]:
    for cell in page.cells:
        for output in cell.get("outputs", ()):
            if SVG in output.get("data", {}):
                yield cell, output


def _lighter(svg: str, prefix: str = "") -> str:
    options = scour.sanitizeOptions()
    options.digits = DIGITS
    options.remove_metadata = options.strip_comments = options.strip_xml_prolog = True
    options.strip_ids = options.shorten_ids = True
    options.shorten_ids_prefix = prefix
    options.indent_type, options.newlines = "none", False
    options.quiet = True
    # Scour leaves the places of markers as they are, with digits that are not the same everywhere.
    svg = _USE.sub(lambda use: _PLACE.sub(lambda x: f"{float(x[0]):.{DIGITS}g}", use[0]), svg)
    return _PNG.sub(_repacked, scour.scourString(_numbered(svg), options))


def _numbered(svg: str) -> str:
    """The same drawing with its ids numbered in the order in which it names them.

    Matplotlib makes them from coordinates to the last bit, which is not the same on all processors,
    and `scour` shortens those that are named equally often in their alphabetical order.
    """
    numbers: dict[str, str] = {}

    def number(mention: re.Match) -> str:
        return mention[1] + numbers.setdefault(mention[2], f"id{len(numbers):06}")

    return _ID.sub(number, svg)


def _repacked(png: re.Match) -> str:
    """The same pixels: many are opaque greys, which need one byte and not four."""
    with Image.open(BytesIO(b64decode(png[1]))) as image:
        colours = [channel.tobytes() for channel in image.convert("RGBA").split()]
        grey = colours[0] == colours[1] == colours[2] and set(colours[3]) == {255}
        (image.convert("L") if grey else image).save(made := BytesIO(), "PNG", optimize=True)
    return "data:image/png;base64," + b64encode(made.getvalue()).decode()
