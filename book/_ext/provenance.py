"""What a page says of its own making: pure functions from a run's notes to Markdown.

`book._ext.execute` writes the notes of each executed page to ``book/.run/<page>/page.json``, which
git ignores: the pages themselves stay the same on every machine, and a rendered book says when
and where its own copy was made.
"""

import hashlib
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dropkit._common.text import markdown
from dropkit.notebook.records import ENGINES

Run = Mapping[str, Any]

TITLE = "How this page was made"
NOT_EXECUTED = (
    "This copy of the book shows the page as it was published, without executing it. "
    "`make book` executes it and then says here when, where and from which trials."
)
COMMANDS = """\
### Run this yourself

With Python 3.11 or later and `make`. The first command makes the environment and the whole book; \
the second this page alone; the third the same notebook with other parameters, those of this page \
to begin with. Only what the store lacks is trained.

```bash
{clone}make book
DROPKIT_STORE=.cache/store .venv/bin/python -m book._ext.execute notebooks/{page}.ipynb
DROPKIT_STORE=.cache/store .venv/bin/papermill notebooks/{page}.ipynb out.ipynb -y {parameters}
```"""
STATUS = """\
# Status of the pages

What was executed to make this copy of the book, by `make book`. Trials that the
store already held were not trained again, so the seconds of a first run are more.

| page | trials | trained now | seconds | executed (UTC) |
| :--- | ---: | ---: | ---: | :--- |
{pages}

## Parameters

{parameters}

## Made with

| what | version or value |
| :--- | :--- |
{made}

## Attacks on stores and pages

How often each was tried at full length, by `python -m tests.adversary`; what they are is said in
{{doc}}`howto/integrity`.

```{{include}} attacks.md
```
"""


def runs(folder: Path) -> dict[str, Run]:
    """Return the notes on the pages in the book's folder, by name, if they are of these very pages.

    A page that came by git since, or was edited, is not the one that was executed here.
    """
    found = {}
    for note in sorted(folder.glob(".run/*/page.json")):
        page, run = folder / f"{note.parent.name}.ipynb", json.loads(note.read_bytes())
        if page.is_file() and run.get("page") == digest(page.read_bytes()):
            found[page.stem] = run
    return found


def digest(page: bytes) -> str:
    """Return what a page is known by: the SHA-256 of its file."""
    return hashlib.sha256(page).hexdigest()


def section(page: str, run: Run | None, repository: str | None) -> str:
    """Return the section that ends a page, in MyST Markdown.

    Parameters
    ----------
    page : name of the page, such as "03-drop"
    run : its notes; None where it was not executed here
    repository : "owner/name" on GitHub, None where it is not known
    """
    parts = [f"## {TITLE}", NOT_EXECUTED if run is None else _facts(run)]
    return "\n\n".join([*parts, _downloads(page, run), _commands(page, run, repository)]) + "\n"


def _facts(run: Run) -> str:
    made = run["made with"]
    changes = ", with changes not committed" * bool(made["changed"])
    rest = run["trials"] - run["fresh"]
    versions = ", ".join(
        f"{name} {made[name]}" for name in ("Python", "torch", "numpy", "scipy", "matplotlib")
    )
    facts = {
        "Executed": f"{_minute(run)} UTC, in {run['seconds']:.0f} s",
        "Machine": markdown(f"{made['device']}, {made['cores']} cores, {made['system']}"),
        "Code": f"dropkit {made['dropkit']}, commit {made['commit'] or 'unknown':.12}{changes}",
        "Packages": versions,
        "Parameters": f"`{literal(run['parameters'])}`",
        "Trials": f"{run['trials']:,}: {rest:,} from the store, {run['fresh']:,} trained now"
        if run["trials"]
        else "none: nothing on this page was trained",
    }
    if run["trained"]:
        facts["Trained"] = "\n\n  ".join(map(_origin, run["trained"]))
    return "\n\n".join(f"{name}\n: {value}" for name, value in facts.items())


def _origin(group: Mapping[str, Any]) -> str:
    """One sentence on the trials of one device."""
    days = group["first"] + f" to {group['last']}" * (group["last"] != group["first"])
    engine = next(package for package in ENGINES if package in group)
    return markdown(
        f"{group['trials']:,} on {group['device']} with {engine} {group[engine]}, {days}, "
        f"{group['seconds']:,.0f} s in all, by commit {', '.join(group['commits'])}"
    )


def _downloads(page: str, run: Run | None) -> str:
    lines = [
        "### Downloads",
        f"- {{download}}`The notebook <../notebooks/{page}.ipynb>`, without outputs",
        f"- {{download}}`The executed notebook <{page}.ipynb>`",
    ]
    if run and run["records"]:
        files = ", ".join(
            f"{records_link(page, cell)} ({count:,} trials)"
            for cell, count in run["records"].items()
        )
        lines.append(
            f"- The raw records, by the cell that asked for them: {files}. "
            "One line a trial: a checksum of the rest, then the record as JSON."
        )
    return lines[0] + "\n\n" + "\n".join(lines[1:])


def records_link(page: str, cell: str) -> str:
    """Return the download of the records that a cell of a page asked for."""
    return f"{{download}}`{cell} <.run/{page}/{page}-{cell}.jsonl>`"


def _commands(page: str, run: Run | None, repository: str | None) -> str:
    clone = ""
    if repository:
        clone = f"git clone https://github.com/{repository}\ncd {repository.split('/')[1]}\n"
    given = run["parameters"] if run else {}
    parameters = shlex.quote(json.dumps(given, ensure_ascii=False))
    return COMMANDS.format(clone=clone, page=page, parameters=parameters)


def status(notes: Mapping[str, Run]) -> str:
    """Return the status page: every executed page in one table, and what they were made with."""
    latest = max(notes.values(), key=lambda run: run["when"])["made with"]
    return STATUS.format(
        pages="\n".join(
            f"| [](./{page}.ipynb) | {run['trials']:,} | {run['fresh']:,} | {run['seconds']:.0f} "
            f"| {_minute(run)} |"
            for page, run in notes.items()
        ),
        parameters="\n\n".join(
            f"[](./{page}.ipynb)\n: `{literal(run['parameters'])}`" for page, run in notes.items()
        ),
        made="\n".join(
            f"| {name} | {markdown(value)} |" for name, value in latest.items() if name != "changed"
        ),
    )


def _minute(run: Run) -> str:
    return run["when"][:16].replace("T", " ")


def literal(parameters: Mapping[str, Any]) -> str:
    """Return parameters as a notebook assigns them."""
    return ", ".join(f"{name}={value!r}" for name, value in parameters.items()) or "none"
