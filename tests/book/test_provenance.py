"""What a page says of its making, and what the website makes of it."""

import copy
import hashlib
import html
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from book._ext import provenance, website
from dropkit.notebook import larger_scales, records, shown
from dropkit.study.curves import arrange
from tests import made_records

PAGE = b"a page"
RUN = {
    "page": hashlib.sha256(PAGE).hexdigest(),
    "when": "2026-03-04T05:06:07+00:00",
    "seconds": 12.4,
    "parameters": {"densities": [0.1, 0.5], "dataset": "", "note": "it's", "seed": 0},
    "made with": {
        "dropkit": "0.1.0",
        "commit": "0123456789abcdef0123",
        "torch": "2.9",
        "device": "Fast One",
        "time": "2026-03-04T05:06:07+00:00",
        "changed": False,
        "cores": 2,
        "system": "Linux",
        "Python": "3.12.1",
        "numpy": "2.1",
        "scipy": "1.15",
        "matplotlib": "3.10",
    },
    "trials": 1200,
    "fresh": 200,
    "records": {"run": 1200},
    "trained": [
        {
            "device": "H",
            "torch": "2.9",
            "trials": 1200,
            "seconds": 4000.4,
            "first": "2026-03-01",
            "last": "2026-03-02",
            "commits": ["abcdefg"],
        }
    ],
}


def test_section_says_when_where_and_how_many() -> None:
    text = provenance.section("03-drop", RUN, None)
    assert "2026-03-04 05:06 UTC, in 12 s" in text
    assert "Fast One, 2 cores" in text and "commit 0123456789ab\n" in text
    assert "1,200: 1,000 from the store, 200 trained now" in text
    assert "1,200 on H with torch 2.9, 2026-03-01 to 2026-03-02, 4,000 s in all" in text
    assert "{download}`run <.run/03-drop/03-drop-run.jsonl>` (1,200 trials)" in text
    changed = RUN | {"made with": RUN["made with"] | {"changed": True, "commit": None}}
    assert "commit unknown, with changes not committed" in provenance.section("p", changed, None)


def test_command_gives_the_shell_and_papermill_the_parameters() -> None:
    text = provenance.section("03-drop", RUN, "owner/name")
    block = text.split("```bash\n")[1].split("```")[0].splitlines()
    assert block[:2] == ["git clone https://github.com/owner/name", "cd name"]
    words = shlex.split(block[-1])
    assert words[1:4] == [".venv/bin/papermill", "notebooks/03-drop.ipynb", "out.ipynb"]
    assert yaml.safe_load(words[words.index("-y") + 1]) == RUN["parameters"]


def test_page_that_was_not_executed_here_says_so() -> None:
    text = provenance.section("03-drop", None, None)
    assert provenance.NOT_EXECUTED in text and "git clone" not in text
    assert "notebooks/03-drop.ipynb" in text and ".jsonl" not in text


def test_figures_link_the_records_that_they_declare() -> None:
    def figure(name: str, caption: str, records: list[str]) -> dict:
        shown = {"mystnb": {"figure": {"caption": caption}}, "records": records}
        return {"id": name, "cell_type": "code", "metadata": shown}

    cells = [
        {"id": "run", "cell_type": "code", "metadata": {}},
        figure("fig", "A.", ["run"]),
        figure("plain", "B.", []),
        figure("other", "C.", ["asked-for-none"]),  # as under other parameters
    ]
    page = website.with_provenance({"cells": cells}, "p", RUN, None)
    captions = {
        each["id"]: each["metadata"]["mystnb"]["figure"]["caption"]
        for each in page["cells"]
        if "mystnb" in each["metadata"]
    }
    assert captions["fig"] == "A. Records: {download}`run <.run/p/p-run.jsonl>`."
    assert captions["plain"] == "B." and captions["other"] == "C."
    assert [each["id"] for each in page["cells"]] == [
        "run",
        "fig",
        "plain",
        "other",
        "provenance",
    ]


def test_status_lists_every_executed_page(tmp_path: Path) -> None:
    for name in ("01-a", "02-b", "03-gone"):
        (tmp_path / ".run" / name).mkdir(parents=True)
        (tmp_path / ".run" / name / "page.json").write_text(json.dumps(RUN))
    for name in ("01-a", "02-b"):
        (tmp_path / f"{name}.ipynb").write_bytes(PAGE)
    runs = provenance.runs(tmp_path)
    assert runs == {"01-a": RUN, "02-b": RUN}
    # A page of another run is not described by these notes.
    (tmp_path / "02-b.ipynb").write_bytes(PAGE + b"\n")
    assert provenance.runs(tmp_path) == {"01-a": RUN}
    text = provenance.status(runs)
    assert "[](./01-a.ipynb)" in text and "[](./02-b.ipynb)" in text
    assert "| 1,200 | 200 | 12 | 2026-03-04 05:06 |" in text and "| device | Fast One |" in text


@pytest.mark.parametrize(
    "remote, expected",
    [
        ("https://github.com/owner/a-book.git", "owner/a-book"),
        ("git@github.com:owner/name", "owner/name"),
        ("https://example.org/owner/name.git", None),
        (None, None),
    ],
)
def test_repository_is_read_from_git(tmp_path: Path, monkeypatch, remote, expected) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    if remote:
        (tmp_path / ".git" / "objects").mkdir(parents=True)
        (tmp_path / ".git" / "refs").mkdir()
        (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        (tmp_path / ".git" / "config").write_text(f'[remote "origin"]\n\turl = {remote}\n')
    assert website.repository(tmp_path) == expected
    monkeypatch.setenv("GITHUB_REPOSITORY", "an/other")
    assert website.repository(tmp_path) == "an/other"


HARMFUL = [
    "<script>alert(1)</script>",
    "x\n\n```{include} SECRET\n```",
    "x\n\n```{raw} html\n<script>alert(1)</script>\n```",
    "{download}`x <SECRET>`",
    "![x](//evil.example/x.png)",
    "[x](javascript:alert(1))",
    "<https://evil.example>",
    "[x]: //evil.example 'y'",
    "a*b*c_d_|~~e~~ $x^2$ &amp; \\<b>",
    "| x | ![y](z) |",
]


def rendered(text: str) -> str:
    """What a page of this Markdown holds, without what any page does."""
    core = pytest.importorskip("docutils.core")
    settings = {
        "myst_enable_extensions": ["amsmath", "colon_fence", "deflist", "dollarmath"],
        "report_level": 5,
        "doctitle_xform": False,
        "myst_suppress_warnings": ["myst.role_unknown", "myst.xref_missing"],
        "warning_stream": False,
    }
    parser = pytest.importorskip("myst_parser.docutils_").Parser()
    parts = core.publish_parts(
        text, parser=parser, writer_name="html5", settings_overrides=settings
    )
    return parts["fragment"]


@pytest.mark.parametrize("text", HARMFUL)
def test_texts_of_records_are_shown_and_nothing_more(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of records that no store would read, should its form be widened."""
    secret = tmp_path / "secret.txt"
    secret.write_text("of the builder's own")
    text = text.replace("SECRET", str(secret))
    made = {"device": text, "torch": text, "commit": text, "time": "2026-01-01", "scipy": "1"}
    record = made_records.record(dataset="cifar10", model="mini") | {"provenance": made}
    run = copy.deepcopy(RUN) | {"trained": records.origins([record])}
    run["made with"] |= {"device": text, "system": text}
    wanted = " ".join(text.split())
    status = provenance.status({"p": run}).partition("## Attacks")[0]  # that is a file of the book
    facts = provenance._facts(run) + "\n\n" + status
    displayed: list = []
    monkeypatch.setattr("IPython.display.display", displayed.append)
    shown.table([[larger_scales.sources(arrange([record])).rows[0][-2]]], ["device"])
    for page in (facts, displayed[0].data):
        found = rendered(page)
        for harm in ("<script", "<img", 'evil.example"', 'javascript:alert(1)"', "<em", "<del"):
            assert harm not in found
        assert secret.read_text() not in found and 'class="math' not in found
        bare = " ".join(html.unescape(re.sub(r"<[^>]+>", "", found)).split())
        assert wanted in bare, bare
