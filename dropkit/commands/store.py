"""``dropkit store``: look at stored trials, check them, publish them, unite stores."""

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dropkit.commands._output import plain_warnings, print_rows

if TYPE_CHECKING:  # NumPy and PyTorch load when a command runs, not for --help
    from dropkit.store.folder import Store
    from dropkit.store.records import Record
    from dropkit.store.tidying import Leftover
    from dropkit.study.rerun import Verified


HELP = "look at stored trials, check, publish or unite them"
DESCRIPTION = HELP.capitalize() + "."


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the actions, each with what it takes."""
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)

    _action(actions, "ls", run_ls, "list what is stored, a line a protocol")

    show = _action(actions, "show", run_show, "print records whole", filters=False)
    show.add_argument("keys", nargs="+", metavar="KEY", help="a record's key, or how it starts")

    verify = _action(actions, "verify", run_verify, "check every record and make some again")
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
    _add_yes(_action(actions, "repair", run_repair, about, filters=False))

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
    parser.set_defaults(action=run)
    return parser


def run(options: argparse.Namespace) -> int | None:
    """Do what was asked for."""
    return options.action(options)


def run_ls(options: argparse.Namespace) -> None:
    """Print one line a data set, model and protocol."""
    store = _opened(options.store)
    groups: dict[tuple, list[Record]] = {}
    for record in _chosen(store, options.dataset):
        trial = record["trial"]
        groups.setdefault((trial["dataset"], trial["model"], trial["protocol"]), []).append(record)
    lines = [("data set", "model", "protocol", "trials", "densities", "seeds", "seconds", "last")]
    for group, records in sorted(groups.items()):
        densities, seeds = (
            len({record["trial"][name] for record in records}) for name in ("density", "seed")
        )
        seconds = sum(record["seconds"] for record in records)
        last = max(record["provenance"]["time"] for record in records)[:16].replace("T", " ")
        lines.append((*group, len(records), densities, seeds, f"{seconds:.0f}", last))
    if groups:
        print_rows(lines, left=3)
    print(f"{sum(map(len, groups.values())):,} trials in {store.path}")


def run_show(options: argparse.Namespace) -> None:
    """Print each record as indented JSON."""
    store = _opened(options.store)
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
    store = _opened(options.store)
    records = sorted(_chosen(store, options.dataset), key=lambda record: record["key"])
    if options.file.suffix == ".csv":
        write_atomically(options.file, tidy_table.to_csv(records).encode())
    else:
        store.export(options.file, [record["key"] for record in records])
    print(f"{len(records):,} trials of {store.path} in {options.file}")


def run_merge(options: argparse.Namespace) -> int:
    """Add the sources' records; exit status 1 when a trial has more than one result."""
    from dropkit.store import merging
    from dropkit.store.folder import Store, default_path, named

    target = named(options.store) if options.store else default_path()
    for folder in options.sources:
        _check_folder(folder)
    found = merging.conflicts([target, *options.sources])
    with warnings.catch_warnings(action="ignore"):  # said above
        store = Store(target)
        added = merging.merge(store, options.sources)
    store.close()
    for conflict in found:
        print(f"conflict: {conflict}, whose result is left out", file=sys.stderr)
    print(f"{added:,} trials added to {target}, which has {len(store):,}; {len(found):,} conflicts")
    return 1 if found else 0


def run_verify(options: argparse.Namespace) -> int:
    """Say what is damaged, ambiguous or not reproduced; exit status 1 if anything is."""
    from dropkit.store import merging

    _check_at_least_0("--sample", options.sample)
    _check_at_least_0("--tolerance", options.tolerance)
    with plain_warnings() as said:
        store = _opened(options.store)
        arrays = [store.load_arrays(name) is not None for name in store.array_names()]
    with warnings.catch_warnings(action="ignore"):  # said above
        found = merging.conflicts([store.path])
    for conflict in found:
        print(f"conflict: {conflict}", file=sys.stderr)
    print(f"{_counted(store)} and {sum(arrays):,} query records in {store.path}")
    print(f"damaged or foreign parts: {len(said):,}; records of two results: {len(found):,}")
    chosen = _chosen(store, options.dataset, ("trial", "fit"))
    wrong = _misnamed(chosen)
    failed = _run_again(chosen, options) if options.sample else 0
    return 1 if said or found or wrong or failed else 0


def _misnamed(records: list["Record"]) -> int:
    """Name the records that are not of the trial whose key they have; return how many."""
    from dropkit.study import rerun

    found = rerun.misnamed(records)
    for record in found:
        made = "trial" if "trial" in record else "fit"
        print(f"{record['key']} is not the key of the {made} in its record", file=sys.stderr)
    print(f"keys of another trial or fit: {len(found):,}")
    return len(found)


def run_repair(options: argparse.Namespace) -> int:
    """List what crashes left, and take it away if that is wanted."""
    from dropkit.store import tidying

    with warnings.catch_warnings(action="ignore"):  # all of it is listed
        path = _opened(options.store).path
    return _take_away(path, tidying.leftovers(path), options.yes)


def run_gc(options: argparse.Namespace) -> int:
    """List the arrays that no record was made from, and take them away if that is wanted."""
    from dropkit.store import tidying
    from dropkit.training.recipes import ENGINE

    store = _opened(options.store)
    found = tidying.unreferenced(store, range(1, ENGINE + 1))
    return _take_away(store.path, found, options.yes)


def _take_away(path: Path, found: Sequence["Leftover"], yes: bool) -> int:
    """Exit status 1 where something is left as it is."""
    for each in found:
        print(each)
    if not found:
        print(f"nothing to take away in {path}")
        return 0
    question = f"take away these {len(found):,} from {path}? [y/N] "
    if not yes and not (sys.stdin.isatty() and input(question).strip().lower() in ("y", "yes")):
        print(f"{path} is as it was; --yes takes them away")
        return 1
    for each in found:
        each.remove()
    print(f"taken away from {path}: {len(found):,}")
    return 0


def _run_again(records: list["Record"], options: argparse.Namespace) -> int:
    """Say of a sample whether the same comes out; return of how many records it does not."""
    from dropkit.study import rerun

    drawn, others = rerun.sample(records, options.sample, options.seed)
    failed = 0
    for verified in rerun.rerun(drawn, executor=options.executor, device=options.device):
        passed = max(verified.difference, verified.moved) <= options.tolerance
        failed += not passed
        print(f"{'same' if passed else 'DIFFERENT'}: {_described(verified)}")
    if others:
        first = _name(others[0])
        print(f"of another version, and so never drawn: {_counted(others)}; the first: {first}")
    fewer = ", as the store has no more of this version" if len(drawn) < options.sample else ""
    print(f"run again: {_counted(each.stored for each in drawn)}{fewer}; different: {failed:,}")
    return failed


def _check_at_least_0(name: str, value: float) -> None:
    if not value >= 0:
        raise ValueError(f"{name} must be 0 or more, got {value}")


def _counted(records: Iterable["Record"]) -> str:
    """How many trials and, where there are any, how many fits."""
    kinds = ["fit" if "fit" in record else "trial" for record in records]
    trials, fits = map(kinds.count, ("trial", "fit"))
    return f"{trials:,} trials" + (f", {fits:,} fits" if fits else "")


def _described(verified: "Verified") -> str:
    text = f"{_name(verified.stored)}, recalls within {verified.difference:g}"
    if verified.moved:
        text += f", kept shares of classes within {verified.moved:g}"
    return text


def _name(record: "Record") -> str:
    made = record.get("trial") or record["fit"]
    what = made["protocol"] if "trial" in record else f"{made['classifier']} {made['method']}"
    return f"{record['key']} {_data_set(record)} {what} {made['density']:g} seed {made['seed']}"


def _data_set(record: "Record") -> str:
    return record["trial"]["dataset"] if "trial" in record else record["fit"]["data"]


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ValueError(f"there is no store {folder}: name a folder that holds one")


def _opened(folder: str | None) -> "Store":
    from dropkit.store.folder import Store, default_path, named

    path = named(folder) if folder else default_path()
    _check_folder(path)
    return Store(path)


def _chosen(
    store: "Store", dataset: str | None, kinds: Collection[str] = ("trial",)
) -> list["Record"]:
    records = [record for record in store if not record.keys().isdisjoint(kinds)]
    if dataset is None:
        return records
    chosen = [record for record in records if _data_set(record) == dataset]
    if not chosen:
        known = ", ".join(sorted(set(map(_data_set, records)))) or "none"
        raise ValueError(f"no trial on data set {dataset!r} in {store.path}; it has {known}")
    return chosen
