"""What a store keeps of queries: the arrays of each, or of its networks until all are there."""

import warnings
from collections.abc import Collection, Iterable, Iterator

import numpy as np

from dropkit.store.folder import Store
from dropkit.store.records import DamagedRecord
from dropkit.study.queries import Network, Query, arrays_of

_OF_EACH = ("recalls", "probs", "grad_norms")  # arrays with an axis of a query's networks

# What is recorded only where it is wanted: it takes time, or room.
EXTRAS = frozenset({"probs", "grad_norms", "margins"})

Arrays = dict[str, np.ndarray]


def enough(trained: Query | Network, arrays: Arrays | None, extras: Collection[str]) -> bool:
    """Whether arrays are all that is wanted: those of another study may lack extras."""
    if arrays is None:
        return False
    for name, fits in arrays_of(trained).items():
        array = arrays.get(name)
        if array is None and name in EXTRAS:
            if name in extras:
                return False
        elif array is None or not fits(array):
            what = f"the arrays of {trained} are not what it records, and are computed again"
            warnings.warn(what, DamagedRecord, 2)
            return False
    return True


def without_result(store: Store, extras: Collection[str], networks: list[Network]) -> list[Network]:
    """Those that the store has neither alone nor, looked at later, with their query's others."""

    def there(network: Network) -> bool:
        return any(
            enough(trained, store.load_arrays(name), extras)
            for trained, name in ((network, network.name), (network.query, network.query.key))
        )

    return [network for network in networks if not there(network)]


def by_others(
    query: Query, parts: dict[Network, Arrays], store: Store, extras: Collection[str]
) -> Iterator[tuple[Query, Arrays]]:
    """A query that other processes trained, some of its networks or all; nothing if not yet."""
    stored = {n: store.load_arrays(n.name) for n in query.networks if n not in parts}
    parts |= {n: arrays for n, arrays in stored.items() if enough(n, arrays, extras)}
    arrays = store.load_arrays(query.key)
    if arrays is not None and enough(query, arrays, extras):
        yield query, arrays
    else:
        yield from whole([query], parts, store)


def whole(
    queries: Iterable[Query], parts: dict[Network, Arrays], store: Store
) -> list[tuple[Query, Arrays]]:
    """Those of the queries that have all their networks, taken from the parts into the store."""
    complete = [query for query in queries if parts.keys() >= set(query.networks)]
    return [(query, _united(query, parts, store)) for query in complete]


def _united(query: Query, parts: dict[Network, Arrays], store: Store) -> Arrays:
    """A query's arrays from those of its networks: in the store, instead of them."""
    networks = [parts.pop(network) for network in query.networks]
    arrays = {}
    for name in list(networks[0]):
        # Taken away as they are copied: those of a large set fill the memory.
        found = [network.pop(name) for network in networks]
        arrays[name] = np.stack(found) if name in _OF_EACH else found[0]
    store.save_arrays(query.key, arrays)
    for network in query.networks:
        store.discard_arrays(network.name)
    return arrays
