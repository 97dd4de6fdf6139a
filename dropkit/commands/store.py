"""``dropkit store``: look at stored trials, check them, publish them, unite stores."""

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dropkit._common.text import printable
from dropkit.commands import _verify
from dropkit.commands._output import (
    add_import,
    add_options as add_output,
    in_rows,
    tell,
)
from dropkit.commands._stored import check_folder, chosen, engines, opened

if TYPE_CHECKING:  # NumPy and PyTorch load when a command runs, not for --help
    from dropkit.store.records import Record
    from dropkit.store.tidying import Leftover


HELP = "look at stored trials, check, publish or unite them"
DESCRIPTION = HELP.capitalize() + "."


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the actions, each with what it takes."""
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)

    _action(actions, "ls", run_ls, "list what is stored, a line a protocol")

    show = _action(actions, "show", run_show, "print records whole", filters=False)
    show.add_argument("keys", nargs="+", metavar="KEY", help="a record's key, or how it starts")

    verify = _action(actions, "verify", _verify.run, "check every record and make some again")
    add_import(verify)
    add = verify.add_argument
    add("--sample", type=int, default=5, metavar="N", help="records to make again (default 5)")
    add("--seed", type=int, default=0, help="draws the sample (default 0)")
    add("--executor", default="local", help="local (default), processes or ray")
    add("--device", default="cpu", help="cpu (default), cuda, cuda:N, mps or auto")
    about = "largest difference of a recall, or of what a class keeps, that passes (default 0, "
    about += "right for float64; another processor or GPU needs more in other precisions)"
    add("--tolerance", type=float, default=0.0, metavar="T", help=about)

    export = _action(actions, "export", run_export, "write records into one file")
    export.add_argument("file", type=Path, help=".jsonl as in book/results, or .csv, a tidy table")

    about = "take away torn lines, spare and empty files and damaged arrays, after listing them"
    repair = _action(actions, "repair", run_repair, about, filters=False)
    about = "also lines that are whole, but no record, or under the key of another"
    repair.add_argument("--forged", action="store_true", help=about)
    _add_yes(repair)

    about = "take away query arrays that no record was made from, after listing them"
    _add_yes(_action(actions, "gc", run_gc, about, filters=False))

    merge = _action(actions, "merge", run_merge, "add what other stores hold", filters=False)
    merge.add_argument("sources", nargs="+", type=Path, metavar="STORE", help="a folder to add")


def _add_yes(action: argparse.ArgumentParser) -> None:
    action.add_argument("--yes", action="store_true", help="do it without asking")


def _action(
    actions: argparse._SubParsersAction,
    name: str,
    run: Callable[[argparse.Namespace], int | None],
    about: str,
    filters: bool = True,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=about, description=about.capitalize() + ".")
    where = "folder of the store (default: $DROPKIT_STORE, else ~/.cache/dropkit)"
    parser.add_argument("--store", metavar="FOLDER", help=where)
    if filters:
        parser.add_argument("--dataset", metavar="NAME", help="only trials on this data set")
    add_output(parser)
    parser.set_defaults(action=run)
    return parser


def run(options: argparse.Namespace) -> int | None:
    """Do what was asked for."""
    return options.action(options)


def run_ls(options: argparse.Namespace) -> None:
    """Print one line a data set, model and protocol."""
    store = opened(options.store)
    groups: dict[tuple, list[Record]] = {}
    for record in chosen(store, options.dataset):
        trial = record["trial"]
        groups.setdefault((trial["dataset"], trial["model"], trial["protocol"]), []).append(record)
    names = ("data set", "model", "protocol", "trials", "densities", "seeds", "seconds", "last")
    lines = []
    for group, records in sorted(groups.items()):
        densities, seeds = (
            len({record["trial"][name] for record in records}) for name in ("density", "seed")
        )
        seconds = sum(record["seconds"] for record in records)
        last = max(record["provenance"]["time"] for record in records)[:16].replace("T", " ")
        lines.append((*group, len(records), densities, seeds, f"{seconds:.0f}", last))
    rows = [dict(zip(names, line, strict=True)) | {"seconds": float(line[-2])} for line in lines]
    fits = len(chosen(store, options.dataset, ("fit",))) if options.dataset is None else 0
    table = in_rows([names, *lines], left=3) + "\n" if groups else ""
    counted = f"{sum(map(len, groups.values())):,} trials" + (f", {fits:,} fits" if fits else "")
    found = {"store": str(store.path), "protocols": rows, "fits": fits}
    tell(options, found, f"{table}{counted} in {store.path}", summary=False)


def run_show(options: argparse.Namespace) -> None:
    """Print each record as indented JSON."""
    store = opened(options.store)
    for start in options.keys:
        found = [record for record in store if record["key"].startswith(start)]
        if len(found) != 1:
            raise ValueError(
                f"{len(found) or 'no'} keys in the store {store.path} start with {start!r}: "
                "name a record by its key, or by as much of it as no other has"
            )
        print(json.dumps(found[0], indent=2, sort_keys=True))


def run_export(options: argparse.Namespace) -> None:
    """Write the chosen records, sorted by key."""
    from dropkit.store import tidy_table
    from dropkit.store.records import write_atomically

    if options.file.suffix not in (".jsonl", ".csv"):
        raise ValueError(f"the file must end in .jsonl or .csv, got {str(options.file)!r}")
    store = opened(options.store)
    records = sorted(chosen(store, options.dataset), key=lambda record: record["key"])
    if options.file.suffix == ".csv":
        write_atomically(options.file, tidy_table.to_csv(records).encode())
    else:
        store.export(options.file, [record["key"] for record in records])
    found = {"trials": len(records), "store": str(store.path), "file": str(options.file)}
    tell(options, found, f"{len(records):,} trials of {store.path} in {options.file}")


def run_merge(options: argparse.Namespace) -> int:
    """Add the sources' records; exit status 1 for one under another's key and of two results."""
    from dropkit.store import merging, tidying
    from dropkit.store.folder import Store, default_path, named

    target = named(options.store) if options.store else default_path()
    for folder in options.sources:
        check_folder(folder)
    found = merging.conflicts([target, *options.sources])
    known_engines, strange = engines(), set()

    def wanted(record: "Record") -> bool:
        if not (fine := tidying.is_named(record, known_engines)):
            strange.add(record["key"])
        return fine

    with warnings.catch_warnings(action="ignore"):  # said above
        store = Store(target)
        added = merging.merge(store, options.sources, wanted)
    store.close()
    for key in sorted(strange):
        what = f"left out: {key} is not the key of what is in its record"
        print(printable(what), file=sys.stderr)
    for conflict in found:
        print(f"conflict: {conflict}, whose result is left out", file=sys.stderr)
    text = f"{added:,} trials added to {target}, which has {len(store):,}; {len(found):,} conflicts"
    known = {"added": added, "trials": len(store), "store": str(target)}
    known |= {"misnamed": sorted(strange)}
    tell(options, known | {"conflicts": list(map(str, found))}, text)
    return 1 if found or strange else 0


def run_repair(options: argparse.Namespace) -> int:
    """List what crashes left, and take it away if that is wanted."""
    from dropkit.store import tidying

    with warnings.catch_warnings(action="ignore"):  # all of it is listed
        path = opened(options.store).path
    found = tidying.leftovers(path, engines() if options.forged else None)
    return _take_away(path, found, options)


def run_gc(options: argparse.Namespace) -> int:
    """List the arrays that no record was made from, and take them away if that is wanted."""
    from dropkit.store import tidying
    from dropkit.training.recipes import ENGINE

    store = opened(options.store)
    found = tidying.unreferenced(store, range(1, ENGINE + 1))
    return _take_away(store.path, found, options)


def _take_away(path: Path, found: Sequence["Leftover"], options: argparse.Namespace) -> int:
    """Exit status 1 where something is left as it is."""
    known = {"store": str(path), "found": list(map(str, found)), "taken_away": False}
    if not found:
        tell(options, known, f"nothing to take away in {path}", summary=False)
        return 0
    if not options.json:
        print(*found, sep="\n")
    question = f"take away these {len(found):,} from {path}? [y/N] "
    asked = not options.json and sys.stdin.isatty()
    if not options.yes and not (asked and input(question).strip().lower() in ("y", "yes")):
        tell(options, known, f"{path} is as it was; --yes takes them away")
        return 1
    for each in found:
        each.remove()
    tell(options, known | {"taken_away": True}, f"taken away from {path}: {len(found):,}")
    return 0
