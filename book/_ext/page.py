"""Execute one notebook into its page.

A page is written only when its notebook ran to the end, and the same run gives the same bytes.
What differs between runs, such as the time, goes to ``.run`` in the pages' folder.
"""

import json
import time
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from book._ext import provenance
from book._ext.kernels import PATIENCE, despite_taken_ports
from book._ext.pictures import lighten, pictures
from dropkit.notebook.parameters import declared
from dropkit.store.records import write_atomically

DRAWINGS = "drawings.json"

# The last cell of each run, which the page does not show.
SAVE_RECORDS = """import json
from dropkit.notebook import records
print(json.dumps(records.save({folder!r}, {cells!r})))"""


def execute(source: Path, to: Path, on_cell: Callable[[], None]) -> float:
    """Run one notebook, write its page into the folder ``to`` and return the seconds of the run.

    ``on_cell`` is called after each code cell. Raises what the notebook raises.
    """
    page = nbformat.read(source, as_version=4)
    metadata = deepcopy(page.metadata)
    cells = {cell.id: cell.source for cell in page.cells if cell.cell_type == "code"}
    notes = to.resolve() / ".run" / source.stem
    save = SAVE_RECORDS.format(folder=str(notes), cells=list(cells))
    page.cells.append(nbformat.v4.new_code_cell(save))
    start = time.perf_counter()
    despite_taken_ports(_run)(page, on_cell)
    seconds = time.perf_counter() - start
    saved = json.loads(page.cells.pop().outputs[0].text)
    page.metadata = metadata  # without what the kernel says of itself
    drawings = lighten(page, _known(notes))
    content = (nbformat.writes(page) + "\n").encode()
    write_atomically(to / source.name, content)
    for name, picture in pictures(page):
        write_atomically(to / "_static" / name, picture.encode())
    note = {
        "page": provenance.digest(content),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "parameters": declared(list(cells.values()))[0],
        **saved,
    }
    write_atomically(notes / "page.json", json.dumps(note, indent=1, ensure_ascii=False).encode())
    if drawings:
        write_atomically(notes / DRAWINGS, json.dumps(drawings).encode())
    # What an earlier run left goes last: until now the notes named it.
    named = {f"{source.stem}-{cell}" for cell in saved["records"]}
    for file in notes.glob("*.jsonl"):
        if file.stem not in named:
            file.unlink()
    return seconds


def _known(notes: Path) -> dict[str, str]:
    """The drawings of the last run, by what they were made from; none where that cannot be read."""
    try:
        return dict(json.loads((notes / DRAWINGS).read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def _run(page: NotebookNode, on_cell: Callable[[], None]) -> None:
    """Execute a notebook in place, the same each time but for what its cells do differently."""
    client = NotebookClient(
        page,
        startup_timeout=PATIENCE,
        iopub_timeout=PATIENCE,
        shutdown_kernel="immediate",  # else some kernels log an interrupt as they end
        record_timing=False,
        coalesce_streams=True,  # the kernel splits them by its clock
        on_cell_executed=lambda **_: on_cell(),
    )
    client.reset_execution_trackers()
    with client.setup_kernel():
        for index, cell in enumerate(page.cells):
            client.execute_cell(cell, index)
