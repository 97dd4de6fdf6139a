"""``dropkit store verify``: every record checked, and some made again."""

import argparse
import json
import sys
import warnings
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dropkit._common.text import printable
from dropkit.commands._output import plain_warnings
from dropkit.commands._stored import chosen as chosen_of, counted, engines, name, opened

if TYPE_CHECKING:
    from dropkit.store.records import Record
    from dropkit.study.rerun import Verified


def run(options: argparse.Namespace) -> int:
    """Say what is damaged, ambiguous or not reproduced; exit status 1 if anything is."""
    from dropkit.store import merging

    _check_at_least_0("--sample", options.sample)
    _check_at_least_0("--tolerance", options.tolerance)
    with plain_warnings() as said:
        store = opened(options.store)
        arrays = [store.load_arrays(name) is not None for name in store.array_names()]
    with warnings.catch_warnings(action="ignore"):  # said above
        conflicts = merging.conflicts([store.path])
    for conflict in conflicts:
        print(f"conflict: {conflict}", file=sys.stderr)
    records = chosen_of(store, options.dataset, ("trial", "fit"))
    found = {"store": str(store.path), "records": len(store), "queries": sum(arrays)}
    found |= {"damaged": said, "conflicts": list(map(str, conflicts))}
    _say(options, f"{counted(store)} and {sum(arrays):,} query records in {store.path}")
    _say(options, f"damaged or foreign parts: {len(said):,}; ", end="")
    _say(options, f"records of two results: {len(conflicts):,}")
    found["misnamed"] = _misnamed(store, options)
    found |= _run_again(records, options) if options.sample else {}
    if options.json:
        print(json.dumps(found))
    different = any(not each["same"] for each in found.get("again", []))
    return 1 if said or conflicts or found["misnamed"] or different else 0


def _say(options: argparse.Namespace, text: str, end: str = "\n") -> None:
    if not options.json:
        print(text, end=end)


def _misnamed(records: Iterable["Record"], options: argparse.Namespace) -> list[str]:
    """Name the records that are not of what their key is made from."""
    from dropkit.store import tidying

    known = engines()
    found = [record for record in records if not tidying.is_named(record, known)]
    for record in found:
        made = next((f"the {kind}" for kind in ("trial", "fit") if kind in record), "what is")
        what = f"{record['key']} is not the key of {made} in its record"
        print(printable(what), file=sys.stderr)
    _say(options, f"keys of another trial or fit: {len(found):,}")
    return [record["key"] for record in found]


def _run_again(records: list["Record"], options: argparse.Namespace) -> dict:
    """Say of a sample whether the same comes out, and what cannot be made again."""
    from dropkit.study import rerun

    drawn, others = rerun.sample(records, options.sample, options.seed)
    again = []
    for verified in rerun.rerun(drawn, executor=options.executor, device=options.device):
        passed = max(verified.difference, verified.moved) <= options.tolerance
        again.append(
            {
                "key": verified.stored["key"],
                "same": passed,
                "recalls_within": verified.difference,
                "kept_within": verified.moved,
            }
        )
        _say(options, f"{'same' if passed else 'DIFFERENT'}: {_described(verified)}")
    if others:
        first = f"{counted(others)}; the first: {name(others[0])}"
        for why, made in sorted(Counter(filter(None, map(rerun.lacking, others))).items()):
            _say(options, f"{made:,} trials cannot be made here: {why}; --import FILE.py may do so")
        _say(options, f"of another version, and so never drawn: {first}")
    fewer = ", as the store has no more of this version" if len(drawn) < options.sample else ""
    failed = sum(not each["same"] for each in again)
    trials = counted(each.stored for each in drawn)
    _say(options, f"run again: {trials}{fewer}; different: {failed:,}")
    return {"again": again, "of_another_version": [record["key"] for record in others]}


def _check_at_least_0(name: str, value: float) -> None:
    if not value >= 0:
        raise ValueError(f"{name} must be 0 or more, got {value}")


def _described(verified: "Verified") -> str:
    text = f"{name(verified.stored)}, recalls within {verified.difference:g}"
    if verified.moved:
        text += f", kept shares of classes within {verified.moved:g}"
    return text
