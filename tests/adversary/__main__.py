"""Every attack at full length: ``python -m tests.adversary``; exit status 1 if any did harm."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from dropkit._common.text import markdown
from dropkit.store.provenance import provenance
from dropkit.store.records import write_atomically
from tests.adversary.attacks import ATTACKS

HEAD = "| attack | tried | lost | seconds |\n| :--- | ---: | ---: | ---: |"


def rows(harm: list[str]) -> Iterator[str]:
    """A row of the table an attack, as each ends; what it did is added to `harm`."""
    tried, began = 0, time.perf_counter()
    for name, attack in ATTACKS.items():
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            outcome = attack(True, Path(folder))
        tried += outcome.tried
        what, spent = attack.__doc__.split(":")[0], time.perf_counter() - start
        yield f"| {what} | {outcome.tried:,} | {len(outcome.harm):,} | {spent:.0f} |"
        harm += [f"{name}: {each}" for each in outcome.harm]
    yield f"| **all** | **{tried:,}** | **{len(harm):,}** | {time.perf_counter() - began:.0f} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table of the attacks, how often each was tried, and what it cost."""
    parser = argparse.ArgumentParser("python -m tests.adversary", description=__doc__)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table there, too")
    options = parser.parse_args(arguments)
    lines, harm = [HEAD], list[str]()
    print(HEAD, flush=True)
    for row in rows(harm):
        lines.append(row)
        print(row, flush=True)
    if options.out:
        made = provenance()
        where = f"dropkit {made['dropkit']}, commit {made['commit']}, {made['device']}"
        text = "\n".join([*lines, "", markdown(f"Tried on {made['time'][:10]}: {where}."), ""])
        write_atomically(options.out, text.encode())
    print(*harm[:20], sep="\n", file=sys.stderr)
    return 1 if harm else 0


if __name__ == "__main__":
    sys.exit(main())
