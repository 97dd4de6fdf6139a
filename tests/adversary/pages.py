"""Texts that would be more than text on a page, by way of records that are there."""

import html
import itertools
import json
import re
import warnings

from book._ext import provenance
from dropkit.notebook import larger_scales, records as used
from dropkit.store import Store
from dropkit.store.records import line
from dropkit.study.curves import arrange
from tests import made_records
from tests.adversary import Outcome

SECRET = "of the builder's own"
TEXTS = [
    "<script>alert(1)</script>",
    "x\n\n```{include} SECRET\n```",
    "x\n\n:::{include} SECRET\n:::",
    "x\n\n```{raw} html\n<script>alert(1)</script>\n```",
    "x\n:::",
    "{download}`x <SECRET>`",
    "{{ SECRET }}",
    "![x](//evil.example/x.png)",
    "![x](SECRET)",
    "[x](javascript:alert(1))",
    "[x](SECRET)",
    "<https://evil.example>",
    "<img src=x onerror=alert(1)>",
    "[x]: //evil.example 'y'",
    "a*b*c_d_|~~e~~ $x^2$ &amp; \\<b>",
    "| x | ![y](z) |",
    "&lt;script&gt;",
    "\u202e\u2028x",
]
MARKS = [
    "",
    "![",
    "](",
    "{",
    "}",
    "`",
    "``",
    "<",
    ">",
    "*",
    "_",
    "|",
    "\\",
    "\n\n",
    "$",
    "[^1]",
    "#",
]
HARM = ("<script", "<img", 'evil.example"', 'javascript:alert(1)"', "<em>", "<strong>",
        "<del>", SECRET, 'class="math', "footnote")  # fmt: skip


def rendered(text):
    """The HTML of a page of this Markdown, read as the book's is."""
    from docutils.core import publish_parts
    from myst_parser.docutils_ import Parser

    settings = {
        "myst_enable_extensions": ["amsmath", "colon_fence", "deflist", "dollarmath"],
        "report_level": 5,
        "doctitle_xform": False,
        "warning_stream": False,
    }
    with warnings.catch_warnings(action="ignore"):
        return publish_parts(
            text, parser=Parser(), writer_name="html5", settings_overrides=settings
        )["fragment"]


def made_of(record, run):
    """The Markdown of a page that tells where records come from, and of tables that do."""
    facts = provenance.section("p", run | {"trained": used.origins([record])}, None)
    rows = larger_scales.sources(arrange([record])).rows if "trial" in record else []
    return facts + "\n\n" + "\n".join(f"| {row[-2]} |" for row in rows)


def injections(full, folder):
    """Give harmful text to pages: all of it is shown as it is, no more than text."""
    from tests.book.test_provenance import RUN

    secret = folder / "secret.txt"
    secret.write_text(SECRET)
    texts = [text.replace("SECRET", str(secret)) for text in TEXTS]
    several = ["x".join(marks) for marks in itertools.product(MARKS, repeat=3)]
    texts += several if full else several[::37]
    harm = []
    for text in texts:
        made = {"device": text, "torch": text, "commit": text, "time": "2026-01-01", "scipy": "1"}
        forged = made_records.record(dataset="cifar10", model="mini") | {"provenance": made}
        page = rendered(made_of(forged, RUN))
        bare = " ".join(html.unescape(re.sub(r"<[^>]*>", "", page)).split())
        found = [each for each in HARM if each in page]
        if found or " ".join(text.split()) not in bare:
            harm.append(f"{text!r}: {found or 'it is not shown'}")
        (folder / "a.jsonl").write_text(line(json.dumps(forged)))
        with warnings.catch_warnings(action="ignore"):
            read = list(Store(folder))
        if read and any(mark in text for mark in ("<", "`", "{", "\n")):
            harm.append(f"{text!r} was read")
    return Outcome(2 * len(texts), harm)
