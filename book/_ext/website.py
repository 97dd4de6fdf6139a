"""What every page of the rendered book gets: a Sphinx extension that ``_config.yml`` loads.

Chapters end with where they come from, their figures name the records behind them and can be read
on a phone; a book whose repository is known gets buttons that open a chapter in Colab or Binder.
"""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

import dropkit
from book._ext import folds, gallery, provenance, terms, weight

# Of a drawing, whose sizes matplotlib gives in points.
_WIDTH = re.compile(r'<svg [^>]*width="([\d.]+)pt"')
# The branch whose notebooks install what they need; the publishing workflow writes it.
LAUNCH_BRANCH = "launch"


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect this extension to Sphinx."""
    app.connect("config-inited", _name_the_source)
    app.connect("source-read", _end_with_provenance)
    app.connect("source-read", gallery.fill)
    app.connect("doctree-resolved", _frame_drawings)
    app.connect("doctree-resolved", gallery.load_late)
    app.connect("doctree-resolved", terms.link)
    app.connect("html-page-context", _mend)
    app.connect("build-finished", _thin)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def repository(root: Path) -> str | None:
    """Return "owner/name" of the GitHub repository that the folder belongs to, None if unknown."""
    if given := os.environ.get("GITHUB_REPOSITORY"):
        return given
    origin = _git(root, "remote", "get-url", "origin")
    found = re.search(r"github\.com[:/]([^/\s]+/[^/\s]+?)(\.git)?$", origin)
    return found[1] if found else None


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _name_the_source(app: Sphinx, config: Config) -> None:
    root = Path(app.srcdir)
    commit = _git(root, "rev-parse", "--short", "HEAD")
    built = f"dropkit {dropkit.__version__}" + (f", commit {commit}" if commit else "")
    options = config.html_theme_options
    options["extra_footer"] = f"Rendered from {built}."
    if name := repository(root):
        options |= {
            "repository_url": f"https://github.com/{name}",
            "repository_branch": LAUNCH_BRANCH,
            "path_to_docs": "",
            "launch_buttons": {
                "binderhub_url": "https://mybinder.org",
                "colab_url": "https://colab.research.google.com",
                "notebook_interface": "jupyterlab",
            },
        }


def _end_with_provenance(app: Sphinx, docname: str, source: list[str]) -> None:
    file = Path(app.env.doc2path(docname))
    if file.suffix != ".ipynb":
        return
    run = provenance.runs(file.parent).get(file.stem)
    name = repository(Path(app.srcdir))
    source[0] = json.dumps(with_provenance(json.loads(source[0]), file.stem, run, name))


def with_provenance(
    notebook: dict[str, Any], page: str, run: provenance.Run | None, repository: str | None
) -> dict[str, Any]:
    """Return a page as it is rendered: figures that link to their records, and a last section."""
    asked = run["records"] if run else {}
    for cell in notebook["cells"]:
        shown = [each for each in cell["metadata"].get("records", ()) if each in asked]
        if shown:
            links = ", ".join(provenance.records_link(page, each) for each in shown)
            cell["metadata"]["mystnb"]["figure"]["caption"] += f" Records: {links}."
    text = provenance.section(page, run, repository)
    last = {"cell_type": "markdown", "id": "provenance", "metadata": {}, "source": text}
    notebook["cells"] = [*folds.labelled(notebook["cells"]), last]
    return notebook


def _frame_drawings(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put each figure's drawing into a frame that knows its width and scrolls on a narrow screen.

    A point of the drawing is never less than a pixel, so that its labels can be read.
    """
    if app.builder.format != "html":
        return
    for figure in [*doctree.findall(nodes.figure)]:
        image = figure[0]
        file = Path(app.srcdir, image.get("uri", ""))
        if file.suffix != ".svg" or not file.is_file():
            continue
        if width := _WIDTH.search(file.read_text(encoding="utf-8")):
            frame = f'<div class="drawing" style="--points: {width[1]}px">'
            start, end = (nodes.raw("", tag, format="html") for tag in (frame, "</div>"))
            figure[:1] = [start, image, end]
            _offer(app, figure, image["uri"], page)


def _offer(app: Sphinx, figure: nodes.figure, uri: str, page: str) -> None:
    """End a figure's caption with a link to the drawing itself."""
    up = "../" * page.count("/")
    place = f"{up}{app.builder.imagedir}/{app.env.images[uri][1]}"
    link = nodes.reference("", "SVG", refuri=place, internal=True)
    for caption in figure.findall(nodes.caption):
        caption += [nodes.Text(" Drawing: "), link, nodes.Text(".")]


def _mend(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Take a role from the bibliography that its entries' own roles contradict."""
    if body := context.get("body"):
        context["body"] = body.replace('<div role="list" class="citation-list">', "<div>")


def _thin(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        weight.thin(Path(app.outdir))
