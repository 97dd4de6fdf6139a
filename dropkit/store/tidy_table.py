"""Records as one tidy table: a row for each trial and each of its classes or groups."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from dropkit._common.text import no_formula
from dropkit.store.records import Record

# Lists of a record with one value a class or group, and the column each becomes.
_BY_STRATUM = {
    "recalls": "recall",
    "test_sizes": "test_size",
    "class_sizes": "class_size",
    "kept": "kept",
}


def rows(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    """Yield the rows of the tidy table, for ``pandas.DataFrame`` or ``csv``.

    A trial's settings have columns of their own, nested ones joined by dots ("recipe.epochs",
    "recall_query.seed"); a list, such as the drops of a learning rate, is joined by blanks.
    """
    for record in records:
        shared = {
            "key": record["key"],
            **_flat(record["trial"]),
            "seconds": record["seconds"],
            **_flat(record["provenance"]),
        }
        for stratum in range(len(record["recalls"])):
            yield shared | {
                "stratum": stratum,
                **{column: record[name][stratum] for name, column in _BY_STRATUM.items()},
            }


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        elif value is not None:
            flat[prefix + name] = " ".join(map(str, value)) if isinstance(value, list) else value
    return flat


def to_csv(records: Iterable[Record]) -> str:
    """Return the tidy table as CSV, its columns in the order of their first appearance."""
    table = list(rows(records))
    columns = dict.fromkeys(name for row in table for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: no_formula(value) for name, value in row.items()} for row in table)
    return text.getvalue()
